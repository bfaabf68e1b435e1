"""The parsed contents of a specification: families, attributes, enumerations, groups and operations."""

from __future__ import annotations

import pytest

from simkernel.ynl import Group, SpecError, parse
from simkernel.ynl.model import Constant, Enumeration
from tests.ynl.specs import LENS, lens, nlctrl


def test_the_family() -> None:
    spec = lens()
    assert (spec.name, spec.doc) == ("lens", "A family with one of everything.")
    assert (spec.protocol, spec.version, spec.kernel_policy) == ("genetlink", 1, "split")
    assert spec.groups == (Group("events"), Group("secrets", ("admin-perm",)))
    assert spec.source == LENS
    assert spec.unsupported == ()


def test_keys_of_simkernel_are_in_the_supplement() -> None:
    assert lens().extras == {"resv-start-op": 7}
    assert lens("resv-start-op: 7\n", "").extras == {}


def test_attributes_are_numbered_from_1_on_or_from_a_value() -> None:
    attributes = lens().attribute_sets["lens"].attributes
    assert [each.number for each in attributes.values()] == [*range(1, 25), 40]


def test_a_subset_inherits_the_keys_that_it_does_not_set() -> None:
    spec = lens()
    whole, part = spec.attribute_sets["lens"].attributes, spec.attribute_sets["identity"].attributes
    assert list(part) == ["device", "last"]
    assert part["device"].checks == whole["device"].checks
    assert (part["last"].number, part["last"].type, part["last"].doc) == (40, "u32", "The last of all.")
    assert (part["last"].checks.maximum, whole["last"].checks.maximum) == (9, None)


def test_a_subset_may_say_otherwise() -> None:
    spec = lens("      - {name: device}\n", "      - {name: device, checks: {max-len: 5}}\n")
    assert spec.attribute_sets["identity"].attributes["device"].checks.max_length == 5
    assert spec.attribute_sets["lens"].attributes["device"].checks.max_length == 24


def test_a_subset_may_come_before_the_whole() -> None:
    part = "  - name: identity\n    subset-of: lens\n    attributes:\n      - {name: device}\n"
    spec = lens("attribute-sets:\n", f"attribute-sets:\n{part.replace('identity', 'early')}")
    assert spec.attribute_sets["early"].attributes["device"].type == "string"


def test_enumerations_count_from_the_value_before() -> None:
    spec = lens()
    mode, feature = spec.definitions["mode"], spec.definitions["feature"]
    assert isinstance(mode, Enumeration) and isinstance(feature, Enumeration)
    assert mode.numbers == {"manual": 0, "auto": 1, "macro": 5}
    assert mode.range is None
    assert feature.bits == {"zoom": 1, "focus": 2, "flash": 4}
    assert isinstance(spec.definitions["longest-name"], Constant)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("longest-name", 24),
        ("longest-name - 1", 23),
        ("u8-max", 255),
        ("7", 7),
    ],
)
def test_a_limit_may_be_written_by_name(written: str, value: int) -> None:
    spec = lens("{max-len: longest-name}", f"{{max-len: {written}}}")
    assert spec.attribute_sets["lens"].attributes["device"].checks.max_length == value


def test_a_limit_may_be_that_of_a_signed_type() -> None:
    spec = lens("{name: offset, type: s16}", "{name: offset, type: s16, checks: {min: s8-min, max: s8-max}}")
    checks = spec.attribute_sets["lens"].attributes["offset"].checks
    assert (checks.minimum, checks.maximum) == (-128, 127)


def test_operations_are_numbered_in_one_row() -> None:
    operations = lens().operations
    numbers = {name: (each.request_number, each.reply_number) for name, each in operations.items()}
    assert numbers == {
        "get": (1, 1),
        "set": (2, 2),
        "changed": (None, 3),
        "broken": (None, 4),
        "reset": (9, 9),
    }


def test_operations_may_be_numbered_in_a_row_for_each_direction() -> None:
    """The example of Documentation/userspace-api/netlink/genetlink-legacy.rst, with two more operations."""
    spec = parse(
        """\
name: rows
doc: Two rows.
protocol: genetlink-legacy
attribute-sets:
  - {name: all, attributes: [{name: x, type: u32}]}
operations:
  enum-model: directional
  list:
    - name: a
      doc: a
      attribute-set: all
      do: {request: {value: 2, attributes: [x]}, reply: {value: 1, attributes: [x]}}
    - {name: b, doc: b, notify: a}
    - {name: c, doc: c, notify: a, value: 7}
    - {name: d, doc: d, attribute-set: all, do: {request: {attributes: [x]}, reply: {attributes: [x]}}}
    - {name: e, doc: e, attribute-set: all, do: {request: {attributes: [x]}}}
    - {name: f, doc: f, attribute-set: all, dump: {reply: {attributes: [x]}}}
""",
        "rows.yaml",
    )
    numbers = {name: (each.request_number, each.reply_number) for name, each in spec.operations.items()}
    assert numbers == {"a": (2, 1), "b": (None, 2), "c": (None, 7), "d": (3, 8), "e": (4, None), "f": (5, 9)}


def test_a_notification_shares_a_reply_and_its_attribute_set() -> None:
    spec = lens()
    changed = spec.operation("changed")
    get = spec.operation("get").do
    assert get is not None
    assert spec.message(changed, "event", "reply") == get.reply
    assert changed.attribute_set == "lens"


def test_undescribed_messages_differ_from_empty_ones() -> None:
    spec = lens()
    assert spec.message(spec.operation("set"), "do", "reply") == ()
    assert spec.message(spec.operation("set"), "dump", "request") is None
    assert spec.message(spec.operation("set"), "event", "reply") is None


def test_an_unknown_operation_gets_the_nearest_names() -> None:
    with pytest.raises(ValueError, match="lens has no operation 'gett'; did you mean get"):
        lens().operation("gett")


def test_nlctrl_has_its_numbers() -> None:
    operations = nlctrl().operations
    numbers = {name: (each.request_number, each.reply_number) for name, each in operations.items()}
    assert numbers["getfamily"] == (3, 1)
    assert numbers["getpolicy"] == (10, 10)
    assert [numbers[name][1] for name in ("newfamily", "delfamily", "newmcast-grp", "delmcast-grp")] == [
        1,
        2,
        7,
        8,
    ]


def test_unsupported_attributes_are_named_and_refused() -> None:
    spec = parse(
        LENS.replace("name: lens\ndoc", "name: lens\nprotocol: genetlink-legacy\ndoc", 1)
        .replace("operations:\n", "operations:\n  fixed-header: head\n")
        .replace("definitions:\n", "definitions:\n  - {name: head, type: struct, members: []}\n"),
        "lens.yaml",
    )
    (unsupported,) = spec.unsupported
    assert (
        str(unsupported)
        == "line 56: a fixed header after the generic netlink header (operations.fixed-header)"
    )
    with pytest.raises(
        SpecError, match=r"lens\.yaml:56: operations\.fixed-header: simkernel does not support a fixed"
    ):
        spec.require_support()


def test_a_number_that_only_c_knows_is_not_supported_in_older_families() -> None:
    spec = lens(
        "definitions:\n  - {name: longest-name", "protocol: genetlink-legacy\ndefinitions:\n  - {name: other"
    )
    assert [each.feature for each in spec.unsupported] == ["a number defined outside the specification"]
