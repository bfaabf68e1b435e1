"""Checking the attributes of a request against policies (lib/nlattr.c).

    validator(table, STRICT).parse(request, start, end)

A validator goes over the attributes once.  What is plainly right is let pass (policy_plain.py), all
else is looked at in full.  The texts are the kernel's: programs show them to their users.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.policy_plain import NEVER, NUMBERS, WIDE, plain
from simkernel.uapi.errno import EINVAL, ERANGE, os_error
from simkernel.uapi.netlink import (
    NLA_F_NESTED,
    NLA_HDRLEN,
    NLA_TYPE_MASK,
    NlaBitfield32,
    NlAttr,
    locate_attributes,
)
from simkernel.ynl.policy import AttributePolicy, NlaType, PolicyTable, Validation, value_range

TRAILING: Final = 1
MAXTYPE: Final = 2
UNSPEC: Final = 4
STRICT_ATTRS: Final = 8
NESTED: Final = 16
"""What is refused: leftover bytes, unknown types, types without policy, lengths that do not fit the
type exactly, NLA_F_NESTED where it should not be and its absence where it should (NL_VALIDATE_*)."""
LIBERAL: Final = 0
DEPRECATED_STRICT: Final = TRAILING | MAXTYPE
STRICT: Final = TRAILING | MAXTYPE | UNSPEC | STRICT_ATTRS | NESTED

DEEPEST: Final = 10
"""MAX_POLICY_RECURSION_DEPTH."""

EXACT_LENGTHS: Final = {
    NlaType.U8: 1,
    NlaType.U16: 2,
    NlaType.U32: 4,
    NlaType.U64: 8,
    NlaType.S8: 1,
    NlaType.S16: 2,
    NlaType.S32: 4,
    NlaType.S64: 8,
    NlaType.BE16: 2,
    NlaType.BE32: 4,
}
"""nla_attr_len[]: how long a payload should be."""
LEAST_LENGTHS: Final = {**EXACT_LENGTHS, NlaType.MSECS: 8}
"""nla_attr_minlen[]: how long it must be."""

_NESTS: Final = frozenset({NlaType.NESTED, NlaType.NESTED_ARRAY})

Found = dict[int, tuple[int, int]]
"""Where the payload of the last attribute of each type is: start and end."""

_header = NlAttr.LAYOUT.unpack_from


@lru_cache(maxsize=4096)
def validator(table: PolicyTable, validate: int) -> Validator:
    """What checks attributes with the policies of `table`, as strictly as `validate` says; made once."""
    return Validator(table, validate)


class Validator:
    """Checks the attributes of one space."""

    __slots__ = ("_plain", "_table", "_validate")

    def __init__(self, table: PolicyTable, validate: int) -> None:
        self._table = table
        self._validate = validate
        rules = ((type, plain(policy)) for type, policy in enumerate(table.attributes) if type)
        self._plain = {type: rule for type, rule in rules if rule is not None}

    def parse(self, request: Request, at: int, end: int, depth: int = 0) -> Found:
        """The attributes between two places of a request, checked (`__nla_validate_parse()`).

        They are in `depth` nests.  What is wrong is raised (EINVAL or ERANGE) and said in the
        request's extended ACK.
        """
        data, rules = request.data, self._plain
        found: Found = {}
        while end - at >= NLA_HDRLEN:
            length, type = _header(data, at)
            first, last = at + NLA_HDRLEN, at + length
            if last > end:
                break
            try:
                least, most, terminated, look = rules[type]
            except KeyError:
                least, most, terminated, look = NEVER
            if (
                length < least
                or length > most
                or (terminated and data[last - 1])
                or (look is not None and not look(data, first, last))
            ):
                if last < first:
                    break
                type = self._check(request, type, first, last, depth)
            if type:
                found[type] = (first, last)
            at += (length + 3) & ~3
        if at < end:
            self._leftover(request, end - at)
        return found

    def _check(self, request: Request, whole_type: int, first: int, last: int, depth: int) -> int:
        """Look at an attribute in full.  Its type without flags; 0 if it is unknown and passed over."""
        table, validate = self._table, self._validate
        type = whole_type & NLA_TYPE_MASK
        if 0 < type <= table.maxattr:
            if table.strict_start_type and type >= table.strict_start_type:
                validate |= STRICT
            _Check(request, validate, depth).attribute(table.attributes[type], type, whole_type, first, last)
            return type
        if validate & MAXTYPE:
            raise _Check(request, validate, depth).fault(first, EINVAL, "Unknown attribute type")
        return 0

    def _leftover(self, request: Request, left: int) -> None:
        request.sock.netlink.warn_leftover(left, request.task.comm)
        request.extack.message = "bytes leftover after parsing attributes"
        if self._validate & TRAILING:
            raise os_error(EINVAL)


class _Check:
    """The full checking of one attribute, which is in so many nests."""

    __slots__ = ("depth", "request", "validate")

    def __init__(self, request: Request, validate: int, depth: int) -> None:
        self.request = request
        self.validate = validate
        self.depth = depth

    def fault(self, first: int, error: int, text: str, policy: AttributePolicy | None = None) -> OSError:
        """The error of the attribute whose payload begins at `first`."""
        self.request.extack.attribute(first - NLA_HDRLEN - self.request.start, text, policy)
        return os_error(error)

    def failed(self, first: int, error: int, policy: AttributePolicy) -> OSError:
        """An error without a text of its own."""
        return self.fault(first, error, "Attribute failed policy validation", policy)

    def attribute(self, policy: AttributePolicy, type: int, whole_type: int, first: int, last: int) -> None:
        """`validate_nla()`"""
        kind = policy.type
        exact = EXACT_LENGTHS.get(kind)
        if exact is not None and last - first != exact:
            self.wrong_length(type, first, policy)
        if self.validate & NESTED:
            self.nested_flag(whole_type, first, policy)
        (_BY_TYPE.get(kind) or _Check.sized)(self, policy, first, last)
        self.further(policy, first, last)

    def wrong_length(self, type: int, first: int, policy: AttributePolicy) -> None:
        """A wrong length is logged, and an error only to the strict."""
        self.request.sock.netlink.warn_length(type, self.request.task.comm)
        if self.validate & STRICT_ATTRS:
            raise self.fault(first, EINVAL, "invalid attribute length", policy)

    def nested_flag(self, whole_type: int, first: int, policy: AttributePolicy) -> None:
        """Nests bear NLA_F_NESTED, others do not."""
        flagged = whole_type & NLA_F_NESTED
        if policy.type in _NESTS:
            if not flagged:
                raise self.fault(first, EINVAL, "NLA_F_NESTED is missing", policy)
        elif flagged and policy.type is not NlaType.UNSPEC:
            raise self.fault(first, EINVAL, "NLA_F_NESTED not expected", policy)

    # -- by type ----------------------------------------------------------------

    def reject(self, policy: AttributePolicy, first: int, last: int) -> None:
        if policy.reject_message is not None:
            raise self.fault(first, EINVAL, policy.reject_message)
        raise self.failed(first, EINVAL, policy)

    def flag(self, policy: AttributePolicy, first: int, last: int) -> None:
        if last > first:
            raise self.failed(first, ERANGE, policy)

    def wide(self, policy: AttributePolicy, first: int, last: int) -> None:
        if last - first not in WIDE[policy.type]:
            raise self.fault(first, EINVAL, "invalid attribute length", policy)

    def bitfield32(self, policy: AttributePolicy, first: int, last: int) -> None:
        if last - first != 8:
            raise self.failed(first, ERANGE, policy)
        value, selector = NlaBitfield32.LAYOUT.unpack_from(self.request.data, first)
        if not policy.mask or selector & ~policy.mask or value & ~policy.mask or value & ~selector:
            raise self.failed(first, EINVAL, policy)

    def nul_string(self, policy: AttributePolicy, first: int, last: int) -> None:
        searched = min(last, first + policy.length + 1) if policy.length else last
        if self.request.data.find(0, first, searched) < 0:
            raise self.failed(first, EINVAL, policy)
        self.string(policy, first, last)

    def string(self, policy: AttributePolicy, first: int, last: int) -> None:
        if last - first < 1:
            raise self.failed(first, ERANGE, policy)
        if policy.length:
            length = last - first - (self.request.data[last - 1] == 0)
            if length > policy.length:
                raise self.failed(first, ERANGE, policy)

    def binary(self, policy: AttributePolicy, first: int, last: int) -> None:
        if policy.length and last - first > policy.length:
            raise self.failed(first, ERANGE, policy)

    def nested(self, policy: AttributePolicy, first: int, last: int) -> None:
        """A nest may be empty."""
        if first == last:
            return
        if last - first < NLA_HDRLEN:
            raise self.failed(first, ERANGE, policy)
        if policy.nested is not None:
            self.inside(policy.nested, first, last)

    def inside(self, table: PolicyTable, first: int, last: int) -> None:
        """The attributes in a nest."""
        depth = self.depth + 1
        if depth == DEEPEST:
            self.request.extack.message = "allowed policy recursion depth exceeded"
            raise os_error(EINVAL)
        validator(table, self.validate).parse(self.request, first, last, depth)

    def nested_array(self, policy: AttributePolicy, first: int, last: int) -> None:
        """Each entry is a nest, of whatever type (`nla_validate_array()`)."""
        if first == last:
            return
        if last - first < NLA_HDRLEN:
            raise self.failed(first, ERANGE, policy)
        table = policy.nested
        if table is None:
            return
        located, _ = locate_attributes(self.request.data, first, last)
        for _, entry_first, entry_last in located:
            if entry_first == entry_last:
                continue
            if entry_last - entry_first < NLA_HDRLEN:
                raise self.fault(entry_first, ERANGE, "Array element too short", table.attributes[0])
            self.inside(table, entry_first, entry_last)

    def unspecified(self, policy: AttributePolicy, first: int, last: int) -> None:
        if self.validate & UNSPEC:
            raise self.fault(first, EINVAL, "Unsupported attribute")
        if last - first < policy.length:
            raise self.failed(first, ERANGE, policy)

    def sized(self, policy: AttributePolicy, first: int, last: int) -> None:
        if last - first < (policy.length or LEAST_LENGTHS.get(policy.type, 0)):
            raise self.failed(first, ERANGE, policy)

    # -- further ----------------------------------------------------------------

    def further(self, policy: AttributePolicy, first: int, last: int) -> None:
        """What the policy says beyond the type."""
        validation = policy.validation
        if validation is Validation.NONE:
            return
        if validation is Validation.MASK:
            if self.number(policy, first, last) & ~policy.mask:
                raise self.fault(first, EINVAL, "reserved bit set")
        elif validation is Validation.FUNCTION:
            if self.number(policy, first, last) not in policy.accepted:
                raise self.fault(first, EINVAL, "invalid enum value")
        elif policy.type is NlaType.BINARY:
            self.length_range(policy, first, last)
        else:
            low, high = value_range(policy)
            if not low <= self.number(policy, first, last) <= high:
                raise self.fault(first, ERANGE, "integer out of range", policy)

    def length_range(self, policy: AttributePolicy, first: int, last: int) -> None:
        """`nla_validate_range_unsigned()` of a length: too long may be a warning only."""
        low, high = value_range(policy)
        length = last - first
        if policy.validation is Validation.RANGE_WARN_TOO_LONG and length > high:
            self.wrong_length(policy.type, first, policy)
        elif not low <= length <= high:
            raise self.fault(first, ERANGE, "binary attribute size out of range", policy)

    def number(self, policy: AttributePolicy, first: int, last: int) -> int:
        """The payload as a number; a payload longer than that counts with its beginning."""
        layout = NUMBERS.get(policy.type) or WIDE[policy.type][last - first]
        value: int = layout.unpack_from(self.request.data, first)[0]
        return value


_BY_TYPE: Final[dict[NlaType, Callable[[_Check, AttributePolicy, int, int], None]]] = {
    NlaType.REJECT: _Check.reject,
    NlaType.FLAG: _Check.flag,
    NlaType.SINT: _Check.wide,
    NlaType.UINT: _Check.wide,
    NlaType.BITFIELD32: _Check.bitfield32,
    NlaType.NUL_STRING: _Check.nul_string,
    NlaType.STRING: _Check.string,
    NlaType.BINARY: _Check.binary,
    NlaType.NESTED: _Check.nested,
    NlaType.NESTED_ARRAY: _Check.nested_array,
    NlaType.UNSPEC: _Check.unspecified,
}
"""Types whose payload is more than so many bytes at least."""
