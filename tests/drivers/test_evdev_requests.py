"""Requests on /dev/input/event0, exclusive access, and writes.

Sources: drivers/input/evdev.c and input.c of Linux.
"""

from __future__ import annotations

from typing import Any

import pytest

from simkernel import millis
from simkernel.hardware import Mouse
from simkernel.hardware.mouse.registers import BUTTON_LEFT, BUTTON_RIGHT, DEVICE, VENDOR
from simkernel.uapi import errno
from simkernel.uapi import input as ev
from simkernel.uapi.input_event_codes import (
    BTN_LEFT,
    BTN_RIGHT,
    EV_KEY,
    EV_LED,
    EV_MSC,
    EV_REL,
    EV_REP,
    EV_SYN,
    KEY_MAX,
    REL_WHEEL,
    REL_X,
    REL_Y,
    SYN_DROPPED,
    SYN_REPORT,
)
from simkernel.uapi.poll import POLLERR, POLLHUP
from tests.drivers.bench import bench
from tests.drivers.evdev import REPORT, Reader, Triple, fails, settle

# -- reading state -------------------------------------------------------------------


def test_identity_of_the_device() -> None:
    with bench(Mouse()) as machine:
        reader = Reader.of(machine)
        assert reader.ask(ev.EVIOCGVERSION, bytes(4)) == (0x010001).to_bytes(4, "little")
        identity = ev.InputId.unpack(reader.ask(ev.EVIOCGID, bytes(8)))
        assert identity == ev.InputId(ev.BUS_HOST, VENDOR, DEVICE, 1)
        assert reader.ask(ev.EVIOCGNAME(32), bytes(32)).rstrip(b"\0") == b"Virtual mouse"
        assert reader.ask(ev.EVIOCGPHYS(32), bytes(32)).rstrip(b"\0") == b"simbus-0:1/input0"
        assert reader.ask(ev.EVIOCGUNIQ(32), bytes(32)).rstrip(b"\0").isdigit()
        assert reader.bits(lambda size: ev.EVIOCGBIT(0, size)) == {EV_SYN, EV_KEY, EV_REL}
        assert reader.bits(lambda size: ev.EVIOCGBIT(EV_KEY, size)) == set(range(BTN_LEFT, BTN_LEFT + 5))
        assert reader.bits(lambda size: ev.EVIOCGBIT(EV_REL, size)) == {REL_X, REL_Y, REL_WHEEL}
        for nothing in (ev.EVIOCGPROP, ev.EVIOCGKEY, ev.EVIOCGLED, ev.EVIOCGSND, ev.EVIOCGSW):
            assert reader.bits(nothing) == set()
        for type in (EV_MSC, EV_LED):
            assert reader.bits(lambda size, type=type: ev.EVIOCGBIT(type, size)) == set()  # type: ignore[misc]


def test_lengths_are_returned_and_long_texts_are_cut() -> None:
    with bench(Mouse()) as machine:
        reader = Reader.of(machine)
        for size, length, text in (
            (100, 14, b"Virtual mouse\0"),
            (14, 14, b"Virtual mouse\0"),
            (5, 5, b"Virtu"),
            (0, 0, b""),
        ):
            buffer = bytearray(b"." * 120)
            assert reader.ask(ev.EVIOCGNAME(size), buffer) == length
            assert buffer == text.ljust(120, b".")
        for size, length in ((96, 96), (200, 96), (3, 3)):
            assert reader.ask(ev.EVIOCGKEY(size), bytearray(200)) == length
        assert reader.ask(ev.EVIOCGBIT(EV_REL, 64), bytearray(64)) == 8


@pytest.mark.parametrize(
    ("request_", "argument", "number"),
    [
        (ev.EVIOCGREP, bytes(8), errno.ENOSYS),
        (ev.EVIOCSREP, bytes(8), errno.ENOSYS),
        (ev.EVIOCRMFF, 0, errno.ENOSYS),
        (ev.EVIOCSFF, bytes(48), errno.ENOSYS),
        (ev.EVIOCGABS(0), bytes(24), errno.EINVAL),
        (ev.EVIOCSABS(0), bytes(24), errno.EINVAL),
        (ev.EVIOCGMTSLOTS(8), bytes(8), errno.EINVAL),
        (ev.EVIOCGKEYCODE, bytes(8), errno.EINVAL),
        (ev.EVIOCSKEYCODE_V2, bytes(40), errno.EINVAL),
        (ev.EVIOCGBIT(EV_REP, 8), bytes(8), errno.EINVAL),
        (ev.EVIOCSCLOCKID, (4).to_bytes(4, "little"), errno.EINVAL),
        (ev.EVIOCREVOKE, 1, errno.EINVAL),
        (ev.EVIOCGRAB, 0, errno.EINVAL),
        (ev.EVIOCGID, 1, errno.EFAULT),
        (ev.EVIOCGNAME(9), 1, errno.EFAULT),
        (0x5678, 0, errno.EINVAL),
        (0x80044599, bytes(4), errno.EINVAL),
    ],
)
def test_refused_requests(request_: int, argument: Any, number: int) -> None:
    with bench(Mouse()) as machine:
        reader = Reader.of(machine)
        with fails(number):
            reader.ask(request_, argument)
        assert reader.ask(ev.EVIOCGEFFECTS, b"\xff" * 4) == bytes(4)


def test_reading_the_key_state_removes_queued_key_events() -> None:
    mouse = Mouse()
    with bench(mouse) as machine:
        reader = Reader.of(machine)
        mouse.move(1, buttons=BUTTON_LEFT)
        settle(machine)
        mouse.move(buttons=BUTTON_LEFT | BUTTON_RIGHT)
        settle(machine)
        assert reader.bits(ev.EVIOCGKEY) == {BTN_LEFT, BTN_RIGHT}
        assert reader.take() == [(EV_REL, REL_X, 1), REPORT]
        mouse.move(buttons=0)
        settle(machine)
        with fails(errno.EFAULT):
            reader.ask(ev.EVIOCGKEY(96), 1)
        assert reader.take() == [REPORT]  # the failed EVIOCGKEY has removed the key events
        mouse.move(2)
        settle(machine)
        assert reader.take() == [(EV_SYN, SYN_DROPPED, 0), (EV_REL, REL_X, 2), REPORT]


def test_events_are_stamped_by_the_clock_that_was_asked_for() -> None:
    mouse = Mouse()
    with bench(mouse) as machine:
        reader, other = Reader.of(machine), Reader.of(machine)
        mouse.move(1)
        settle(machine)
        for clock in (1, 1, 7):
            reader.ask(ev.EVIOCSCLOCKID, clock.to_bytes(4, "little"))
        mouse.move(2)
        settle(machine)
        events = reader.events()
        assert (events[0].type, events[0].code) == (EV_SYN, SYN_DROPPED)
        assert [each.value for each in events if each.type == EV_REL] == [2]
        assert other.take() == [(EV_REL, REL_X, 1), REPORT, (EV_REL, REL_X, 2), REPORT]
        assert millis(1) < events[-1].sec * 10**9 + events[-1].usec * 1000 < machine.now


# -- exclusive access -------------------------------------------------------------------


def test_a_grab_gives_exclusive_access_to_the_mouse() -> None:
    mouse = Mouse()
    with bench(mouse) as machine:
        one, other = Reader.of(machine), Reader.of(machine)
        one.ask(ev.EVIOCGRAB, 1)
        for again in (one, other):
            with fails(errno.EBUSY):
                again.ask(ev.EVIOCGRAB, 1)
        with fails(errno.EINVAL):
            other.ask(ev.EVIOCGRAB, 0)
        mouse.move(1)
        settle(machine)
        assert one.take() == [(EV_REL, REL_X, 1), REPORT]
        assert other.take() == []
        one.process.close(one.fd)
        mouse.move(2)
        settle(machine)
        assert other.take() == [(EV_REL, REL_X, 2), REPORT]
        other.ask(ev.EVIOCGRAB, 1)
        other.ask(ev.EVIOCGRAB, 0)


def test_access_that_is_revoked_does_not_come_back() -> None:
    mouse = Mouse()
    with bench(mouse) as machine:
        one, other = Reader.of(machine), Reader.of(machine)
        one.ask(ev.EVIOCGRAB, 1)
        one.ask(ev.EVIOCREVOKE)
        mouse.move(1)
        settle(machine)
        assert other.take() == [(EV_REL, REL_X, 1), REPORT]
        assert one.poll() == POLLHUP | POLLERR
        for call in (
            lambda: one.events(),
            lambda: one.ask(ev.EVIOCGVERSION, bytes(4)),
            lambda: one.process.write(one.fd, bytes(24)),
        ):
            with fails(errno.ENODEV):
                call()


def test_a_mask_selects_the_events_of_a_reader() -> None:
    mouse = Mouse()
    with bench(mouse) as machine:
        reader = Reader.of(machine)
        memory = reader.process.mmap(-1, 4096)

        def mask(request: int, type: int, size: int) -> None:
            reader.ask(request, ev.InputMask(type, size, memory.address).pack())

        mask(ev.EVIOCGMASK, EV_REL, 16)
        assert memory[:16] == b"\xff" * 8 + bytes(8)
        memory[:8] = (1 << REL_Y).to_bytes(8, "little")
        mask(ev.EVIOCSMASK, EV_REL, 8)
        memory[:8] = bytes(8)
        mask(ev.EVIOCGMASK, EV_REL, 8)
        assert memory[:8] == (1 << REL_Y).to_bytes(8, "little")
        mouse.move(1)
        settle(machine)
        mouse.move(1, 2, buttons=BUTTON_LEFT)
        settle(machine)
        assert reader.take() == [(EV_KEY, BTN_LEFT, 1), (EV_REL, REL_Y, 2), REPORT]
        memory[:8] = (1 << EV_REL).to_bytes(8, "little")
        mask(ev.EVIOCSMASK, EV_SYN, 8)
        mouse.move(0, 5, buttons=0)
        settle(machine)
        assert reader.take() == [(EV_REL, REL_Y, 5), REPORT]
        with fails(errno.EINVAL):
            mask(ev.EVIOCSMASK, EV_KEY, KEY_MAX)
        mask(ev.EVIOCSMASK, 99, 4)  # a type of a later Linux
        mask(ev.EVIOCGMASK, 99, 8)
        assert memory[:8] == bytes(8)


# -- writing ---------------------------------------------------------------------------


def test_injected_events_arrive_like_events_of_the_mouse() -> None:
    with bench(Mouse()) as machine:
        writer, reader = Reader.of(machine), Reader.of(machine)

        def write(*events: Triple) -> int:
            data = b"".join(ev.InputEvent(9, 9, *event).pack() for event in events)
            return int(writer.process.write(writer.fd, data))

        written = [
            (EV_REL, REL_X, 7),
            (EV_REL, REL_Y, 0),
            (EV_REL, 9, 1),
            (EV_KEY, BTN_LEFT, 1),
            (EV_KEY, BTN_LEFT, 1),
        ]
        assert write(*written, (EV_MSC, 4, 1), (31, 31, 31), REPORT) == 8 * 24
        assert reader.take() == writer.take() == [(EV_REL, REL_X, 7), (EV_KEY, BTN_LEFT, 1), REPORT]
        write((EV_KEY, BTN_LEFT, 2), REPORT)  # the key is still held
        assert reader.take() == [(EV_KEY, BTN_LEFT, 2), REPORT]
        write(REPORT)  # a packet without a change reaches no reader
        assert reader.take() == []
        assert reader.bits(ev.EVIOCGKEY) == {BTN_LEFT}
        with fails(errno.EINVAL):
            writer.process.write(writer.fd, bytes(23))
        assert writer.process.write(writer.fd, bytes(25)) == 24
        assert (
            writer.process.write(writer.fd, bytes(24 * 200)) == 170 * 24
        )  # a write takes 4096 bytes at most
        reader.take(), writer.take()
        reader.ask(ev.EVIOCGRAB, 1)
        write((EV_REL, REL_X, 1), REPORT)  # evdev has grabbed the device, so the events that it injects pass
        assert reader.take() == [(EV_REL, REL_X, 1), REPORT]
        assert writer.take() == []


def test_a_packet_that_is_too_long_is_ended() -> None:
    """After eleven events without a SYN_REPORT, only two places are left in the core's buffer. The core then
    ends the packet itself and passes it on.
    """
    with bench(Mouse()) as machine:
        reader = Reader.of(machine)
        moves = [(EV_REL, REL_X, 1 + number) for number in range(12)]
        reader.process.write(reader.fd, b"".join(ev.InputEvent(0, 0, *each).pack() for each in moves))
        assert reader.take() == [*moves[:11], (EV_SYN, SYN_REPORT, 1)]
