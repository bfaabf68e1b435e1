"""Probes for the host's identity, users, environment, terminal and Python interpreter."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from probes import path, probe


@probe("machine", "os.uname")
def _() -> Any:
    import os

    assert os.uname().nodename == "simkernel"
    return tuple(os.uname())


@probe("machine", "platform")
def _() -> Any:
    import platform

    assert platform.node() == "simkernel"
    return platform.platform(), platform.uname().processor, platform.libc_ver(), platform.architecture()


@probe("machine", "socket.gethostname")
def _() -> Any:
    import socket

    assert socket.gethostname() == "simkernel"


@probe("refused", "socket.if_nameindex")
def _() -> Any:
    import socket

    socket.if_nameindex()


@probe("machine", "os.getpid")
def _() -> Any:
    import os

    assert os.getpid() < 100
    return os.getpid(), os.getppid(), os.getuid(), os.getgroups()


@probe("machine", "os.cpu_count")
def _() -> Any:
    import os

    assert os.cpu_count() == 1 == len(os.sched_getaffinity(0))


@probe("refused", "os.getloadavg")
def _() -> Any:
    import os

    os.getloadavg()


@probe("refused", "os.sysconf")
def _() -> Any:
    import os

    os.sysconf("SC_PAGE_SIZE")


@probe("refused", "os.getlogin")
def _() -> Any:
    import os

    os.getlogin()


@probe("refused", "os.nice")
def _() -> Any:
    import os

    os.nice(1)


@probe("refused", "resource")
def _() -> Any:
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))


@probe("machine", "os.environ")
def _() -> Any:
    import os

    os.environ["SIMKERNEL_PROBE"] = "1"
    os.putenv("SIMKERNEL_PROBE", "1")
    return dict(os.environ)


@probe("machine", "getpass.getuser")
def _() -> Any:
    import getpass
    import os

    os.environ["USER"] = "probe"
    assert getpass.getuser() == "probe"


@probe("machine", "getpass.getpass")
def _() -> Any:
    import getpass
    import warnings

    with contextlib.suppress(EOFError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        getpass.getpass(stream=io.StringIO())
        raise AssertionError("a machine has no terminal")


@probe("machine", "pwd")
def _() -> Any:
    import os
    import pwd

    assert pwd.getpwall() == [] and os.path.expanduser("~root") == "~root"
    with contextlib.suppress(KeyError):
        pwd.getpwuid(0)
        raise AssertionError("a machine has no user names")


@probe("machine", "grp")
def _() -> Any:
    import grp

    assert grp.getgrall() == []
    with contextlib.suppress(KeyError):
        grp.getgrnam("root")
        raise AssertionError("a machine has no group names")


@probe("machine", "locale")
def _() -> Any:
    import locale

    assert locale.setlocale(locale.LC_ALL, "") == "C"
    return locale.getlocale(), locale.getpreferredencoding(), locale.localeconv()


@probe("refused", "input")
def _() -> Any:
    input()


@probe("machine", "sys.stdin")
def _() -> Any:
    import sys

    assert sys.stdin.read() == ""


@probe("machine", "sys.argv")
def _() -> Any:
    import sys

    assert sys.argv == [""] and sys.executable == ""


@probe("machine", "os.get_terminal_size")
def _() -> Any:
    import os
    import shutil

    with contextlib.suppress(OSError):
        os.get_terminal_size()
        raise AssertionError("a machine has no terminal")
    assert shutil.get_terminal_size() == (80, 24) and not os.isatty(1)


@probe("refused", "termios")
def _() -> Any:
    import termios

    termios.tcgetattr(0)


@probe("refused", "tty")
def _() -> Any:
    import tty

    tty.setraw(0)


@probe("refused", "curses")
def _() -> Any:
    import curses

    curses.initscr()


@probe("refused", "readline")
def _() -> Any:
    import readline

    readline.read_history_file("/etc/passwd")


@probe("refused", "tkinter")
def _() -> Any:
    import tkinter

    tkinter.Tk()


@probe("machine", "webbrowser")
def _() -> Any:
    import webbrowser

    assert not webbrowser.open("http://127.0.0.1/")


@probe("refused", "faulthandler.register")
def _() -> Any:
    import faulthandler

    faulthandler.register(10)


@probe("harmless", "traceback")
def _() -> Any:
    import traceback

    try:
        raise ValueError("text")
    except ValueError:
        lines = traceback.format_exc().splitlines()
    assert 'raise ValueError("text")' in lines[-2]
    return lines[-1]


@probe("harmless", "warnings")
def _() -> Any:
    import warnings

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn("text", stacklevel=1)
    return str(caught[0].message)


@probe("harmless", "inspect.getsource")
def _() -> Any:
    import inspect

    return inspect.getsource(path)


@probe("harmless", "importlib.resources")
def _() -> Any:
    import importlib.resources

    return importlib.resources.files("simkernel").joinpath("py.typed").is_file()


@probe("harmless", "importlib.metadata")
def _() -> Any:
    import importlib.metadata

    return importlib.metadata.version("attrs")


@probe("harmless", "re, struct, zlib")
def _() -> Any:
    import re
    import struct
    import zlib

    return re.sub("a", "b", "aa"), struct.pack("<I", 1), zlib.crc32(b"text")
