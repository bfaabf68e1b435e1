"""The driver `mouse`: it sends motion as netlink events, sums up all motion, and accounts for every report in
its counters.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkernel import Machine, micros, millis
from simkernel.blocking.process import BlockingClient
from simkernel.hardware import Mouse, Move, Script, Walk
from simkernel.hardware.mouse.registers import BUTTON_LEFT, BUTTON_MIDDLE, RATES
from simkernel.uapi import errno
from tests.drivers.bench import bench, check_nothing_left
from tests.examples import examples

LINE = 1
FIFO, QUEUE = 16, 64
"""Maximum number of reports in the queue of the device, and in the queue of the driver."""


def follow(machine: Machine) -> BlockingClient:
    client = machine.blocking(uid=1000).genetlink("mouse")
    client.join("motion")
    return client


def conserved(client: BlockingClient, mouse: Mouse) -> dict[str, int]:
    counters: dict[str, int] = client.do("get-statistics")
    made = mouse.statistics
    assert counters["reports"] == counters["announced"] + counters["pending"] + counters["missed"]
    assert counters["reports"] == made.taken
    assert counters["lost"] == made.lost
    assert made.made == made.taken + made.lost + made.flushed + mouse.queued
    return counters


def test_moves_are_reported_in_order() -> None:
    mouse = Mouse()
    with bench(mouse) as machine:
        client = follow(machine)
        events = client.events("motion")
        moves = [
            (3, -4, 0, 0, ()),
            (0, 0, -1, 0, ()),
            (-300, 7, 2, BUTTON_LEFT | BUTTON_MIDDLE, ("left", "middle")),
            (0, 0, 0, 0, ()),
        ]
        for number, (dx, dy, wheel, buttons, names) in enumerate(moves):
            at = machine.now
            mouse.move(dx, dy, wheel=wheel, buttons=buttons)
            event = next(events)
            assert event["device"] == "mouse0"
            assert event["sequence"] == number
            assert at < event["time"] < machine.now
            assert (event["dx"], event["dy"], event["wheel"], event["buttons"]) == (dx, dy, wheel, names)


def test_the_state_is_the_sum() -> None:
    with bench(Mouse(Walk(steps=50)), seed=3) as machine:
        client = follow(machine)
        before = client.do("get-state")
        x, y, wheel, last = before["x"], before["y"], before["wheel"], before
        events = client.events("motion")
        for _ in range(30):
            last = next(events)
            if last["sequence"] <= before["sequence"]:
                continue
            x, y, wheel = x + last["dx"], y + last["dy"], wheel + last["wheel"]
        state = client.do("get-state")
        assert (state["x"], state["y"], state["wheel"]) == (x, y, wheel)
        assert (state["sequence"], state["buttons"]) == (last["sequence"], last["buttons"])
        assert client.dump("get-state") == [state]


def test_a_mouse_that_has_never_moved_has_no_sequence() -> None:
    with bench(Mouse()) as machine:
        state = follow(machine).do("get-state")
        assert "sequence" not in state
        assert (state["x"], state["y"], state["buttons"]) == (0, 0, ())


def test_the_rate_can_be_set() -> None:
    with bench(Mouse(Walk(step=millis(1)))) as machine:
        client = follow(machine)
        device = client.do("get-device")
        assert (device["rate"], device["rates"]) == (125, list(RATES))
        for rate in RATES:
            client.do("set-rate", rate=rate)
            assert client.do("get-device")["rate"] == rate
            before = client.do("get-statistics")["reports"]
            machine.run(until=machine.now + millis(200))
            made = client.do("get-statistics")["reports"] - before
            assert abs(made - rate // 5) <= 1


@pytest.mark.parametrize(
    ("wanted", "text"), [({"rate": 126}, "125, 250, 500, 1000"), ({}, "'rate' is missing")]
)
def test_a_rate_that_it_does_not_have(wanted: dict[str, int], text: str) -> None:
    with bench(Mouse()) as machine, pytest.raises(OSError, match=text) as caught:
        follow(machine).do("set-rate", **wanted)
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize("rate", [7, 126])
def test_a_parameter_that_makes_no_sense(rate: int) -> None:
    with bench(udev=False) as machine, pytest.raises(OSError):
        machine.blocking().modprobe("mouse", rate=rate)


def test_sequence_numbers_go_on_beyond_16_bits() -> None:
    """The device's counter has 16 bits; the driver extends it."""
    with bench(Mouse(), udev=False) as machine:
        root = machine.blocking()
        root.modprobe("mouse", rate=1000)
        (mouse,) = machine.bus.devices()
        assert isinstance(mouse, Mouse)
        mouse._sequence = 0xFFFE
        client = follow(machine)
        events = client.events("motion")
        numbers = []
        for _ in range(4):
            mouse.move(1)
            numbers.append(next(events)["sequence"])
        assert numbers == [0xFFFE, 0xFFFF, 0x10000, 0x10001]


def test_reports_that_find_no_room_are_counted() -> None:
    """The device's queue overflows while interrupts are held back."""
    mouse = Mouse(Walk(step=millis(1)))
    with bench(mouse, udev=False) as machine:
        root = machine.blocking()
        root.modprobe("mouse", rate=1000)
        client = follow(machine)
        machine.kernel.interrupts.disable(LINE)
        machine.run(until=machine.now + millis(100))
        machine.kernel.interrupts.enable(LINE)
        machine.run(until=machine.now + millis(1))
        counters = conserved(client, mouse)
        assert counters["lost"] > 100 - FIFO - 5
        numbers = [next(client.events("motion"))["sequence"] for _ in range(FIFO + 2)]
        gaps = [later - earlier for earlier, later in pairwise(numbers)]
        assert max(gaps) > 70  # a listener sees the gap


async def hog(app: Any) -> None:
    await app.compute(millis(100))


def test_reports_that_the_worker_does_not_send_in_time_are_counted() -> None:
    """The kworker that sends the driver's queued reports runs late, because other tasks compute. The driver's
    queue overflows. Reports that are not sent are still part of the driver's sum of all motion.
    """
    mouse = Mouse(Walk(step=millis(1), steps=300))
    with bench(udev=False, cpus=1) as machine:
        root = machine.blocking()
        root.modprobe("mouse", rate=1000)
        client = follow(machine)
        machine.plug(mouse)
        machine.run(until=machine.now + millis(5))
        for _ in range(40):
            machine.spawn(hog)
        machine.run(until=machine.now + millis(6000))
        counters = conserved(client, mouse)
        assert counters["pending"] == counters["lost"] == 0
        assert counters["missed"] > 20
        assert client.do("get-state")["sequence"] == counters["reports"] - 1


moves = st.lists(
    st.builds(
        Move,
        time=st.integers(5_000, 60_000).map(micros),  # in the first 5 ms, the device is disabled
        dx=st.integers(-40000, 40000),
        dy=st.integers(-40000, 40000),
        buttons=st.integers(0, 31),
        wheel=st.integers(-200, 200),
    ),
    max_size=60,
).map(lambda some: Script(sorted(some, key=lambda move: move.time)))


@settings(max_examples=examples(40))
@given(moves, st.integers(0, 70_000), st.integers(1, 40_000))
def test_no_report_is_forgotten(script: Script, hold: int, length: int) -> None:
    """The counters account for every report of a random motion, even if interrupts are held back for some
    time.
    """
    mouse = Mouse(script)
    with bench(udev=False) as machine:
        root = machine.blocking()
        root.modprobe("mouse", rate=1000)
        client = follow(machine)
        machine.plug(mouse)
        machine.run(until=machine.now + micros(hold))
        machine.kernel.interrupts.disable(LINE)
        machine.run(until=machine.now + micros(length))
        machine.kernel.interrupts.enable(LINE)
        machine.run(until=machine.now + millis(300))
        counters = conserved(client, mouse)
        assert counters["pending"] == 0
        if not counters["lost"]:
            state = client.do("get-state")
            assert state["x"] == sum(move.dx for move in script.steps)
            assert state["y"] == sum(move.dy for move in script.steps)
            assert state["wheel"] == sum(move.wheel for move in script.steps)
        machine.unplug(mouse)
        root.sleep(0.001)
        client.close()
        check_nothing_left(machine, root)


@settings(max_examples=examples(30))
@given(st.integers(0, 40_000))
def test_unplug_at_any_instant(out: int) -> None:
    mouse = Mouse(Walk(step=millis(1)))
    with bench(mouse) as machine:
        client = follow(machine)
        machine.run(until=machine.now + micros(out))
        machine.unplug(mouse)
        machine.run(until=machine.now + millis(20))
        with pytest.raises(OSError) as caught:
            client.do("get-state")
        assert caught.value.errno == errno.ENODEV
        check_nothing_left(machine, machine.blocking())


@settings(max_examples=examples(30))
@given(st.integers(0, 3000))
def test_unplug_while_the_driver_is_loaded(out: int) -> None:
    """The mouse is unplugged while the kernel loads the driver's module or the driver probes the mouse."""
    mouse = Mouse(Walk(step=millis(1)))
    with bench() as machine:
        machine.plug(mouse)
        machine.run(until=machine.now + micros(out) // 2)
        machine.unplug(mouse)
        machine.run(until=machine.now + millis(20))
        assert machine.blocking(uid=1000).genetlink("mouse").dump("get-device") == []
        check_nothing_left(machine, machine.blocking())
