"""Loading modules: the arguments of `init`, errors of faulty modules, and the cleanup after a failed load."""

from __future__ import annotations

from typing import Any

import pytest

from simkernel import Machine, seconds
from simkernel.uapi import errno
from tests.kernel.conftest import Bench


def fails(bench: Bench, name: str, **parameters: Any) -> int | None:
    with pytest.raises(OSError) as raised:
        bench.root.insmod(name, **parameters)
    return raised.value.errno


def test_init_gets_the_module_and_its_state_is_kept(bench: Bench) -> None:
    bench.module("m", "def init(this):\n    pr_info(this, 'up')\n    return this.name * 2")
    assert bench.load("m") == "mm"
    assert bench.states() == {"m": "Live"}
    assert "m: up" in bench.log


def test_init_may_sleep(bench: Bench) -> None:
    bench.module("m", "async def init(this):\n    await msleep(this, 10)\n    return ktime_get(this)")
    assert bench.load("m") > 10_000_000


def test_a_module_without_init_and_exit_is_a_library(bench: Bench) -> None:
    bench.module("m")
    bench.load("m")
    bench.root.rmmod("m")
    assert bench.states() == {}


def test_parameters_reach_init(bench: Bench) -> None:
    bench.write(
        "m.py",
        """
        from simkernel.driverapi.module import Module, ModuleParameter
        MODULE = Module(license="GPL", parameters=(
            ModuleParameter("size", int, 1), ModuleParameter("loud", bool, False),
            ModuleParameter("label", str, ""),
            ModuleParameter("rates", int, (), array=4)))
        def init(this):
            return dict(this.parameters)
        """,
    )
    state = bench.load("m", size=7, loud=True, label="front door", rates=[1, 2])
    assert state == {"size": 7, "loud": True, "label": "front door", "rates": (1, 2)}


def test_a_package_imports_from_itself_and_has_its_files_named(bench: Bench) -> None:
    bench.write("pack/__init__.py", "from .parts.wheel import MODULE, init, exit")
    bench.write("pack/parts/__init__.py", "")
    bench.write(
        "pack/parts/wheel.py",
        """
        from simkernel.driverapi.module import Module
        from ..spokes import COUNT
        MODULE = Module(license="GPL")
        def init(this): return COUNT
        def exit(this, state): 1 / 0
        """,
    )
    bench.write("pack/spokes.py", "COUNT = 32")
    assert bench.load("pack") == 32
    with pytest.raises(OSError):
        bench.root.rmmod("pack")
    assert " exit at pack/parts/wheel.py:6 [pack]" in bench.log


def test_modules_of_one_name_do_not_meet(tmp_path: Any) -> None:
    states = []
    for name in ("one", "two"):
        bench = Bench(tmp_path / name)
        bench.module("same", f"def init(this): return {name!r}")
        states.append(bench.load("same"))
        bench.close()
    assert states == ["one", "two"]


def test_a_changed_file_is_loaded_as_it_is_now(bench: Bench) -> None:
    bench.module("m", "def init(this): return 1\ndef exit(this, state): pass")
    assert bench.load("m") == 1
    bench.root.rmmod("m")
    bench.module("m", "def init(this): return 2\ndef exit(this, state): pass")
    assert bench.load("m") == 2


def test_unchanged_code_is_executed_once_per_process(tmp_path: Any) -> None:
    text = "import itertools\nNUMBERS = itertools.count()\ndef init(this): return next(NUMBERS)"
    numbers = []
    for _ in range(2):
        bench = Bench(tmp_path)
        bench.module("counter", text)
        numbers.append(bench.load("counter"))
        bench.close()
    assert numbers == [0, 1]


def test_a_hyphen_is_an_underscore(bench: Bench) -> None:
    bench.module("my_module")
    bench.root.insmod("my-module")
    assert bench.states() == {"my_module": "Live"}


def test_loading_and_unloading_need_cap_sys_module(bench: Bench) -> None:
    bench.module("m")
    user = bench.machine.blocking(uid=1000)
    with pytest.raises(PermissionError) as raised:
        user.insmod("m")
    assert raised.value.errno == errno.EPERM
    bench.load("m")
    with pytest.raises(PermissionError):
        user.rmmod("m")


def test_unknown_flags(bench: Bench) -> None:
    bench.module("m")
    root = bench.root
    with pytest.raises(OSError) as raised:
        root.run(root.app.call("finit_module", "m", "", 8))
    assert raised.value.errno == errno.EINVAL


# -- invalid modules ------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nowhere", "module 'nowhere' not found: no such module"),
        ("../m", "module '../m' not found: give the name of the module, not a path"),
        ("/etc/passwd", "module '/etc/passwd' not found: give the name of the module, not a path"),
        ("", "module '' not found: no such module"),
    ],
)
def test_missing_files_and_names(bench: Bench, name: str, why: str) -> None:
    bench.module("m")
    assert fails(bench, name) == errno.ENOENT
    assert bench.log[-1] == why


def test_a_program_on_the_module_path_is_not_executed(bench: Bench) -> None:
    """depmod reads every Python file on the module path. It executes a file only if the file binds the name
    MODULE.
    """
    bench.write("program.py", "import pathlib\npathlib.Path(__file__).with_name('ran').touch()\n")
    bench.module("m")
    bench.root.modprobe("m")
    assert fails(bench, "program") == errno.ENOEXEC
    assert not (bench.folder / "ran").exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def f(:\n", "does not compile: invalid syntax at m.py:1"),
        ("x = 1\n", "declares no module (m.py has no MODULE = Module(...))"),
        ("MODULE = 3\n", "declares no module (m.py has no MODULE = Module(...))"),
        ("\nMODULE = 1 / 0\n", "does not import: ZeroDivisionError at m.py:2"),
        ("import nosuchpackage\nMODULE = 0\n", "does not import: ModuleNotFoundError at m.py:1"),
        ("MODULE = exit(3)\n", "does not import: SystemExit at m.py:1"),
        (
            "from simkernel.driverapi.module import Module\nMODULE = Module(license='GPL', exports=('f',))\n",
            "exports f, which is not a function of m.py",
        ),
        *(
            (f"from simkernel.driverapi.module import Module\nMODULE = Module(license='GPL')\n{wrong}\n", why)
            for wrong, why in (
                ("def init(): pass", "init must be a function with parameters (this)"),
                ("init = 5", "init must be a function with parameters (this)"),
                ("def exit(this): pass", "exit must be a function with parameters (this, state)"),
            )
        ),
        (
            "from simkernel.driverapi.module import Module\nMODULE = Module(licence='GPL')\n",
            "does not import: TypeError at m.py:2",
        ),
        (
            "from simkernel.driverapi.module import Module\nMODULE = Module(license='GPL', imports=('f'))\n",
            "does not import: TypeError at m.py:2",
        ),
    ],
)
def test_a_file_that_is_no_module(bench: Bench, text: str, why: str) -> None:
    bench.write("m.py", text)
    assert fails(bench, "m") == errno.ENOEXEC
    assert bench.log[-1] == f"module m: {why}"
    assert bench.states() == {}


def test_a_file_that_is_not_text(bench: Bench) -> None:
    (bench.folder / "m.py").write_bytes(b"MODULE = '\xff'")
    assert fails(bench, "m") == errno.ENOEXEC
    assert bench.log[-1] == "module m: m.py:1 cannot be read (UnicodeDecodeError)"


def test_a_program_that_lies_on_the_path_is_not_executed(bench: Bench) -> None:
    bench.write("story.py", "raise AssertionError('executed')")
    assert fails(bench, "story") == errno.ENOEXEC
    bench.module("m", aliases=("anything",))
    bench.root.modprobe("anything")
    assert bench.states() == {"m": "Live"}


def test_parameters_of_the_wrong_type(bench: Bench) -> None:
    bench.write(
        "m.py",
        """
        from simkernel.driverapi.module import Module, ModuleParameter
        MODULE = Module(license="GPL", parameters=(ModuleParameter("size", int, 1),))
        """,
    )
    assert fails(bench, "m", size="big") == errno.EINVAL
    assert "m: `big' invalid for parameter `size' (expected an int)" in bench.log
    assert bench.states() == {}


def test_a_module_that_is_loaded_already(bench: Bench) -> None:
    bench.module("m")
    bench.load("m")
    assert fails(bench, "m") == errno.EEXIST
    assert bench.log[-1] == "module m: loaded already"


# -- loads that fail --------------------------------------------------------------

HALF_WAY = """
def init(this):
    request_irq(this, 5, lambda irq, cookie: IRQ_NONE, 0, 'five')
    mod_timer(timer_setup(this, late), 10**9)
    schedule_work(init_work(this, late))
    raise os_error(ENODEV)
def late(_):
    raise AssertionError('called after its module was gone')
def exit(this, state): pass
"""


def test_a_failing_init_is_undone_in_reverse_order(bench: Bench) -> None:
    bench.module("m", HALF_WAY)
    assert fails(bench, "m") == errno.ENODEV
    assert [line for line in bench.log if line.startswith("m: left behind")] == [
        "m: left behind: work late",
        "m: left behind: timer late",
        "m: left behind: irq 5 (five)",
    ]
    kernel = bench.machine.kernel
    assert bench.states() == {}
    assert kernel.modules.leaks == 3
    assert [each.kind for each in kernel.resources.of(None)] == ["irq"]
    bench.pass_time(seconds(2))
    assert kernel.oopses.count == 0
    assert fails(bench, "m") == errno.ENODEV


def test_two_that_load_one_module_at_a_time_get_the_same(bench: Bench) -> None:
    bench.module("slow", "async def init(this):\n    await msleep(this, 50)\ndef exit(this, state): pass")
    bench.module("bad", "async def init(this):\n    await msleep(this, 50)\n    raise os_error(ENXIO)")
    seen: list[tuple[str, int | None]] = []

    async def loader(app: Any, name: str, after: float) -> None:
        await app.sleep(after)
        try:
            await app.insmod(name)
            seen.append((name, 0))
        except OSError as error:
            seen.append((name, error.errno))

    for name in ("slow", "bad"):
        bench.machine.spawn(loader, name, 0)
        bench.machine.spawn(loader, name, 0.01)
    bench.pass_time(seconds(1))
    assert sorted(seen) == [("bad", errno.ENXIO)] * 2 + [("slow", 0)] * 2
    assert bench.machine.kernel.modules.loads == 1


def test_a_module_that_is_loading_cannot_be_unloaded(bench: Bench) -> None:
    bench.module("slow", "async def init(this):\n    await msleep(this, 50)\ndef exit(this, state): pass")
    errors: list[int | None] = []

    async def loader(app: Any) -> None:
        await app.insmod("slow")

    async def unloader(app: Any) -> None:
        await app.sleep(0.01)
        for name in ("slow", "other", ""):
            try:
                await app.call("delete_module", name)
            except OSError as error:
                errors.append(error.errno)

    bench.machine.spawn(loader)
    bench.machine.spawn(unloader)
    bench.pass_time(seconds(1))
    assert errors == [errno.EBUSY, errno.ENOENT, errno.ENOENT]
    assert bench.states() == {"slow": "Live"}


# -- taint --------------------------------------------------------------------------


def test_a_module_from_outside_the_tree_taints(bench: Bench) -> None:
    bench.module("m")
    bench.load("m")
    assert bench.log[-1] == "m: loading out-of-tree module taints kernel."
    assert str(bench.machine.kernel.taints) == "Tainted: [O]=OOT_MODULE"
    assert bench.root.lsmod()[0]["taints"] == "O"


def test_shipped_modules_do_not_taint() -> None:
    with Machine(udev=False) as machine:
        machine.blocking(uid=0).modprobe("hello")
        assert str(machine.kernel.taints) == "Not tainted"


def test_a_proprietary_licence_taints_once(bench: Bench) -> None:
    bench.module("a", license="Proprietary")
    bench.module("b", license="Proprietary")
    bench.load("a")
    bench.load("b")
    assert [line for line in bench.log if "license" in line] == [
        "a: module license 'Proprietary' taints kernel."
    ]
    assert [entry["taints"] for entry in bench.root.lsmod()] == ["PO", "PO"]


def test_a_module_sees_its_name_its_parameters_and_its_symbols(bench: Bench) -> None:
    bench.module("m", "def init(this): return this", parameters=())
    this = bench.load("m")
    assert [name for name in dir(this) if not name.startswith("_")] == ["name", "parameters", "symbols"]
    assert (this.name, dict(this.parameters), vars(this.symbols)) == ("m", {}, {})
