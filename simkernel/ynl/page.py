"""The description page of a family: its operations, events, multicast groups and attributes.

The page is plain data; the caller formats it.  `lines()` returns the page as plain text.
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
    """A section of the page: a heading, a text, and rows with equal numbers of columns."""

    heading: str
    text: str = ""
    rows: tuple[tuple[str, ...], ...] = ()


def page(spec: Spec) -> tuple[Section, ...]:
    """Return the sections of a family's description page, in the order of importance."""
    calls = [each for each in spec.operations.values() if not each.is_asynchronous]
    events = [each for each in spec.operations.values() if each.is_asynchronous]
    return (
        _family(spec),
        *_unsupported(spec),
        *(_call(each) for each in calls if each.do or each.dump),
        *(_event(spec, each) for each in events),
        *_groups(spec, events),
        *(
            Section(f"attributes: {each.name}", each.doc, tuple(_attribute_rows(each.attributes)))
            for each in spec.attribute_sets.values()
        ),
        *(_definition(each) for each in spec.definitions.values()),
    )


def lines(spec: Spec) -> Iterator[str]:
    """Yield the lines of a family's description page as plain text with aligned columns."""
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


def _rows(*rows: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the rows (name, value) without those whose value is empty."""
    return tuple(row for row in rows if row[1])


def _family(spec: Spec) -> Section:
    rows = _rows(
        ("protocol", spec.protocol),
        ("version", str(spec.version)),
        ("policies", _POLICIES[spec.kernel_policy]),
        ("header", spec.uapi_header),
    )
    return Section(f"family: {spec.name}", spec.doc, rows)


def _unsupported(spec: Spec) -> Iterator[Section]:
    if spec.unsupported:
        rows = tuple((f"line {each.line}", each.feature, each.key) for each in spec.unsupported)
        yield Section("not supported", "simkernel can describe this family, but not use it.", rows)


def _call(operation: Operation) -> Section:
    condition = operation.config_condition
    modes = (("do", operation.do), ("dump", operation.dump))
    rows = _rows(
        ("permission", _required(operation.flags)),
        *(
            (f"{name} {verb}", _listed(attributes))
            for name, mode in modes
            if mode is not None
            for verb, attributes in (("request", mode.request), ("reply", mode.reply))
        ),
        ("not validated", ", ".join(operation.dont_validate)),
        ("needs", condition and f"CONFIG_{condition}"),
        ("attributes", operation.attribute_set),
    )
    return Section(f"operation: {operation.name} ({operation.request_number})", operation.doc, rows)


def _event(spec: Spec, operation: Operation) -> Section:
    rows = _rows(
        ("contains", _listed(spec.message(operation, "event", "reply"))),
        ("reply of", operation.notify),
        ("sent to", operation.group),
        ("attributes", operation.attribute_set),
    )
    kind = "notification" if operation.notify else "event"
    return Section(f"{kind}: {operation.name} ({operation.reply_number})", operation.doc, rows)


def _required(flags: tuple[str, ...]) -> str:
    return ", ".join(_PERMISSIONS[flag] for flag in flags) or "none"


def _listed(names: tuple[str, ...] | None) -> str:
    return ", ".join(names) if names else "nothing"


def _groups(spec: Spec, events: list[Operation]) -> Iterator[Section]:
    if not spec.groups:
        return
    rows = []
    for group in spec.groups:
        sent = ", ".join(event.name for event in events if event.group == group.name)
        rows.append((group.name, _required(group.flags), sent))
    yield Section("multicast groups", rows=tuple(rows))


def _attribute_rows(attributes: Mapping[str, Attribute]) -> Iterator[tuple[str, ...]]:
    for each in attributes.values():
        yield str(each.number), each.name, _type(each), _checks(each.checks), _one_line(each.doc)


def _type(attribute: Attribute) -> str:
    enum = attribute.enum
    words = (
        attribute.type,
        attribute.big_endian and "(big-endian)",
        attribute.sub_type and f"of {attribute.sub_type}",
        attribute.nested and f"of {attribute.nested}",
        attribute.type_values and f"under {', '.join(attribute.type_values)}",
        enum and f"{'flags' if attribute.as_flags else 'enum'} {enum.name}",
        attribute.display_hint and f"shown as {attribute.display_hint}",
        attribute.multi and "(any number)",
    )
    return " ".join(word for word in words if word)


def _checks(checks: Checks) -> str:
    lengths = _range(checks.min_length, checks.max_length)
    parts = (
        _range(checks.minimum, checks.maximum),
        checks.flags_mask and f"bits of {checks.flags_mask.name}",
        "" if checks.exact_length is None else f"{checks.exact_length} bytes",
        lengths and f"{lengths} bytes",
        checks.unterminated_ok and "NUL not needed",
    )
    return ", ".join(part for part in parts if part)


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
