"""The camera behaves as its data sheet says."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkernel.engine import SimulationError, micros, millis
from simkernel.hardware import Camera
from simkernel.hardware.camera import registers as regs
from simkernel.hardware.camera.registers import MODES, PixelFormat
from tests.examples import examples
from tests.hardware.bench import Bench
from tests.hardware.camera.rig import Rig, check

TINY = 0  # the smallest mode


def test_it_takes_time_to_power_up() -> None:
    bench = Bench()
    camera = Camera()
    bench.bus.plug(camera)
    bench.write(camera, regs.CONTROL, regs.CONTROL_POWER)
    bench.run(regs.POWER_UP_NS - 1000)
    assert not bench.read(camera, regs.STATUS) & regs.STATUS_READY
    bench.run(1000)
    assert bench.read(camera, regs.STATUS) & regs.STATUS_READY


def test_thirty_frames_a_second_with_right_checksums_and_times() -> None:
    rig = Rig()
    rig.start()
    frames = []
    for _ in range(30):
        rig.bench.run(regs.INTERVAL_DEFAULT)
        frames += rig.take()
    assert [frame.sequence for frame in frames] == list(range(len(frames)))
    assert len(frames) == 30
    for frame in frames:
        assert check(frame.pixels) == (frame.sequence, frame.started)
        assert frame.checksum == int.from_bytes(frame.pixels[-4:], "little")
        assert frame.used == 640 * 480 * 2
        assert frame.read_out - frame.started == millis(4) + MODES[regs.MODE_DEFAULT].readout_ns
        assert frame.written - frame.read_out == regs.FLUSH_NS
    starts = [frame.started for frame in frames]
    assert {after - before for before, after in pairwise(starts)} == {regs.INTERVAL_DEFAULT}


@pytest.mark.parametrize("mode", range(len(MODES)))
@pytest.mark.parametrize("pixel_format", PixelFormat)
def test_every_mode_and_format(mode: int, pixel_format: PixelFormat) -> None:
    rig = Rig(1)
    rig.start(MODE=mode, FORMAT=pixel_format)
    rig.bench.run(millis(40))
    (frame,) = rig.take()
    width, height, *_ = MODES[mode]
    assert rig.read(regs.LINE_BYTES) == width * regs.BYTES_PER_PIXEL[pixel_format]
    assert len(frame.pixels) == rig.read(regs.FRAME_BYTES) == rig.read(regs.LINE_BYTES) * height
    assert check(frame.pixels)[0] == 0


def test_the_first_frame_follows_the_lock() -> None:
    rig = Rig()
    rig.start(MODE=TINY)
    started = rig.bench.engine.time()
    assert rig.read(regs.STATUS) & (regs.STATUS_BUSY | regs.STATUS_STREAMING) == regs.STATUS_BUSY
    rig.bench.run(millis(10))
    assert rig.read(regs.STATUS) & regs.STATUS_STREAMING
    assert rig.take()[0].started == started + regs.LOCK_NS


def test_interrupt_on_each_frame_until_cleared() -> None:
    rig = Rig()
    rig.bench.handler = lambda line: rig.write(regs.IRQ_STATUS, regs.IRQ_ALL)
    rig.write(regs.IRQ_ENABLE, regs.IRQ_FRAME_DONE)
    rig.start(MODE=TINY, INTERVAL=millis(10))
    rig.bench.run(millis(48))
    assert len(rig.bench.interrupts) == len(rig.take()) == 4
    assert rig.read(regs.FRAMES) == 4


def test_without_a_free_descriptor_frames_are_dropped_and_counted() -> None:
    rig = Rig(2)
    rig.write(regs.IRQ_ENABLE, regs.IRQ_OVERRUN)
    rig.start(MODE=TINY, INTERVAL=millis(10))
    rig.bench.run(millis(49))
    assert [frame.sequence for frame in rig.take()] == [0, 1]
    assert rig.read(regs.IRQ_STATUS) == regs.IRQ_OVERRUN | regs.IRQ_FRAME_DONE
    assert rig.read(regs.DROPPED) == rig.camera.statistics.overruns == 3
    assert len(rig.bench.interrupts) == 1
    rig.bench.run(millis(20))
    assert [frame.sequence for frame in rig.take()] == [5, 6]


def test_exposure_bounds_the_interval_from_the_next_frame_on() -> None:
    rig = Rig(16)
    rig.start(MODE=TINY, INTERVAL=millis(10))
    rig.bench.run(millis(12))
    rig.write(regs.EXPOSURE, 50_000)
    needed = millis(50) + MODES[TINY].readout_ns + regs.FLUSH_NS
    assert rig.read(regs.FRAME_INTERVAL) == needed
    rig.bench.run(millis(200))
    starts = [frame.started for frame in rig.take()]
    gaps = [after - before for before, after in pairwise(starts)]
    assert gaps[0] == millis(10)
    assert set(gaps[2:]) == {needed}


@pytest.mark.parametrize("mode", range(len(MODES)))
def test_a_mode_bounds_the_interval(mode: int) -> None:
    rig = Rig()
    rig.write(regs.INTERVAL, 0)
    rig.write(regs.MODE, mode)
    assert rig.read(regs.FRAME_INTERVAL) == MODES[mode].interval_ns


def test_exposure_and_gain_change_the_brightness_of_frames_begun_later() -> None:
    rig = Rig(3)
    rig.start(MODE=TINY, FORMAT=PixelFormat.GREY, PATTERN=regs.Pattern.SOLID_GREY, INTERVAL=millis(10))
    rig.bench.run(millis(2))  # the first frame is being exposed
    rig.write(regs.EXPOSURE, regs.EXPOSURE_DEFAULT // 2)
    rig.bench.run(millis(10))
    rig.write(regs.GAIN, 3 * regs.GAIN_UNIT)
    rig.bench.run(millis(20))
    normal, dark, bright = (frame.pixels[0] for frame in rig.take())
    assert dark < normal < bright


def test_jitter_only_lengthens_and_comes_from_the_seed() -> None:
    def starts(seed: int, jitter: int) -> list[int]:
        rig = Rig(16, camera=Camera(jitter=jitter), seed=seed)
        rig.start(MODE=TINY, INTERVAL=millis(10))
        rig.bench.run(millis(100))
        return [frame.started for frame in rig.take()]

    assert starts(1, micros(500)) == starts(1, micros(500)) != starts(2, micros(500))
    assert starts(1, 0) == starts(2, 0)
    jittered = starts(1, micros(500))
    gaps = [after - before for before, after in pairwise(jittered)]
    assert all(millis(10) <= gap <= millis(10) + micros(500) for gap in gaps)
    with pytest.raises(SimulationError, match="at least 0"):
        Camera(jitter=-1)


@pytest.mark.parametrize("name", ["MODE", "FORMAT", "INTERVAL", "RING_ADDRESS", "RING_SIZE"])
def test_settings_are_locked_while_busy(name: str) -> None:
    rig = Rig()
    rig.start(MODE=TINY)
    offset = getattr(regs, name)
    before = rig.read(offset)
    rig.write(offset, 1 if before != 1 else 2)
    assert rig.read(offset) == before
    assert rig.read(regs.IRQ_STATUS) & regs.IRQ_REFUSED
    rig.stop()
    rig.bench.run(regs.STOP_NS)
    rig.write(offset, 0)
    assert rig.read(offset) == 0


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        (regs.MODE, len(MODES)),
        (regs.FORMAT, 3),
        (regs.PATTERN, 4),
        (regs.EXPOSURE, regs.EXPOSURE_MIN - 1),
        (regs.EXPOSURE, regs.EXPOSURE_MAX + 1),
        (regs.GAIN, 0),
        (regs.RING_SIZE, regs.RING_SIZE_MAX + 1),
        (regs.RING_ADDRESS, 0x40000020),
        (regs.CONTROL, regs.CONTROL_POWER | regs.CONTROL_STREAM),
        (regs.CONTROL, regs.CONTROL_STREAM),
    ],
)
def test_a_value_out_of_range_is_refused(offset: int, value: int) -> None:
    rig = Rig()
    rig.write(regs.IRQ_ENABLE, regs.IRQ_REFUSED)
    before = rig.read(offset)
    rig.write(offset, value)
    rig.bench.engine.run()
    assert rig.read(offset) == before
    assert rig.read(regs.IRQ_STATUS) == regs.IRQ_REFUSED
    assert len(rig.bench.interrupts) == 1


def test_it_does_not_stream_before_it_is_ready_nor_before_it_is_idle_again() -> None:
    bench = Bench()
    camera = Camera()
    bench.bus.plug(camera)
    bench.write(camera, regs.RING_SIZE, 1)
    stream = regs.CONTROL_POWER | regs.CONTROL_STREAM
    bench.write(camera, regs.CONTROL, stream)
    assert bench.read(camera, regs.CONTROL) == 0
    bench.write(camera, regs.CONTROL, regs.CONTROL_POWER)
    bench.write(camera, regs.CONTROL, stream)
    assert bench.read(camera, regs.CONTROL) == regs.CONTROL_POWER
    bench.run(regs.POWER_UP_NS)
    bench.write(camera, regs.CONTROL, stream)
    assert bench.read(camera, regs.CONTROL) == stream
    bench.write(camera, regs.CONTROL, regs.CONTROL_POWER)
    bench.write(camera, regs.CONTROL, stream)
    assert bench.read(camera, regs.CONTROL) == regs.CONTROL_POWER
    bench.run(regs.STOP_NS)
    bench.write(camera, regs.CONTROL, stream)
    assert bench.read(camera, regs.CONTROL) == stream


def test_memory_is_left_alone_once_it_is_idle() -> None:
    rig = Rig()
    rig.start(MODE=TINY)
    rig.bench.run(millis(6))  # during the read-out
    rig.stop()
    assert rig.read(regs.STATUS) & regs.STATUS_BUSY
    rig.bench.run(regs.STOP_NS)
    assert not rig.read(regs.STATUS) & regs.STATUS_BUSY
    for address in (*rig.buffers, rig.ring):
        rig.memory.free(address)
    rig.bench.engine.run()
    assert rig.camera.statistics.aborted == 1
    assert rig.camera.statistics.in_progress == 0
    assert not rig.bench.errors


def test_losing_power_stops_everything_at_once() -> None:
    rig = Rig()
    rig.start(MODE=TINY)
    rig.bench.run(millis(6))
    rig.write(regs.CONTROL, 0)
    assert rig.read(regs.STATUS) == rig.read(regs.CONTROL) == 0
    rig.bench.engine.run()
    assert rig.take() == []


@settings(max_examples=examples(40))
@given(st.integers(0, millis(60)))
def test_unplugging_at_any_instant_stops_everything_at_once(instant: int) -> None:
    rig = Rig()
    rig.start(MODE=TINY)
    rig.bench.run(instant)
    rig.bench.bus.unplug(rig.camera)
    memory = bytes(rig.memory.view(rig.ring, rig.count * regs.DESCRIPTOR_SIZE))
    writes = rig.bench.bus.statistics.dma_writes
    rig.bench.engine.run()
    assert rig.bench.bus.statistics.dma_writes == writes
    assert bytes(rig.memory.view(rig.ring, rig.count * regs.DESCRIPTOR_SIZE)) == memory
    assert rig.camera.statistics.in_progress == 0
    assert not rig.bench.errors
    rig.bench.bus.plug(rig.camera)
    assert rig.read(regs.STATUS) == 0
    assert rig.read(regs.MODE) == regs.MODE_DEFAULT


def test_a_buffer_that_is_too_short_is_given_back_with_an_error() -> None:
    rig = Rig(2, size=160 * 120 - 1)
    rig.start(MODE=TINY, FORMAT=PixelFormat.GREY)
    rig.bench.run(millis(9))
    (frame,) = rig.take()
    assert (frame.flags, frame.used) == (regs.DESCRIPTOR_SHORT, 0)
    assert rig.read(regs.IRQ_STATUS) == regs.IRQ_DMA_ERROR
    assert rig.camera.statistics.errors == rig.read(regs.DROPPED) == 1


def test_a_buffer_that_is_not_memory_is_a_bus_error_and_an_error_in_its_descriptor() -> None:
    rig = Rig(2)
    rig.start(MODE=TINY)
    rig.memory.free(rig.buffers[0])
    rig.bench.run(millis(9))
    assert regs.DESCRIPTOR.unpack(rig.descriptor(0))[0] == regs.DESCRIPTOR_BUS_ERROR
    assert len(rig.bench.errors) == 1
    rig.bench.run(millis(40))
    assert regs.DESCRIPTOR.unpack(rig.descriptor(1))[0] == regs.DESCRIPTOR_DONE


def test_a_ring_that_is_not_memory_loses_every_frame() -> None:
    rig = Rig(2)
    rig.start(MODE=TINY, INTERVAL=millis(10))
    rig.memory.free(rig.ring)
    rig.bench.run(millis(49))
    assert rig.read(regs.DROPPED) == rig.camera.statistics.errors == 5
    assert rig.read(regs.RING_HEAD) == 0
    assert len(rig.bench.errors) == 5


steps = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.integers(0, millis(30))),
        st.tuples(st.just("expose"), st.integers(0, 20_000)),
        st.tuples(st.sampled_from(["take", "keep", "refill", "stop", "restart", "unplug"]), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=examples(80), deadline=None)
@given(steps, st.integers(1, 4))
def test_every_frame_is_taken_in_the_ring_dropped_or_in_progress(
    steps: list[tuple[str, int]], buffers: int
) -> None:
    rig = Rig(buffers)
    rig.start(MODE=TINY, FORMAT=PixelFormat.GREY, INTERVAL=millis(9))
    taken = 0
    for step, number in steps:
        if step == "run":
            rig.bench.run(number)
        elif step in ("take", "keep"):
            taken += len(rig.take(give=step == "take"))
        elif step == "refill":
            rig.refill()
        elif rig.camera.slot is None:
            continue
        elif step == "stop":
            rig.stop()
        elif step == "unplug":
            rig.bench.bus.unplug(rig.camera)
        elif step == "expose":
            rig.write(regs.EXPOSURE, number)
        elif not rig.read(regs.STATUS) & regs.STATUS_BUSY:
            taken += len(rig.take())
            rig.restart()
    in_ring = len(rig.take())
    seen = rig.camera.statistics
    assert seen.started == taken + in_ring + seen.overruns + seen.errors + seen.aborted + seen.in_progress
    assert seen.completed == taken + in_ring
    assert seen.in_progress in (0, 1)
    assert not rig.bench.errors


def test_a_frames_events_carry_its_flow_up_to_the_interrupt() -> None:
    rig = Rig()
    flows: list[int] = []

    def handler(line: int) -> None:
        flows.append(rig.bench.engine.trace.flow)
        rig.write(regs.IRQ_STATUS, regs.IRQ_ALL)

    rig.bench.handler = handler
    records = rig.bench.trace()
    rig.write(regs.IRQ_ENABLE, regs.IRQ_FRAME_DONE)
    rig.start(MODE=TINY, INTERVAL=millis(10))
    rig.bench.run(millis(45))
    by_flow: dict[int, list[str]] = {}
    for record in records:
        if record.flow:
            by_flow.setdefault(record.flow, []).append(record.name)
    assert len(flows) == len(set(flows)) == 4
    for flow in flows:
        assert by_flow[flow] == [
            "frame_start",
            "dma_write",
            "dma_write",
            "frame_done",
            "irq_raise",
            "rwmmio_write",
        ]


def test_two_machines_do_not_meet() -> None:
    def begun() -> Rig:
        rig = Rig(2, camera=Camera(jitter=micros(300)), seed=3)
        rig.bench.trace()
        rig.start(MODE=TINY)
        return rig

    def outcome(rig: Rig) -> object:
        return rig.take(), rig.bench.bus.statistics, rig.camera.statistics, rig.bench.records

    alone, one, other = begun(), begun(), begun()
    alone.bench.run(millis(150))
    for _ in range(15):
        one.bench.run(millis(10))
        other.bench.run(millis(10))
    assert outcome(one) == outcome(other) == outcome(alone)
