"""The policies of a family are those that ynl-gen-c generates for the same specification.

The expected tables were read off its source (Linux 6.12, 6.18) and, for nlctrl and netdev, off the policy
dump of a running 6.18 kernel.
"""

from __future__ import annotations

import pytest

from simkernel.ynl import SpecError, parse
from simkernel.ynl.policy import AttributePolicy, NlaType, PolicyTable, Validation, value_range
from simkernel.ynl.tables import family_policies
from tests.ynl.specs import LENS, lens, nlctrl, of

ENUMS = """\
definitions:
  - {name: from-0, type: enum, entries: [a, b, c]}
  - {name: from-1, type: enum, value-start: 1, entries: [a, b]}
  - {name: holes, type: enum, entries: [a, {name: b, value: 7}]}
  - {name: bits, type: flags, entries: [a, b, {name: c, value: 4}]}
"""


def only(attribute: str) -> AttributePolicy:
    """Return the policy for the only attribute of a request."""
    do = family_policies(of(attribute, ENUMS)).operations["get"].do
    assert do is not None
    assert do.maxattr == 1
    return do.attributes[1]


@pytest.mark.parametrize(
    ("attribute", "policy"),
    [
        ("{name: a, type: u32}", AttributePolicy(NlaType.U32)),
        ("{name: a, type: s64}", AttributePolicy(NlaType.S64)),
        ("{name: a, type: uint}", AttributePolicy(NlaType.UINT)),
        ("{name: a, type: flag}", AttributePolicy(NlaType.FLAG)),
        ("{name: a, type: u16, byte-order: big-endian}", AttributePolicy(NlaType.BE16)),
        ("{name: a, type: u32, byte-order: big-endian}", AttributePolicy(NlaType.BE32)),
        ("{name: a, type: u64, byte-order: big-endian}", AttributePolicy(NlaType.U64)),
        ("{name: a, type: u32, byte-order: little-endian}", AttributePolicy(NlaType.U32)),
        (
            "{name: a, type: u8, checks: {min: 3}}",
            AttributePolicy(NlaType.U8, Validation.MIN, minimum=3),
        ),
        (
            "{name: a, type: u32, checks: {max: 3}}",
            AttributePolicy(NlaType.U32, Validation.MAX, maximum=3),
        ),
        (
            "{name: a, type: s32, checks: {min: -3, max: 3}}",
            AttributePolicy(NlaType.S32, Validation.RANGE, minimum=-3, maximum=3),
        ),
        (
            "{name: a, type: u32, checks: {min: 1, max: 32768}}",
            AttributePolicy(NlaType.U32, Validation.RANGE_PTR, minimum=1, maximum=32768),
        ),
        (
            "{name: a, type: uint, checks: {max: u32-max}}",
            AttributePolicy(NlaType.UINT, Validation.RANGE_PTR, maximum=2**32 - 1),
        ),
        (
            "{name: a, type: u32, enum: from-0}",
            AttributePolicy(NlaType.U32, Validation.MAX, maximum=2),
        ),
        (
            "{name: a, type: s32, enum: from-0}",
            AttributePolicy(NlaType.S32, Validation.RANGE, minimum=0, maximum=2),
        ),
        (
            "{name: a, type: u8, enum: from-1}",
            AttributePolicy(NlaType.U8, Validation.RANGE, minimum=1, maximum=2),
        ),
        (
            "{name: a, type: u8, enum: from-1, checks: {max: 9}}",
            AttributePolicy(NlaType.U8, Validation.RANGE, minimum=1, maximum=9),
        ),
        (
            "{name: a, type: u8, enum: holes}",
            AttributePolicy(NlaType.U8, Validation.FUNCTION, accepted=(0, 7)),
        ),
        (
            "{name: a, type: u8, enum: bits}",
            AttributePolicy(NlaType.U8, Validation.MASK, mask=0b10011),
        ),
        (
            "{name: a, type: u32, enum: from-1, enum-as-flags: true}",
            AttributePolicy(NlaType.U32, Validation.MASK, mask=0b110),
        ),
        (
            "{name: a, type: u32, checks: {flags-mask: bits}}",
            AttributePolicy(NlaType.U32, Validation.MASK, mask=0b111),
        ),
        ("{name: a, type: bitfield32, enum: bits}", AttributePolicy(NlaType.BITFIELD32, mask=0b10011)),
        ("{name: a, type: string}", AttributePolicy(NlaType.NUL_STRING)),
        ("{name: a, type: string, checks: {max-len: 15}}", AttributePolicy(NlaType.NUL_STRING, length=15)),
        ("{name: a, type: string, checks: {unterminated-ok: true}}", AttributePolicy(NlaType.STRING)),
        (
            "{name: a, type: string, checks: {exact-len: 4}}",
            AttributePolicy(NlaType.BINARY, Validation.RANGE, minimum=4, maximum=4),
        ),
        ("{name: a, type: binary}", AttributePolicy(NlaType.BINARY)),
        (
            "{name: a, type: binary, checks: {exact-len: 6}}",
            AttributePolicy(NlaType.BINARY, Validation.RANGE, minimum=6, maximum=6),
        ),
        (
            "{name: a, type: binary, checks: {min-len: 6}}",
            AttributePolicy(NlaType.BINARY, Validation.MIN, minimum=6),
        ),
        (
            "{name: a, type: binary, checks: {max-len: 6}}",
            AttributePolicy(NlaType.BINARY, Validation.MAX, maximum=6),
        ),
        ("{name: a, type: u32, multi-attr: true}", AttributePolicy(NlaType.U32)),
        ("{name: a, type: string, multi-attr: true}", AttributePolicy(NlaType.STRING)),
        ("{name: a, type: indexed-array, sub-type: u32}", AttributePolicy(NlaType.NESTED)),
    ],
)
def test_a_type_and_its_checks(attribute: str, policy: AttributePolicy) -> None:
    assert only(attribute) == policy


@pytest.mark.parametrize(
    ("attribute", "kind"),
    [
        ("{name: a, type: nest, nested-attributes: inner}", NlaType.NESTED),
        ("{name: a, type: nest, nested-attributes: inner, multi-attr: true}", NlaType.NESTED),
        ("{name: a, type: indexed-array, sub-type: nest, nested-attributes: inner}", NlaType.NESTED_ARRAY),
    ],
)
def test_a_nest_has_the_policy_of_its_set(attribute: str, kind: NlaType) -> None:
    policy = only(attribute)
    assert policy.type is kind
    assert policy.nested is not None
    assert policy.nested.attributes == (
        AttributePolicy(),
        AttributePolicy(NlaType.U32, Validation.MAX, maximum=9),
        AttributePolicy(NlaType.NUL_STRING),
    )


def test_a_set_that_contains_itself_has_a_policy_that_does() -> None:
    do = family_policies(lens("request: {attributes: [device]}", "request: {attributes: [centre]}"))
    table = do.operations["get"].do
    assert table is not None
    centre = table.attributes[16].nested
    assert centre is not None and centre.attributes[3].nested is centre
    assert "centre" not in repr(table)


def test_a_policy_has_exactly_the_attributes_of_the_request() -> None:
    policies = family_policies(lens()).operations
    assert policies["set"].do is not None
    assert [each.type for each in policies["set"].do.attributes] == [
        *(NlaType.UNSPEC, NlaType.NUL_STRING, NlaType.U8),
        *[NlaType.UNSPEC] * 6,
        NlaType.U32,
    ]


def test_do_and_dump_of_a_split_family_have_tables_of_their_own() -> None:
    policies = family_policies(lens())
    get = policies.operations["get"]
    assert get.do is not None and get.dump is not None
    assert (get.do.name, get.dump.name) == ("lens-get-do", "lens-get-dump")
    assert policies.operations["set"].do is not None and policies.operations["set"].dump is None
    assert policies.operations["reset"].do is None
    assert "changed" not in policies.operations
    assert policies.maxattr == 0


def legacy(policy: str, dont_validate: str = "") -> str:
    text = LENS.replace(
        "definitions:", f"protocol: genetlink-legacy\nkernel-policy: {policy}\ndefinitions:", 1
    )
    return text.replace("doc: One lens, or all.", f"doc: Lens.\n      dont-validate: [{dont_validate}]")


def test_do_and_dump_share_one_policy_for_each_operation() -> None:
    policies = family_policies(parse(legacy("per-op"), "lens.yaml"))
    get = policies.operations["get"]
    assert get.do is get.dump
    assert get.do is not None and get.do.maxattr == 1
    assert policies.maxattr == 0


def test_one_policy_may_be_for_all() -> None:
    policies = family_policies(parse(legacy("global"), "lens.yaml"))
    tables = {id(each.do) for each in policies.operations.values()}
    assert len(tables) == 1
    assert policies.maxattr == 40


def test_a_dump_that_is_not_validated_has_no_policy_in_older_families() -> None:
    """The rule comes from Linux's function `genl_cmd_full_to_split()`."""
    get = family_policies(parse(legacy("per-op", "strict, dump"), "lens.yaml")).operations["get"]
    assert get.do is not None and get.dump is None
    get = family_policies(parse(legacy("split", "strict, dump"), "lens.yaml")).operations["get"]
    assert get.do is not None and get.dump is not None


def test_nlctrl_has_the_policies_that_the_kernel_dumps() -> None:
    """The policies equal those in the kernel's dump, which the case nlctrl.policy_dump has recorded."""
    policies = family_policies(nlctrl()).operations
    name = AttributePolicy(NlaType.NUL_STRING, length=15)
    family, policy = policies["getfamily"].do, policies["getpolicy"].dump
    assert family is not None and policy is not None
    assert family is policies["getfamily"].dump
    assert family.attributes == (AttributePolicy(), AttributePolicy(NlaType.U16), name)
    assert policy.attributes[:3] == family.attributes
    assert policy.attributes[10] == AttributePolicy(NlaType.U32)
    assert policy.maxattr == 10


def test_an_operation_with_a_shared_policy_must_exist() -> None:
    spec = lens("resv-start-op: 7", "shared-policy: [gte]")
    with pytest.raises(
        SpecError, match=r"lens.simkernel.yaml: shared-policy: unknown operation 'gte'; did you mean get"
    ):
        family_policies(spec)


def test_policies_are_made_once() -> None:
    spec = lens()
    assert family_policies(spec) is family_policies(spec)


def test_unsupported_attributes_have_no_policies() -> None:
    spec = parse(LENS.replace("definitions:", "protocol: netlink-raw\ndefinitions:", 1), "lens.yaml")
    with pytest.raises(SpecError, match="a protocol other than generic netlink"):
        family_policies(spec)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (AttributePolicy(NlaType.U8), (0, 255)),
        (AttributePolicy(NlaType.S16), (-(2**15), 2**15 - 1)),
        (AttributePolicy(NlaType.UINT, Validation.MIN, minimum=5), (5, 2**64 - 1)),
        (AttributePolicy(NlaType.SINT, Validation.MAX, maximum=5), (-(2**63), 5)),
        (AttributePolicy(NlaType.BINARY, Validation.RANGE, minimum=5, maximum=6), (5, 6)),
        (AttributePolicy(NlaType.U32, Validation.MASK, mask=3), (0, 2**32 - 1)),
    ],
)
def test_the_range_of_a_policy(policy: AttributePolicy, expected: tuple[int, int]) -> None:
    assert value_range(policy) == expected


def test_tables_are_the_same_only_if_they_are_one() -> None:
    assert PolicyTable("a", ()) != PolicyTable("a", ())
