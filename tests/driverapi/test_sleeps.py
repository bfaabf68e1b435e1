"""Functions of driverapi that sleep: the state of the task, and whether a signal ends the sleep."""

from __future__ import annotations

import signal

import pytest

from simkernel import millis
from simkernel.kernel.module.module import ModuleState
from tests.kernel.conftest import Bench

SLEEPS = {
    "msleep(this, 20)": "D", "fsleep(this, 20_000)": "D", "wait_event(queue, lambda: ready)": "D",
    "wait_event_interruptible(queue, lambda: ready)": "S",
    "wait_event_timeout(this, queue, lambda: ready, 10**9)": "D",
    "wait_event_interruptible_timeout(this, queue, lambda: ready, 10**9)": "S",
    "wait_for_completion(done)": "D", "wait_for_completion_timeout(this, done, 10**9)": "D",
    "mutex_lock(lock)": "D", "mutex_lock_interruptible(lock)": "S",
    "read_poll_timeout(this, lambda: 0, lambda value: ready, 100, 10**6)": "D",
    "readl_poll_timeout(this, None, 0, lambda value: ready, 100, 10**6)": "",
    "flush_work(work)": "D", "cancel_work_sync(work)": "D", "free_irq(this, 7)": "D",
    "destroy_workqueue(this, works)": "D", "enter(lock.__aenter__())": "D",
    "enter(mutex_interruptible(lock).__aenter__())": "S",
}  # fmt: skip
"""For each call, the state of a task that sleeps in the call: D (uninterruptible) or S (interruptible). If
the state is an empty string, the test leaves the call out.
"""

MODULE = """
async def enter(entering):
    await entering

async def write(file, data, position):
    this, queue, ready, done, lock, works, work = file.private_data
    await CALL
    return len(data)

def open(file):
    file.private_data = file.cdev.data

def init(this):
    async def nap(*_):
        await msleep(this, 15)

    queue, ready, done = init_waitqueue_head("q"), [], init_completion(this, "c")
    lock, works = mutex_init(this, "m"), alloc_workqueue(this, "w", 2)
    assert mutex_trylock(lock)
    work = init_work(this, nap)
    queue_work(works, work)
    request_threaded_irq(this, 7, None, lambda irq, cookie: nap(), IRQF_ONESHOT, "seven")
    data = this, queue, ready, done, lock, works, work
    cdev = cdev_init(this, FileOperations(open=open, write=write), data=data)
    register_chrdev_region(this, (240, 0), 1, "s")
    cdev_add(cdev, (240, 0))
    device_create(this, class_register(this, "s"), None, "s", number=(240, 0))

    def end(timer):
        ready.append(1)
        complete(done)
        if not data[4].locked:
            return
        mutex_unlock(lock)
        wake_up(queue)

    mod_timer(timer_setup(this, end), ktime_get(this) + 30_000_000)
"""


@pytest.mark.parametrize("signalled", [False, True])
@pytest.mark.parametrize("call", [call for call, state in SLEEPS.items() if state])
def test_state_of_a_sleeping_task(bench: Bench, call: str, signalled: bool) -> None:
    """If the task gets a signal, a call in state S raises EINTR. A call in state D continues until its wait
    ends.
    """
    bench.module("m", MODULE.replace("CALL", call))
    bench.load("m")
    machine, seen = bench.machine, []

    async def program(app):
        await app.signal(signal.SIGUSR1, lambda number: seen.append("handled"))
        fd = await app.open("/dev/s", 1)
        try:
            seen.append(await app.write(fd, b"x"))
        except InterruptedError:
            seen.append("EINTR")

    pid = machine.spawn(program).pid
    machine.kernel.interrupts.handle(7)
    bench.pass_time(millis(1))
    state = bench.root.read_file(f"/proc/{pid}/stat").split()[2].decode()
    assert state == SLEEPS[call]
    if signalled:
        bench.root.kill(pid, signal.SIGUSR1)
        bench.pass_time(millis(1))
        assert seen == (["handled", "EINTR"] if state == "S" else [])
    bench.pass_time(millis(60))
    wanted = ["handled"] * signalled + (["EINTR"] if signalled and state == "S" else [1])
    assert sorted(map(str, seen)) == sorted(map(str, wanted))


def test_a_managed_file_is_removed_with_the_driver(bench: Bench) -> None:
    from tests.driverapi.test_device_calls import Plain

    bench.module(
        "m",
        """
        def probe(device):
            devm_device_create_file(device, DeviceAttribute("colour", show=lambda device: "red"))

        async def init(this):
            return await simbus_register_driver(this, (SimbusDeviceId(0x51B5, 7),), probe)

        async def exit(this, driver):
            await simbus_unregister_driver(driver)
    """,
    )
    bench.load("m")
    bench.machine.plug(Plain())
    bench.pass_time(millis(1))
    path = "/sys/bus/simbus/devices/0:1"

    def store(name: str) -> None:
        root = bench.root
        root.write(root.open(f"/sys/bus/simbus/drivers/m/{name}", 1), b"0:1")

    for _ in range(2):
        assert "colour" in bench.root.listdir(path)
        store("unbind")
        assert "colour" not in bench.root.listdir(path)
        store("bind")
    bench.root.rmmod("m")
    assert "colour" not in bench.root.listdir(path)
    assert bench.machine.kernel.modules.find("m") is None
    assert not [text for text in bench.log if "left behind" in text]


def test_resources_without_a_name_are_logged_by_their_kind(bench: Bench) -> None:
    bench.module(
        "m",
        """
        from simkernel.driverapi.netdevice import *

        def init(this):
            register_netdevice_notifier(this, lambda *_: None)

        def exit(this, state):
            pass
    """,
    )
    bench.load("m")
    bench.root.rmmod("m")
    assert bench.log[-1] == "m: left behind: netdevice notifier"
    assert ModuleState.LIVE.value not in bench.states().values()


def test_a_bad_interrupt_names_the_module_of_its_handler(bench: Bench) -> None:
    bench.module(
        "m",
        """
        def handler(irq, cookie):
            return 9

        def init(this):
            request_irq(this, 8, handler, 0, "eight")
    """,
    )
    bench.load("m")
    bench.machine.kernel.interrupts.handle(8)
    assert bench.log[-3:] == ["irq event 8: bogus return value 9", "handlers:", "handler [m]"]
