"""The operations that the calibration measures: their names and simulated times, and that measure.c supports
all of them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkernel.kernel.lib.costs import FREE, CostModel
from simkernel.tools import calibration
from simkernel.tools.calibration.host import COMPILERS
from simkernel.tools.calibration.operations import KINDS, Operation, find

SIZED = ("pipe", "unix", "stream", "usersock", "refused", "recv", "members", "usersock-echo", "pipe-echo")
COSTS = CostModel()
WITH_A_LINEAR_PART = 7872
"""Size in bytes. A write of this size to a unix stream still has bytes in the linear part of its skb. If the
write has one byte more, all its bytes are in pages.
"""


def operation(key: str, size: int = 0, count: int = 0) -> Operation:
    return Operation(next(kind for kind in KINDS if kind.key == key), count, size)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.key)
@pytest.mark.parametrize("count", [1, 2, 1000])
def test_a_name_is_found_again(kind: object, count: int) -> None:
    named = Operation(kind, count, 64)  # type: ignore[arg-type]
    found = find(named.name, 64)
    assert found.kind is kind
    assert found.name == named.name


@pytest.mark.parametrize("name", ["", "getpid", "getppid ", "usersock multicast send, x members"])
def test_another_name_is_none(name: str) -> None:
    with pytest.raises(LookupError):
        find(name, 0)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.key)
def test_it_takes_no_time_where_nothing_costs_anything(kind: object) -> None:
    assert Operation(kind, 3, 64).simulated(FREE) == 0  # type: ignore[arg-type]


@pytest.mark.parametrize("key", SIZED)
@given(sizes=st.tuples(st.integers(1, 60_000), st.integers(1, 60_000)))
@settings(max_examples=12, deadline=None)
def test_more_bytes_never_cost_less(key: str, sizes: tuple[int, int]) -> None:
    if key in ("unix", "stream"):  # see the next test
        sizes = sizes[0] % WITH_A_LINEAR_PART + 1, sizes[1] % WITH_A_LINEAR_PART + 1
    few, many = (operation(key, size, 2).simulated(COSTS) for size in sorted(sizes))
    assert few <= many


def test_a_stream_costs_less_where_all_its_bytes_are_in_whole_pages() -> None:
    """On Linux 6.18, to send and receive 7800 bytes on a unix stream takes 1777 ns with Python's calls. With
    7873 bytes it takes 1610 ns.
    """
    few, many = (operation("stream", size, 2).simulated(COSTS) for size in (7872, 7873))
    assert few > many


@pytest.mark.parametrize("key", ["members", "others"])
@given(counts=st.tuples(st.integers(1, 700), st.integers(1, 700)))
@settings(max_examples=6, deadline=None)
def test_more_sockets_never_cost_less(key: str, counts: tuple[int, int]) -> None:
    few, many = (operation(key, 64, count).simulated(COSTS) for count in sorted(counts))
    assert few <= many if counts[0] == counts[1] else few < many


def test_a_thousand_members_cost_more_than_ten_times_a_hundred() -> None:
    hundred, thousand = (operation("members", 64, count).simulated(COSTS) for count in (100, 1000))
    assert thousand > 11 * hundred


@pytest.mark.parametrize("key", ["poll", "poll-wait", "epoll"])
@given(counts=st.tuples(st.integers(1, 60), st.integers(1, 60)))
@settings(max_examples=6, deadline=None)
def test_more_files_cost_more(key: str, counts: tuple[int, int]) -> None:
    few, many = (operation(key, 0, count).simulated(COSTS) for count in sorted(counts))
    assert few <= many if counts[0] == counts[1] else few < many


def test_poll_that_cannot_wait_joins_no_wait_queue() -> None:
    dearer = CostModel(poll_wait=COSTS.poll_wait + 1000)
    may, must_not = operation("poll-wait", 0, 3), operation("poll", 0, 3)
    assert must_not.simulated(dearer) == must_not.simulated(COSTS)
    assert may.simulated(dearer) == may.simulated(COSTS) + 3000


def test_a_ping_pong_switches_twice() -> None:
    dearer = CostModel(switch=COSTS.switch + 1000)
    assert operation("pipe-echo", 64).simulated(dearer) == operation("pipe-echo", 64).simulated(COSTS) + 2000
    assert operation("sched_yield").simulated(dearer) == operation("sched_yield").simulated(COSTS)


def test_a_message_that_is_too_large_is_refused() -> None:
    with pytest.raises(OSError, match="Message too long"):
        operation("usersock", 1_000_000).simulated(COSTS)


@pytest.mark.skipif(sys.platform != "linux", reason="measure.c is for Linux")
@pytest.mark.skipif(not any(map(shutil.which, COMPILERS)), reason="there is no C compiler")
def test_the_c_program_knows_the_same_kinds(tmp_path: Path) -> None:
    cc = next(filter(shutil.which, COMPILERS))
    source, program = Path(calibration.__file__).with_name("measure.c"), tmp_path / "measure"
    subprocess.run([cc, "-Wall", "-Werror", "-pthread", "-o", program, source], check=True)
    for kind in KINDS:
        done = subprocess.run([program, f"{kind.key}:x:0"], capture_output=True, text=True, check=False)
        assert "KIND:COUNT:SIZE" in done.stderr
    known = set(source.read_text("utf-8").split('"'))
    assert {kind.key for kind in KINDS} <= known
    done = subprocess.run([program, "nonsense:0:0"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "nonsense: no such operation\n")


def test_a_ping_pong_of_no_bytes_is_one_of_a_byte() -> None:
    assert operation("pipe-echo", 0).simulated(COSTS) == operation("pipe-echo", 1).simulated(COSTS)
