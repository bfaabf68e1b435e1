"""The page that describes a family: operations, notifications, attributes, definitions, unsupported parts."""

from __future__ import annotations

from simkernel.ynl import Spec, parse
from simkernel.ynl.page import Section, lines, page
from tests.ynl.specs import LENS, lens


def section(spec: Spec, heading: str) -> Section:
    (found,) = [each for each in page(spec) if each.heading == heading]
    return found


def test_the_family_comes_first() -> None:
    first = page(lens())[0]
    assert first.heading == "family: lens"
    assert first.text == "A family with one of everything."
    assert ("version", "1") in first.rows


def test_an_operation_is_described_with_permission_request_and_reply() -> None:
    spec = lens()
    assert section(spec, "operation: set (2)") == Section(
        "operation: set (2)",
        "Change a lens.",
        (
            ("permission", "CAP_NET_ADMIN"),
            ("do request", "device, zoom, mode"),
            ("do reply", "nothing"),
            ("attributes", "lens"),
        ),
    )
    assert ("permission", "none") in section(spec, "operation: get (1)").rows


def test_a_notification_is_described_with_its_group() -> None:
    spec = lens()
    changed = section(spec, "notification: changed (3)").rows
    assert ("reply of", "get") in changed and ("sent to", "events") in changed
    assert ("contains", "device, sequence") in section(spec, "event: broken (4)").rows
    assert section(spec, "multicast groups").rows == (
        ("events", "none", "changed, broken"),
        ("secrets", "CAP_NET_ADMIN", ""),
    )


def test_attributes_have_their_types_and_checks() -> None:
    rows = {row[1]: row for row in section(lens(), "attributes: lens").rows}
    assert rows["device"] == ("1", "device", "string", "at most 24 bytes", "")
    assert rows["zoom"][2:4] == ("u8", "1 to 40")
    assert rows["port"][2] == "u16 (big-endian)"
    assert rows["mode"][2] == "u32 enum mode"
    assert rows["qualities"][2] == "u32 flags quality"
    assert rows["serial"][3] == "8 bytes"
    assert rows["corners"][2] == "nest of point (any number)"
    assert rows["cell"][2] == "nest-type-value of point under row, column"
    assert rows["last"][0] == "40"


def test_definitions_have_their_values() -> None:
    spec = lens()
    assert section(spec, "enum: mode").rows == (
        ("0", "manual", ""),
        ("1", "auto", "By itself."),
        ("5", "macro", ""),
    )
    assert section(spec, "flags: feature").rows[2] == ("2", "flash", "")
    assert section(spec, "constant: longest-name").rows == (("value", "24"),)


def test_unsupported_parts_are_reported_first() -> None:
    spec = parse(LENS.replace("definitions:", "protocol: netlink-raw\ndefinitions:", 1), "lens.yaml")
    second = page(spec)[1]
    assert second.heading == "not supported"
    assert second.rows == (("line 4", "a protocol other than generic netlink", "protocol"),)


def test_the_plain_text_is_aligned_and_has_no_loose_ends() -> None:
    text = list(lines(lens()))
    assert text[0] == "family: lens"
    assert "  do request  device, zoom, mode" in text
    assert all(line == line.rstrip() for line in text)
