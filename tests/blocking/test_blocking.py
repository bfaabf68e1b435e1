"""`Blocking` for ordinary code: waits, timeouts, errors, and the end of a process."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from simkernel import Deadlock, Machine, SimulationError, millis, seconds
from simkernel.application.app import App
from simkernel.application.genetlink import GenetlinkClient
from simkernel.application.rtnetlink import RtnetlinkClient
from simkernel.application.socket import Socket
from simkernel.application.uevent import UeventMonitor
from simkernel.blocking import Blocking, BlockingSocket
from simkernel.blocking.process import BlockingClient, BlockingMonitor, BlockingNetlinkClient
from simkernel.engine import TimeLimit
from simkernel.hardware import Camera, Mouse
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.poll import POLLIN
from simkernel.uapi.signal import SIGTERM, SIGUSR1
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW


def bound(facade: Blocking, portid: int) -> BlockingSocket:
    """Return a bound socket."""
    sock = facade.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    sock.bind((portid, 0))
    return sock


@pytest.mark.parametrize(
    ("asynchronous", "blocking", "inside"),
    [
        (App, Blocking, {"call", "made", "never_awaited", "owner", "request"}),
        (Socket, BlockingSocket, set()),
        (GenetlinkClient, BlockingClient, {"open"}),
        (RtnetlinkClient, BlockingNetlinkClient, {"open"}),
        (UeventMonitor, BlockingMonitor, {"open"}),
    ],
)
def test_one_name_for_one_name(asynchronous: type, blocking: type, inside: set[str]) -> None:
    names = {name for name in dir(asynchronous) if not name.startswith("_")}
    assert names - inside <= set(dir(blocking))


@pytest.mark.parametrize("cpus", [None, 1, 2])
def test_two_facades_and_a_program_take_turns(cpus: int | None) -> None:
    async def echo(app: Any) -> None:
        sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        await sock.bind((77, 0))
        while True:
            data, sender = await sock.recvfrom(100)
            await app.compute(millis(10))
            await sock.sendto(data.upper(), sender)

    with Machine(cpus=cpus, udev=False) as machine:
        machine.spawn(echo)
        machine.run(until=millis(1))
        first, second = machine.blocking(), machine.blocking()
        one, other = bound(first, 11), bound(second, 12)
        one.sendto(b"one", (77, 0))
        other.sendto(b"other", (77, 0))
        assert other.recv(100) == b"OTHER"
        assert one.recv(100) == b"ONE"
        one.sendto(b"between us", (12, 0))
        assert other.recvfrom(100) == (b"between us", (11, 0))
        assert first.getpid() != second.getpid()


def test_a_deadlock_lists_the_sleepers_and_their_queues() -> None:
    async def waiter(app: Any) -> None:
        sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        await sock.bind((77, 0))
        await sock.recv(1)

    with Machine(udev=False) as machine:
        pid = machine.spawn(waiter).pid
        facade = machine.blocking()
        sock = bound(facade, 11)
        with pytest.raises(Deadlock) as error:
            sock.recv(1)
        own = facade.getpid()
    assert "recvfrom> blocks for ever" in str(error.value)
    assert f"waiter/{pid} in recvfrom on netlink protocol 2, port id 77" in str(error.value)
    assert f"blocking/{own} in recvfrom on netlink protocol 2, port id 11" in str(error.value)


@pytest.mark.parametrize("cpus", [None, 1])
def test_the_process_continues_after_a_deadlock(cpus: int | None) -> None:
    with Machine(cpus=cpus, udev=False) as machine:
        facade = machine.blocking()
        sock = bound(facade, 11)
        for _ in range(2):
            with pytest.raises(Deadlock):
                sock.recv(1)
            with pytest.raises(Deadlock):
                facade.poll([(sock, POLLIN)])
        sock.sendto(b"to myself", (11, 0))
        assert sock.recv(100) == b"to myself"


def test_a_deadlock_shows_which_program_has_failed() -> None:
    async def answers_never(app: Any) -> None:
        raise ValueError("before it could answer")

    with pytest.raises(Deadlock) as error, Machine(udev=False) as machine:
        machine.spawn(answers_never)
        bound(machine.blocking(), 11).recv(1)
    assert isinstance(error.value.__cause__, ExceptionGroup)
    assert "before it could answer" in str(error.value.__cause__.exceptions[0])


def test_a_request_waits_for_a_minute_at_most() -> None:
    async def busy(app: Any) -> None:
        while True:
            await app.sleep(1)

    with Machine(udev=False) as machine:
        machine.spawn(busy)
        sock = bound(machine.blocking(), 11)
        began = machine.now
        with pytest.raises(
            TimeLimit, match=r"more than 60 simulated seconds.*busy/[0-9]+ in nanosleep on a timer"
        ):
            sock.recv(1)
        assert seconds(59) < machine.now - began <= seconds(60)
        sock.sendto(b"x", (11, 0))
        assert sock.recv(1) == b"x"


def test_work_of_ones_own_may_take_longer() -> None:
    with Machine(udev=False) as machine:
        machine.blocking().compute(seconds(61))
        assert machine.now >= seconds(61)


def test_a_coroutine_of_calls_cleans_up_after_an_error() -> None:
    steps = []

    async def together(app: App) -> None:
        sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        try:
            await sock.recv(1)
        finally:
            await sock.close()
            steps.append("closed")

    with Machine(udev=False) as machine:
        facade = machine.blocking()
        with pytest.raises(Deadlock):
            facade.run(together(facade.app))
        assert steps == ["closed"]
        assert not len(facade.task.files)


@pytest.mark.parametrize("what", [None, 17, "text", print])
def test_a_row_that_cannot_run_names_the_reason(what: Any) -> None:
    with Machine(udev=False) as machine, pytest.raises(SimulationError, match="neither a call nor"):
        machine.blocking().run(what)


def test_from_inside_the_simulation() -> None:
    with Machine(udev=False) as machine:
        facade = machine.blocking()
        machine.at(millis(5), facade.getpid)
        with pytest.raises(SimulationError, match="inside the simulation"):
            machine.run(until=millis(10))
        assert facade.getpid() > 0


def raises() -> None:
    """Raise an error. The tests let the machine call this function at a simulated time."""
    raise ZeroDivisionError


def test_an_error_from_elsewhere_ends_the_waiting() -> None:
    with Machine(udev=False) as machine:
        facade = machine.blocking()
        sock = bound(facade, 11)
        machine.at(millis(5), raises)
        with pytest.raises(ZeroDivisionError):
            sock.recv(1)
        sock.sendto(b"x", (11, 0))
        assert sock.recv(1) == b"x"


def test_an_error_from_elsewhere_ends_a_process_that_does_not_wait() -> None:
    with Machine(udev=False) as machine:
        facade = machine.blocking()
        machine.at(millis(5), raises)
        with pytest.raises(ZeroDivisionError):
            facade.compute(millis(50))
        with pytest.raises(SimulationError, match="has ended"):
            facade.getpid()
        machine.run(until=millis(100))


def test_another_machine_is_outside() -> None:
    with Machine(udev=False) as inner, Machine(udev=False) as outer:
        facade = inner.blocking()
        pids = []

        async def program(app: Any) -> None:
            pids.append((await app.getpid(), facade.getpid()))

        outer.spawn(program)
        outer.run(until=millis(10))
        assert len(pids) == 1


def test_a_signal_interrupts_the_wait() -> None:
    with Machine(udev=False) as machine:
        facade, heard = machine.blocking(), []
        facade.signal(SIGUSR1, heard.append)
        machine.at(millis(5), lambda: machine.kernel.processes.send_signal(facade.task, SIGUSR1))
        with pytest.raises(InterruptedError):
            bound(facade, 11).recv(1)
        assert heard == [SIGUSR1]


def test_it_can_be_killed() -> None:
    with Machine(udev=False) as machine:
        facade = machine.blocking()
        sock = bound(facade, 11)
        machine.at(millis(5), lambda: machine.kernel.processes.send_signal(facade.task, SIGTERM))
        with pytest.raises(SimulationError, match="was killed during the call"):
            sock.recv(1)
        with pytest.raises(SimulationError, match="has ended"):
            sock.recv(1)
        sock.close()
        assert machine.statistics["netlink"]["sockets"] == 0


def test_it_ends_with_its_block() -> None:
    with Machine(udev=False) as machine:
        with machine.blocking() as facade:
            sock = bound(facade, 11)
            assert machine.statistics["netlink"]["sockets"] == 1
        assert machine.statistics["netlink"]["sockets"] == 0
        sock.close()
        facade.exit()


def test_a_socket_may_be_closed_after_its_machine() -> None:
    with Machine(udev=False) as machine:
        sock = bound(machine.blocking(), 11)
        assert sock.fileno() >= 0
    sock.close()
    assert sock.fileno() == -1
    machine.close()


def test_children() -> None:
    async def child(app: Any, fd: int) -> None:
        sock = await app.socket(fileno=fd)
        await sock.sendto(b"from a child", (11, 0))
        await app.exit(3)

    with Machine(udev=False) as machine:
        facade = machine.blocking()
        sock = bound(facade, 11)
        pid = facade.spawn(child, sock.descriptor)
        assert sock.recv(100) == b"from a child"
        assert facade.wait() == (pid, 3 << 8)
        with pytest.raises(ChildProcessError):
            facade.wait()


def test_a_timeout_is_in_simulated_seconds() -> None:
    with Machine(udev=False) as machine:
        sock = bound(machine.blocking(), 11)
        sock.settimeout(2.5)
        began = machine.now
        with pytest.raises(TimeoutError, match="timed out"):
            sock.recv(1)
        assert seconds(2.5) <= machine.now - began < seconds(2.501)


def test_a_timeout_ends_a_send_that_finds_no_room() -> None:
    with Machine(udev=False) as machine:
        full, sender = bound(machine.blocking(), 11), bound(machine.blocking(), 12)
        sender.settimeout(0.5)
        began = machine.now
        with pytest.raises(TimeoutError):
            for _ in range(1000):
                sender.sendto(b"x" * 4096, (11, 0))
        assert seconds(0.5) <= machine.now - began < seconds(0.51)
        full.recv(4096)


def test_generic_netlink_clients_and_uevents() -> None:
    with Machine(udev=False) as machine:
        root = machine.blocking()
        monitor = root.uevents()
        machine.plug(Camera())
        added = next(monitor)
        assert added.variables["MODALIAS"].startswith("simbus:")
        root.modprobe(added.variables["MODALIAS"])
        camera = machine.blocking(uid=1000).genetlink("camera")
        camera.join("frames")
        camera.do("stream-on")
        first, second = next(camera.events("frame-ready")), next(camera.events("frame-ready"))
        assert second["sequence"] == first["sequence"] + 1
        camera.close()
        monitor.close()


def test_events_that_came_together_are_all_seen() -> None:
    with Machine() as machine:
        mouse = Mouse()
        machine.plug(mouse)
        client = machine.blocking().genetlink("mouse")
        client.join("motion")
        events = client.events()
        for _ in range(3):
            mouse.move(1, 1)
            machine.run(until=machine.now + millis(50))
        assert len([next(events) for _ in range(3)]) == 3


def test_a_machine_is_not_closed_by_its_programs() -> None:
    with Machine(udev=False) as machine:

        async def program(app: Any) -> None:
            machine.close()

        machine.spawn(program)
        with pytest.raises(ExceptionGroup) as group:
            machine.run(until=millis(1))
        assert "cannot close its own machine" in str(group.value.exceptions[0])


def test_an_exception_of_a_program_is_not_lost() -> None:
    async def fails(app: Any) -> None:
        raise OSError(errno.EIO, "of its own")

    with pytest.raises(ExceptionGroup) as group, Machine(udev=False) as machine:
        machine.spawn(fails)
        machine.blocking().sleep(1)
    assert [str(error) for error in group.value.exceptions] == [str(OSError(errno.EIO, "of its own"))]


def test_an_exception_during_close_is_not_lost() -> None:
    async def stubborn(app: Any) -> None:
        try:
            await app.sleep(100)
        finally:
            raise ValueError("at the end")

    with (
        pytest.raises(ExceptionGroup, match=r"stubborn/\d+: ValueError: at the end"),
        Machine(udev=False) as machine,
    ):
        machine.spawn(stubborn)
        machine.run(until=millis(10))


def test_the_error_of_the_block_goes_first() -> None:
    async def fails(app: Any) -> None:
        raise ValueError("of the program")

    with pytest.raises(KeyError, match="of the block"), Machine(udev=False) as machine:
        machine.spawn(fails)
        machine.blocking().sleep(1)
        raise KeyError("of the block")
