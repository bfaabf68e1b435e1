"""`left_behind` lists each kind of resource while it is held, and also if a kernel bug prevents its
release.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simkernel import Leak, Machine, millis, seconds
from simkernel.engine import Timer
from simkernel.hardware import Camera, Mouse
from simkernel.hardware.bus import Device
from simkernel.kernel.mm.address_space import AddressSpace
from simkernel.kernel.netlink.sock import ProtocolEntry
from simkernel.kernel.netlink.socket import NetlinkSocket
from simkernel.kernel.sched.process import Processes
from simkernel.kernel.unix.datagram import DatagramSocket
from simkernel.kernel.vfs.char_file import CharDeviceFile
from simkernel.kernel.vfs.file import OpenFile
from simkernel.testing import holdings, left_behind
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.socket import AF_NETLINK, AF_UNIX, SOCK_DGRAM, SOCK_RAW

HOUR = 3600


async def process(app: Any) -> None:
    """Run a program that opens nothing: the process itself is the held resource."""


async def netlink_socket(app: Any) -> None:
    await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)


async def member(app: Any) -> None:
    """Join a netlink group."""
    sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    await sock.bind((0, 1))


async def unix_socket(app: Any) -> None:
    await app.socket(AF_UNIX, SOCK_DGRAM)


async def pipe(app: Any) -> None:
    await app.pipe()


async def eventfd(app: Any) -> None:
    await app.eventfd(0)


async def epoll(app: Any) -> None:
    await app.epoll()


async def memfd(app: Any) -> None:
    await app.memfd_create("scratch")


async def file(app: Any) -> None:
    await app.open("/tmp/notes", 0o102)


async def mapping(app: Any) -> None:
    """Map a file, and anonymous memory."""
    fd = await app.memfd_create("scratch")
    await app.ftruncate(fd, 4096)
    await app.mmap(fd, 4096)
    await app.mmap(-1, 8192)
    await app.close(fd)


async def device_file(app: Any) -> None:
    """Open the device node of a camera, which also takes a reference to the driver's module."""
    await app.open("/dev/video0", 2)


async def stream(app: Any) -> None:
    """Start the stream of a camera, for which the driver allocates DMA memory."""
    camera = await app.genetlink("camera")
    await camera.do("stream-on")


HELD: dict[Callable[..., Any], tuple[str, ...]] = {
    process: (),
    netlink_socket: ("netlink sockets: 1",),
    member: ("netlink sockets: 1", "members of groups of netlink protocol 2: 1"),
    unix_socket: ("unix sockets: 1",),
    pipe: ("open file pipe:[1]", "open file pipe:[1]"),
    eventfd: ("open file anon_inode:[eventfd]",),
    epoll: ("open file anon_inode:[eventpoll]",),
    memfd: ("open file /memfd:scratch (deleted)",),
    file: ("open file /tmp/notes",),
    mapping: (
        "open file /memfd:scratch (deleted)",
        "mapping of 4096 bytes of /memfd:scratch (deleted)",
        "mapping of 8192 bytes",
    ),
    device_file: ("open file /dev/video0", "references to module camera: 1"),
    stream: ("netlink sockets: 1", "bytes of DMA memory: 2457856", "references to module camera: 1"),
}


async def hold(app: Any, act: Any) -> None:
    """Call `act`, which acquires a resource, and then sleep for an hour."""
    await act(app)
    await app.sleep(HOUR)


@pytest.mark.parametrize("act", HELD, ids=lambda act: act.__name__)
def test_a_resource_of_a_program_is_listed_until_it_ends(act: Any) -> None:
    with Machine(check_leaks=True) as machine:
        if act in (device_file, stream):
            machine.plug(Camera())
            machine.run(until=millis(10))
        before = holdings(machine)
        assert left_behind(machine) == []
        program = machine.spawn(hold, act, name="process")
        machine.run(until=millis(20))
        named = [each for each in left_behind(machine) if not each.startswith("process ")]
        assert named == list(HELD[act])
        assert f"process process/{program.pid} (S)" in left_behind(machine)
        assert left_behind(machine, since=before) == left_behind(machine)
        assert left_behind(machine, since=holdings(machine)) == []


def nothing(*_: object) -> None:
    """Do nothing. A test replaces a function of the kernel with this one, to plant a bug."""


def keep_members(entry: ProtocolEntry, sock: NetlinkSocket, groups: int) -> None:
    """A faulty replacement for `ProtocolEntry.update`: a closed socket stays a member of its groups."""
    if groups:
        UPDATE(entry, sock, groups)


UPDATE = ProtocolEntry.update

BUGS: list[tuple[Any, type, str, Any, tuple[str, ...]]] = [
    (process, Processes, "reap", nothing, ("process process/5 (Z)",)),
    (netlink_socket, NetlinkSocket, "release", nothing, ("netlink sockets: 1",)),
    (member, ProtocolEntry, "update", keep_members, ("members of groups of netlink protocol 2: 1",)),
    (unix_socket, DatagramSocket, "release", nothing, ("unix sockets: 1",)),
    *((act, OpenFile, "put", nothing, HELD[act]) for act in (pipe, eventfd, epoll, memfd, file)),
    (
        device_file,
        OpenFile,
        "put",
        nothing,
        ("open file /dev/video0 (deleted)", "references to module camera: 1"),
    ),
    (device_file, CharDeviceFile, "put_module", nothing, ("references to module camera: 1",)),
    (mapping, AddressSpace, "clear", nothing, HELD[mapping]),
    (process, Timer, "cancel", nothing, ("timeouts of calls that have ended: 1",)),
]


@pytest.mark.parametrize(
    ("act", "owner", "method", "bug", "named"), BUGS, ids=lambda value: getattr(value, "__name__", None)
)
def test_a_resource_kept_by_a_bug_is_reported_at_close(
    monkeypatch: pytest.MonkeyPatch, act: Any, owner: type, method: str, bug: Any, named: tuple[str, ...]
) -> None:
    machine = Machine(check_leaks=True, udev=False)
    if act is device_file:
        machine.plug(Camera())
        with machine.blocking() as root:
            root.modprobe("camera")
    machine.spawn(hold, act, name="process")
    machine.run(until=millis(20))
    monkeypatch.setattr(owner, method, bug)
    with pytest.raises(Leak) as leak:
        machine.close()
    words = str(leak.value).removeprefix("resources were left behind: ").split("; ")
    assert sorted(words) == sorted(named)


LEAKY = """
from simkernel.driverapi.device import class_register
from simkernel.driverapi.module import Module, module_put, try_module_get


class Base:
    def __init__(self, this):
        self.this = this

    def take(self):
        try_module_get(self.this)

    def give(self):
        module_put(self.this)


MODULE = Module(license="GPL", {declared})


def init(this):
    {init}
    return Base(this)


def exit(this, state):
    pass
"""
EXPORTS = "exports=(Base.take, Base.give)"
IMPORTS = 'imports=("take", "give")'


class Modules:
    """A machine into which a test loads modules."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.machine = Machine(udev=False, module_path=[folder], check_leaks=True)
        self.root = self.machine.blocking()

    def load(self, name: str, init: str, declared: str = "") -> None:
        """Write a module and load it."""
        (self.folder / f"{name}.py").write_text(LEAKY.format(init=init, declared=declared))
        self.root.modprobe(name)

    def leak(self) -> str:
        """Close the machine. Return the text of the exception `Leak` that the close raises."""
        with pytest.raises(Leak) as leak:
            self.machine.close()
        return str(leak.value)


@pytest.fixture
def modules(tmp_path: Path) -> Modules:
    """Return a machine into which the test loads modules that leak."""
    return Modules(tmp_path)


def test_a_reference_that_a_driver_does_not_put_is_reported(modules: Modules) -> None:
    modules.load("leaky", "try_module_get(this)")
    assert modules.leak() == "resources were left behind: references to module leaky: 1"


def test_a_reference_to_a_module_that_others_use_is_reported(modules: Modules) -> None:
    modules.load("base", "pass", EXPORTS)
    modules.load("user", "this.symbols.take()", IMPORTS)
    assert modules.leak() == "resources were left behind: references to module base: 1"


def test_a_reference_that_is_put_twice_is_reported(modules: Modules) -> None:
    modules.load("base", "pass", EXPORTS)
    modules.load("user", "this.symbols.give()", IMPORTS)
    assert modules.leak() == "resources were left behind: references to module base put but never taken: 1"


def test_a_registration_of_an_unloaded_module_is_reported(modules: Modules) -> None:
    modules.load("leaky", 'class_register(this, "forgotten")')
    modules.root.rmmod("leaky")
    assert modules.leak() == "resources were left behind: registrations of modules that were unloaded: 1"


def test_a_loaded_module_may_hold_registrations(modules: Modules) -> None:
    modules.load("fine", 'class_register(this, "kept")')
    modules.machine.close()


def test_a_module_that_an_oops_pinned_is_not_a_leak(modules: Modules) -> None:
    with pytest.raises(OSError, match="Bad address"):
        modules.load("faulty", "1 / 0")
    modules.machine.close()


class Ticker(Device):
    """A device that schedules an event one hour after it is powered on."""

    vendor_id, device_id = 0x1234, 0x0001

    def power_on(self) -> None:
        self.after(seconds(HOUR), self.power_off)


def test_an_event_of_an_unplugged_device_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(check_leaks=True)
    machine.plug(Ticker())
    monkeypatch.setattr(Device, "cancel_all", nothing)
    with pytest.raises(Leak, match="timers of device ticker0, which is unplugged: 1"):
        machine.close()


# Resources that are held and are not leaks.


async def everything(app: Any) -> None:
    """Hold one resource of each kind."""
    for act in (member, unix_socket, pipe, eventfd, memfd, mapping):
        await act(app)
    await app.sleep(HOUR)


def test_resources_of_a_living_daemon_are_not_counted() -> None:
    with Machine(check_leaks=True) as machine:
        daemon = machine.spawn(everything, daemon=True)
        machine.spawn(pipe)
        machine.run(until=millis(1))
        assert left_behind(machine) == []
        daemon.kill(9)
        machine.run(until=millis(2))
        assert left_behind(machine) == []


def test_holdings_of_the_baseline_are_not_listed() -> None:
    with Machine(check_leaks=True) as machine:
        machine.spawn(everything)
        machine.run(until=millis(1))
        before = holdings(machine)
        other = machine.spawn(hold, member)
        machine.run(until=millis(2))
        assert sorted(left_behind(machine, since=before)) == [
            "members of groups of netlink protocol 2: 1",
            "netlink sockets: 1",
            f"process hold/{other.pid} (S)",
        ]


def test_close_ends_all_running_programs() -> None:
    with Machine(check_leaks=True) as machine:
        devices = (Camera(), Mouse())
        for device in devices:
            machine.plug(device)
        machine.run(until=millis(10))
        user = machine.blocking()
        camera = user.genetlink("camera")
        camera.join("frames")
        camera.do("stream-on")
        user.open("/dev/video0", 2)
        machine.spawn(everything)
        machine.spawn(parent_of_many)
        machine.at(machine.now + seconds(1), machine.unplug, devices[0])
        machine.at(machine.now + seconds(1), machine.plug, Camera())
        machine.run(until=millis(50))
        assert len(left_behind(machine)) > 10


def test_close_ends_daemons_that_use_devices() -> None:
    async def daemon(app: Any) -> None:
        await device_file(app)
        await stream(app)
        await app.sleep(HOUR)

    with Machine(check_leaks=True) as machine:
        machine.plug(Camera())
        machine.run(until=millis(10))
        machine.spawn(daemon, daemon=True)
        machine.run(until=millis(50))


async def parent_of_many(app: Any) -> None:
    """Spawn children and threads that sleep."""
    for _ in range(3):
        await app.spawn(everything)
        await app.thread(everything)
    await app.wait()


@pytest.mark.parametrize("time", [0, 1, 1000, 1_100_000, 1_400_000, 2_000_000])
def test_close_waits_for_a_driver_that_is_loading(time: int) -> None:
    with Machine(check_leaks=True) as machine:
        machine.plug(Camera())
        machine.run(until=time)


def test_an_error_of_the_test_is_raised_instead_of_the_leak() -> None:
    with pytest.raises(ZeroDivisionError), Machine(check_leaks=True) as machine:
        machine.kernel.modules.leaks = 1
        raise ZeroDivisionError


def test_an_error_of_a_program_is_raised_instead_of_the_leak() -> None:
    async def fails(app: Any) -> None:
        raise ValueError

    with pytest.raises(ExceptionGroup), Machine(check_leaks=True) as machine:
        machine.kernel.modules.leaks = 1
        machine.spawn(fails)


def test_a_leak_is_reported_once_and_the_machine_is_off() -> None:
    machine = Machine(check_leaks=True)
    machine.spawn(everything)
    machine.kernel.modules.leaks = 1
    with pytest.raises(Leak):
        machine.close()
    machine.close()
    assert "closed" in repr(machine)


def test_a_closed_machine_can_be_collected() -> None:
    with Machine(check_leaks=True) as machine:
        machine.spawn(everything)
        machine.run(until=millis(1))
    gone = weakref.ref(machine)
    del machine
    gc.collect()
    assert gone() is None
