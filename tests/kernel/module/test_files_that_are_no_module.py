"""Files on the module path that are not modules are logged once, and loading them fails."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simkernel import Machine, seconds
from simkernel.hardware import Camera
from simkernel.uapi import errno
from tests.examples import examples
from tests.kernel.conftest import Bench

IMPORTS = "from simkernel.driverapi.module import Module\n"
DECLARES = f"{IMPORTS}MODULE = Module(license='GPL')\n"

BROKEN = [
    ("def f(:\n", "does not compile: invalid syntax at m.py:1"),
    (f"{DECLARES}\n1 / 0\n", "does not import: ZeroDivisionError at m.py:4"),
    ("import nosuchpackage\nMODULE = 0\n", "does not import: ModuleNotFoundError at m.py:1"),
    (f"{DECLARES}from asyncio import CancelledError\nraise CancelledError", "CancelledError at m.py:4"),
    (f"{DECLARES}import pytest\npytest.fail('on purpose')", "does not import: Failed at m.py:4"),
    (f"{DECLARES}raise GeneratorExit", "does not import: GeneratorExit at m.py:3"),
    (f"{DECLARES}def deeper(): deeper()\ndeeper()", "does not import: RecursionError at m.py:3"),
    (f"{DECLARES}def __getattr__(name): 1 / 0\n", "does not import: ZeroDivisionError at m.py:3"),
    (IMPORTS, "declares no module (m.py has no MODULE = Module(...))"),
    (f"{IMPORTS}MODULE = Module(description='')", "does not import: TypeError at m.py:2"),
    (f"{IMPORTS}MODULE = Module(license=('GPL',))", "does not import: TypeError at m.py:2"),
    (f"{IMPORTS}MODULE = Module(license='GPL', aliases=(5,))", "does not import: TypeError at m.py:2"),
    (f"{IMPORTS}MODULE = Module(license='GPL', imports=(5,))", "does not import: TypeError at m.py:2"),
    (f"{IMPORTS}MODULE = Module(license='GPL', parameters=('x',))", "does not import: TypeError at m.py:2"),
    (
        f"{IMPORTS}class Id: alias = 5\nMODULE = Module(license='GPL', devices=(Id(),))",
        "has an alias that is not a str (m.py)",
    ),
    (b"MODULE = 0\n\n# coffee\n# caf\xe9", "m.py:4 cannot be read (UnicodeDecodeError)"),
    (b"MODULE = 0\n\0", "m.py:2 has a NUL byte"),
    ("MODULE = 0\nx = " + "(" * 5000 + ")" * 5000, " at m.py:"),
]


@pytest.mark.parametrize(("text", "why"), BROKEN, ids=range(len(BROKEN)))
def test_an_invalid_file_is_logged_once(bench: Bench, text: str | bytes, why: str) -> None:
    """The file is read at requests for this module and at requests for another module, but it is logged only
    once.
    """
    (bench.folder / "m.py").write_bytes(text if isinstance(text, bytes) else text.encode())
    bench.module("other", aliases=("anything",))
    for name in ("anything", "other"):
        bench.root.modprobe(name)
    for load in (bench.root.modprobe, bench.root.insmod):
        with pytest.raises(OSError) as raised:
            load("m")
        assert raised.value.errno == errno.ENOEXEC
    [line] = [line for line in bench.log if line.startswith("module m: ")]
    assert why in line
    assert str(bench.folder) not in line
    assert bench.states() == {"other": "Live"}


def test_ctrl_c_at_import_is_no_fault_of_the_module(bench: Bench) -> None:
    bench.write("m.py", f"{DECLARES}raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        bench.root.insmod("m")


def test_a_fault_is_named_with_its_file_and_line(bench: Bench) -> None:
    """The log names file and line of a fault, also in a file of a package or in the first line."""
    declaration = b"from simkernel.driverapi.module import *\nMODULE = Module(license='GPL')\n"
    texts = {
        "m.py": b"\n\n\xff", "n.py": b"\xff", "p.py": b"\n\0", "q.py": b"\0", "r.py": b"(",
        "s/__init__.py": declaration + b"from . import part\n", "s/part.py": b"\n\n(\n",
    }  # fmt: skip
    for name, data in texts.items():
        path = bench.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    for name in "mnpqrs":
        with pytest.raises(OSError) as raised:
            bench.root.insmod(name)
        assert raised.value.errno == errno.ENOEXEC
    lines = "\n".join(line for line in bench.log if line.startswith("module "))
    for place in ("m.py:3 ", "n.py:1 ", "p.py:2 ", "q.py:1 ", "r.py:1", "s/part.py:3"):
        assert place in lines


def test_a_file_that_has_changed_is_logged_again(bench: Bench) -> None:
    bench.module("other")
    for number in (1, 2, 2):
        bench.write("m.py", "\n" * number + "MODULE = 1 / 0\n")
        bench.root.modprobe("other")
    assert [line for line in bench.log if line.startswith("module m: ")] == [
        "module m: does not import: ZeroDivisionError at m.py:2",
        "module m: does not import: ZeroDivisionError at m.py:3",
    ]


def fifo(path: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.bind(str(path))
        except OSError:
            pytest.skip("the path is too long for a socket")


def link_to_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


KINDS = [
    (fifo, "m.py cannot be read (NotRegularFile)"),
    (unix_socket, "m.py cannot be read (NotRegularFile)"),
    (Path.mkdir, "m.py cannot be read (NotRegularFile)"),
    (link_to_device, "m.py cannot be read (NotRegularFile)"),
]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the host has no special files")
@pytest.mark.parametrize(("make", "why"), KINDS, ids=["fifo", "socket", "folder", "device"])
def test_only_regular_files_are_read(bench: Bench, make: Any, why: str) -> None:
    """Loading a file that is not regular fails with EINVAL (`kernel_read_file()`). simkernel does not open
    such a file, because an open of a FIFO would block.
    """
    bench.folder.mkdir(exist_ok=True)
    make(bench.folder / "m.py")
    bench.module("other")
    bench.root.modprobe("other")
    assert f"module m: {why}" in bench.log
    with pytest.raises(OSError) as raised:
        bench.root.modprobe("m")
    assert raised.value.errno == errno.EINVAL


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the host has no special files")
def test_a_package_with_another_kind_of_file_is_refused(bench: Bench) -> None:
    bench.write("pack/__init__.py", DECLARES)
    os.mkfifo(bench.folder / "pack" / "part.py")
    with pytest.raises(OSError):
        bench.root.modprobe("pack")
    assert "module pack: pack cannot be read (NotRegularFile)" in bench.log


def test_a_dangling_link_is_logged_and_an_editors_lock_is_not(bench: Bench) -> None:
    bench.module("other")
    for name in ("m.py", ".#other.py"):
        (bench.folder / name).symlink_to("nowhere")
    bench.root.modprobe("other")
    assert [line for line in bench.log if "cannot be read" in line] == [
        "module m: m.py cannot be read (FileNotFoundError)"
    ]


@pytest.mark.parametrize("name", ["8139too", "net-thing", "ü"])
def test_a_module_name_may_have_letters_digits_and_underscores(bench: Bench, name: str) -> None:
    bench.module(name)
    bench.root.modprobe(name)
    assert bench.states() == {name.replace("-", "_"): "Live"}


def test_an_invalid_module_name_is_logged(bench: Bench) -> None:
    bench.module("my driver")
    bench.module("other")
    bench.root.modprobe("other")
    wrong = "a module's name may have letters, digits and _: rename my driver.py"
    assert f"module my driver: {wrong}" in bench.log


def test_a_program_beside_the_modules_is_not_logged(bench: Bench) -> None:
    bench.write("story.py", "from simkernel import Machine\n")
    bench.module("other")
    bench.root.modprobe("other")
    assert not [line for line in bench.log if "story" in line]


def test_an_unknown_alias_names_the_modules_that_do_not_load(bench: Bench) -> None:
    bench.write("m.py", "MODULE = 1 / 0")
    with pytest.raises(FileNotFoundError, match=r"\(see the kernel log for m\)$"):
        bench.root.modprobe("some-alias")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(150))
@given(data=st.binary(max_size=60) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_are_refused_with_the_name_of_the_file(tmp_path: Path, data: bytes) -> None:
    bench = Bench(tmp_path)
    (tmp_path / "m.py").write_bytes(data)
    with pytest.raises(OSError) as raised:
        bench.root.insmod("m")
    assert raised.value.errno == errno.ENOEXEC
    assert bench.log[-1].startswith("module m: ")
    assert "m.py" in bench.log[-1]
    bench.close()


# -- automatic loading ----------------------------------------------------------


def test_a_request_for_a_family_logs_its_broken_module(bench: Bench) -> None:
    """CTRL_CMD_GETFAMILY fails with ENOENT, as for an unknown family, because
    `genl_family_find_byname()` ignores the result of modprobe. The log has the reason.
    """
    bench.write("lamp.py", f"{DECLARES}1 / 0")
    with pytest.raises(FileNotFoundError):
        bench.root.genetlink("nlctrl").do("getfamily", family_name="lamp")
    assert "module lamp: does not import: ZeroDivisionError at lamp.py:3" in bench.log


def test_udevd_logs_the_broken_module_of_a_device(bench: Bench) -> None:
    bench.write("lamp.py", f"{DECLARES}1 / 0")
    with Machine(module_path=[bench.folder]) as machine:
        machine.plug(Camera())
        machine.run(until=seconds(0.1))
        assert "module lamp: does not import: ZeroDivisionError at lamp.py:3" in [
            record.text for record in machine.log.records
        ]
        assert machine.kernel.modules.find("camera") is not None


# -- the YAML specification next to a module ----------------------------------------

DRIVER = """
from simkernel.driverapi.genetlink import genl_register_family
from simkernel.driverapi.module import Module
MODULE = Module(license="GPL")
def init(this):
    genl_register_family(this, do={})
"""


@pytest.mark.parametrize(
    ("data", "code", "why"),
    [
        (b"name: [", errno.ENOEXEC, "m: m.yaml:1: not valid YAML: "),
        (b"name: m\0", errno.ENOEXEC, "m: m.yaml:1: not valid YAML: "),
        (
            b"doc: x\nname: \xff",
            errno.ENOENT,
            "m: specification m.yaml:2 cannot be read (UnicodeDecodeError)",
        ),
        (b"", errno.ENOEXEC, "m: m.yaml:1: expected a specification, found nothing"),
        (None, errno.ENOENT, "m: specification m.yaml cannot be read (FileNotFoundError)"),
    ],
)
def test_a_malformed_specification_is_refused(bench: Bench, data: bytes | None, code: int, why: str) -> None:
    bench.write("m.py", DRIVER)
    if data is not None:
        (bench.folder / "m.yaml").write_bytes(data)
    with pytest.raises(OSError) as raised:
        bench.root.insmod("m")
    assert raised.value.errno == code
    assert any(line.startswith(why) for line in bench.log)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the host has no FIFOs")
def test_a_specification_that_is_no_regular_file_is_refused(bench: Bench) -> None:
    bench.write("m.py", DRIVER)
    os.mkfifo(bench.folder / "m.yaml")
    with pytest.raises(FileNotFoundError):
        bench.root.insmod("m")
    assert "m: specification m.yaml cannot be read (NotRegularFile)" in bench.log
    with pytest.raises(ValueError, match=r"m.yaml cannot be read \(NotRegularFile\)"):
        bench.root.genetlink("m")
