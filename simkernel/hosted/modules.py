"""The modules that replace modules of the standard library in a hosted program."""

from __future__ import annotations

import _posixsubprocess
import _random
import ctypes
import fcntl
import grp
import importlib
import io
import pwd
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from types import ModuleType
from typing import Any, Final, NoReturn

from simkernel.blocking.process import Blocking
from simkernel.engine import NotModelled
from simkernel.hosted.calls import Facade, ProcessCalls, module
from simkernel.hosted.clock import time_module
from simkernel.hosted.dates import datetime_module
from simkernel.hosted.ending import Ending
from simkernel.hosted.importing import Importer
from simkernel.hosted.library import REFUSED
from simkernel.hosted.mmap import mmap_module
from simkernel.hosted.posix import posix_module
from simkernel.hosted.select import select_module
from simkernel.hosted.signals import signal_module
from simkernel.hosted.sockets import socket_module
from simkernel.machine import Machine
from simkernel.uapi.errno import ENOENT

BUFFERS: Final = ("BufferedRandom", "BufferedReader", "BufferedRWPair", "BufferedWriter", "TextIOWrapper")
"""Classes of io that wrap a raw file, and that make no system calls themselves."""


LIBC: Final = {"mount": 4, "setns": 2, "umount2": 2, "unshare": 1}
"""Functions of the C library that programs call with ctypes, because `os` lacks them.  Each value is the
function's number of arguments.
"""
NUMBERS: Final = {165: "mount", 166: "umount2", 272: "unshare", 308: "setns"}
"""Maps system call numbers on x86-64 to functions of `LIBC` (arch/x86/entry/syscalls/syscall_64.tbl)."""


def replacements(machine: Machine, call: ProcessCalls, ending: Ending) -> dict[str, ModuleType]:
    """Return the modules that replace modules of Python in a hosted program, by name."""
    modules = {
        **dict(refused()),
        "_posixsubprocess": Facade(_posixsubprocess, fork_exec=fork_exec),
        "_random": random_module(call.process),
        "_socket": socket_module(call),
        "atexit": ending.atexit_module(),
        "ctypes": ctypes_module(call),
        "fcntl": module(fcntl, None, fcntl=call.function("fcntl"), ioctl=call.function("ioctl")),
        "grp": module(grp, None, ("struct_group",), getgrall=list, getgrgid=missing("getgrgid(): gid"),
                      getgrnam=missing("getgrnam(): name")),
        "mmap": mmap_module(call),
        "posix": posix_module(call),
        "pwd": module(pwd, None, ("struct_passwd",), getpwall=list, getpwnam=missing("getpwnam(): name"),
                      getpwuid=missing("getpwuid(): uid")),
        "select": select_module(call),
        "signal": signal_module(call),
        "time": time_module(call, machine),
    }  # fmt: skip
    modules["_datetime"] = datetime_module(modules["time"])
    with suppress(ImportError):  # Python can be built without sqlite3
        from simkernel.hosted.sqlite import sqlite_module

        modules["_sqlite3"] = sqlite_module(call, modules["time"])
    modules["io"] = io_module(modules, ending)
    return modules


def io_module(modules: dict[str, ModuleType], ending: Ending) -> ModuleType:
    """Return the `io` module: Python's, except that raw files and the functions that open them come from
    `_pyio`.
    """
    pure: Any = Importer((), {**modules, "io": io}).import_module("_pyio")
    for name in BUFFERS:
        setattr(pure, name, ending.closing(getattr(io, name)))
    pure.FileIO = ending.closing(pure.FileIO)
    pure.open_code = partial(pure.open, mode="rb")
    return Facade(io, **{name: getattr(pure, name) for name in (*BUFFERS, "FileIO", "open", "open_code")})


def random_module(process: Blocking) -> ModuleType:
    """Return the `_random` module.  A generator that is made without a seed takes its seed from the program's
    random stream.
    """

    class Random(_random.Random):
        def seed(self, value: Any = None, /) -> None:
            super().seed(process.random.getrandbits(128) if value is None else value)

    return Facade(_random, Random=Random)


def ctypes_module(call: ProcessCalls) -> ModuleType:
    """Return a `ctypes` module.  It has the data types of Python's module, but its own functions of the C
    library.

    The functions of `LIBC` make system calls; others raise NotModelled.
    """

    class CDLL:
        def __init__(self, name: Any, *_: object, **__: object) -> None:
            self._name = name

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            if self._name is None and (name == "syscall" or name in LIBC):
                return partial(libc_call, call, name)
            raise NotModelled(
                f"ctypes.CDLL({self._name!r}).{name} would act on the host: use os, socket or fcntl"
            )

        __getitem__ = __getattr__

    loader: Any = ctypes.LibraryLoader(CDLL)
    return Facade(ctypes, CDLL=CDLL, PyDLL=CDLL, cdll=loader, pydll=loader, pythonapi=CDLL(""))


def libc_call(call: ProcessCalls, name: str, *arguments: Any) -> int:
    """Make the system call `name`, a key of `LIBC`.  If `name` is "syscall", the first argument is the number
    of the system call.  If the call fails, set errno and return -1.
    """
    if name == "syscall":
        number, *arguments = arguments  # type: ignore[assignment]
        if number not in NUMBERS:
            raise NotModelled(f"syscall({number}) by ctypes would act on the host: use os, socket or fcntl")
        name = NUMBERS[number]
    arguments = arguments[: LIBC[name]]
    try:
        call(name, *(b"" if each is None else each for each in arguments))
    except OSError as error:
        ctypes.set_errno(error.errno or 0)
        return -1
    return 0


def fork_exec(arguments: Any, *_: object) -> NoReturn:
    """Raise ENOENT, as execve(2) does for a missing file.  Callers of subprocess expect this error."""
    raise FileNotFoundError(ENOENT, "The machine has no executable files to start", arguments[0])


def missing(what: str) -> Callable[[object], NoReturn]:
    """Return a lookup function that always raises KeyError, because the machine has no /etc/passwd and no
    /etc/group.
    """

    def find(key: object) -> NoReturn:
        raise KeyError(f"{what} not found: {key!r}")

    return find


def refused() -> Iterator[tuple[str, ModuleType]]:
    """Yield the name and the replacement of each module in `REFUSED` that this version of Python has.

    `REFUSED` maps the name of a module to the names that the replacement shares with Python's module. The
    other functions and classes raise NotModelled, except exception classes.
    """
    for name, kept in REFUSED.items():
        with suppress(ImportError):
            yield name, module(importlib.import_module(name), None, kept)
