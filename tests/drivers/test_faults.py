"""In each run, a different hit of a fault point (a place where the kernel can inject a fault) fails while a
driver is loaded and used. The driver leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from simkernel import Machine, millis
from simkernel.explore.faults import Injector
from simkernel.hardware import Camera, Device, Mouse, Move, Script
from simkernel.kernel.lib.fault import POINTS
from simkernel.uapi.fcntl import O_NONBLOCK, O_RDONLY
from tests.drivers.bench import check_nothing_left

RARE = ("dma.alloc", "kmalloc", "module.init", "open", "probe")
"""Fault points that the kernel reaches at most 13 times in one call of live(). The tests of the other fault
points have the mark `long`.
"""


class Switch:
    """An injector that can be switched off. It is on while the driver is used, and off during the cleanup of
    the test.
    """

    def __init__(self, injector: Injector) -> None:
        self.injector = injector
        self.on = False

    def hit(self, point: str, **about: object) -> bool:
        return self.on and self.injector.hit(point, **about)


def settle(app: Any) -> None:
    app.sleep(0.04)


def use_mouse(app: Any) -> None:
    """Read the mouse's motion over netlink and from its event device."""
    with suppress(OSError), app.genetlink("mouse") as client:
        client.join("motion")
        settle(app)
        client.do("get-state")
        client.dump("get-state")
        client.do("set-rate", rate=500)
    with suppress(OSError):
        fd = app.open("/dev/input/event0", O_RDONLY | O_NONBLOCK)
        settle(app)
        app.read(fd, 1000)


def use_camera(app: Any) -> None:
    """Stream from a camera over netlink, then open its video device."""
    with suppress(OSError), app.genetlink("camera") as client:
        client.join("frames")
        client.do("set-format", width=160, height=120, pixel_format="GREY")
        client.do("stream-on")
        settle(app)
        client.dump("read-frame")
        client.do("stream-off")
    with suppress(OSError):
        app.open("/dev/video0", O_RDONLY)


STORIES: dict[str, tuple[Callable[[], Device], Callable[[Any], None]]] = {
    "mouse": (lambda: Mouse(Script(Move(time=millis(5 * n), dx=1) for n in range(1, 30))), use_mouse),
    "camera": (Camera, use_camera),
}


def live(name: str, injector: Injector) -> None:
    """Plug in a device, run its program with faults, unload the modules, and check that nothing is left."""
    make, program = STORIES[name]
    points = Switch(injector)
    with Machine(3, faults=points, check_leaks=True) as machine:
        device = make()
        root = machine.blocking()
        points.on = True
        machine.plug(device)
        machine.run(until=machine.now + millis(10))
        user = machine.spawn(program, uid=0)
        machine.run(until=machine.now + millis(400))
        points.on = False
        if user.alive:
            user.kill(9)
        if device.plugged:
            machine.unplug(device)
        machine.run(until=machine.now + millis(20))
        check_nothing_left(machine, root)


@pytest.mark.parametrize("point", [
    pytest.param(point, marks=[] if point in RARE else pytest.mark.long) for point in sorted(POINTS)
])  # fmt: skip
@pytest.mark.parametrize("name", STORIES)
def test_a_failure_leaves_nothing_behind(name: str, point: str) -> None:
    counted = Injector()
    live(name, counted)
    for n in range(1, counted.hits[point] + 1):
        injector = Injector(firings=[(point, n)])
        live(name, injector)
        assert injector.fired == [(point, n)]
