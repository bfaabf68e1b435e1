"""Every module that stands for one of Python's own in a hosted program."""

from __future__ import annotations

import fcntl
import io
import subprocess
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from simkernel.blocking.process import Blocking
from simkernel.hosted.calls import SystemCalls, module
from simkernel.hosted.clock import time_module
from simkernel.hosted.importing import Importer
from simkernel.hosted.mmap import mmap_module
from simkernel.hosted.posix import posix_module
from simkernel.hosted.select import select_module
from simkernel.hosted.signals import signal_module
from simkernel.hosted.sockets import socket_module
from simkernel.machine import Machine

BUFFERS: Final = ("BufferedRandom", "BufferedReader", "BufferedRWPair", "BufferedWriter", "TextIOWrapper")
"""What io puts around a raw file; it asks nothing of a kernel."""


def replacements(machine: Machine, process: Blocking) -> tuple[dict[str, ModuleType], Callable[..., Any]]:
    """The modules by name, and the builtin `open`."""
    call = SystemCalls(process)
    modules = {
        "fcntl": module(fcntl, None, fcntl=call.function("fcntl"), ioctl=call.function("ioctl")),
        "mmap": mmap_module(call),
        "posix": posix_module(call),
        "select": select_module(call),
        "signal": signal_module(call),
        "socket": socket_module(call),
        "subprocess": module(subprocess, None, ("CompletedProcess", "list2cmdline")),
        "time": time_module(call, machine),
    }
    modules["io"] = io_module(modules)
    return modules, modules["io"].open


def io_module(modules: dict[str, ModuleType]) -> ModuleType:
    """`io`: Python's own, but for raw files and for what opens them, which are those written in Python."""
    pure = Importer((), modules, io.open).import_module("_pyio")
    for name in BUFFERS:
        setattr(pure, name, getattr(io, name))
    made = ModuleType("io", io.__doc__)
    vars(made).update({name: value for name, value in vars(io).items() if not name.startswith("__")})
    vars(made).update(open=pure.open, open_code=pure.open_code, FileIO=pure.FileIO)
    return made
