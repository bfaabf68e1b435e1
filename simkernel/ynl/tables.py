"""Conversion of a specification to the attribute policies that the family has in the kernel.

Sources: tools/net/ynl/ynl-gen-c.py of Linux 6.12 and 6.18, which generates these tables as C.  For arrays
of older families, which it does not generate: include/net/netlink.h.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import attrs

from simkernel.ynl.errors import SpecError, choose
from simkernel.ynl.model import Attribute, AttributeSet, Mode, Operation, Spec
from simkernel.ynl.parse import supplement_name
from simkernel.ynl.policy import AttributePolicy, NlaType, PolicyTable, Validation
from simkernel.ynl.schema import SCALARS, SIGNED, type_range

SHARED_POLICY = "shared-policy"
"""Key in NAME.simkernel.yaml: a list of operations. Each of them has one policy table for its `do` and `dump`
requests (as in nlctrl).
"""

_BIG_ENDIAN = {"u16": NlaType.BE16, "u32": NlaType.BE32}
_SHORT_LIMITS = (-(2**15), 2**15 - 1)
"""Range of the 16-bit fields `min` and `max` in struct nla_policy. For a limit outside this range, struct
nla_policy has a pointer to the limits.
"""


@attrs.frozen
class OperationPolicies:
    """The policies with which the kernel validates the requests of an operation.

    None means no policy.  Then generic netlink uses REJECT_ALL if the family is split, or if the command
    is not below `resv_start_op`.
    """

    do: PolicyTable | None = None
    dump: PolicyTable | None = None


@attrs.frozen
class FamilyPolicies:
    """The policies of a family, by name of the operation."""

    maxattr: int
    """The field `maxattr` of struct genl_family. It is 0 if each operation has its own policy."""
    operations: Mapping[str, OperationPolicies]


def family_policies(spec: Spec) -> FamilyPolicies:
    """Return the policies of every operation.  The specification caches them.

    Raise SpecError if it uses an unsupported feature, or if it has a contradiction.
    """
    policies: FamilyPolicies | None = spec.derived.get("policies")
    if policies is None:
        spec.require_support()
        policies = spec.derived["policies"] = _make(spec)
    return policies


def _make(spec: Spec) -> FamilyPolicies:
    tables = _Tables(spec)
    calls = [operation for operation in spec.operations.values() if operation.do or operation.dump]
    if spec.kernel_policy == "global":
        policy = tables.common(calls)
        return FamilyPolicies(
            policy.maxattr if policy else 0, {each.name: _legacy(each, policy) for each in calls}
        )
    if spec.kernel_policy == "per-op":
        return FamilyPolicies(0, {each.name: _legacy(each, tables.single(each)) for each in calls})
    shared = _shared(spec)
    return FamilyPolicies(0, {each.name: tables.split(each, each.name in shared) for each in calls})


def _legacy(operation: Operation, policy: PolicyTable | None) -> OperationPolicies:
    """Return the policies of an operation whose `do` and `dump` requests have the same table, `policy`. A
    `dump` request that the kernel does not validate has no policy (genl_cmd_full_to_split()).
    """
    dumps = operation.dump is not None and "dump" not in operation.dont_validate
    return OperationPolicies(policy if operation.do else None, policy if dumps else None)


def _shared(spec: Spec) -> list[str]:
    names = spec.extras.get(SHARED_POLICY, [])
    filename = supplement_name(spec.filename)
    if not isinstance(names, list):
        raise SpecError(filename, 0, SHARED_POLICY, f"expected a list of operations, found {names!r}")
    for name in names:
        if name not in spec.operations:
            problem = f"unknown operation '{name}'; {choose(name, spec.operations)}"
            raise SpecError(filename, 0, SHARED_POLICY, problem)
    return [str(name) for name in names]


class _Tables:
    """Makes the policy tables of one family.  All nests of the same attribute set use the same table."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._nested: dict[str, PolicyTable] = {}

    def common(self, operations: list[Operation]) -> PolicyTable | None:
        """Return one policy table for all operations of the family. It has the attributes of all their
        requests.
        """
        sets = {operation.attribute_set for operation in operations if operation.attribute_set}
        if len(sets) > 1:
            raise SpecError(
                self._spec.filename,
                0,
                "kernel-policy",
                "a global policy needs one attribute set for all operations",
            )
        names = {name for each in operations for mode in (each.do, each.dump) for name in _request(mode)}
        return self._table(self._spec.name, max(sets, default=""), names)

    def single(self, operation: Operation) -> PolicyTable | None:
        """Return one policy table for the `do` and `dump` requests of an operation."""
        names = _request(operation.do) or _request(operation.dump)
        return self._table(f"{self._spec.name}-{operation.name}", operation.attribute_set, names)

    def split(self, operation: Operation, shared: bool) -> OperationPolicies:
        """Return a policy table for the `do` request of an operation, and one for its `dump` request. If
        `shared` is true, both are the same table.
        """
        do, dump = _request(operation.do), _request(operation.dump)
        name = f"{self._spec.name}-{operation.name}"
        if shared:
            table = self._table(name, operation.attribute_set, {*do, *dump})
            return OperationPolicies(table if operation.do else None, table if operation.dump else None)
        both = bool(do and dump)
        return OperationPolicies(
            self._table(f"{name}-do" if both else name, operation.attribute_set, do),
            self._table(f"{name}-dump" if both else name, operation.attribute_set, dump),
        )

    def nested(self, name: str) -> PolicyTable:
        """Return the policy table for nests with the attribute set `name`.  The table may contain itself."""
        if name not in self._nested:
            table = self._nested[name] = PolicyTable(f"{self._spec.name}-{name}", ())
            attribute_set = self._spec.attribute_sets[name]
            # Register the table first: a set may contain itself, and then `_policies` looks up this table.
            object.__setattr__(table, "attributes", self._policies(attribute_set, attribute_set.attributes))
        return self._nested[name]

    def _table(self, name: str, attribute_set: str, names: Collection[str]) -> PolicyTable | None:
        if not names:
            return None
        return PolicyTable(name, self._policies(self._spec.attribute_sets[attribute_set], names))

    def _policies(self, attribute_set: AttributeSet, names: Collection[str]) -> tuple[AttributePolicy, ...]:
        """Return a policy for each attribute type, from 0 to the highest type of the attributes in `names`.

        Other types get an empty policy.
        """
        chosen = [each for name, each in attribute_set.attributes.items() if name in names]
        policies = [AttributePolicy()] * (max((each.number for each in chosen), default=0) + 1)
        for attribute in chosen:
            policies[attribute.number] = self._policy(attribute)
        return tuple(policies)

    def _policy(self, attribute: Attribute) -> AttributePolicy:
        if attribute.type in SCALARS:
            return _scalar(attribute)
        if attribute.type == "nest":
            return AttributePolicy(NlaType.NESTED, nested=self._inside(attribute))
        if attribute.type == "indexed-array":
            if attribute.sub_type == "nest":
                return AttributePolicy(NlaType.NESTED_ARRAY, nested=self._inside(attribute))
            return AttributePolicy(NlaType.NESTED)
        return _SIMPLE[attribute.type](attribute)

    def _inside(self, attribute: Attribute) -> PolicyTable | None:
        return self.nested(attribute.nested) if attribute.nested else None


def _request(mode: Mode | None) -> tuple[str, ...]:
    return (mode and mode.request) or ()


def _scalar(attribute: Attribute) -> AttributePolicy:
    kind = NlaType[attribute.type.upper()]
    if attribute.big_endian:
        kind = _BIG_ENDIAN.get(attribute.type, kind)
    if attribute.as_flags and attribute.enum is not None:
        return AttributePolicy(kind, Validation.MASK, mask=sum(attribute.enum.bits.values()))
    if attribute.checks.flags_mask is not None:
        mask = (1 << len(attribute.checks.flags_mask.entries)) - 1
        return AttributePolicy(kind, Validation.MASK, mask=mask)
    return _limited(attribute, kind)


def _limited(attribute: Attribute, kind: NlaType) -> AttributePolicy:
    """Return the policy of an integer attribute, with the limits of its value. Each limit comes from the
    attribute's checks, or from its enum if the checks do not set the limit.

    An enum with gaps accepts its values only.
    """
    low, high = attribute.checks.minimum, attribute.checks.maximum
    if attribute.enum is not None:
        least, most = attribute.enum.range or (None, None)
        if low is None and (least != 0 or attribute.type in SIGNED):
            low = least
        high = most if high is None else high
    if low is None and high is None and attribute.enum is not None:
        accepted = tuple(attribute.enum.numbers.values())
        return AttributePolicy(kind, Validation.FUNCTION, accepted=accepted)
    if any(limit is not None and not _SHORT_LIMITS[0] <= limit <= _SHORT_LIMITS[1] for limit in (low, high)):
        # Set both limits: ynl-gen-c.py writes 0 for a missing limit, but a maximum of 0 rejects every value.
        least, most = type_range(attribute.type)
        minimum, maximum = least if low is None else low, most if high is None else high
        return AttributePolicy(kind, Validation.RANGE_PTR, minimum=minimum, maximum=maximum)
    return _between(kind, low, high)


def _between(kind: NlaType, low: int | None, high: int | None) -> AttributePolicy:
    """Return a policy that accepts values from `low` to `high`. For BINARY, the limits apply to the
    length.
    """
    if low is not None and high is not None:
        return AttributePolicy(kind, Validation.RANGE, minimum=low, maximum=high)
    if low is not None:
        return AttributePolicy(kind, Validation.MIN, minimum=low)
    if high is not None:
        return AttributePolicy(kind, Validation.MAX, maximum=high)
    return AttributePolicy(kind)


def _string(attribute: Attribute) -> AttributePolicy:
    checks = attribute.checks
    if checks.exact_length is not None:
        return _binary(attribute)
    # For a string that is a multi-attr, ynl-gen-c.py generates NLA_STRING, not NLA_NUL_STRING.
    unterminated = checks.unterminated_ok or attribute.multi
    kind = NlaType.STRING if unterminated else NlaType.NUL_STRING
    return AttributePolicy(kind, length=checks.max_length or 0)


def _binary(attribute: Attribute) -> AttributePolicy:
    checks = attribute.checks
    if checks.exact_length is not None:
        return _between(NlaType.BINARY, checks.exact_length, checks.exact_length)
    return _between(NlaType.BINARY, checks.min_length, checks.max_length)


def _bitfield32(attribute: Attribute) -> AttributePolicy:
    # ynl-gen-c.py rejects a bitfield32 without an enum. simkernel accepts it, and all of its bits are valid.
    mask = 2**32 - 1 if attribute.enum is None else sum(attribute.enum.bits.values())
    return AttributePolicy(NlaType.BITFIELD32, mask=mask)


_SIMPLE: dict[str, Callable[[Attribute], AttributePolicy]] = {
    "string": _string,
    "binary": _binary,
    "bitfield32": _bitfield32,
    "flag": lambda attribute: AttributePolicy(NlaType.FLAG),
    "nest-type-value": lambda attribute: AttributePolicy(NlaType.NESTED),
    "pad": lambda attribute: AttributePolicy(),
    "unused": lambda attribute: AttributePolicy(),
}
