"""Modules of the standard library in hosted programs. Each C module is classified, for example as shared or
refused. Loading a Python module a second time does not change the host's module.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simkernel import Machine
from simkernel.hosted import hosted
from simkernel.hosted.library import ABSENT, REFUSED, SHARED

if sys.platform != "linux":
    pytest.skip("hosted programs need Python on Linux", allow_module_level=True)

LIBRARY = Path(os.__file__).parent
PURE = frozenset(
    """
    _abc _ast _bisect _blake2 _bz2 _codecs _codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp _codecs_kr
    _codecs_tw _collections _contextvars _crypt _csv _decimal _elementtree _functools _hashlib _heapq
    _json _lsprof _lzma _md5 _multibytecodec _opcode _operator _sha1 _sha2 _sha256 _sha3 _sha512 _sre
    _stat _statistics _string _struct _suggestions _symtable _sysconfig _tokenize _tracemalloc _typing
    _warnings _weakref array audioop binascii cmath errno gc itertools marshal math pyexpat unicodedata
    zlib
    """.split()  # noqa: SIM905
)
"""C modules that make no system calls."""
INTERPRETER = frozenset(
    {"_asyncio", "_ctypes", "_frozen_importlib", "_frozen_importlib_external", "_imp", "_queue", "_thread"}
)
"""C modules of the interpreter. Only modules of the standard library use them."""
ELSEWHERE = frozenset(
    """
    _msi _overlapped _scproxy _winapi _wmi msilib msvcrt nt winreg winsound _ios_support
    _android_support
    """.split()  # noqa: SIM905
)
"""Modules that exist only on other operating systems."""
ACTING = frozenset(
    {"os", "io", "time", "socket", "random", "signal", "select", "subprocess", "datetime", "posix"}
)
REVIEWED = {
    "asyncio": "HostedEventLoop replaces what acts",
    "base64": "its command line opens files",
    "concurrent": "threads",
    "csv": "StringIO",
    "dis": "StringIO",
    "encodings": "classes of io",
    "getopt": "environment variable POSIXLY_CORRECT",
    "imp": "imports",
    "importlib": "imports",
    "inspect": "shows source code",
    "json": "its command line opens files",
    "pkgutil": "imports",
    "pprint": "StringIO, and a measurement that it does not call",
    "queue": "threads",
    "threading": "threads",
    "zipimport": "imports",
}
"""Modules that hosted programs share with the host although they import a module with effects on the host
(such as `os` or `time`), each with the reason why this is harmless.
"""


def sources(name: str) -> list[Path]:
    """Return the Python files of a module, or none for a C module."""
    return [*LIBRARY.glob(f"{name}.py"), *LIBRARY.glob(f"{name}/**/*.py")]


def imports(path: Path) -> Iterator[str]:
    """Yield the names of the modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""


def test_each_c_module_has_a_decision() -> None:
    with Machine() as machine, hosted(machine, "attr") as host:
        replaced = {*host.importer.modules, "_datetime", "_io", "_signal"}
    decided = PURE | INTERPRETER | ELSEWHERE | SHARED | replaced | set(ABSENT) | set(REFUSED)
    assert {name for name in sys.stdlib_module_names if not sources(name)} - decided == set()


@pytest.mark.long
def test_a_shared_module_that_imports_an_acting_module_is_reviewed() -> None:
    found = {
        name
        for name in SHARED
        for path in sources(name)
        if ACTING & {each.partition(".")[0] for each in imports(path)}
    }
    assert found <= set(REVIEWED)


def test_rereading_leaves_the_hosts_modules_as_they_are() -> None:
    names = [name for name in sorted(sys.stdlib_module_names) if sources(name) and name not in SKIPPED]
    for name in names:
        __import__(name)
    before = {name: dict(vars(sys.modules[name])) for name in names}
    with Machine() as machine, hosted(machine, "attr") as host:
        for name in names:
            if name not in SHARED and name not in ABSENT:
                try:
                    module = host.import_module(name)
                except ModuleNotFoundError as error:
                    assert error.name in ABSENT
                else:
                    assert module is not sys.modules[name]
    for name, attributes in before.items():
        after = vars(sys.modules[name])
        changed = [key for key, value in attributes.items() if after[key] is not value]
        assert [key for key in changed if not key.startswith("__")] == [], name


SKIPPED = frozenset(
    {"__main__", "_ios_support", "antigravity", "idlelib", "lib2to3", "test", "this", "turtle", "turtledemo"}
)
"""Modules that are programs, or whose import has side effects."""
