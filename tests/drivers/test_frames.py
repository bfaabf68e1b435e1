"""Invariants of a camera under any events: no frame is lost without a record, and nothing is left behind."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from simkernel import Machine, micros, millis
from simkernel.blocking.process import BlockingClient
from simkernel.hardware import Camera
from simkernel.uapi import errno
from tests.drivers.bench import BOOT, bench, check_frames, check_nothing_left, is_whole, read_frame
from tests.examples import examples

LINE = 1
GONE = (errno.ENODEV, errno.ENOENT, errno.EINTR)
"""Errors of a program whose camera is unplugged: no device, unknown frame, interrupted dump."""

waits = st.tuples(st.just("wait"), st.integers(0, 200))
holds = st.tuples(st.just("hold"), st.integers(1, 120))
reads = st.tuples(st.just("read"), st.integers(0, 12))
plain = st.sampled_from([("on", 0), ("off", 0), ("latest", 0), ("ask", 0)])


def act(machine: Machine, camera: BlockingClient, action: str, number: int) -> None:
    """Do one action: advance time, give a command, or hold back interrupts."""
    interrupts = machine.kernel.interrupts
    if action == "wait":
        machine.run(until=machine.now + millis(number))
    elif action == "hold":
        interrupts.disable(LINE)
        machine.run(until=machine.now + millis(number))
        interrupts.enable(LINE)
    elif action == "ask":
        camera.do("get-device")
    elif action in ("on", "off"):
        camera.do(f"stream-{action}")
    else:
        try:
            frame = read_frame(camera, **({"sequence": number} if action == "read" else {}))
        except (FileNotFoundError, InterruptedError):
            return
        assert is_whole(frame)


@settings(max_examples=examples(40))
@given(st.lists(st.one_of(waits, holds, reads, plain), max_size=20), st.integers(0, 8))
def test_produced_is_delivered_dropped_or_in_flight(actions: list[tuple[str, int]], jitter: int) -> None:
    device = Camera(jitter=millis(jitter))
    with bench(device) as machine:
        process = machine.blocking(uid=1000)
        camera = process.genetlink("camera")
        camera.do("set-format", width=160, height=120, pixel_format="GREY", interval=millis(25))
        for action in actions:
            act(machine, camera, *action)
            counters = camera.do("get-statistics")
            check_frames(counters)
            made = device.statistics
            assert counters["frames-produced"] <= made.completed + made.overruns + made.errors
        camera.do("stream-off")
        counters = camera.do("get-statistics")
        check_frames(counters)
        assert counters["frames-in-flight"] == 0
        made = device.statistics
        assert counters["frames-produced"] == made.completed + made.overruns + made.errors
        assert counters["bytes-delivered"] == counters["frames-delivered"] * 160 * 120
        process.exit()
        machine.unplug(device)
        check_nothing_left(machine, machine.blocking())


async def careless(app: Any, refusals: list[int]) -> None:
    """Use the camera all the time, and record the errors."""
    camera = await app.genetlink("camera")
    await camera.join("frames")
    await tell(camera.do("set-format", width=160, height=120), refusals)
    for operation in ("stream-on", "get-format", "stream-off", "get-statistics", "stream-on"):
        await tell(camera.do(operation), refusals)
    async for event in camera.events():
        if event.name == "stream-ended":
            refusals.append(-1)
            return
        await tell(camera.dump("read-frame"), refusals)
        await tell(camera.do("set-control", control="gain", value=20), refusals)


async def tell(pending: Any, refusals: list[int]) -> None:
    try:
        await pending
    except OSError as error:
        refusals.append(error.errno or 0)


@settings(max_examples=examples(40))
@given(st.integers(0, 90_000), st.integers(0, 90_000), st.booleans())
def test_unplug_at_any_instant(out: int, back: int, again: bool) -> None:
    """The unplug may interrupt power-up, a frame or a dump. In some examples, the camera is plugged in again
    after at most 90 ms.
    """
    device = Camera()
    refusals: list[int] = []
    with bench(device) as machine:
        program = machine.spawn(careless, refusals, uid=1000)
        machine.run(until=BOOT + micros(out))
        machine.unplug(device)
        if again:
            machine.run(until=machine.now + micros(back))
            machine.plug(device)
        machine.run(until=machine.now + millis(200))
        assert set(refusals) <= {*GONE, -1}
        if again:
            assert machine.blocking(uid=1000).genetlink("camera").do("get-device")["device"] == "camera0"
            machine.unplug(device)
            machine.run(until=machine.now + millis(10))
        if program.alive:
            program.kill(9)
        assert machine.statistics["dma"]["allotted"] == 0
        check_nothing_left(machine, machine.blocking())
        assert not sleepers(machine)


def sleepers(machine: Machine) -> list[str]:
    """Return programs and driver threads that sleep."""
    known = ("udevd", "kworker/", "irq/0-")
    tasks = [task for task in machine.kernel.processes if task.sleep is not None]
    return [task.comm for task in tasks if not task.comm.startswith(known)]


@settings(max_examples=15)
@given(st.integers(1, 60), st.integers(0, 40))
def test_two_machines_do_not_meet(step: int, ahead: int) -> None:
    """Two machines run alternately in one process. Each machine has the same result as when it runs alone."""

    def counters(camera: BlockingClient) -> dict[str, Any]:
        return dict(camera.do("get-statistics"))

    def begin(machine: Machine) -> BlockingClient:
        camera = machine.blocking(uid=1000).genetlink("camera")
        camera.do("stream-on")
        return camera

    with bench(Camera(), seed=1) as alone:
        begin(alone)
        alone.run(until=millis(300))
        expected = counters(begin(alone))
    with bench(Camera(), seed=1) as one, bench(Camera(), seed=2) as two:
        begin(one)
        begin(two)
        while one.now < millis(300):
            one.run(until=min(millis(300), one.now + millis(step)))
            two.run(until=one.now + millis(ahead))
        assert counters(begin(one)) == expected
