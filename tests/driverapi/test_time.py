"""Delays, the clock, and polling of registers."""

from __future__ import annotations

import errno
from itertools import pairwise

import pytest

from simkernel import micros, millis
from tests.kernel.conftest import Bench


def test_sleeping_takes_its_time(bench: Bench) -> None:
    bench.module(
        "m",
        """
        async def init(this):
            times = [ktime_get(this)]
            for nap in (msleep(this, 3), fsleep(this, 20)):
                await nap
                times.append(ktime_get(this))
            udelay(this, 7)
            times.append(ktime_get(this))
            return [later - earlier for earlier, later in zip(times, times[1:])]
        """,
    )
    slept = bench.load("m")
    assert millis(3) <= slept[0] < millis(3) + micros(5)
    assert slept[2] == micros(7)


POLL = """
async def init(this):
    reads = []
    def read():
        reads.append(ktime_get(this))
        return len(reads)
    value = await read_poll_timeout(this, read, lambda value: value >= WANTED, 100, 1000)
    return value, reads
"""


def test_polling_sleeps_between_its_reads(bench: Bench) -> None:
    bench.module("m", POLL.replace("WANTED", "3"))
    value, reads = bench.load("m")
    assert value == 3
    assert all(later - earlier >= micros(100) for earlier, later in pairwise(reads))


def test_polling_ends(bench: Bench) -> None:
    bench.module("m", POLL.replace("WANTED", "10**9"))
    with pytest.raises(TimeoutError) as raised:
        bench.load("m")
    assert raised.value.errno == errno.ETIMEDOUT


def test_a_device_is_used_by_its_driver_only(bench: Bench) -> None:
    bench.module(
        "m",
        "def init(this):\n    dma_alloc_coherent(this._kernel.simbus._root, 5)",
    )
    with pytest.raises(OSError):
        bench.load("m")
    assert any("simbus0 has no driver: use a device between its probe" in text for text in bench.log)


def test_managed_resources_are_for_devices_with_a_driver(bench: Bench) -> None:
    bench.module(
        "m",
        """
        def init(this):
            device = device_create(this, class_register(this, "c"), None, "d")
            dmam_alloc_coherent(device, 5)
        """,
    )
    with pytest.raises(OSError):
        bench.load("m")
    assert any(
        "d has no driver: call devm_ functions only between a device's probe" in text for text in bench.log
    )
