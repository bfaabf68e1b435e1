"""After an exception in a module's code, the machine continues. The log shows the module and the line."""

from __future__ import annotations

import contextlib
import errno
import gc
import sys
from pathlib import Path
from typing import Any

import pytest

from simkernel import seconds
from simkernel.engine import DeviceError, InternalError
from simkernel.hardware import RO, Device, Register
from simkernel.kernel.lib.taint import Taint
from simkernel.uapi.signal import SIGKILL
from tests.kernel.conftest import Bench


def assert_oops(bench: Bench, name: str, where: str, line: str) -> None:
    """Assert that the log has one complete oops without a file path, and that the module is pinned."""
    kernel = bench.machine.kernel
    assert kernel.oopses.count == 1
    assert kernel.oopses.reports[0].where == where
    assert isinstance(kernel.oopses.reports[0].error, ZeroDivisionError)
    assert Taint.DIE in kernel.taints
    assert f"BUG: unhandled exception in {name}: ZeroDivisionError" in bench.log
    assert f"Oops: [#1] in {where}" in bench.log
    assert f" {line} [{name}]" in bench.log
    assert not any(str(bench.folder) in text or "0x7f" in text for text in bench.log)
    module = kernel.modules.find(name)
    assert module is not None
    assert module.pinned


def fails(bench: Bench, call: Any, *arguments: Any) -> int | None:
    with pytest.raises(OSError) as raised:
        call(*arguments)
    return raised.value.errno


def test_in_init(bench: Bench) -> None:
    bench.write(
        "m.py",
        "from simkernel.driverapi.module import *\nfrom simkernel.driverapi.interrupt import *\n"
        "MODULE = Module(license='GPL')\n"
        "def init(this):\n    request_irq(this, 5, print, 0, 'five')\n    1 / 0\n",
    )
    assert fails(bench, bench.root.insmod, "m") == errno.EFAULT
    assert_oops(bench, "m", "init", "init at m.py:6")
    assert bench.states() == {"m": "Unloading"}
    assert "m: left behind: irq 5 (five)" in bench.log
    assert fails(bench, bench.root.insmod, "m") == errno.EBUSY
    assert fails(bench, bench.delete_module, "m") == errno.EBUSY


def test_in_exit(bench: Bench) -> None:
    bench.write(
        "m.py",
        "from simkernel.driverapi.module import *\nMODULE = Module(license='GPL')\n"
        "def init(this): pass\ndef exit(this, state):\n    1 / 0\n",
    )
    bench.load("m")
    assert fails(bench, bench.root.rmmod, "m") == errno.EFAULT
    assert_oops(bench, "m", "exit", "exit at m.py:5")
    assert bench.states() == {"m": "Unloading"}
    assert fails(bench, bench.root.insmod, "m") == errno.EBUSY


LATER = """
def init(this):
    {action}
def exit(this, state): pass
def late(*_):
    1 / 0
"""


@pytest.mark.parametrize(
    ("action", "where"),
    [
        ("schedule_work(init_work(this, late))", "work late"),
        ("mod_timer(timer_setup(this, late), 0)", "timer late"),
    ],
)
def test_oops_in_deferred_code(bench: Bench, action: str, where: str) -> None:
    bench.module("m", LATER.format(action=action))
    bench.load("m")
    bench.pass_time(seconds(1))
    text = (bench.folder / "m.py").read_text().splitlines()
    assert_oops(bench, "m", where, f"late at m.py:{text.index('    1 / 0') + 1}")
    assert bench.states() == {"m": "Live"}
    assert fails(bench, bench.root.rmmod, "m") in (errno.EBUSY, errno.EAGAIN)


def test_in_a_protocol(bench: Bench) -> None:
    bench.module("m", LATER.format(action="netlink_kernel_create(this, 25, late)"))
    bench.load("m")
    sock = bench.root.socket(proto=25)
    assert fails(bench, sock.send, b"x" * 16) == errno.EFAULT
    sock.close()
    assert bench.machine.kernel.oopses.reports[0].where == "netlink protocol 25"


def test_the_task_that_ran_into_it_is_named(bench: Bench) -> None:
    bench.module("m", "def init(this): {}['absent']")

    async def clumsy(app: Any) -> None:
        with pytest.raises(OSError):
            await app.insmod("m")

    bench.machine.spawn(clumsy)
    bench.pass_time(seconds(1))
    assert any(text.endswith("Comm: clumsy Tainted: [O]=OOT_MODULE") for text in bench.log)


BASE_EXCEPTIONS = ("SystemExit(3)", "GeneratorExit", "BaseException", "__import__('asyncio').CancelledError")
base_exceptions = pytest.mark.parametrize("error", BASE_EXCEPTIONS)


def is_oops(bench: Bench, error: str) -> bool:
    name = error.rpartition(".")[2].partition("(")[0]
    return f"BUG: unhandled exception in m: {name}" in bench.log


@base_exceptions
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_base_exception_of_init_is_an_oops(bench: Bench, error: str, kind: str) -> None:
    bench.module("m", f"{kind} init(this): raise {error}")
    assert fails(bench, bench.root.insmod, "m") == errno.EFAULT
    assert is_oops(bench, error)
    assert bench.root.getpid() > 0


@base_exceptions
def test_a_base_exception_of_exit_is_an_oops(bench: Bench, error: str) -> None:
    bench.module("m", f"def init(this): pass\ndef exit(this, state): raise {error}")
    bench.load("m")
    assert fails(bench, bench.root.rmmod, "m") == errno.EFAULT
    assert is_oops(bench, error)


@base_exceptions
@pytest.mark.parametrize(
    "action", ["schedule_work(init_work(this, late))", "mod_timer(timer_setup(this, late), 0)"]
)
def test_a_base_exception_of_a_callback_is_an_oops(bench: Bench, error: str, action: str) -> None:
    bench.module("m", LATER.format(action=action).replace("1 / 0", f"raise {error}"))
    bench.load("m")
    bench.pass_time(seconds(1))
    assert is_oops(bench, error)


@base_exceptions
def test_a_base_exception_of_an_import_refuses_the_load(bench: Bench, error: str) -> None:
    bench.module("m", f"raise {error}")
    assert fails(bench, bench.root.insmod, "m") == errno.ENOEXEC
    assert any("does not import" in text for text in bench.log)


CATCHES = """
async def init(this):
    while True:
        try:
            await msleep(this, 10)
        except {caught}:
            pass
"""


@pytest.mark.parametrize(("caught", "oopses"), [("OSError", 0), ("BaseException", 1)])
@pytest.mark.parametrize("how", ["kill", "close"])
def test_ending_a_task_inside_a_module_is_an_oops_only_if_the_module_continues(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caught: str, oopses: int, how: str
) -> None:
    """If a program is ended while it runs a module's code, Python raises GeneratorExit in this code. The
    kernel reports an oops only if the module catches GeneratorExit and continues.
    """
    unraisable: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    bench.module("m", CATCHES.format(caught=caught))

    async def program(app: Any) -> None:
        await app.insmod("m")

    process = bench.machine.spawn(program)
    bench.pass_time(seconds(1))
    if how == "kill":
        bench.machine.kernel.processes.runner.end(bench.machine.kernel.processes.find(process.pid), SIGKILL)
        bench.pass_time(seconds(1))
        assert process.exit_status == SIGKILL
    bench.close()
    assert not process.alive
    assert bench.machine.kernel.oopses.count == oopses
    gc.collect()
    assert not unraisable


@pytest.mark.parametrize("error", [*BASE_EXCEPTIONS, "KeyboardInterrupt"])
def test_a_base_exception_of_a_device_ends_the_run(bench: Bench, error: str) -> None:
    class Ending(Faulty):
        def read_ratio(self) -> int:
            raise eval(error)

    bench.module(
        "m",
        """
        def probe(device):
            readl(devm_ioremap(device), 0x10)
        async def init(this):
            await simbus_register_driver(this, (SimbusDeviceId(0xBAD, 1),), probe)
        """,
    )
    bench.machine.plug(Ending())
    bench.pass_time(seconds(1))
    with pytest.raises(KeyboardInterrupt if error == "KeyboardInterrupt" else DeviceError):
        bench.root.insmod("m")
    assert bench.machine.kernel.oopses.count == 0


def test_a_recursion_is_reported_once(bench: Bench) -> None:
    bench.write(
        "m.py",
        "from simkernel.driverapi.module import *\nMODULE = Module(license='GPL')\n"
        "def init(this): return there()\ndef there(): return back()\ndef back(): return there()\n",
    )
    assert fails(bench, bench.root.insmod, "m") == errno.EFAULT
    traced = [text for text in bench.log if text.endswith("[m]")]
    assert traced == [" back at m.py:5 [m]", " there at m.py:4 [m]", " init at m.py:3 [m]"]


class Faulty(Device):
    """A device that raises an exception when its register RATIO is read."""

    vendor_id, device_id = 0xBAD, 1
    registers = (Register("RATIO", 0x10, RO),)

    def read_ratio(self) -> int:
        return 1 // 0


def test_a_device_with_a_bug_is_no_fault_of_its_driver(bench: Bench) -> None:
    """If a device raises an exception, the exception ends the run. It does not matter which code accessed the
    register.
    """
    bench.module(
        "m",
        """
        def probe(device):
            readl(devm_ioremap(device), 0x10)
        async def init(this):
            await simbus_register_driver(this, (SimbusDeviceId(0xBAD, 1),), probe)
        """,
    )
    bench.machine.plug(Faulty())
    bench.pass_time(seconds(1))
    with pytest.raises(
        DeviceError, match="faulty0: ZeroDivisionError in the device's read of RATIO"
    ) as raised:
        bench.root.insmod("m")
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    assert bench.machine.kernel.oopses.count == 0


def test_two_are_numbered(bench: Bench) -> None:
    for name in ("a", "b"):
        bench.module(name, "def init(this): 1 / 0")
        fails(bench, bench.root.insmod, name)
    assert [text for text in bench.log if text.startswith("Oops")] == [
        "Oops: [#1] in init",
        "Oops: [#2] in init",
    ]


def test_wrong_use_of_driverapi_says_what_to_do(bench: Bench) -> None:
    bench.module("m", "async def init(this):\n    import asyncio\n    await asyncio.sleep(0)")
    assert fails(bench, bench.root.insmod, "m") == errno.EFAULT
    assert any("await what simkernel.driverapi has" in text for text in bench.log)


def test_bugs_of_simkernel_are_no_oopses(bench: Bench) -> None:
    bench.module("m", "from simkernel.engine import InternalError\ndef init(this): raise InternalError('x')")
    with pytest.raises(InternalError):
        bench.root.insmod("m")
    assert bench.machine.kernel.oopses.count == 0


def call_trace(bench: Bench) -> list[str]:
    """Return the lines of the first call trace in the log."""
    return bench.log[
        bench.log.index("Call Trace:") + 1 : bench.log.index("---[ end trace 0000000000000001 ]---")
    ]


def test_the_call_trace_has_the_functions_of_driverapi(bench: Bench) -> None:
    bench.write(
        "m.py",
        "from simkernel.driverapi.module import *\nfrom simkernel.driverapi.io import *\n"
        "MODULE = Module(license='GPL')\ndef init(this):\n    return begin()\n"
        "def begin():\n    readl('address', 0)\n",
    )
    assert fails(bench, bench.root.insmod, "m") == errno.EFAULT
    first, *others = call_trace(bench)
    assert first.startswith(" readl at simkernel/driverapi/io.py:")
    assert others == [" begin at m.py:7 [m]", " init at m.py:5 [m]"]


@pytest.mark.parametrize(
    ("action", "caller"),
    [
        ("schedule_work(init_work(this, wrong))", "simkernel/kernel/workqueue.py"),
        ("mod_timer(timer_setup(this, wrong), 0)", "simkernel/kernel/time/timer.py"),
        ("netlink_kernel_create(this, 25, wrong)", "simkernel/kernel/oops.py"),
        ("return module_simbus_driver((), wrong)[0](this)", "simkernel/driverapi/simbus.py"),
        ("return simbus_register_driver(this, (SimbusDeviceId(0xBAD, 2),), wrong)",
         "simkernel/kernel/device/binding.py"),
    ],
)  # fmt: skip
def test_a_function_with_wrong_parameters_has_its_caller_in_the_trace(
    bench: Bench, action: str, caller: str
) -> None:
    class Plain(Device):
        vendor_id, device_id = 0xBAD, 2

    bench.machine.plug(Plain())
    bench.pass_time(seconds(0.1))
    bench.module("m", f"def init(this):\n    {action}\ndef wrong(): pass")
    with contextlib.suppress(OSError):
        bench.root.insmod("m")
    with contextlib.suppress(OSError):
        bench.root.socket(proto=25).send(b"x" * 16)
    bench.pass_time(seconds(0.1))
    assert bench.machine.kernel.oopses.count == 1
    assert any(f" at {caller}:" in line for line in call_trace(bench))


def test_the_log_of_an_oops_is_the_same_wherever_the_module_lies(tmp_path: Path) -> None:
    logs = []
    for folder in ("here", "there"):
        bench = Bench(tmp_path / folder)
        bench.module("m", "def init(this): return iopoll(this)\ndef iopoll(this): return {}[open]")
        assert fails(bench, bench.root.insmod, "m") == errno.EFAULT
        logs.append(bench.machine.log.lines())
        bench.close()
    assert logs[0] == logs[1]
