"""The camera device: it implements the data sheet in `registers.py`.

A frame consists of three events: its exposure begins; its read-out begins, which fetches a descriptor or
drops the frame; its DMA is done.  All of them have the trace flow of the frame.
"""

from __future__ import annotations

import zlib
from typing import Final

import attrs

from simkernel.engine import MICROSECOND, SimulationError
from simkernel.hardware.bus import RO, RW, W1C, Device, Register
from simkernel.hardware.bus.registers import CLASS_VIDEO
from simkernel.hardware.camera import pattern
from simkernel.hardware.camera import registers as sheet
from simkernel.hardware.camera.registers import MODES, Mode, Pattern, PixelFormat

LOCKED: Final = frozenset(
    {sheet.MODE, sheet.FORMAT, sheet.INTERVAL, sheet.RING_ADDRESS, sheet.RING_SIZE}
)  # the camera refuses a write to these registers while STATUS_BUSY is set


@attrs.define
class CameraStatistics:
    """Counters of frames since the camera object was made.

    started = completed + overruns + errors + aborted + in_progress.  For an overrun no descriptor was
    free.  An error is a frame that could not be written to memory.  An aborted frame was cut off by the
    end of a stream, the loss of power, or an unplug.
    """

    started: int = 0
    completed: int = 0
    overruns: int = 0
    errors: int = 0
    aborted: int = 0

    @property
    def in_progress(self) -> int:
        """Number of frames that are being exposed or read out."""
        return self.started - self.completed - self.overruns - self.errors - self.aborted


@attrs.define
class Frame:
    """A frame in progress, with the brightness and pattern that were set when its exposure began."""

    sequence: int
    started: int
    bright: int
    pattern: Pattern
    address: int = 0


class Camera(Device):
    """A camera.  Each frame interval is lengthened by a random time of at most `jitter` ns."""

    vendor_id = sheet.VENDOR
    device_id = sheet.DEVICE
    class_code = CLASS_VIDEO
    revision = 1
    registers = (
        Register("CONTROL", sheet.CONTROL, RW, writable=sheet.CONTROL_POWER | sheet.CONTROL_STREAM),
        Register("STATUS", sheet.STATUS, RO),
        Register("IRQ_STATUS", sheet.IRQ_STATUS, W1C),
        Register("IRQ_ENABLE", sheet.IRQ_ENABLE, RW, writable=sheet.IRQ_ALL),
        Register("MODE", sheet.MODE, RW, sheet.MODE_DEFAULT, values=range(len(MODES))),
        Register("FORMAT", sheet.FORMAT, RW, PixelFormat.YUYV, values=range(len(PixelFormat))),
        Register("INTERVAL", sheet.INTERVAL, RW, sheet.INTERVAL_DEFAULT),
        Register("EXPOSURE", sheet.EXPOSURE, RW, sheet.EXPOSURE_DEFAULT, values=sheet.EXPOSURES),
        Register("GAIN", sheet.GAIN, RW, sheet.GAIN_DEFAULT, values=sheet.GAINS),
        Register("PATTERN", sheet.PATTERN, RW, Pattern.COLOUR_BARS, values=range(len(Pattern))),
        Register("RING_ADDRESS", sheet.RING_ADDRESS, RW, values=range(0, 1 << 32, sheet.DESCRIPTOR_SIZE)),
        Register("RING_SIZE", sheet.RING_SIZE, RW, values=range(sheet.RING_SIZE_MAX + 1)),
        Register("RING_HEAD", sheet.RING_HEAD, RO),
        Register("LINE_BYTES", sheet.LINE_BYTES, RO),
        Register("FRAME_BYTES", sheet.FRAME_BYTES, RO),
        Register("FRAME_INTERVAL", sheet.FRAME_INTERVAL, RO),
        Register("FRAMES", sheet.FRAMES, RO),
        Register("DROPPED", sheet.DROPPED, RO),
    )

    _control: int  # value that the register CONTROL had before the current write
    _sequence: int

    def __init__(self, *, name: str = "", jitter: int = 0) -> None:
        if jitter < 0:
            raise SimulationError(f"jitter={jitter}: use a time in ns of at least 0")
        self.name = name
        self.jitter = jitter
        self.statistics = CameraStatistics()

    @property
    def mode(self) -> Mode:
        """The sensor mode that the register MODE selects."""
        return MODES[self.values[sheet.MODE]]

    @property
    def pixel_format(self) -> PixelFormat:
        """The pixel format that the register FORMAT selects."""
        return PixelFormat(self.values[sheet.FORMAT])

    # Registers

    def asserts(self) -> bool:
        return self.values[sheet.IRQ_STATUS] & self.values[sheet.IRQ_ENABLE] != 0

    def accepts(self, register: Register, value: int) -> bool:
        if super().accepts(register, value) and self._permits(register.offset, value):
            return True
        self.values[sheet.IRQ_STATUS] |= sheet.IRQ_REFUSED
        return False

    def _permits(self, offset: int, value: int) -> bool:
        busy = self.values[sheet.STATUS] & sheet.STATUS_BUSY
        if offset in LOCKED:
            return not busy
        if offset != sheet.CONTROL or not value & sheet.CONTROL_STREAM:
            return True
        if self.values[sheet.CONTROL] & sheet.CONTROL_STREAM:
            return True
        ready = self.values[sheet.STATUS] & sheet.STATUS_READY
        return bool(ready and not busy and value & sheet.CONTROL_POWER and self.values[sheet.RING_SIZE])

    def write_control(self, value: int) -> None:
        on, off = value & ~self._control, self._control & ~value
        self._control = self.values[sheet.CONTROL]
        if off & sheet.CONTROL_POWER:
            self._lose_power()
        elif on & sheet.CONTROL_POWER:
            self.after(sheet.POWER_UP_NS, self._become_ready)
        elif on & sheet.CONTROL_STREAM:
            self._start()
        elif off & sheet.CONTROL_STREAM:
            self._stop()

    def read_line_bytes(self) -> int:
        return self.mode.width * sheet.BYTES_PER_PIXEL[self.pixel_format]

    def read_frame_bytes(self) -> int:
        return self.read_line_bytes() * self.mode.height

    def read_frame_interval(self) -> int:
        mode = self.mode
        busy = self.values[sheet.EXPOSURE] * MICROSECOND + mode.readout_ns + sheet.FLUSH_NS
        return max(self.values[sheet.INTERVAL], mode.interval_ns, busy)

    # Power and streaming

    def power_on(self) -> None:
        self._control = 0
        self._sequence = 0

    def power_off(self) -> None:
        self.statistics.aborted += self.statistics.in_progress

    def _become_ready(self) -> None:
        self.values[sheet.STATUS] |= sheet.STATUS_READY
        self.emit("ready")

    def _lose_power(self) -> None:
        self._abandon()
        self._control = self.values[sheet.CONTROL] = 0
        self.values[sheet.STATUS] = 0

    def _start(self) -> None:
        for counter in (sheet.RING_HEAD, sheet.FRAMES, sheet.DROPPED):
            self.values[counter] = 0
        self._sequence = 0
        self.values[sheet.STATUS] |= sheet.STATUS_BUSY
        self.after(sheet.LOCK_NS, self._lock)

    def _lock(self) -> None:
        self.values[sheet.STATUS] |= sheet.STATUS_STREAMING
        self.emit("stream_on")
        self._expose()

    def _stop(self) -> None:
        self._abandon()
        self.values[sheet.STATUS] &= ~sheet.STATUS_STREAMING
        self.after(sheet.STOP_NS, self._become_idle)
        self.emit("stream_off")

    def _become_idle(self) -> None:
        self.values[sheet.STATUS] &= ~sheet.STATUS_BUSY

    def _abandon(self) -> None:
        self.cancel_all()
        self.statistics.aborted += self.statistics.in_progress

    # Frames

    def _expose(self) -> None:
        exposure = self.values[sheet.EXPOSURE]
        delay = self.engine.rng(self.name).randint(0, self.jitter) if self.jitter else 0
        self.after(self.read_frame_interval() + delay, self._expose)
        self.engine.trace.new_flow()
        frame = Frame(
            self._sequence,
            self.now,
            pattern.brightness(exposure, self.values[sheet.GAIN]),
            Pattern(self.values[sheet.PATTERN]),
        )
        self._sequence = self._sequence + 1 & 0xFFFF_FFFF
        self.statistics.started += 1
        self.emit("frame_start", sequence=frame.sequence)
        self.after(exposure * MICROSECOND, self._read_out, frame)

    def _read_out(self, frame: Frame) -> None:
        head = self.values[sheet.RING_HEAD]
        descriptor = self.dma_read(self._descriptor(head), sheet.DESCRIPTOR_SIZE)
        if descriptor is None:
            self._fail(frame)
            return
        flags, frame.address, length, *_ = sheet.DESCRIPTOR.unpack(descriptor)
        if not flags & sheet.DESCRIPTOR_DEVICE:
            self.statistics.overruns += 1
            self.values[sheet.DROPPED] += 1
            self.values[sheet.IRQ_STATUS] |= sheet.IRQ_OVERRUN
            self.emit("frame_overrun", sequence=frame.sequence)
        else:
            self.after(self.mode.readout_ns + sheet.FLUSH_NS, self._finish, frame, length)

    def _finish(self, frame: Frame, length: int) -> None:
        pixels, checksum = pattern.body(self.mode, self.pixel_format, frame.pattern, frame.bright)
        used = len(pixels) + sheet.FOOTER_SIZE
        if length < used:
            self._fail(frame, sheet.DESCRIPTOR_SHORT, length)
            return
        unsummed = sheet.FOOTER.pack(sheet.FOOTER_MAGIC, frame.sequence, frame.started, 0)[:-4]
        checksum = zlib.crc32(unsummed, checksum)
        if not self.dma_write(frame.address, pixels, unsummed, checksum.to_bytes(4, "little")):
            self._fail(frame, sheet.DESCRIPTOR_BUS_ERROR, length)
            return
        self._write_back(frame, sheet.DESCRIPTOR_DONE, length, used, checksum)
        self.statistics.completed += 1
        self.values[sheet.FRAMES] += 1
        self.values[sheet.IRQ_STATUS] |= sheet.IRQ_FRAME_DONE
        self.emit("frame_done", sequence=frame.sequence)

    def _fail(self, frame: Frame, flag: int = 0, length: int = 0) -> None:
        if flag:
            self._write_back(frame, flag, length)
        self.statistics.errors += 1
        self.values[sheet.DROPPED] += 1
        self.values[sheet.IRQ_STATUS] |= sheet.IRQ_DMA_ERROR
        self.emit("frame_error", sequence=frame.sequence)

    def _write_back(self, frame: Frame, flag: int, length: int, used: int = 0, checksum: int = 0) -> None:
        head = self.values[sheet.RING_HEAD]
        written = sheet.DESCRIPTOR.pack(
            flag,
            frame.address,
            length,
            used,
            frame.sequence,
            checksum,
            frame.started,
            self.now - sheet.FLUSH_NS,
            self.now,
        )
        self.dma_write(self._descriptor(head), written)
        self.values[sheet.RING_HEAD] = (head + 1) % self.values[sheet.RING_SIZE]

    def _descriptor(self, index: int) -> int:
        return self.values[sheet.RING_ADDRESS] + index * sheet.DESCRIPTOR_SIZE
