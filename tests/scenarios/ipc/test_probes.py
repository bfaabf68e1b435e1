"""Results of the capability probes in the comparison of transports."""

from __future__ import annotations

import re

import pytest

from simkernel.scenario import Run, Table
from tests.scenarios.ipc.conftest import Cells, run

EXPECTED = {
    # For each transport: the cells "peer may start" and "needs polling", and True if one send reaches all
    # listeners. Then the cells "keeps bounds", "extensible", "between programs" and "copies per byte".
    "netlink":     ("yes", "no", True, "yes", "yes", "no: EPERM", "2.01"),
    "ioctl":       ("no", "yes", True, "no: overwritten", "no: ENOTTY", "no: driver answers", "1.00"),
    "read":        ("yes", "no", True, "yes", "no: EINVAL", "no: other reads 0 B", "1.00"),
    "mmap":        ("no", "yes", True, "no: overwritten", "yes", "yes", "0.00"),
    "sysfs":       ("no", "yes", True, "no: overwritten", "no: not understood", "no: driver answers", "1.50"),
    "eventfd":     ("yes", "no", True, "no: added up", "no: EINVAL", "yes", "1.00"),
    "sigio":       ("yes", "no", True, "no: merged", "no: no field", "yes", "no byte goes"),
    "pipe":        ("yes", "no", False, "no: cut amid", "no: misread", "yes", "2.00"),
    "unix-stream": ("yes", "no", False, "no: cut amid", "no: misread", "yes", "2.00"),
    "unix-dgram":  ("yes", "no", False, "yes", "yes", "yes", "2.00"),
    "shm":         ("no", "yes", True, "no: overwritten", "yes", "yes", "0.00"),
    "signal":      ("yes", "no", False, "no: merged", "no: no field", "yes", "no byte goes"),
    "usersock":    ("yes", "no", True, "yes", "yes", "yes", "2.00"),
}  # fmt: skip

FLOW = {
    "netlink": "ENOBUFS",
    "ioctl": "a gap",
    "read": "a gap",
    "mmap": "a gap",
    "sysfs": "a gap",
    "eventfd": "added up: 1000",
    "sigio": "unreported",
    "pipe": "EAGAIN after 4096",
    "unix-stream": "EAGAIN after 278",
    "unix-dgram": "EAGAIN after 278",
    "shm": "a gap",
    "signal": "unreported",
    "usersock": "ENOBUFS",
}

PERMISSION = {
    "capability: EPERM": {"netlink", "usersock"},
    "file mode: EACCES": {"ioctl", "read", "mmap", "sysfs", "unix-stream", "unix-dgram", "shm"},
    "descriptor: EBADF": {"eventfd", "pipe"},
    "same user: EPERM": {"sigio", "signal"},
}


@pytest.mark.parametrize("transport", EXPECTED)
def test_capabilities(transport: str, cells: Cells) -> None:
    cell = cells[transport]
    starts, polls, reaches, *others = EXPECTED[transport]
    assert cell["starts"] == starts
    assert cell["polling"].partition(":")[0] == polls
    assert cell["multicast"].startswith("yes: 3 of 3" if reaches else "no: 3 of 3, 3 sends")
    assert [cell[name] for name in ("bounds", "extensible", "between", "copies")] == others


@pytest.mark.parametrize("transport", FLOW)
def test_unread_events_are_lost_or_block_the_sender(transport: str, cells: Cells) -> None:
    assert cells[transport]["flow"].endswith(FLOW[transport])


def test_operations_that_need_privilege(cells: Cells) -> None:
    found: dict[str, set[str]] = {}
    for transport, cell in cells.items():
        found.setdefault(cell["permission"], set()).add(transport)
    assert found == PERMISSION


def test_every_transport_has_a_cell_in_every_column(whole: Run, cells: Cells) -> None:
    assert list(cells) == list(EXPECTED)
    tables = [part for part in whole.parts if isinstance(part, Table)][:3]
    assert [len(table.rows) for table in tables] == [len(EXPECTED)] * 3
    assert sum(len(table.columns) - 1 for table in tables) == 9
    assert all(cell for table in tables for row in table.rows for cell in row)


def test_a_receive_buffer_of_half_the_size_loses_more() -> None:
    lost = [
        int(
            run(transports="netlink", job="event", messages=10, rcvbuf=size)
            .metrics["probes"][0]["flow"]
            .split()[1]
            .rstrip(",")
        )
        for size in (0, 106_496, 4608)
    ]
    assert lost[0] < lost[1] < lost[2] < 1000


def test_only_transports_that_can_do_all_four_are_named(whole: Run) -> None:
    named = whole.metrics["begins_reaches_many_keeps_bounds_and_grows"]
    assert named == ["netlink", "usersock"]


@pytest.mark.long
def test_polling_memory_without_a_pause_counts_lookups() -> None:
    for row in run(transports="mmap,shm", job="event", messages=10, poll=0).metrics["probes"]:
        assert row["starts"] == "no"
        assert re.fullmatch(r"yes: \d{2,} looks", row["polling"])
