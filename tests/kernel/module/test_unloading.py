"""Unloading: references to a module, results of rmmod(8), and the report of resources left behind."""

from __future__ import annotations

from typing import Any

import pytest

from simkernel import millis, seconds
from simkernel.driverapi.module import module_put, try_module_get
from simkernel.hardware.bus import Device
from simkernel.uapi import errno
from tests.kernel.conftest import Bench


def delete_fails(bench: Bench, name: str) -> int | None:
    """Return the errno of delete_module(2)."""
    with pytest.raises(OSError) as raised:
        bench.delete_module(name)
    return raised.value.errno


def test_exit_gets_the_state(bench: Bench) -> None:
    bench.module(
        "m",
        "async def init(this): return ['state']\n"
        "async def exit(this, state):\n    await msleep(this, 1)\n    pr_info(this, f'bye {state}')",
    )
    bench.load("m")
    bench.root.rmmod("m")
    assert "m: bye ['state']" in bench.log
    assert bench.states() == {}
    assert bench.machine.kernel.modules.unloads == 1


def test_unloading_completes_when_the_process_is_killed(bench: Bench) -> None:
    """If a process ends during delete_module(2), its task first completes the call in the kernel and then
    ends.
    """
    bench.module(
        "m",
        "def init(this): return 'state'\n"
        "async def exit(this, state):\n    await msleep(this, 5)\n    pr_info(this, 'all of it')",
    )
    bench.load("m")

    async def unload(app: Any) -> None:
        await app.rmmod("m")
        raise AssertionError("the thread must not run user code after its process has ended")

    async def program(app: Any) -> None:
        await app.thread(unload)
        await app.sleep(0.001)

    process = bench.machine.spawn(program)
    bench.machine.run(until=seconds(1))
    assert process.exit_status == 0
    assert "m: all of it" in bench.log
    assert bench.states() == {}
    assert bench.machine.kernel.processes.exists(process.pid + 1) is False


def test_a_module_that_something_holds_stays(bench: Bench) -> None:
    bench.module("m", "def init(this): return this\ndef exit(this, state): pass")
    this = bench.load("m")
    assert try_module_get(this)
    assert bench.root.lsmod()[0]["references"] == 1
    assert delete_fails(bench, "m") == errno.EAGAIN
    module_put(this)
    bench.root.rmmod("m")


def test_a_reference_is_put_as_often_as_got(bench: Bench) -> None:
    bench.module("m", "def init(this): return this")
    this = bench.load("m")
    with pytest.raises(RuntimeError):
        module_put(this)


def test_init_without_exit_is_for_ever(bench: Bench) -> None:
    bench.module("m", "def init(this): pass")
    bench.load("m")
    assert delete_fails(bench, "m") == errno.EBUSY


def test_a_socket_of_its_protocol_holds_a_module(bench: Bench) -> None:
    root = bench.root
    sock = root.socket(proto=17)
    assert root.lsmod()[0]["references"] == 1
    assert delete_fails(bench, "hello") == errno.EAGAIN
    sock.close()
    root.rmmod("hello")


LEAKY = """
def init(this):
    work = init_work(this, late)
    schedule_delayed_work(work, 10**9)
    kind = class_register(this, 'leaky')
    parent = device_create(this, kind, None, 'parent')
    device_create(this, kind, parent, 'child')
    netlink_kernel_create(this, 25, late)
    alloc_workqueue(this, 'mine', 2)
    request_threaded_irq(this, 7, None, late, IRQF_ONESHOT, 'seven')
def late(*_):
    raise AssertionError('called after its module was gone')
def exit(this, state): pass
"""


def test_resources_left_by_exit_are_removed_and_logged(bench: Bench) -> None:
    bench.module("m", LEAKY)
    bench.load("m")
    bench.root.rmmod("m")
    assert [line for line in bench.log if "left behind" in line] == [
        "m: left behind: irq 7 (seven)",
        "m: left behind: workqueue mine",
        "m: left behind: netlink protocol 25",
        "m: left behind: device /devices/virtual/leaky/parent/child",
        "m: left behind: device /devices/virtual/leaky/parent",
        "m: left behind: class leaky",
        "m: left behind: work late",
    ]
    assert bench.machine.kernel.modules.leaks == 7
    bench.pass_time(seconds(2))
    assert bench.machine.kernel.oopses.count == 0
    bench.load("m")


def test_a_clean_module_leaves_nothing(bench: Bench) -> None:
    bench.root.modprobe("hello")
    bench.root.rmmod("hello")
    kernel = bench.machine.kernel
    assert kernel.modules.leaks == 0
    assert {each.module for each in kernel.resources.of(None)} == {None}
    assert len(kernel.resources) == len(kernel.resources.of(None))


def test_work_that_runs_when_its_module_goes_is_waited_for(bench: Bench) -> None:
    bench.module(
        "m",
        """
        def init(this):
            async def slow(work):
                await msleep(this, 50)
                pr_info(this, "done")
            schedule_work(init_work(this, slow))
        def exit(this, state): pass
        """,
    )
    bench.load("m")
    bench.pass_time(millis(10))
    bench.root.rmmod("m")
    assert bench.log[-2:] == ["m: left behind: work slow", "m: done"]


def test_a_driver_left_behind_is_removed_with_its_resources(bench: Bench) -> None:
    bench.module(
        "m",
        """
        async def init(this):
            async def probe(device):
                dmam_alloc_coherent(device, 64)
                devm_request_irq(device, device.irq, lambda irq, cookie: IRQ_NONE, 0, "lamp", device)
            await simbus_register_driver(this, (SimbusDeviceId(1, 2),), probe)
        def exit(this, state): pass
        """,
    )

    class Lamp(Device):
        vendor_id, device_id = 1, 2

    bench.load("m")
    bench.machine.plug(Lamp())
    bench.pass_time(millis(1))
    kernel = bench.machine.kernel
    assert kernel.dma.allotted == 64
    bench.root.rmmod("m")
    assert [text for text in bench.log if "left behind" in text] == ["m: left behind: driver m"]
    assert kernel.dma.allotted == 0
    assert len(kernel.resources) == 1


@pytest.mark.parametrize(("length", "found"), [(1, True), (55, True), (56, False)])
def test_length_of_a_name_for_delete_module(bench: Bench, length: int, found: bool) -> None:
    """delete_module(2) finds only modules whose name is shorter than MODULE_NAME_LEN."""
    name = "n" * length
    bench.module(name, "def init(this): pass\ndef exit(this, state): pass")
    bench.load(name)
    if found:
        bench.delete_module(name)
    else:
        with pytest.raises(FileNotFoundError):
            bench.delete_module(name)
    assert bench.states() == ({} if found else {name: "Live"})
    with pytest.raises(FileNotFoundError):
        bench.delete_module("")
