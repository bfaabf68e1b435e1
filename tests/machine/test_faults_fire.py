"""Each fault point can fail. The failure has the effect that kernel/lib/fault.py describes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simkernel import Machine, millis, seconds
from simkernel.hardware import Camera, Mouse
from simkernel.kernel.lib.fault import POINTS
from simkernel.uapi import errno
from simkernel.uapi.fcntl import O_RDONLY
from simkernel.uapi.netlink import NETLINK_ROUTE, NETLINK_USERSOCK, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST
from simkernel.uapi.netlink import message as netlink_message
from simkernel.uapi.rtnetlink import RTM_GETLINK
from simkernel.uapi.socket import AF_NETLINK, AF_UNIX, SOCK_DGRAM, SOCK_RAW
from tests.drivers.bench import BOOT, is_whole, read_frame
from tests.machine.points import Points


@pytest.fixture
def points() -> Points:
    return Points()


@pytest.fixture
def machine(points: Points) -> Iterator[Machine]:
    with Machine(faults=points, check_leaks=True) as machine:
        yield machine
        assert points.all_fired()


def fails_with(number: int, call: Callable[..., Any], *arguments: Any, **keywords: Any) -> None:
    with pytest.raises(OSError) as error:
        call(*arguments, **keywords)
    assert error.value.errno == number


def plugged(machine: Machine, device: Any) -> Any:
    machine.plug(device)
    machine.run(until=machine.now + BOOT)
    return device


def settle(machine: Machine) -> None:
    machine.run(until=machine.now + millis(20))


# -- netlink ------------------------------------------------------------------


@pytest.mark.parametrize("traced", [False, True])
def test_a_lost_message_of_a_group_is_an_overrun(machine: Machine, points: Points, traced: bool) -> None:
    """The test runs with and without a tracer, because a tracer turns off the fast path of `broadcast`."""
    if traced:
        machine.trace.subscribe(lambda record: None)
    mouse = plugged(machine, Mouse())
    client, other = (machine.blocking().genetlink("mouse") for _ in range(2))
    client.join("motion")
    other.join("motion")
    points.fail("netlink.deliver")  # `other`, the latest subscriber, is the first receiver: its copy is lost
    mouse.move(1, 0)
    settle(machine)
    assert next(client.events("motion"))["dx"] == 1
    fails_with(errno.ENOBUFS, next, other.events("motion"))
    mouse.move(2, 0)
    assert next(other.events("motion"))["dx"] == 2


def test_a_message_is_lost_for_the_task_that_opened_the_socket(machine: Machine, points: Points) -> None:
    mouse = plugged(machine, Mouse())
    heard: list[str] = []

    async def listener(app: Any) -> None:
        client = await app.genetlink("mouse")
        await client.join("motion")
        async for event in client.events("motion"):
            heard.append(event.name)

    process = machine.spawn(listener, name="daemon")
    settle(machine)
    before = len(points.about)
    mouse.move(1, 0)
    settle(machine)
    told = [about for point, about in points.about[before:] if point == "netlink.deliver"]
    assert [(about["comm"], about["pid"]) for about in told] == [("daemon", process.pid)]
    assert heard == ["motion"]
    process.kill(9)


def test_a_lost_reply_is_an_overrun(machine: Machine, points: Points) -> None:
    plugged(machine, Mouse())
    client = machine.blocking().genetlink("mouse")
    client.do("get-state")
    points.fail("netlink.deliver")
    fails_with(errno.ENOBUFS, client.do, "get-state")


def test_a_send_without_memory_fails(machine: Machine, points: Points) -> None:
    sock = machine.blocking().socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    sock.bind((0, 0))
    peer = machine.blocking().socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    peer.bind((0, 0))
    points.fail("skb.alloc")
    fails_with(errno.ENOBUFS, sock.sendto, b"lost", peer.getsockname())
    sock.sendto(b"sent", peer.getsockname())
    assert peer.recv(100) == b"sent"


@pytest.mark.parametrize("kind", ["stream", "datagram"])
def test_a_unix_send_without_memory_fails(machine: Machine, points: Points, kind: str) -> None:
    process = machine.blocking()
    one, other = process.socketpair(AF_UNIX, *(() if kind == "stream" else (SOCK_DGRAM,)))
    points.fail("skb.alloc")
    fails_with(errno.ENOBUFS, one.send, b"lost")
    assert one.send(b"sent") == 4
    assert other.recv(100) == b"sent"


def test_a_driver_without_memory_for_its_reply_gets_enomem(machine: Machine, points: Points) -> None:
    plugged(machine, Mouse())
    client = machine.blocking().genetlink("mouse")
    client.do("get-state")
    points.fail("skb.alloc", 2)  # hit 1 is the allocation of the request, hit 2 that of the reply
    fails_with(errno.ENOMEM, client.do, "get-state")
    client.do("get-state")


def routes(machine: Machine) -> Any:
    sock = machine.blocking().socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)
    sock.bind((0, 0))
    return sock


def test_an_acknowledgement_without_memory_is_an_error_of_the_socket(
    machine: Machine, points: Points
) -> None:
    sock = routes(machine)
    points.fail("skb.alloc", 2)
    sock.send(netlink_message(RTM_GETLINK, bytes(16), flags=NLM_F_REQUEST | NLM_F_ACK))
    fails_with(errno.ENOBUFS, sock.recv, 4096)


def test_a_dump_without_memory_is_refused(machine: Machine, points: Points) -> None:
    sock = routes(machine)
    points.fail("skb.alloc", 2)
    sock.send(netlink_message(RTM_GETLINK, bytes(16), flags=NLM_F_REQUEST | NLM_F_DUMP))
    reply = sock.recv(4096)
    assert int.from_bytes(reply[16:20], "little", signed=True) == -errno.ENOBUFS


# -- memory -------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda process: process.socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE),
        lambda process: process.socket(AF_UNIX),
        lambda process: process.epoll(),
        lambda process: process.eventfd(0),
    ],
)
def test_a_call_that_makes_an_object_fails(
    machine: Machine, points: Points, make: Callable[[Any], Any]
) -> None:
    process = machine.blocking()
    points.fail("kmalloc")
    fails_with(errno.ENOMEM, make, process)
    make(process)


def test_fork_without_memory_fails(machine: Machine, points: Points) -> None:
    ended: list[int | None] = []

    async def parent(app: Any) -> None:
        points.fail("kmalloc")
        try:
            await app.spawn(parent)
        except OSError as error:
            ended.append(error.errno)

    machine.spawn(parent)
    machine.run()
    assert ended == [errno.ENOMEM]


def test_dma_memory_that_is_not_there_is_an_error_of_the_driver(machine: Machine, points: Points) -> None:
    plugged(machine, Camera())
    camera = machine.blocking().genetlink("camera")
    points.fail("dma.alloc")
    fails_with(errno.ENOMEM, camera.do, "stream-on")
    camera.do("stream-on")


def test_half_a_transfer_is_half_a_frame(machine: Machine, points: Points) -> None:
    plugged(machine, Camera())
    camera = machine.blocking().genetlink("camera")
    camera.join("frames")
    camera.do("set-format", width=320, height=240, pixel_format="GREY")
    points.fail("dma.write")
    camera.do("stream-on")
    events = camera.events("frame-ready")
    frame = read_frame(camera, sequence=next(events)["sequence"])
    assert not is_whole(frame)
    assert any(frame[: len(frame) // 2 - 100]) and not any(frame[len(frame) // 2 + 100 :])
    assert is_whole(read_frame(camera, sequence=next(events)["sequence"]))


# -- interrupts ---------------------------------------------------------------


def test_a_lost_interrupt_calls_no_handler(machine: Machine, points: Points) -> None:
    mouse = plugged(machine, Mouse())
    client = machine.blocking().genetlink("mouse")
    client.join("motion")
    line = mouse.slot.line
    count = machine.kernel.interrupts.lines[line].count
    points.fail("irq.lost")
    mouse.move(1, 0)
    settle(machine)
    assert machine.kernel.interrupts.lines[line].count == count
    assert machine.bus.interrupts.is_high(line)
    machine.bus.interrupts.unmask(line)  # if a line is high, unmasking it raises the interrupt
    settle(machine)
    assert next(client.events("motion"))["dx"] == 1


def test_a_spurious_interrupt_calls_handlers_with_nothing_to_do(machine: Machine, points: Points) -> None:
    mouse = plugged(machine, Mouse())
    client = machine.blocking().genetlink("mouse")
    client.join("motion")
    desc = machine.kernel.interrupts.lines[mouse.slot.line]
    count = desc.count
    points.fail("irq.spurious")
    mouse.move(1, 0)
    settle(machine)
    assert (desc.count, desc.unhandled) == (count + 2, 1)
    assert next(client.events("motion"))["dx"] == 1


def test_a_storm_ends_with_the_line_disabled(machine: Machine, points: Points) -> None:
    mouse = plugged(machine, Mouse())
    line = mouse.slot.line
    began = machine.now
    points.fail("irq.storm")
    mouse.move(1, 0)
    machine.run(until=machine.now + seconds(5))
    text = "\n".join(machine.log.lines())
    assert f"irq {line}: nobody cared" in text
    assert f"Disabling IRQ #{line}" in text
    desc = machine.kernel.interrupts.lines[line]
    assert desc.spurious_disabled and 100_000 <= desc.count < 101_000
    storm = next(record.time for record in machine.log.records if "nobody cared" in record.text) - began
    assert millis(70) < storm < seconds(1)  # handling 100 000 interrupts takes simulated time
    count = desc.count
    mouse.move(1, 0)
    settle(machine)
    assert desc.count == count


# -- modules and devices ------------------------------------------------------


def test_a_module_whose_init_fails_is_not_loaded(machine: Machine, points: Points) -> None:
    root = machine.blocking()
    points.fail("module.init")
    fails_with(errno.ENOMEM, root.insmod, "hello")
    assert root.lsmod() == []
    root.insmod("hello")
    assert [module["name"] for module in root.lsmod()] == ["hello"]


def test_a_device_whose_probe_fails_has_no_driver(machine: Machine, points: Points) -> None:
    root = machine.blocking()
    points.fail("probe")
    plugged(machine, Mouse())
    assert any("probe with driver mouse failed with error -12" in line for line in machine.log.lines())
    fails_with(errno.ENODEV, root.genetlink("mouse").do, "get-state")
    (device,) = root.listdir("/sys/bus/simbus/devices")
    fd = root.open("/sys/bus/simbus/drivers/mouse/bind", 1)
    root.write(fd, device.encode())
    root.close(fd)
    root.genetlink("mouse").do("get-state")


def test_a_device_vanishes_at_an_access(machine: Machine, points: Points) -> None:
    mouse = plugged(machine, Mouse())
    client = machine.blocking().genetlink("mouse")
    aborts = machine.bus.statistics.aborts
    points.fail("bus.access")
    client.do("set-rate", rate=500)  # a write is posted: the driver cannot notice the loss
    assert not mouse.plugged
    assert machine.bus.statistics.aborts == aborts + 1
    assert [about["device"] for point, about in points.about if point == "bus.access"][-1] == "mouse0"
    settle(machine)
    fails_with(errno.ENODEV, client.do, "get-state")


def test_an_event_that_is_dropped_leaves_a_gap(machine: Machine, points: Points) -> None:
    root = machine.blocking()
    monitor = root.uevents()
    points.fail("uevent.drop", 2)
    plugged(machine, Mouse())
    heard = []
    while len(heard) < 3:
        heard.append(int(next(monitor).variables["SEQNUM"]))
    assert heard == [heard[0], heard[0] + 2, heard[0] + 3]


# -- calls --------------------------------------------------------------------


def test_open_fails_as_with_too_many_files(machine: Machine, points: Points) -> None:
    process = machine.blocking()
    points.fail("open")
    fails_with(errno.ENFILE, process.open, "/dev/null", O_RDONLY)
    (about,) = [about for point, about in points.about if point == "open"]
    assert (about["path"], about["device"], about["call"]) == ("/dev/null", "null", "openat")
    process.close(process.open("/dev/null", O_RDONLY))


def test_a_sleep_ends_with_eintr(machine: Machine, points: Points) -> None:
    ended: list[Any] = []

    async def sleeper(app: Any) -> None:
        points.fail("sleep.eintr")
        try:
            await app.sleep(5)
        except InterruptedError:
            ended.append(app.monotonic_ns())
        reader, writer = await app.pipe()
        points.fail("sleep.eintr")
        try:
            await app.read(reader, 5)
        except InterruptedError:
            ended.append("read")
        await app.write(writer, b"still open")
        ended.append(await app.read(reader, 20))

    machine.spawn(sleeper)
    machine.run()
    assert ended[0] < millis(1)
    assert ended[1:] == ["read", b"still open"]


def test_a_kernel_thread_is_not_interrupted(machine: Machine, points: Points) -> None:
    plugged(machine, Mouse())
    names = {about["comm"] for point, about in points.about if point == "sleep.eintr"}
    assert names == {"udevd", "modprobe"} or names == {"udevd"}


def test_every_errno_of_the_table_has_a_name() -> None:
    assert {point.errno for point in POINTS.values()} == {
        None, errno.ENOBUFS, errno.ENOMEM, errno.EFAULT, errno.EINTR, errno.ENFILE
    }  # fmt: skip
