"""A forgotten await, or a yield by mistake, in a module's function is reported."""

from __future__ import annotations

import contextlib
import warnings

import pytest

from simkernel import seconds
from simkernel.hardware import Device
from tests.kernel.conftest import Bench

AWAITABLE = {
    "simbus_register_driver": "this, (), probe, name='two'",
    "simbus_unregister_driver": "driver",
    "msleep": "this, 1",
    "fsleep": "this, 1",
    "wait_event": "queue, bool",
    "wait_event_interruptible": "queue, bool",
    "wait_event_timeout": "this, queue, bool, 1",
    "wait_event_interruptible_timeout": "this, queue, bool, 1",
    "read_poll_timeout": "this, int, bool, 1, 1",
    "wait_for_completion": "init_completion(this, 'c')",
    "wait_for_completion_timeout": "this, init_completion(this, 'c'), 1",
    "mutex_lock": "mutex_init(this, 'm')",
    "mutex_lock_interruptible": "mutex_init(this, 'm')",
    "cancel_work_sync": "init_work(this, print)",
    "flush_work": "init_work(this, print)",
    "destroy_workqueue": "this, alloc_ordered_workqueue(this, 'q')",
    "free_irq": "this, 3",
    "request_module": "this, 'x'",
}
"""Each function of driverapi whose result must be awaited, with arguments."""

PREPARED = """
def probe(device):
    pass
async def init(this):
    driver = await simbus_register_driver(this, (), probe)
    queue = init_waitqueue_head("q")
"""


class Plain(Device):
    """A device without registers."""

    vendor_id, device_id = 0xBAD, 2


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("name", AWAITABLE)
def test_a_forgotten_await_in_init_is_named_with_its_line(bench: Bench, name: str, kept: bool) -> None:
    call = f"{'lost = ' * kept}{name}({AWAITABLE[name]})"
    bench.module("m", f"{PREPARED}    {call}\n    return locals()")
    line = (bench.folder / "m.py").read_text().splitlines().index(f"    {call}") + 1
    with warnings.catch_warnings(), pytest.raises(OSError):
        warnings.simplefilter("error")
        bench.root.insmod("m")
    assert any(f"never awaited: {name} at m.py:{line}; write `await`" in text for text in bench.log)


@pytest.mark.parametrize("name", AWAITABLE)
def test_an_awaited_call_is_not_reported(bench: Bench, name: str) -> None:
    bench.module("m", f"{PREPARED}    later = {name}({AWAITABLE[name]})\n    await later")
    if name in ("wait_event", "wait_event_interruptible", "wait_for_completion", "free_irq"):
        pytest.skip("waits for ever, or needs a handler")
    with contextlib.suppress(TimeoutError):
        bench.root.insmod("m")
    assert not any("never awaited" in text for text in bench.log)


@pytest.mark.parametrize("where", ["probe", "remove", "exit"])
def test_a_forgotten_await_is_named_elsewhere_too(bench: Bench, where: str) -> None:
    bodies = {
        each: "msleep(owner[0], 1)" if each == where else "pass" for each in ("probe", "remove", "exit")
    }
    bench.module(
        "m",
        f"""
        owner = []
        def probe(device):
            {bodies["probe"]}
        def remove(device):
            {bodies["remove"]}
        async def init(this):
            owner[:] = [this]
            return await simbus_register_driver(this, (SimbusDeviceId(0xBAD, 2),), probe, remove)
        async def exit(this, driver):
            await simbus_unregister_driver(driver)
            {bodies["exit"]}
        """,
    )
    device = Plain()
    bench.machine.plug(device)
    bench.load("m")
    bench.pass_time(seconds(0.1))
    bench.machine.unplug(device)
    bench.pass_time(seconds(0.1))
    with contextlib.suppress(OSError):
        bench.root.rmmod("m")
    assert any("never awaited: msleep at m.py:" in text for text in bench.log)


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("entry", ["init(this)", "exit(this, state)"])
def test_a_generator_function_as_an_entry_is_refused(bench: Bench, entry: str, kind: str) -> None:
    bench.module("m", f"{kind} {entry}:\n    yield")
    with pytest.raises(OSError):
        bench.root.insmod("m")
    assert any(
        "generator function, which does not run when called: write it without yield" in text
        for text in bench.log
    )


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize(
    "action",
    [
        "schedule_work(init_work(this, wrong))",
        "mod_timer(timer_setup(this, wrong), 0)",
        "return simbus_register_driver(this, (SimbusDeviceId(0xBAD, 2),), wrong)",
    ],
)
def test_a_generator_function_as_a_callback_is_an_oops_that_says_so(
    bench: Bench, action: str, kind: str
) -> None:
    bench.machine.plug(Plain())
    bench.pass_time(seconds(0.1))
    bench.module("m", f"{kind} wrong(_):\n    yield\ndef init(this):\n    {action}")
    with contextlib.suppress(OSError):
        bench.root.insmod("m")
    bench.pass_time(seconds(0.1))
    assert any("wrong contains yield and does not run when called" in text for text in bench.log)
