"""Motion of the mouse, read from /dev/input/event0.

Sources: drivers/input/evdev.c and input.c of Linux.
"""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkernel import micros, millis
from simkernel.application.udevd import INPUT
from simkernel.hardware import Mouse, Move, Script, Walk
from simkernel.hardware.mouse.registers import BUTTON_LEFT, BUTTON_RIGHT, DEVICE, VENDOR
from simkernel.uapi import errno, stat
from simkernel.uapi import input as ev
from simkernel.uapi.fcntl import F_SETFL, F_SETOWN, O_ASYNC, O_NONBLOCK, O_RDONLY, O_RDWR
from simkernel.uapi.input_event_codes import (
    BTN_LEFT,
    BTN_RIGHT,
    EV_KEY,
    EV_REL,
    EV_SYN,
    REL_WHEEL,
    REL_X,
    REL_Y,
    SYN_DROPPED,
    SYN_REPORT,
)
from simkernel.uapi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT
from simkernel.uapi.signal import SIGIO
from tests.drivers.bench import bench, check_nothing_left
from tests.drivers.evdev import NODE, REPORT, RING, Reader, fails, settle
from tests.examples import examples

# -- the node ------------------------------------------------------------------------


def test_a_node_comes_and_goes_with_its_mouse() -> None:
    first, second = Mouse(), Mouse()
    with bench(first, second) as machine:
        root = machine.blocking()
        assert sorted(root.listdir("/dev/input")) == ["event0", "event1"]
        assert root.stat(NODE).st_rdev == 13 << 8 | 64
        machine.unplug(first)
        settle(machine)
        assert root.listdir("/dev/input") == ["event1"]
        machine.plug(first)
        settle(machine)
        assert sorted(root.listdir("/dev/input")) == ["event0", "event1"]


def test_owner_of_the_node() -> None:
    """The kernel creates the node for root; udevd gives it to a group."""
    with bench(Mouse(), udev=False) as machine:
        root = machine.blocking()
        root.modprobe("mouse")
        status = root.stat(NODE)
        assert (status.st_mode, status.st_uid, status.st_gid) == (stat.S_IFCHR | 0o600, 0, 0)
    with bench(Mouse()) as machine:
        status = machine.blocking().stat(NODE)
        assert (status.st_mode, status.st_uid, status.st_gid) == (stat.S_IFCHR | 0o660, 0, INPUT)
        machine.blocking(uid=1000, gid=INPUT).open(NODE, O_RDWR)
        with fails(errno.EACCES):
            machine.blocking(uid=1000).open(NODE, O_RDONLY)


def test_a_member_of_the_group_may_read() -> None:
    """A process with the supplementary group `input` may open the event device. A process without this group
    may not.
    """
    with bench(Mouse()) as machine:
        users = [machine.blocking(uid=0) for _ in range(2)]
        for user, groups in zip(users, ([20, INPUT], [20]), strict=True):
            user.setgroups(groups)
            user.setgid(1000)
            user.setuid(1000)
        member, other = users
        assert member.getgroups() == [20, INPUT]
        member.open(NODE, O_RDONLY)
        with pytest.raises(PermissionError):
            other.open(NODE, O_RDONLY)
        with pytest.raises(PermissionError) as refused:
            other.setgroups([INPUT])
        assert refused.value.errno == errno.EPERM


def test_variables_of_the_uevents() -> None:
    with bench() as machine:
        monitor = machine.blocking().uevents()
        machine.plug(Mouse())
        seen = [next(monitor) for _ in range(8)]
        said = {event.devpath.rpartition("/")[2]: dict(event.variables) for event in seen}
    device, node = said["input0"], said["event0"]
    assert list(device)[3:] == [
        "PRODUCT",
        "NAME",
        "PHYS",
        "UNIQ",
        "PROP",
        "EV",
        "KEY",
        "REL",
        "MODALIAS",
        "SEQNUM",
    ]
    assert device["PRODUCT"] == f"19/{VENDOR:x}/{DEVICE:x}/1"
    assert device["NAME"] == '"Virtual mouse"'
    assert (device["PROP"], device["EV"]) == ("0", "7")
    assert (device["KEY"], device["REL"]) == ("1f0000 0 0 0 0", "103")
    assert device["MODALIAS"].endswith("-e0,1,2,k110,111,112,113,114,r0,1,8,amlsfw")
    assert "MAJOR" not in device
    assert (node["MAJOR"], node["MINOR"], node["DEVNAME"]) == ("13", "64", "input/event0")
    assert node["DEVPATH"] == device["DEVPATH"] + "/event0"


def test_the_module_stays_while_a_file_is_open() -> None:
    mouse = Mouse()
    with bench(mouse) as machine:
        root, reader = machine.blocking(), Reader.of(machine)
        machine.unplug(mouse)
        settle(machine)
        root.rmmod("mouse")
        with fails(errno.EBUSY):
            root.rmmod("input")
        reader.process.close(reader.fd)
        check_nothing_left(machine, root)


# -- reading -------------------------------------------------------------------------


def test_only_changes_are_reported() -> None:
    mouse = Mouse()
    with bench(mouse) as machine:
        reader = Reader.of(machine)
        told = []
        for move in (
            {"dx": 3, "dy": -4},
            {"dx": -1, "buttons": BUTTON_LEFT},
            {"wheel": -1},
            {"buttons": BUTTON_RIGHT},
        ):
            mouse.move(**move)
            settle(machine)
            told.append(reader.take())
    assert told == [
        [(EV_REL, REL_X, 3), (EV_REL, REL_Y, -4), REPORT],
        [(EV_KEY, BTN_LEFT, 1), (EV_REL, REL_X, -1), REPORT],
        [(EV_REL, REL_WHEEL, -1), REPORT],
        [(EV_KEY, BTN_LEFT, 0), (EV_KEY, BTN_RIGHT, 1), REPORT],
    ]


def test_a_reader_sleeps_until_a_packet_is_complete() -> None:
    mouse = Mouse()
    with bench(mouse) as machine:
        reader = Reader.of(machine, O_RDONLY)
        at = machine.now + millis(50)
        machine.at(at, mouse.move, 5)
        events = reader.events()
        assert [(each.type, each.code, each.value) for each in events] == [(EV_REL, REL_X, 5), REPORT]
        (made,) = {each.sec * 1_000_000 + each.usec for each in events}
        assert (
            at < made * 1000 < machine.now < at + millis(9)
        )  # the time of the mouse's report, not of the read


def test_whole_events_only() -> None:
    mouse = Mouse()
    with bench(mouse) as machine:
        reader = Reader.of(machine)
        for size in (0, 24):
            with fails(errno.EAGAIN):
                reader.process.read(reader.fd, size)
        with fails(errno.EINVAL):
            reader.process.read(reader.fd, 23)
        mouse.move(1, 1)
        settle(machine)
        assert reader.process.read(reader.fd, 0) == b""
        assert len(reader.process.read(reader.fd, 47)) == 24
        assert len(reader.process.read(reader.fd, 4096)) == 48


def test_poll_reports_complete_packets() -> None:
    mouse = Mouse()
    with bench(mouse) as machine:
        reader = Reader.of(machine)
        assert reader.poll() == POLLOUT
        machine.at(machine.now + millis(30), mouse.move, 1)
        process = reader.process
        assert process.poll([(reader.fd, POLLIN)], 1000) == [(reader.fd, POLLIN)]
        assert reader.poll() == POLLIN | POLLOUT
        reader.take()
        assert reader.poll() == POLLOUT


def test_sigio_replaces_a_blocking_wait() -> None:
    mouse = Mouse()
    with bench(mouse) as machine:
        reader = Reader.of(machine)
        process, got = reader.process, []
        process.signal(SIGIO, got.append)
        process.fcntl(reader.fd, F_SETOWN, process.getpid())
        mouse.move(1)
        settle(machine)
        process.fcntl(reader.fd, F_SETFL, O_NONBLOCK | O_ASYNC)
        process.getpid()
        assert got == []
        for number in (1, 2):
            mouse.move(1, 1)
            settle(machine)
            process.getpid()  # a signal handler runs only when its program makes a system call
            assert got == [SIGIO] * number
        machine.unplug(mouse)
        settle(machine)
        process.getpid()
        assert got == [SIGIO] * 3


def test_epoll_reports_an_event() -> None:
    mouse = Mouse()
    with bench(mouse) as machine:
        reader = Reader.of(machine)
        epoll = reader.process.epoll()
        epoll.register(reader.fd, POLLIN)
        machine.at(machine.now + millis(30), mouse.move, 1)
        assert epoll.poll(1) == [(reader.fd, POLLIN)]
        reader.take()
        assert epoll.poll(0) == []
        machine.unplug(mouse)
        assert epoll.poll(1) == [(reader.fd, POLLHUP | POLLERR)]


moves = st.lists(
    st.builds(
        Move,
        time=st.integers(15_000, 60_000).map(micros),
        dx=st.integers(-40000, 40000),
        dy=st.integers(-9, 9),
        buttons=st.integers(0, 31),
        wheel=st.integers(-200, 200),
    ),
    max_size=40,
).map(lambda some: Script(sorted(some, key=lambda move: move.time)))


@settings(max_examples=examples(25))
@given(moves)
def test_a_reader_that_is_quick_sees_every_move_once(script: Script) -> None:
    with bench(Mouse(script)) as machine:
        reader = Reader.of(machine)
        sums: dict[int, int] = {}
        held: set[int] = set()
        for _ in range(60):
            settle(machine, millis(8))
            for type, code, value in reader.take():
                assert (type, code) != (EV_SYN, SYN_DROPPED)
                if type == EV_REL:
                    sums[code] = sums.get(code, 0) + value
                elif type == EV_KEY:
                    assert (code in held) != value  # no press of a pressed key, no release of a released key
                    (held.add if value else held.remove)(code)
        for axis, name in ((REL_X, "dx"), (REL_Y, "dy"), (REL_WHEEL, "wheel")):
            assert sums.get(axis, 0) == sum(getattr(move, name) for move in script.steps)
        last = script.steps[-1].buttons if script.steps else 0
        assert (
            held == {BTN_LEFT + place for place in range(5) if last >> place & 1} == reader.bits(ev.EVIOCGKEY)
        )


@settings(max_examples=examples(25))
@given(
    moves.filter(lambda script: len(script.steps) > 1),
    st.lists(st.tuples(st.integers(1, 400), st.integers(1, 90))),
)
def test_a_reader_that_is_slow_knows_it_and_is_right_again(
    script: Script, turns: list[tuple[int, int]]
) -> None:
    """The reader skips events up to a SYN_REPORT, reads the state of the keys, and continues from there."""
    steps = [
        attrs.evolve(move, time=move.time + millis(60) * turn) for turn in range(4) for move in script.steps
    ]
    with bench(Mouse(Script(steps)), udev=False) as machine:
        machine.blocking().modprobe("mouse", rate=1000)
        reader = Reader.of(machine)
        held: set[int] = set()
        dropped = False
        for wait, count in [*turns, (1000, RING), (1, RING), (1, RING)]:
            settle(machine, millis(wait))
            for type, code, value in reader.take(count):
                if (type, code) == (EV_SYN, SYN_DROPPED):
                    dropped = True
                elif dropped and (type, code) == (EV_SYN, SYN_REPORT):
                    dropped = False
                    held = reader.bits(ev.EVIOCGKEY)
                    break  # the remaining events are older than the state that EVIOCGKEY returned
                elif type == EV_KEY and not dropped:
                    (held.add if value else held.discard)(code)
        assert not dropped
        assert held == reader.bits(ev.EVIOCGKEY)


def test_a_full_ring_is_emptied_and_says_so() -> None:
    with bench(Mouse(Walk(step=millis(8), steps=200))) as machine:
        reader = Reader.of(machine)
        settle(machine, millis(2000))
        events = reader.take()
        assert events[0] == (EV_SYN, SYN_DROPPED, 0)
        assert len(events) < RING
        assert events[-1] == REPORT
        assert (EV_SYN, SYN_DROPPED, 0) not in events[1:]


# -- unplugged -------------------------------------------------------------------------


def test_a_sleeping_reader_gets_enodev_when_the_mouse_is_unplugged() -> None:
    mouse = Mouse()
    with bench(mouse) as machine:
        reader = Reader.of(machine, O_RDWR)
        machine.at(machine.now + millis(30), machine.unplug, mouse)
        with fails(errno.ENODEV):
            reader.events()
        assert reader.poll() == POLLHUP | POLLERR
        for call in (
            lambda: reader.events(),
            lambda: reader.process.read(reader.fd, 0),
            lambda: reader.ask(ev.EVIOCGNAME(8), bytes(8)),
            lambda: reader.process.write(reader.fd, bytes(24)),
        ):
            with fails(errno.ENODEV):
                call()
        with fails(errno.ENOENT):
            machine.blocking().open(NODE, O_RDONLY)
        reader.process.close(reader.fd)
        check_nothing_left(machine, machine.blocking())


def test_buttons_that_are_held_are_released_when_the_mouse_goes() -> None:
    """When the mouse is unplugged, the kernel queues release events for the pressed buttons. After that,
    poll() reports POLLIN, although a read fails.
    """
    mouse = Mouse()
    with bench(mouse) as machine:
        reader = Reader.of(machine)
        mouse.move(buttons=BUTTON_LEFT)
        settle(machine)
        reader.take()
        machine.unplug(mouse)
        settle(machine)
        assert reader.poll() == POLLHUP | POLLERR | POLLIN


@settings(max_examples=examples(20))
@given(st.integers(0, 20_000))
def test_unplug_at_any_instant(out: int) -> None:
    mouse = Mouse(Walk(step=millis(1)))
    with bench(mouse) as machine:
        reader = Reader.of(machine, O_RDONLY)
        machine.at(machine.now + micros(out), machine.unplug, mouse)
        with fails(errno.ENODEV):
            while True:
                reader.events()
        reader.process.exit()
        check_nothing_left(machine, machine.blocking())


def test_netlink_and_evdev_report_the_same_motion() -> None:
    """netlink and the event device report the same motion with the same times."""
    with bench(Mouse(Walk(step=millis(8), steps=40))) as machine:
        reader = Reader.of(machine)
        client = machine.blocking(uid=1000).genetlink("mouse")
        client.join("motion")
        settle(machine, millis(120))
        settle(machine, millis(300))
        packets: dict[int, dict[int, int]] = {}
        for event in reader.events():
            if event.type == EV_REL:
                packets.setdefault(event.usec, {})[event.code] = event.value
        compared = 0
        for event in client.events("motion"):
            packet = packets.get(event["time"] // 1000)
            if packet is not None:
                compared += 1
                assert [packet.get(axis, 0) for axis in (REL_X, REL_Y, REL_WHEEL)] == [
                    event[name] for name in ("dx", "dy", "wheel")
                ]
            if event["sequence"] == 39:
                break
        assert compared > 20


def test_a_stream_has_no_positions() -> None:
    """`stream_open()` opens a file without a position. Unlike on most devices, lseek(2) and pread(2)
    therefore fail.
    """
    with bench(Mouse()) as machine:
        reader = Reader.of(machine)
        calls = (
            lambda: reader.process.lseek(reader.fd, 0, 0),
            lambda: reader.process.pread(reader.fd, 24, 0),
            lambda: reader.process.pwrite(reader.fd, bytes(24), 0),
        )
        for call in calls:
            with pytest.raises(OSError) as error:
                call()
            assert error.value.errno == errno.ESPIPE
