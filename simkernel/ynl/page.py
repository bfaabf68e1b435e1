"""The page that describes a family: what it can be asked, what that takes and gives, what it sends unasked.

Plain data; whoever shows it decides on colours and columns.  `lines()` is the page as plain text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from simkernel.ynl.model import Attribute, Checks, Constant, Definition, Enumeration, Operation, Spec

_PERMISSIONS = {
    "admin-perm": "CAP_NET_ADMIN",
    "uns-admin-perm": "CAP_NET_ADMIN over the network namespace",
}
_POLICIES = {
    "split": "for each do and dump",
    "per-op": "for each operation",
    "global": "for all operations",
}


@attrs.frozen
class Section:
    """A heading, a text and rows of columns; the rows of one section have equally many."""

    heading: str
    text: str = ""
    rows: tuple[tuple[str, ...], ...] = ()


def page(spec: Spec) -> tuple[Section, ...]:
    """The sections of the page, the most asked for first."""
    calls = [each for each in spec.operations.values() if not each.is_asynchronous]
    events = [each for each in spec.operations.values() if each.is_asynchronous]
    return (
        _family(spec),
        *_unsupported(spec),
        *(_call(spec, each) for each in calls if each.do or each.dump),
        *(_event(spec, each) for each in events),
        *_groups(spec, events),
        *(
            Section(f"attributes: {each.name}", each.doc, tuple(_attribute_rows(each.attributes)))
            for each in spec.attribute_sets.values()
        ),
        *(_definition(each) for each in spec.definitions.values()),
    )


def lines(spec: Spec) -> Iterator[str]:
    """The page as plain text, columns aligned."""
    for section in page(spec):
        yield section.heading
        for line in section.text.strip().splitlines():
            yield f"  {line}".rstrip()
        columns = list(zip(*section.rows, strict=True))
        widths = [max(map(len, column)) for column in columns]
        for row in section.rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            yield f"  {'  '.join(cells)}".rstrip()
        yield ""


def _family(spec: Spec) -> Section:
    rows = [
        ("protocol", spec.protocol),
        ("version", str(spec.version)),
        ("policies", _POLICIES[spec.kernel_policy]),
    ]
    if spec.uapi_header:
        rows.append(("header", spec.uapi_header))
    return Section(f"family: {spec.name}", spec.doc, tuple(rows))


def _unsupported(spec: Spec) -> Iterator[Section]:
    if spec.unsupported:
        rows = tuple((f"line {each.line}", each.feature, each.key) for each in spec.unsupported)
        yield Section("not supported", "simkernel can describe this family, but not use it.", rows)


def _call(spec: Spec, operation: Operation) -> Section:
    rows = [("who may", ", ".join(_PERMISSIONS[flag] for flag in operation.flags) or "anybody")]
    for name, mode in (("do", operation.do), ("dump", operation.dump)):
        if mode is not None:
            rows.append((f"{name} takes", _listed(mode.request)))
            rows.append((f"{name} gives", _listed(mode.reply)))
    if operation.dont_validate:
        rows.append(("not validated", ", ".join(operation.dont_validate)))
    if operation.config_condition:
        rows.append(("needs", f"CONFIG_{operation.config_condition}"))
    number = operation.request_number
    return Section(f"operation: {operation.name} ({number})", operation.doc, _of_set(operation, rows))


def _event(spec: Spec, operation: Operation) -> Section:
    kind = "notification" if operation.notify else "event"
    attributes = spec.message(operation, "event", "reply")
    rows = [("holds", _listed(attributes))]
    if operation.notify:
        rows.append(("as", operation.notify))
    if operation.group:
        rows.append(("sent to", operation.group))
    heading = f"{kind}: {operation.name} ({operation.reply_number})"
    return Section(heading, operation.doc, _of_set(operation, rows))


def _of_set(operation: Operation, rows: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return (*rows, ("attributes", operation.attribute_set)) if operation.attribute_set else tuple(rows)


def _listed(names: tuple[str, ...] | None) -> str:
    return ", ".join(names) if names else "nothing"


def _groups(spec: Spec, events: list[Operation]) -> Iterator[Section]:
    if not spec.groups:
        return
    rows = []
    for group in spec.groups:
        sent = ", ".join(event.name for event in events if event.group == group.name)
        needs = ", ".join(_PERMISSIONS[flag] for flag in group.flags) or "anybody"
        rows.append((group.name, needs, sent))
    yield Section("multicast groups", rows=tuple(rows))


def _attribute_rows(attributes: Mapping[str, Attribute]) -> Iterator[tuple[str, ...]]:
    for each in attributes.values():
        yield str(each.number), each.name, _type(each), ", ".join(_checks(each.checks)), _one_line(each.doc)


def _type(attribute: Attribute) -> str:
    words = [attribute.type]
    if attribute.big_endian:
        words.append("(big-endian)")
    if attribute.sub_type:
        words.append(f"of {attribute.sub_type}")
    if attribute.nested:
        words.append(f"of {attribute.nested}")
    if attribute.type_values:
        words.append(f"under {', '.join(attribute.type_values)}")
    if attribute.enum is not None:
        words.append(f"{'flags' if attribute.as_flags else 'enum'} {attribute.enum.name}")
    if attribute.display_hint:
        words.append(f"shown as {attribute.display_hint}")
    if attribute.multi:
        words.append("(any number)")
    return " ".join(words)


def _checks(checks: Checks) -> Iterator[str]:
    values = _range(checks.minimum, checks.maximum)
    if values:
        yield values
    if checks.flags_mask is not None:
        yield f"bits of {checks.flags_mask.name}"
    if checks.exact_length is not None:
        yield f"{checks.exact_length} bytes"
    lengths = _range(checks.min_length, checks.max_length)
    if lengths:
        yield f"{lengths} bytes"
    if checks.unterminated_ok:
        yield "NUL not needed"


def _range(low: int | None, high: int | None) -> str:
    if low is None and high is None:
        return ""
    if low is None:
        return f"at most {high}"
    return f"from {low}" if high is None else f"{low} to {high}"


def _definition(definition: Definition) -> Section:
    if isinstance(definition, Constant):
        return Section(f"constant: {definition.name}", definition.doc, (("value", str(definition.value)),))
    if isinstance(definition, Enumeration):
        rows = tuple((str(each.value), each.name, _one_line(each.doc)) for each in definition.entries)
        return Section(
            f"{'flags' if definition.is_flags else 'enum'}: {definition.name}", definition.doc, rows
        )
    return Section(f"structure: {definition.name}", definition.doc, tuple((n,) for n in definition.members))


def _one_line(text: str) -> str:
    return " ".join(text.split())
