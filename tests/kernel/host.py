"""Run a test function in new namespaces of this host's kernel, and compare the result with simkernel's."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import platform
import select
import signal
import socket
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simkernel import Machine

only_6_18 = pytest.mark.skipif(not platform.release().startswith("6.18"), reason="compares with Linux 6.18")


class Host:
    """A replacement for simkernel's class `Blocking`. Its methods make the system calls on the host."""

    socket = staticmethod(socket.socket)

    def read_file(self, path: str) -> bytes:
        return Path(path).read_bytes()

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def ioctl(self, fd: int, request: int, argument: int) -> Any:
        return fcntl.ioctl(fd, request, argument)

    def unshare(self, flags: int) -> None:
        self._libc("unshare", flags)

    def setns(self, fd: int, nstype: int = 0) -> None:
        self._libc("setns", fd, nstype)

    def mount(self, source: bytes | None, target: bytes, type: bytes | None, flags: int) -> None:
        self._libc("mount", source, target, type, flags, None)

    def setuid(self, uid: int) -> None:
        os.setuid(uid)  # the process loses all capabilities

    @staticmethod
    def _libc(name: str, *arguments: int | bytes | None) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if getattr(libc, name)(*arguments) < 0:
            raise OSError(ctypes.get_errno(), name)


CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
NO_NAMESPACES = "no namespaces: "


def on_this_host(function: Callable[[Any], Any]) -> Any:
    """Return the result of `function(Host())` in new network and mount namespaces, with a new /sys.

    The function runs in a forked process, which has imported everything already.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # os.fork() warns about pytest-xdist's threads
        child = os.fork()
    if not child:
        try:
            with open(writing, "w") as pipe:
                pipe.write(_answer(function))
        finally:
            os._exit(0)
    os.close(writing)
    try:
        text = _read(reading, seconds=60)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert not text.startswith("Traceback"), text
    result = json.loads(text)
    if isinstance(result, str) and result.startswith(NO_NAMESPACES):
        pytest.skip(result)
    return result


def _answer(function: Callable[[Any], Any]) -> str:
    """Return the result of the function as JSON, or the traceback of its exception."""
    try:
        return json.dumps(_in_namespaces(function))
    except Exception:  # noqa: BLE001 - the parent reports it
        return traceback.format_exc()


def _in_namespaces(function: Callable[[Any], Any]) -> Any:
    """Return the result of the function. If the host refuses new namespaces, return a text that begins with
    NO_NAMESPACES.
    """
    host = Host()
    try:
        host.unshare(CLONE_NEWNET | CLONE_NEWNS)
        host.mount(None, b"/", None, MS_REC | MS_PRIVATE)
        host.mount(b"none", b"/sys", b"sysfs", 0)
    except OSError as error:
        return f"{NO_NAMESPACES}{error.strerror}: {os.strerror(error.errno or 0)}"
    return function(host)


def _read(fd: int, seconds: float) -> str:
    """Return the text that another process writes to a pipe before it closes the pipe."""
    text = b""
    with open(fd, "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], seconds)[0]:
            if not (piece := pipe.read(1 << 16)):
                return text.decode()
            text += piece
    raise TimeoutError(f"the process on this host has written nothing for {seconds} s")


def expect_as_on_this_host(function: Callable[[Any], Any]) -> None:
    """Assert that `function` returns the same on simkernel as in one of three runs on this host.

    The host's deferred work runs at any time, so a single difference proves nothing.
    """
    with Machine(udev=False) as machine:
        ours = function(machine.blocking(uid=0))
    theirs: Any = None
    for _ in range(3):
        theirs = on_this_host(function)
        if theirs == ours:
            return
    if isinstance(ours, list) and len(ours) == len(theirs):
        assert [pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]] == []
    assert ours == theirs
