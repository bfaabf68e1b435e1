"""Input events: layouts and numbers of the real headers, and the tables of names."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path

import pytest

from simkernel.uapi import input as uapi
from simkernel.uapi import input_event_codes as codes
from simkernel.uapi import ioctl
from tests.uapi.layouts import Header, numbers_of, ours, recorded, theirs

INPUT = Header(
    "input",
    ["linux/input.h"],
    {
        "input_event": (uapi.InputEvent, ["time.tv_sec", "time.tv_usec", "type", "code", "value"]),
        "input_id": (uapi.InputId, ["bustype", "vendor", "product", "version"]),
        "input_absinfo": (
            uapi.InputAbsinfo,
            ["value", "minimum", "maximum", "fuzz", "flat", "resolution"],
        ),
        "input_mask": (uapi.InputMask, ["type", "codes_size", "codes_ptr"]),
        "input_keymap_entry": (uapi.InputKeymapEntry, ["flags", "len", "index", "keycode", "scancode"]),
    },
    numbers_of(uapi, codes, ioctl, without={"_INT", "_FF_EFFECT"})
    | {"sizeof(struct ff_effect)": uapi._FF_EFFECT}
    | {
        f"{name}({', '.join(map(str, arguments))})": getattr(uapi, name)(*arguments)
        for name, *arguments in [
            ("EVIOCGNAME", 16),
            ("EVIOCGPHYS", 1),
            ("EVIOCGUNIQ", 256),
            ("EVIOCGPROP", 8),
            ("EVIOCGMTSLOTS", 44),
            ("EVIOCGKEY", 96),
            ("EVIOCGLED", 0),
            ("EVIOCGSND", 1),
            ("EVIOCGSW", 16383),
            ("EVIOCGBIT", 0, 4),
            ("EVIOCGBIT", 31, 4),
            ("EVIOCGABS", 0x3F),
            ("EVIOCSABS", 1),
        ]
    },
)
GROWING = {"SW_MAX", "EV_VERSION"}
"""Numbers that grow with the version of Linux."""


def test_the_layout_is_the_recorded_one() -> None:
    assert ours(INPUT) == recorded(INPUT)


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64" or shutil.which("cc") is None,
    reason="needs Linux on x86-64 and a C compiler",
)
def test_the_contract_is_that_of_the_headers(tmp_path: Path) -> None:
    real, mine = theirs(INPUT, tmp_path), ours(INPUT)
    assert real["structures"] == mine["structures"]
    common = real["numbers"].keys() - GROWING
    assert {name: mine["numbers"][name] for name in common} == {
        name: real["numbers"][name] for name in common
    }
    assert len(common) > len(mine["numbers"]) * 0.9


def test_every_event_has_a_name() -> None:
    assert codes.event_name(codes.EV_REL, codes.REL_WHEEL) == "REL_WHEEL"
    assert codes.event_name(codes.EV_KEY, codes.BTN_MOUSE) == "BTN_LEFT"
    assert codes.event_name(codes.EV_SYN, codes.SYN_DROPPED) == "SYN_DROPPED"
    assert codes.event_name(codes.EV_KEY, 30) == "EV_KEY 0x1e"
    assert codes.event_name(0x1D, 7) == "0x1d 0x7"
    assert codes.TYPE_NAMES[codes.EV_FF_STATUS] == "EV_FF_STATUS"


def test_one_request_stands_for_all_lengths() -> None:
    assert {uapi.without_size(uapi.EVIOCGNAME(size)) for size in (0, 1, 256, 16383)} == {uapi.EVIOCGNAME(0)}
