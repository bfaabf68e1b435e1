"""A machine with devices and loaded drivers for tests, and checks of frames, frame counters and leaks."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from simkernel import Machine, millis
from simkernel.blocking.process import Blocking, BlockingClient
from simkernel.hardware import Device

BOOT = millis(10)


@contextmanager
def bench(*devices: Device, seed: int = 0, **options: Any) -> Iterator[Machine]:
    """Yield a booted machine with `devices` plugged in and their drivers loaded."""
    with Machine(seed, **options) as machine:
        for device in devices:
            machine.plug(device)
        machine.run(until=BOOT)
        yield machine


def read_frame(camera: BlockingClient, **which: Any) -> bytes:
    """Return the bytes of a frame. Check that each part begins at the end of the previous part."""
    data = b""
    for part in camera.dump("read-frame", **which):
        assert part["offset"] == len(data)
        data += part["data"]
    return data


def is_whole(frame: bytes) -> bool:
    """Return True if the last four bytes of a frame are the CRC-32 of all bytes before them."""
    return zlib.crc32(frame[:-4]) == int.from_bytes(frame[-4:], "little")


def check_frames(counters: dict[str, Any]) -> None:
    """Check that every produced frame was delivered, was dropped or is in flight."""
    assert counters["frames-produced"] == (
        counters["frames-delivered"] + counters["frames-dropped"] + counters["frames-in-flight"]
    )
    assert counters["frames-dropped"] == counters["lost"] + counters["overwritten"] + counters["discarded"]


def check_nothing_left(machine: Machine, root: Blocking) -> None:
    """Unload all modules, which no program may use any more. Check that no memory has leaked and that no oops
    or bus error has occurred.
    """
    while modules := root.lsmod():
        unused = [module["name"] for module in modules if not module["users"]]
        root.rmmod(unused[0])
    counters = machine.statistics
    assert counters["modules"]["leaks"] == 0
    assert counters["oopses"] == 0
    assert counters["dma"]["allotted"] == 0
    assert counters["bus"]["errors"] == 0
