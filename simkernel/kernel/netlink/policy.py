"""Validation of the attributes of a request against policies (lib/nlattr.c).

    validator(table, STRICT).parse(request, start, end)

A validator visits the attributes once. The fast path (policy_fast.py) accepts most valid attributes, and
all others are checked in full. The error texts are Linux's, because programs show them to their users.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.policy_fast import NO_RULE, NUMBERS, WIDE, fast_rule
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
"""Conditions that validation rejects: leftover bytes, unknown types, types without a policy, inexact lengths,
and a wrong NLA_F_NESTED flag (NL_VALIDATE_*).
"""
LIBERAL: Final = 0
DEPRECATED_STRICT: Final = TRAILING | MAXTYPE
STRICT: Final = TRAILING | MAXTYPE | UNSPEC | STRICT_ATTRS | NESTED

MAX_RECURSION_DEPTH: Final = 10
"""Maximum depth of nested attributes (MAX_POLICY_RECURSION_DEPTH)."""

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
"""Expected payload length of each numeric type, in bytes (nla_attr_len[])."""
MIN_LENGTHS: Final = {**EXACT_LENGTHS, NlaType.MSECS: 8}
"""Minimum payload length of each numeric type, in bytes (nla_attr_minlen[])."""

_NESTS: Final = frozenset({NlaType.NESTED, NlaType.NESTED_ARRAY})

Found = dict[int, tuple[int, int]]
"""Start and end offset of each attribute's payload, by attribute type. If a request repeats a type, the last
attribute of this type is used.
"""

_header = NlAttr.LAYOUT.unpack_from


@lru_cache(maxsize=4096)
def validator(table: PolicyTable, validate: int) -> Validator:
    """Return the validator for the policies of `table` and the flags `validate` (NL_VALIDATE_*). Validators
    are cached.
    """
    return Validator(table, validate)


class Validator:
    """Validates the attributes of requests against one policy table."""

    __slots__ = ("_fast_rules", "_table", "_validate")

    def __init__(self, table: PolicyTable, validate: int) -> None:
        self._table = table
        self._validate = validate
        rules = ((type, fast_rule(policy)) for type, policy in enumerate(table.attributes) if type)
        self._fast_rules = {type: rule for type, rule in rules if rule is not None}

    def parse(self, request: Request, at: int, end: int, depth: int = 0) -> Found:
        """Validate the attributes between two offsets of a request (`__nla_validate_parse()`).

        `depth` is the number of nests around them. If an attribute is invalid, raise EINVAL or ERANGE and
        describe the error in the request's extended ACK.
        """
        data, rules = request.data, self._fast_rules
        found: Found = {}
        while end - at >= NLA_HDRLEN:
            length, type = _header(data, at)
            first, last = at + NLA_HDRLEN, at + length
            if last > end:
                break
            try:
                minimum, maximum, terminated, check = rules[type]
            except KeyError:
                minimum, maximum, terminated, check = NO_RULE
            if (
                length < minimum
                or length > maximum
                or (terminated and data[last - 1])
                or (check is not None and not check(data, first, last))
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

    def _check(self, request: Request, nla_type: int, first: int, last: int, depth: int) -> int:
        """Validate an attribute in full. Return its type without flags, or 0 if the type is unknown and
        ignored.
        """
        table, validate = self._table, self._validate
        type = nla_type & NLA_TYPE_MASK
        if 0 < type <= table.maxattr:
            if table.strict_start_type and type >= table.strict_start_type:
                validate |= STRICT
            _Check(request, validate, depth).attribute(table.attributes[type], type, nla_type, first, last)
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
    """Full validation of one attribute. `depth` is the number of nested attributes that contain it."""

    __slots__ = ("depth", "request", "validate")

    def __init__(self, request: Request, validate: int, depth: int) -> None:
        self.request = request
        self.validate = validate
        self.depth = depth

    def fault(self, first: int, error: int, text: str, policy: AttributePolicy | None = None) -> OSError:
        """Return an error for the attribute whose payload begins at `first`, and record it in the extended
        ACK.
        """
        self.request.extack.attribute(first - NLA_HDRLEN - self.request.start, text, policy)
        return os_error(error)

    def failed(self, first: int, error: int, policy: AttributePolicy) -> OSError:
        """Return an error with the text "Attribute failed policy validation"."""
        return self.fault(first, error, "Attribute failed policy validation", policy)

    def attribute(self, policy: AttributePolicy, type: int, nla_type: int, first: int, last: int) -> None:
        """Validate an attribute whose type is known (`validate_nla()`)."""
        kind = policy.type
        exact = EXACT_LENGTHS.get(kind)
        if exact is not None and last - first != exact:
            self.wrong_length(type, first, policy)
        if self.validate & NESTED:
            self.nested_flag(nla_type, first, policy)
        (_BY_TYPE.get(kind) or _Check.sized)(self, policy, first, last)
        self.further(policy, first, last)

    def wrong_length(self, type: int, first: int, policy: AttributePolicy) -> None:
        """Log that an attribute has a wrong length, and raise EINVAL if STRICT_ATTRS is set."""
        self.request.sock.netlink.warn_length(type, self.request.task.comm)
        if self.validate & STRICT_ATTRS:
            raise self.fault(first, EINVAL, "invalid attribute length", policy)

    def nested_flag(self, nla_type: int, first: int, policy: AttributePolicy) -> None:
        """Raise EINVAL if an attribute of a nested type lacks NLA_F_NESTED. Also raise EINVAL if an attribute
        of any other type except NLA_UNSPEC has NLA_F_NESTED.
        """
        flagged = nla_type & NLA_F_NESTED
        if policy.type in _NESTS:
            if not flagged:
                raise self.fault(first, EINVAL, "NLA_F_NESTED is missing", policy)
        elif flagged and policy.type is not NlaType.UNSPEC:
            raise self.fault(first, EINVAL, "NLA_F_NESTED not expected", policy)

    # -- checks by type ---------------------------------------------------------

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
        """Validate the attributes in a nest. An empty nest is valid."""
        if first == last:
            return
        if last - first < NLA_HDRLEN:
            raise self.failed(first, ERANGE, policy)
        if policy.nested is not None:
            self.inside(policy.nested, first, last)

    def inside(self, table: PolicyTable, first: int, last: int) -> None:
        """Validate the attributes of a nest, which lie between two offsets. Raise EINVAL if the nesting
        reaches the maximum depth.
        """
        depth = self.depth + 1
        if depth == MAX_RECURSION_DEPTH:
            self.request.extack.message = "allowed policy recursion depth exceeded"
            raise os_error(EINVAL)
        validator(table, self.validate).parse(self.request, first, last, depth)

    def nested_array(self, policy: AttributePolicy, first: int, last: int) -> None:
        """Validate an array (`nla_validate_array()`). Each entry is a nest; the entry's own type is
        ignored.
        """
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
        if last - first < (policy.length or MIN_LENGTHS.get(policy.type, 0)):
            raise self.failed(first, ERANGE, policy)

    # -- further checks ---------------------------------------------------------

    def further(self, policy: AttributePolicy, first: int, last: int) -> None:
        """Validate an attribute's value against the mask, enumeration or range of its policy."""
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
        """Raise ERANGE if the length of a payload is outside the policy's range
        (`nla_validate_range_unsigned()`).

        RANGE_WARN_TOO_LONG only logs a payload that is too long, unless validation is strict.
        """
        low, high = value_range(policy)
        length = last - first
        if policy.validation is Validation.RANGE_WARN_TOO_LONG and length > high:
            self.wrong_length(policy.type, first, policy)
        elif not low <= length <= high:
            raise self.fault(first, ERANGE, "binary attribute size out of range", policy)

    def number(self, policy: AttributePolicy, first: int, last: int) -> int:
        """Return the payload as a number. Bytes beyond the size of the number are ignored."""
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
"""Validation function of an attribute, by policy type. Attributes of other types need only the check of the
minimum length.
"""
