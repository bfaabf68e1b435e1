from __future__ import annotations

import io
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.engine import Record
from simkernel.trace import Pcap
from tests.trace.records import ANY_RECORDS, COMMAND, GETFAMILY, NEWFAMILY, STORY, feed, tap


def capture(records: list[Record]) -> bytes:
    file = io.BytesIO()
    feed(Pcap(file), records)
    return file.getvalue()


def packets(data: bytes) -> list[tuple[int, bytes]]:
    """Parse a pcap file with timestamps in nanoseconds. Return time and bytes of each packet."""
    assert struct.unpack_from("<I", data) == (0xA1B23C4D,)
    assert struct.unpack_from("<HHiIII", data, 4) == (2, 4, 0, 0, 262144, 253)
    found, offset = [], 24
    while offset < len(data):
        seconds, nanoseconds, kept, length = struct.unpack_from("<IIII", data, offset)
        offset += 16
        found.append((seconds * 10**9 + nanoseconds, data[offset : offset + kept]))
        assert len(found[-1][1]) == kept == length
        offset += kept
    return found


@given(ANY_RECORDS)
def test_a_capture_holds_the_messages_in_order_wherever_it_is_cut(records: list[Record]) -> None:
    taps = [each for each in records if each.name == "netlink_deliver_tap"]
    found = packets(capture(records))
    assert [time for time, _ in found] == [each.time for each in taps]
    assert [packet[16:] for _, packet in found] == [each.fields["data"] for each in taps]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9))))
def test_with_a_clock_times_are_in_order(steps: list[tuple[int, int]]) -> None:
    """A record may have a later time than the clock. The capture contains the messages in the order of their
    times.
    """
    now = 0
    file = io.BytesIO()
    expected = []
    with Pcap(file, lambda: now) as exporter:
        for number, (pause, ahead) in enumerate(steps):
            now += pause
            expected.append((now + ahead, number.to_bytes(2)))
            exporter(tap(now + ahead, 16, number.to_bytes(2)))
    found = [(time, packet[16:]) for time, packet in packets(file.getvalue())]
    assert found == sorted(expected, key=lambda each: each[0])


def test_a_message_has_the_header_that_an_nlmon_device_gives_it() -> None:
    """The header has these big-endian fields: the packet type outgoing (4), the device type ARPHRD_NETLINK
    (824), zeros, and the netlink protocol.
    """
    ((time, packet),) = packets(capture([tap(3_000_000_007, 16, b"data")]))
    assert time == 3_000_000_007
    assert packet == bytes.fromhex("0004 0338 0000 0000 0000 0000 0000 0010") + b"data"


def test_only_tapped_messages_are_captured() -> None:
    assert [packet[16:] for _, packet in packets(capture(STORY))] == [COMMAND]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_learns_the_family_and_finds_nothing_malformed(tmp_path: Path) -> None:
    path = tmp_path / "run.pcap"
    path.write_bytes(capture([tap(1, 16, GETFAMILY), tap(2, 16, NEWFAMILY), tap(3, 16, COMMAND)]))
    read = subprocess.run(
        ["tshark", "-V", "-r", path], capture_output=True, text=True, check=True, timeout=60
    )
    assert "Command: CTRL_CMD_GETFAMILY (3)" in read.stdout
    assert "Family ID: 0x1c (camera)" in read.stdout
    assert "Malformed" not in read.stdout
