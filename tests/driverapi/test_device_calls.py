"""Calls of driverapi on a device that a driver is bound to: log lines, memory, device numbers, files,
interrupts.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simkernel import Machine, millis
from simkernel.hardware import Device
from simkernel.uapi.uevent import Uevent
from tests.kernel.conftest import Bench

MODULE = """
from simkernel.driverapi.netdevice import *
from simkernel.driverapi.rtnetlink import *
from simkernel.uapi.structure import S32, U8, U16

class State:
    pass

def name(error):
    return error.errno

def attempt(function, *arguments, **keywords):
    try:
        return function(*arguments, **keywords)
    except OSError as error:
        return error.errno

async def init(this):
    state = State()
    state.this = this
    state.names = globals()
    state.driver = await simbus_register_driver(
        this, (SimbusDeviceId(0x51B5, 7),), lambda device: setattr(state, "device", device)
    )
    return state

async def exit(this, state):
    await simbus_unregister_driver(state.driver)
"""


class Plain(Device):
    """A device without registers."""

    vendor_id, device_id = 0x51B5, 7


@pytest.fixture(scope="module")
def bound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A machine with a device and a module that is bound to it."""
    bench = Bench(Path(tmp_path_factory.mktemp("modules")))
    bench.module("m", MODULE)
    bench.load("m")
    bench.machine.plug(Plain(), line=5)
    bench.pass_time(millis(1))
    yield bench
    bench.close()


@pytest.fixture
def state(bound: Bench) -> Any:
    return bound.data("m")


def call(state: Any, name: str, *arguments: Any, **keywords: Any) -> Any:
    """Call a function of driverapi. Return its result, or the errno that it raises."""
    return state.names["attempt"](state.names[name], *arguments, **keywords)


# -- log ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "level"), [("dev_err", 3), ("dev_warn", 4), ("dev_info", 6), ("dev_dbg", 7)]
)
def test_a_line_about_a_device_has_a_level_and_a_prefix(
    bound: Bench, state: Any, name: str, level: int
) -> None:
    call(state, name, state.device, f"text of {name}")
    record = bound.machine.log.records[-1]
    assert (record.level, record.text) == (level, f"m {state.device.name}: text of {name}")


# -- memory ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "expected"), [(-1, errno.EINVAL), (0, errno.EINVAL), (1, 1), (4097, 4097)])
def test_sizes_of_dma_buffers(bound: Bench, state: Any, size: int, expected: int) -> None:
    dma = bound.machine.kernel.dma
    before = dma.allotted
    buffer = call(state, "dma_alloc_coherent", state.device, size)
    if expected == errno.EINVAL:
        assert buffer == expected
        return
    assert (buffer.size, bytes(buffer.memory), dma.allotted) == (expected, bytes(expected), before + expected)
    call(state, "dma_free_coherent", state.device, buffer)
    assert dma.allotted == before


def test_a_managed_buffer_is_freed_once(bound: Bench, state: Any) -> None:
    dma = bound.machine.kernel.dma
    before, managed = dma.allotted, len(state.device.devres)
    buffer = call(state, "dmam_alloc_coherent", state.device, 100)
    other = call(state, "dma_alloc_coherent", state.device, 10)
    assert (dma.allotted, len(state.device.devres)) == (before + 110, managed + 1)
    call(state, "dmam_free_coherent", state.device, other)
    assert dma.allotted == before + 110
    call(state, "dmam_free_coherent", state.device, buffer)
    call(state, "dmam_free_coherent", state.device, buffer)
    assert (dma.allotted, len(state.device.devres)) == (before + 10, managed)
    call(state, "dma_free_coherent", state.device, other)


@pytest.mark.parametrize(("size", "expected"), [(-1, 22), (0, 22), (1, 4096), (4096, 4096), (4097, 8192)])
def test_memory_for_programs_has_whole_pages(state: Any, size: int, expected: int) -> None:
    memory = call(state, "vmalloc_user", size)
    assert memory == expected if expected == 22 else bytes(memory) == bytes(expected)


# -- numbers ------------------------------------------------------------------------------------

REGIONS = [
    # device numbers (major, first minor, count), then the error in the log (empty if the numbers are valid)
    (512, 0, 1, "major requested (512) is greater than the maximum (511)"),
    (-1, 0, 1, "major requested (-1) is greater than the maximum (511)"),
    (300, -1, 1, "minor range requested (-1--1)"),
    (300, 1 << 20, 1, "minor range requested (1048576-1048576)"),
    (300, 10, 0, "minor range requested (10-9)"),
    (300, 5, (1 << 20) - 4, "minor range requested (5-1048576)"),
    (300, 5, (1 << 20) - 5, ""),
    (511, 0, 1, ""),
]
LIMIT = " is out of range of maximum range (0-1048575) for a single major"


@pytest.mark.parametrize(("major", "minor", "count", "text"), REGIONS)
def test_ranges_of_device_numbers(
    bound: Bench, state: Any, major: int, minor: int, count: int, text: str
) -> None:
    found = call(state, "register_chrdev_region", state.this, (major, minor), count, "mine")
    if text:
        assert found == errno.EINVAL
        assert bound.log[-1] == f'CHRDEV "mine" {text}{LIMIT if major == 300 else ""}'
        return
    assert found is None
    for other, length in ((minor, 1), (minor + count - 1, 1), (max(minor - 1, 0), 2)):
        assert call(state, "register_chrdev_region", state.this, (major, other), length, "x") == errno.EBUSY
    call(state, "unregister_chrdev_region", state.this, (major, minor), count - 1)
    assert call(state, "register_chrdev_region", state.this, (major, minor), 1, "x") == errno.EBUSY
    call(state, "unregister_chrdev_region", state.this, (major, minor), count)
    assert call(state, "register_chrdev_region", state.this, (major, minor), 1, "x") is None
    call(state, "unregister_chrdev_region", state.this, (major, minor), 1)


@pytest.mark.parametrize("count", [-1, 0, 1, 1 << 20, (1 << 20) + 1])
def test_a_device_serves_a_count_of_minors(bound: Bench, state: Any, count: int) -> None:
    cdev = call(state, "cdev_init", state.this, state.names["FileOperations"]())
    found = call(state, "cdev_add", cdev, (301, 0), count)
    if not 0 < count <= 1 << 20:
        assert found == errno.EINVAL
        return
    devices = bound.machine.kernel.char_devices
    assert devices.find(301, count - 1) is cdev
    wider = call(state, "cdev_init", state.this, state.names["FileOperations"]())
    assert call(state, "cdev_add", wider, (301, 0), count + 1) in (None, errno.EINVAL)
    assert devices.find(301, 0) is cdev, "the smallest range serves a number"
    call(state, "cdev_del", wider)
    for minor in (-1, count):
        assert state.names["attempt"](devices.find, 301, minor) == errno.ENXIO
    call(state, "cdev_del", cdev)
    assert state.names["attempt"](devices.find, 301, 0) == errno.ENXIO


def test_a_driver_reads_the_number_of_its_file(bench: Bench) -> None:
    bench.module(
        "numbered",
        """
        def open(file):
            file.cdev.data.append((imajor(file), iminor(file)))

        def init(this):
            seen = []
            cdev = cdev_init(this, FileOperations(open=open), data=seen)
            register_chrdev_region(this, (302, 5), 2, "numbered")
            cdev_add(cdev, (302, 5), 2)
            kind = class_register(this, "numbered")
            for minor in (5, 6):
                device_create(this, kind, None, f"n{minor}", number=(302, minor))
            return seen
    """,
    )
    seen = bench.load("numbered")
    for minor in (6, 5):
        bench.root.open(f"/dev/n{minor}", 0)
    assert seen == [(302, 6), (302, 5)]


# -- uevents and files ----------------------------------------------------------------------------


def test_a_driver_reports_a_change_of_its_device(
    bound: Bench, state: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Uevent] = []
    monkeypatch.setattr(bound.machine.kernel.uevents, "broadcast", lambda event, net: seen.append(event))
    call(state, "kobject_uevent_change", state.device)
    call(state, "kobject_uevent_change", state.device, {"HOT": "1"})
    assert [(event.action, event.devpath) for event in seen] == [("change", state.device.devpath)] * 2
    assert ["HOT" in event.variables for event in seen] == [False, True]


def test_a_file_of_a_device_is_added_and_removed(bound: Bench, state: Any) -> None:
    attribute = state.names["DeviceAttribute"]("colour", show=lambda device: "red\n")
    path = f"/sys{state.device.devpath}/colour"
    for _ in range(2):
        assert call(state, "device_create_file", state.this, state.device, attribute) is None
        assert call(state, "device_create_file", state.this, state.device, attribute) == errno.EEXIST
        assert bound.root.read_file(path) == b"red\n"
        call(state, "device_remove_file", state.this, state.device, attribute)
        call(state, "device_remove_file", state.this, state.device, attribute)
        with pytest.raises(FileNotFoundError):
            bound.root.stat(path)


# -- interrupts -----------------------------------------------------------------------------------


def test_a_handler_gets_its_line_and_cookie(bound: Bench, state: Any) -> None:
    lines = bound.machine.kernel.interrupts
    seen: list[Any] = []
    handler = lambda irq, cookie: seen.append((irq, cookie)) or 1  # noqa: E731
    call(state, "request_irq", state.this, 6, handler, state.names["IRQF_SHARED"], "mine", "cookie")
    lines.handle(6)
    for depth in (1, 2):
        call(state, "disable_irq", state.this, 6)
        assert lines.lines[6].depth == depth
    for depth in (1, 0, 0):
        call(state, "enable_irq", state.this, 6)
        assert lines.lines[6].depth == depth
    lines.handle(6)
    assert seen == [(6, "cookie")] * 2
    for cookie, left in (("other", 1), ("cookie", 0)):
        kernel = bound.machine.kernel
        kernel.processes.kthread("free", kernel.interrupts.free(6, cookie))
        bound.pass_time(millis(1))
        assert len(lines.lines[6].actions) == left


# -- guards, polls and network devices --------------------------------------------------------------


def test_a_guard_passes_all_arguments(bench: Bench) -> None:
    """`mutex_guarded()` passes all arguments to the function, also after a wait for the mutex."""
    bench.module(
        "guard",
        """
        async def init(this):
            lock, seen = mutex_init(this, "m"), []
            function = lambda *arguments, **keywords: (arguments, keywords)
            seen.append(mutex_guarded(lock, function, 1, 2, key=3))
            assert mutex_trylock(lock)
            waiting = mutex_guarded(lock, function, 4, key=5)
            mutex_unlock(lock)
            seen.append(await waiting)
            return seen
    """,
    )
    assert bench.load("guard") == [((1, 2), {"key": 3}), ((4,), {"key": 5})]


def test_a_poll_reads_once_more_after_the_timeout(bench: Bench) -> None:
    """`read_poll_timeout()` reads the value again after the timeout, because it can have changed during the
    last sleep.
    """
    bench.module(
        "polls",
        """
        async def init(this):
            begun, seen = ktime_get(this), []
            values = iter([0, 0, 1, 0])
            is_zero = lambda value: value == 0
            seen.append(await read_poll_timeout(this, lambda: next(values), is_zero, 1000, 0))
            late = iter([0, 0, 0, 7])
            seen.append(await read_poll_timeout(this, lambda: next(late), bool, 1000, 1500))
            seen.append((ktime_get(this) - begun) // 1000)
            return seen
    """,
    )
    found = bench.load("polls")
    assert found[:2] == [0, 7]
    assert 2000 <= found[2] < 2300


@pytest.mark.parametrize("kind", ["link kind", "other"])
def test_only_the_named_kind_of_link_is_unregistered(bench: Bench, kind: str) -> None:
    bench.module(
        "kinds",
        """
        from simkernel.driverapi.rtnetlink import *

        def init(this):
            kinds = [
                rtnl_link_register(this, LinkOps(kind=name, setup=lambda device: None))
                for name in ("one", "two")
            ]
            timer = timer_setup(this, lambda timer: None)
            rtnl_link_unregister(this, kinds[0])
            return kinds

        def exit(this, kinds):
            rtnl_link_unregister(this, kinds[1])
    """,
    )
    bench.load("kinds")
    module = bench.machine.kernel.modules.find("kinds")
    resources = bench.machine.kernel.resources
    assert [each.name for each in resources.of(module) if each.kind == "link kind"] == ["two"]
    bench.root.rmmod("kinds")
    assert not [text for text in bench.log if "left behind" in text]


def test_a_notifier_is_called_until_it_is_unregistered(bench: Bench) -> None:
    bench.module(
        "notified",
        """
        from simkernel.driverapi.netdevice import *

        class State:
            def __init__(self, this):
                self.seen = []
                self.stop = register_netdevice_notifier(this, self.event)
                self.again = register_netdevice_notifier(this, self.event)

            def event(self, event, device, data):
                self.seen.append((event.name, device.name))

        def init(this):
            return State(this)

        def exit(this, state):
            state.again()
    """,
    )
    state = bench.load("notified")
    devices = bench.machine.kernel.net_devices
    device = bench.machine.kernel.net.devices[1]
    for expected in (2, 1):
        del state.seen[:]
        devices.set_mtu(device, device.mtu - 1)
        assert state.seen.count(("CHANGEMTU", "lo")) == expected
        state.stop()
    bench.root.rmmod("notified")
    assert not [text for text in bench.log if "left behind" in text]


def test_ethernet_devices_have_linuxs_defaults(state: Any) -> None:
    """An Ethernet device has the limits and the broadcast address of `ether_setup()`. Its random address is
    local and unicast.
    """
    device = call(state, "alloc_netdev", state.this, "eth%d", state.names["ether_setup"])
    assert (device.type, device.mtu, device.min_mtu, device.max_mtu) == (1, 1500, 68, 1500)
    assert (device.address, device.broadcast, device.flags) == (bytes(6), b"\xff" * 6, 0x1002)
    names = state.names
    assert (names["ETH_ALEN"], names["ETH_MAX_MTU"], names["ETH_MIN_MTU"]) == (6, 65535, 68)
    assert call(state, "eth_validate_addr", device) == errno.EADDRNOTAVAIL
    firsts = set()
    for _ in range(50):
        call(state, "eth_hw_addr_random", state.this, device)
        assert len(device.address) == 6
        firsts.add(device.address[0] & 3)
        assert call(state, "eth_validate_addr", device) is None
    assert firsts == {2}


def test_numbers_are_packed_by_their_layout(state: Any) -> None:
    rows = {1: (state.names["U8"], 7), 9: (state.names["U16"], 0x0102), 2: (state.names["S32"], -1)}
    assert call(state, "pack_numbers", rows) == (
        b"\5\0\1\0\7\0\0\0\6\0\11\0\2\1\0\0\10\0\2\0\xff\xff\xff\xff"
    )


def test_machine_runs_without_reports(bound: Bench) -> None:
    """The other tests of this file have caused no oops."""
    assert isinstance(bound.machine, Machine)
    assert bound.machine.kernel.oopses.count == 0
