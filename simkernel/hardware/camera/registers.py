"""Data sheet of the camera: a sensor with a test-pattern generator and a bus-mastering DMA engine.

All registers are 32 bits wide.  Times are in nanoseconds of the bus clock unless another unit is given.

Power.  Set CONTROL_POWER and wait for STATUS_READY (typically POWER_UP_NS).  Clearing CONTROL_POWER stops
all activity immediately.

Settings.  MODE, FORMAT, INTERVAL and the registers of the ring are locked while STATUS_BUSY is set.
EXPOSURE, GAIN and PATTERN can be changed at any time.  They are latched when the exposure of a frame
begins.  These writes are refused: an invalid value, any value to a locked register, and CONTROL_STREAM
while the camera cannot stream.  A refused write leaves the register unchanged and sets IRQ_REFUSED.

Streaming.  Fill the ring, set RING_ADDRESS and RING_SIZE, and set CONTROL_STREAM.  STATUS_BUSY is set
immediately. STATUS_STREAMING and the first frame follow after LOCK_NS.  Clearing CONTROL_STREAM aborts the
frame in progress. The DMA engine may access memory until STATUS_BUSY is clear (typically STOP_NS).

Frames.  A frame consists of exposure, read-out, and the rest of the DMA.  The next frame begins
FRAME_INTERVAL after the last one.  FRAME_INTERVAL is INTERVAL, or more if the mode and the exposure need
it.  When the read-out begins, the engine fetches the descriptor at RING_HEAD.  There are four cases:
    The descriptor belongs to the driver: the frame is dropped, DROPPED counts it, IRQ_OVERRUN is set.
    RING_HEAD does not change.
    The descriptor belongs to the device: the frame is written to the buffer, the descriptor is written back
    and then belongs to the driver.  RING_HEAD advances (after RING_SIZE - 1 to 0), FRAMES counts the frame,
    IRQ_FRAME_DONE is set.
    The buffer is too short or not in memory: the descriptor is written back with an error flag.  DROPPED
    counts the frame, RING_HEAD advances, IRQ_DMA_ERROR is set.
    The ring is not in memory: DROPPED counts the frame, IRQ_DMA_ERROR is set.  RING_HEAD does not change.

Descriptor.  DESCRIPTOR_SIZE bytes, little-endian, in the format DESCRIPTOR:
    u32 flags, u32 address, u32 length          written by the driver: address and size of the buffer
    u32 used, u32 sequence, u32 checksum        written back: bytes in the buffer, number of the frame
    u64 exposure_start, u64 readout_end, u64 dma_done

Footer.  The last FOOTER_SIZE bytes of a frame are embedded data instead of pixels, in the format FOOTER:
    4 bytes FOOTER_MAGIC, u32 sequence, u64 exposure_start, u32 checksum
The checksum is the CRC-32 (as in zlib) of all preceding bytes of the frame.  Sequence numbers start at 0
for each stream and count dropped frames too.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

VENDOR: Final = 0x51B5
DEVICE: Final = 0x0010

# Registers
CONTROL: Final = 0x10  # rw
STATUS: Final = 0x14  # ro
IRQ_STATUS: Final = 0x18  # w1c
IRQ_ENABLE: Final = 0x1C  # rw: the interrupt line is high while IRQ_STATUS & IRQ_ENABLE is not 0
MODE: Final = 0x20  # rw: index into MODES
FORMAT: Final = 0x24  # rw: a PixelFormat
INTERVAL: Final = 0x28  # rw: requested time between frames
EXPOSURE: Final = 0x2C  # rw: in microseconds
GAIN: Final = 0x30  # rw: gain in units of 1 / GAIN_UNIT
PATTERN: Final = 0x34  # rw: index of a Pattern
RING_ADDRESS: Final = 0x38  # rw: address of the first descriptor, a multiple of DESCRIPTOR_SIZE
RING_SIZE: Final = 0x3C  # rw: number of descriptors, at most RING_SIZE_MAX
RING_HEAD: Final = 0x40  # ro: index of the descriptor that the camera uses next
LINE_BYTES: Final = 0x44  # ro: bytes per line in the selected mode and format
FRAME_BYTES: Final = 0x48  # ro: bytes per frame in the selected mode and format
FRAME_INTERVAL: Final = 0x4C  # ro: time between frames with the current settings
FRAMES: Final = 0x50  # ro: frames written to memory since the stream started
DROPPED: Final = 0x54  # ro: frames dropped since the stream started

CONTROL_POWER: Final = 1 << 0
CONTROL_STREAM: Final = 1 << 1

STATUS_READY: Final = 1 << 0
STATUS_BUSY: Final = 1 << 1
STATUS_STREAMING: Final = 1 << 2

IRQ_FRAME_DONE: Final = 1 << 0
IRQ_OVERRUN: Final = 1 << 1
IRQ_DMA_ERROR: Final = 1 << 2
IRQ_REFUSED: Final = 1 << 3
IRQ_ALL: Final = IRQ_FRAME_DONE | IRQ_OVERRUN | IRQ_DMA_ERROR | IRQ_REFUSED

INTERVAL_DEFAULT: Final = 33_333_333
EXPOSURE_MIN: Final = 10
EXPOSURE_MAX: Final = 1_000_000
EXPOSURES: Final = range(EXPOSURE_MIN, EXPOSURE_MAX + 1)
EXPOSURE_DEFAULT: Final = 4_000
GAIN_UNIT: Final = 16
GAIN_MIN: Final = 1
GAIN_MAX: Final = 255
GAINS: Final = range(GAIN_MIN, GAIN_MAX + 1)
GAIN_DEFAULT: Final = GAIN_UNIT
RING_SIZE_MAX: Final = 64

# Typical times
POWER_UP_NS: Final = 5_000_000
LOCK_NS: Final = 1_000_000
STOP_NS: Final = 10_000
FLUSH_NS: Final = 4_000  # time from the end of a frame's read-out to the end of its DMA


class PixelFormat(IntEnum):
    """Values of the register FORMAT.  YUYV has two pixels in four bytes.  RGB24 has red in the first byte."""

    GREY = 0
    YUYV = 1
    RGB24 = 2


BYTES_PER_PIXEL: Final = {PixelFormat.GREY: 1, PixelFormat.YUYV: 2, PixelFormat.RGB24: 3}


class Pattern(IntEnum):
    """Values of the register PATTERN, which selects the test pattern.

    The brightness is proportional to exposure times gain; it is nominal at the defaults.
    """

    COLOUR_BARS = 0
    GREY_RAMP = 1
    CHECKERBOARD = 2
    SOLID_GREY = 3


class Mode(NamedTuple):
    """A sensor mode: its size in pixels, the duration of a read-out, and the minimum frame interval."""

    width: int
    height: int
    readout_ns: int
    interval_ns: int


MODES: Final = (
    Mode(160, 120, 2_000_000, 8_333_333),
    Mode(320, 240, 4_000_000, 8_333_333),
    Mode(640, 480, 8_000_000, 16_666_666),
    Mode(800, 600, 10_000_000, 16_666_666),
    Mode(1280, 720, 12_000_000, 16_666_666),
    Mode(1920, 1080, 25_000_000, 33_333_333),
)
SIZES: Final = tuple((mode.width, mode.height) for mode in MODES)
MODE_DEFAULT: Final = 2

# Descriptor
DESCRIPTOR: Final = Struct("<IIIIIIQQQ16x")
DESCRIPTOR_SIZE: Final = 64

DESCRIPTOR_DEVICE: Final = 1 << 31  # the descriptor belongs to the device
DESCRIPTOR_DONE: Final = 1 << 0  # the buffer holds a frame
DESCRIPTOR_SHORT: Final = 1 << 1  # error: the buffer is shorter than a frame
DESCRIPTOR_BUS_ERROR: Final = 1 << 2  # error: the buffer's address is not in memory

# Footer
FOOTER: Final = Struct("<4sIQI")
FOOTER_SIZE: Final = FOOTER.size
FOOTER_MAGIC: Final = b"SKFR"
