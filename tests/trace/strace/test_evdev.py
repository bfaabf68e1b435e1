"""evdev's requests in the format of strace 6.13, compared with strace's output for the same bytes."""

from __future__ import annotations

from io import StringIO

import pytest

from simkernel.hardware import Mouse
from simkernel.trace.strace import Strace, evdev
from simkernel.trace.strace.processes import FORMS
from simkernel.uapi import input as ev
from simkernel.uapi.input_event_codes import EV_KEY, EV_PWR, EV_REL
from tests.drivers.bench import bench
from tests.drivers.evdev import Reader


def bits(*codes: int, size: int = 8) -> bytes:
    return sum(1 << code for code in codes).to_bytes(size, "little")


RECORDED = [
    (ev.EVIOCGVERSION, bytes.fromhex("01000100"), 0, "EVIOCGVERSION, [0x10001]"),
    (
        *(ev.EVIOCGID, ev.InputId(0x19, 0x51B5, 0x20, 1).pack(), 0),
        "EVIOCGID, {bustype=25, vendor=20917, product=32, version=1}",
    ),
    (ev.EVIOCGEFFECTS, bytes(4), 0, "EVIOCGEFFECTS, [0]"),
    (ev.EVIOCGRAB, 1, 0, "EVIOCGRAB, 1"),
    (ev.EVIOCREVOKE, 0, 0, "EVIOCREVOKE, 0"),
    (ev.EVIOCSCLOCKID, bits(0), None, "EVIOCSCLOCKID, [1]"),
    (ev.EVIOCGREP, bytes(8), 0, "EVIOCGREP, [0, 0]"),
    (ev.EVIOCGBIT(0, 8), bits(0, 1, 2), 8, "EVIOCGBIT(0, 8), [EV_SYN EV_KEY EV_REL]"),
    (ev.EVIOCGBIT(0, 8), bits(0, 1, 2, 3, 4), 8, "EVIOCGBIT(0, 8), [EV_SYN EV_KEY EV_REL EV_ABS ...]"),
    (ev.EVIOCGBIT(EV_REL, 8), bits(0, 1, 8), 8, "EVIOCGBIT(EV_REL, 8), [REL_X REL_Y REL_WHEEL]"),
    (
        *(ev.EVIOCGBIT(EV_KEY, 96), bits(*range(0x110, 0x115), size=96), 96),
        "EVIOCGBIT(EV_KEY, 96), [BTN_LEFT BTN_RIGHT BTN_MIDDLE BTN_SIDE ...]",
    ),
    (ev.EVIOCGPROP(8), bits(0), 8, "EVIOCGPROP(8), [INPUT_PROP_POINTER]"),
    (ev.EVIOCGPROP(8), bytes(8), 8, "EVIOCGPROP(8), []"),
    (ev.EVIOCGKEY(96), bits(0x110, 0x112, size=96), 96, "EVIOCGKEY(96), [BTN_LEFT BTN_MIDDLE]"),
    (ev.EVIOCGSW(8), bytes(8), 8, "EVIOCGSW(8), []"),
    (ev.EVIOCGNAME(64), b"Virtual mouse".ljust(64, b"\0"), 14, 'EVIOCGNAME(64), "Virtual mouse\\0"'),
    (ev.EVIOCGPHYS(14), b"simbus-0:1/inp", 14, 'EVIOCGPHYS(14), "simbus-0:1/inp"'),
]


@pytest.mark.parametrize(("request_", "given", "result", "text"), RECORDED)
def test_as_strace_printed_it(request_: int, given: int | bytes, result: int | None, text: str) -> None:
    argument = given if isinstance(given, int) else memoryview(given)
    assert f"{evdev.name(request_)}, {evdev.argument(request_, argument, result)}" == text


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (0x5678, "_IOC(_IOC_NONE, 0x56, 0x78, 0)"),
        (0x80044599, "_IOC(_IOC_READ, 0x45, 0x99, 0x4)"),
        (0xC0085699, "_IOC(_IOC_READ|_IOC_WRITE, 0x56, 0x99, 0x8)"),
        (ev.EVIOCGBIT(EV_PWR, 8), "EVIOCGBIT(EV_PWR, 8)"),
        (ev.EVIOCGBIT(9, 8), "EVIOCGBIT(0x9 /* EV_??? */, 8)"),
        (ev.EVIOCGMTSLOTS(8), "EVIOCGMTSLOTS(8)"),
        (0x541B, "FIONREAD"),
    ],
)
def test_a_request_has_a_name(request_: int, text: str) -> None:
    assert FORMS["ioctl"].enter(None, 3, request_) == ["3", text]


def test_a_reader_of_the_machine() -> None:
    out = StringIO()
    with bench(Mouse()) as machine:
        reader = Reader.of(machine)
        machine.kernel.engine.trace.subscribe(Strace(out).record)
        reader.ask(ev.EVIOCGNAME(9), bytearray(9))
        reader.ask(ev.EVIOCGRAB, 1)
        with pytest.raises(OSError, match="Errno 22"):
            reader.ask(ev.EVIOCGABS(0), bytearray(24))
    lines = [line.split("ioctl(3, ")[1] for line in out.getvalue().splitlines() if "ioctl(" in line]
    assert lines[0] == 'EVIOCGNAME(9), "Virtual m") = 9'
    assert lines[1].split() == ["EVIOCGRAB,", "1)", "=", "0"]
    assert lines[2].startswith("EVIOCGABS(0 /* ABS_??? */), ")
    assert lines[2].endswith("= -1 EINVAL (Invalid argument)")
