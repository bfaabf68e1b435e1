"""The pixels of a frame: test patterns, pixel formats, brightness and checksum."""

from __future__ import annotations

import zlib

import pytest

from simkernel.hardware.camera.pattern import BRIGHTNESS_MAX, BRIGHTNESS_UNIT, body, brightness
from simkernel.hardware.camera.registers import (
    BYTES_PER_PIXEL,
    EXPOSURE_DEFAULT,
    EXPOSURE_MAX,
    FOOTER_SIZE,
    GAIN_DEFAULT,
    GAIN_MAX,
    MODES,
    Pattern,
    PixelFormat,
)

VGA = MODES[2]


@pytest.mark.parametrize("pattern", Pattern)
@pytest.mark.parametrize("pixel_format", PixelFormat)
def test_a_body_has_the_size_and_checksum_of_its_frame(pattern: Pattern, pixel_format: PixelFormat) -> None:
    pixels, checksum = body(MODES[0], pixel_format, pattern, BRIGHTNESS_UNIT)
    assert len(pixels) == 160 * 120 * BYTES_PER_PIXEL[pixel_format] - FOOTER_SIZE
    assert checksum == zlib.crc32(pixels)


def test_patterns_and_brightnesses_differ() -> None:
    seen = {
        body(MODES[0], PixelFormat.RGB24, pattern, bright)[1]
        for pattern in Pattern
        for bright in (16, 64, 200)
    }
    assert len(seen) == 3 * len(Pattern)


def test_colour_bars_begin_with_white_and_end_with_black() -> None:
    pixels, _ = body(VGA, PixelFormat.RGB24, Pattern.COLOUR_BARS, BRIGHTNESS_UNIT)
    assert pixels[:3] == bytes((191, 191, 191))
    assert pixels[80 * 3 : 81 * 3] == bytes((191, 191, 0))
    assert pixels[639 * 3 : 640 * 3] == bytes(3)


def test_yuyv_of_grey_has_no_colour() -> None:
    pixels, _ = body(VGA, PixelFormat.YUYV, Pattern.GREY_RAMP, BRIGHTNESS_UNIT)
    assert set(pixels[1::2]) == {128}
    assert pixels[0] == 16
    assert max(pixels[0::2]) == 235


def test_a_checkerboard_has_eight_squares_each_way() -> None:
    pixels, _ = body(VGA, PixelFormat.GREY, Pattern.CHECKERBOARD, BRIGHTNESS_UNIT)
    across = [pixels[x] for x in range(40, 640, 80)]
    down = [pixels[y * 640] for y in range(30, 480, 60)]
    assert across == down == across[:2] * 4
    assert across[0] != across[1]


def test_brightness_saturates() -> None:
    assert brightness(EXPOSURE_DEFAULT, GAIN_DEFAULT) == BRIGHTNESS_UNIT
    assert brightness(EXPOSURE_MAX, GAIN_MAX) == BRIGHTNESS_MAX
    pixels, _ = body(MODES[0], PixelFormat.RGB24, Pattern.SOLID_GREY, BRIGHTNESS_MAX)
    assert set(pixels) == {255}
