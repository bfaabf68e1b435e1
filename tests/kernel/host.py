"""This host's kernel with the method names of `Blocking`, in separate namespaces."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simkernel import Machine

only_6_18 = pytest.mark.skipif(not platform.release().startswith("6.18"), reason="compares with Linux 6.18")


class Host:
    """The host's functions with the method names of `Blocking`."""

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

    def setuid(self, uid: int) -> None:
        os.setuid(uid)  # gives up all capabilities

    @staticmethod
    def _libc(name: str, *arguments: int) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if getattr(libc, name)(*arguments) < 0:
            raise OSError(ctypes.get_errno(), name)


def on_this_host(function: Callable[[Any], Any]) -> Any:
    """Return the result of `function(Host())` in new network and mount namespaces, with a new /sys."""
    program = (
        "from tests.kernel.host import Host, json\n"
        f"from {function.__module__} import {function.__name__} as function\n"
        "print(json.dumps(function(Host())))"
    )
    command = ["unshare", "--net", "--mount", "sh", "-c", 'mount -t sysfs none /sys && exec "$0" -c "$1"']
    done = subprocess.run([*command, sys.executable, program], capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr, done.stderr
    if done.returncode:
        pytest.skip(f"no namespaces: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout)


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
