"""Test patterns: the pixels of a frame in each mode, pixel format and brightness.

A frame is a body, which is equal for all frames with the same settings, and a footer.  Bodies and their
CRC-32 are cached.  So only the footer has to be added to the checksum of a frame.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from simkernel.hardware.camera import registers as sheet
from simkernel.hardware.camera.registers import Mode, Pattern, PixelFormat

Colour = tuple[int, int, int]

BRIGHTNESS_UNIT: Final = 64
BRIGHTNESS_MAX: Final = 64 * BRIGHTNESS_UNIT

BAR = 191
BARS: Final[tuple[Colour, ...]] = (
    (BAR, BAR, BAR),
    (BAR, BAR, 0),
    (0, BAR, BAR),
    (0, BAR, 0),
    (BAR, 0, BAR),
    (BAR, 0, 0),
    (0, 0, BAR),
    (0, 0, 0),
)
SQUARES: Final = 8  # number of squares per line and per column of the checkerboard


def brightness(exposure: int, gain: int) -> int:
    """Return the brightness of a frame for the values of the registers EXPOSURE and GAIN. BRIGHTNESS_UNIT is
    the normal brightness.
    """
    scaled = exposure * gain * BRIGHTNESS_UNIT // (sheet.EXPOSURE_DEFAULT * sheet.GAIN_DEFAULT)
    return min(scaled, BRIGHTNESS_MAX)


@lru_cache(maxsize=8)
def body(mode: Mode, pixel_format: PixelFormat, pattern: Pattern, bright: int) -> tuple[bytes, int]:
    """Return the bytes of a frame without its footer, and the CRC-32 of these bytes."""
    bands = [_encode(_lit(band, bright), pixel_format) for band in _bands(pattern, mode.width)]
    frame = b"".join(bands[y * SQUARES // mode.height % len(bands)] for y in range(mode.height))
    pixels = frame[: mode.width * mode.height * sheet.BYTES_PER_PIXEL[pixel_format] - sheet.FOOTER_SIZE]
    return pixels, zlib.crc32(pixels)


def _bands(pattern: Pattern, width: int) -> list[list[Colour]]:
    """Return the distinct pixel lines of a test pattern.

    The height of a frame is divided into SQUARES parts.  The parts show these lines in turn.
    """
    match pattern:
        case Pattern.COLOUR_BARS:
            return [[BARS[x * len(BARS) // width] for x in range(width)]]
        case Pattern.GREY_RAMP:
            return [[_grey(x * 256 // width) for x in range(width)]]
        case Pattern.CHECKERBOARD:
            return [[_grey(BAR * ((x * SQUARES // width + odd) % 2)) for x in range(width)] for odd in (0, 1)]
        case Pattern.SOLID_GREY:
            return [[_grey(128)] * width]


def _grey(value: int) -> Colour:
    return value, value, value


def _lit(line: Iterable[Colour], bright: int) -> list[Colour]:
    scale = [min(value * bright // BRIGHTNESS_UNIT, 255) for value in range(256)]
    return [(scale[red], scale[green], scale[blue]) for red, green, blue in line]


def _encode(line: list[Colour], pixel_format: PixelFormat) -> bytes:
    match pixel_format:
        case PixelFormat.GREY:
            return bytes(_luma(*colour) for colour in line)
        case PixelFormat.RGB24:
            return bytes(component for colour in line for component in colour)
        case PixelFormat.YUYV:
            encoded = bytearray(2 * len(line))
            encoded[0::2] = bytes(_luma(*colour) for colour in line)
            encoded[1::4] = bytes(_blue_difference(*colour) for colour in line[0::2])
            encoded[3::4] = bytes(_red_difference(*colour) for colour in line[0::2])
            return bytes(encoded)


# Conversion of RGB to YCbCr by ITU-R BT.601 with video range, in integers


def _luma(red: int, green: int, blue: int) -> int:
    return 16 + (66 * red + 129 * green + 25 * blue + 128 >> 8)


def _blue_difference(red: int, green: int, blue: int) -> int:
    return 128 + (112 * blue - 38 * red - 74 * green + 128 >> 8)


def _red_difference(red: int, green: int, blue: int) -> int:
    return 128 + (112 * red - 94 * green - 18 * blue + 128 >> 8)
