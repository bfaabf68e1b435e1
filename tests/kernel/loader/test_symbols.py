"""Symbols: calls between modules, and the effects of licences and unloading."""

from __future__ import annotations

from typing import Any

import pytest

from simkernel import seconds
from simkernel.uapi import errno
from tests.kernel.conftest import Bench

BASE = """
def init(this): return [100]
def exit(this, state): pass
def add(state, number): return state[0] + number
"""
USER = """
def init(this): return this.symbols.add(5)
def exit(this, state): pass
"""


def fails(bench: Bench, name: str) -> int | None:
    with pytest.raises(OSError) as raised:
        bench.root.insmod(name)
    return raised.value.errno


def test_an_exported_function_gets_its_own_modules_state(bench: Bench) -> None:
    bench.module("base", BASE, exports=("add",))
    bench.module("user", USER, imports=("add",))
    bench.load("base")
    assert bench.load("user") == 105


def test_an_importer_has_the_functions_that_it_imports_and_no_others(bench: Bench) -> None:
    bench.module("base", BASE + "def other(state): pass\n", exports=("add", "other"))
    bench.module("user", "def init(this): return this", imports=("add",))
    bench.load("base")
    this = bench.load("user")
    assert vars(this.symbols).keys() == {"add"}
    assert this.symbols.add(1) == 101


def test_users_of_a_module(bench: Bench) -> None:
    bench.module("base", BASE, exports=("add",))
    for name in ("first", "second"):
        bench.module(name, USER, imports=("add",))
        bench.root.modprobe(name)
    listing = {entry["name"]: entry for entry in bench.root.lsmod()}
    assert list(listing) == ["second", "first", "base"]
    assert listing["base"]["users"] == ("second", "first")
    assert listing["base"]["references"] == 2
    root = bench.root
    with pytest.raises(OSError) as raised:
        bench.delete_module("base")
    assert raised.value.errno == errno.EAGAIN
    for name in ("first", "second", "base"):
        root.rmmod(name)
    assert bench.states() == {}


def test_a_symbol_that_no_module_exports(bench: Bench) -> None:
    bench.module("user", USER, imports=("add", "subtract"))
    bench.module("base", BASE, exports=("add",))
    bench.load("base")
    assert fails(bench, "user") == errno.ENOENT
    assert bench.log[-1] == "user: Unknown symbol subtract (err -2)"
    assert bench.root.lsmod()[0]["references"] == 0


def test_a_symbol_that_two_export(bench: Bench) -> None:
    bench.module("base", BASE, exports=("add",))
    bench.module("copy", BASE, exports_gpl=("add",))
    bench.load("base")
    assert fails(bench, "copy") == errno.ENOEXEC
    assert bench.log[-1] == "copy: exports duplicate symbol add (owned by base)"


def test_gpl_symbols_are_for_gpl_modules(bench: Bench) -> None:
    bench.module("base", BASE, exports_gpl=("add",))
    bench.module("closed", USER, imports=("add",), license="Proprietary")
    bench.module("dual", USER, imports=("add",), license="Dual MIT/GPL")
    bench.load("base")
    assert fails(bench, "closed") == errno.ENOENT
    assert bench.log[-2:] == [
        "closed: add is for GPL modules only, not for licence 'Proprietary'",
        "closed: Unknown symbol add (err -2)",
    ]
    assert bench.load("dual") == 105


def test_a_user_of_a_proprietary_module_taints_the_kernel_too(bench: Bench) -> None:
    bench.module("closed", BASE, exports=("add",), license="Proprietary")
    bench.module("user", USER, imports=("add",))
    bench.load("closed")
    bench.load("user")
    assert bench.root.lsmod()[0]["taints"] == "PO"
    assert "user: module uses symbols add from proprietary module closed, inheriting taint." in bench.log


def test_gpl_symbols_and_proprietary_ones_do_not_go_together(bench: Bench) -> None:
    bench.module("open", BASE.replace("add", "plus"), exports_gpl=("plus",))
    bench.module("closed", BASE, exports=("add",), license="Proprietary")
    bench.module("user", USER, imports=("plus", "add"))
    bench.load("open")
    bench.load("closed")
    assert fails(bench, "user") == errno.ENOENT
    assert "user: module using GPL-only symbols uses symbols add from proprietary module closed." in bench.log


def test_a_module_that_is_still_starting_is_waited_for(bench: Bench) -> None:
    bench.module(
        "base", BASE.replace("def init(this):", "async def init(this):\n    await msleep(this, 500);"),
        exports=("add",),
    )  # fmt: skip
    bench.module("user", USER, imports=("add",))

    async def loader(app: Any, name: str, after: float) -> None:
        await app.sleep(after)
        await app.insmod(name)

    bench.machine.spawn(loader, "base", 0)
    bench.machine.spawn(loader, "user", 0.1)
    bench.pass_time(seconds(1))
    assert bench.data("user") == 105


def test_but_not_for_ever(bench: Bench) -> None:
    bench.module(
        "base", BASE.replace("def init(this):", "async def init(this):\n    await msleep(this, 60_000);"),
        exports=("add",),
    )  # fmt: skip
    bench.module("user", USER, imports=("add",))
    seen: list[tuple[int | None, int]] = []

    async def loader(app: Any, name: str, after: float) -> None:
        await app.sleep(after)
        try:
            await app.insmod(name)
        except OSError as error:
            seen.append((error.errno, bench.machine.now))

    bench.machine.spawn(loader, "base", 0)
    bench.machine.spawn(loader, "user", 0.1)
    bench.pass_time(seconds(40))
    ((number, time),) = seen
    assert number == errno.EBUSY
    assert seconds(30) < time < seconds(31)
    assert "user: gave up waiting for init of module base." in bench.log
