"""Places where simkernel inlines a function by hand for speed, and patches that call the function instead.

A marker in the code, `# INLINE: <qualified name>, <measured saving>`, names the function whose work is
repeated there.  Each has an `Inline` here, which can put the plain form in its place.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from typing import Any, Final
from unittest.mock import patch

import attrs

from simkernel.application.socket import Socket
from simkernel.blocking.sync_runner import SyncRunner
from simkernel.engine import Call
from simkernel.kernel.netlink.broadcast import Broadcast
from simkernel.kernel.netlink.genetlink.family import Info
from simkernel.kernel.netlink.kernel_socket import KernelSocket
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.skb import Skb
from simkernel.kernel.netlink.sock import Inbound
from simkernel.kernel.sched.runner import Runner
from simkernel.kernel.sched.scheduler import UnlimitedCpus
from simkernel.kernel.sched.wait import Sleeping
from simkernel.kernel.syscall.socket import SocketCalls

PACKAGE: Final = Path(__file__).resolve().parents[1] / "simkernel"
MARKER: Final = re.compile(r"# INLINE: ([\w.]+), (.+)$", re.MULTILINE)


@attrs.frozen
class Marker:
    """An `# INLINE` comment: its file, the function that is inlined, and the time that this saves."""

    file: str
    name: str
    gain: str


def markers() -> list[Marker]:
    """Return all `# INLINE` comments of simkernel, sorted by file."""
    return [
        Marker(file.relative_to(PACKAGE).as_posix(), *found)
        for file in sorted(PACKAGE.rglob("*.py"))
        for found in MARKER.findall(file.read_text("utf-8"))
    ]


def resolve(name: str) -> object:
    """Return the object that a qualified name denotes. Raise AttributeError or ImportError if the name
    denotes none.
    """
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        try:
            found: object = import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            found = getattr(found, part)
        return found
    raise ImportError(name)


def file_of(kind: type) -> str:
    """Return the path of a class's source file, relative to the folder simkernel."""
    return f"{kind.__module__.removeprefix('simkernel.').replace('.', '/')}.py"


@attrs.frozen
class Inline:
    """A method of the class `owner`, with the functions `names` inlined. Each of `replacements` is a pair: a
    regular expression that matches inlined code, and the call that replaces this code.
    """

    names: tuple[str, ...]
    owner: type
    method: str
    replacements: tuple[tuple[str, str], ...]

    @property
    def file(self) -> str:
        """Path of the method's source file, relative to the folder simkernel."""
        return file_of(self.owner)

    @contextmanager
    def plain(self) -> Iterator[None]:
        """Patch the method while the context is active. The patched method calls the functions instead of
        inlining them.
        """
        function = inspect.unwrap(getattr(self.owner, self.method))
        source = dedent(inspect.getsource(function))
        for inlined, plain in self.replacements:
            found, count = re.subn(inlined, plain, source, flags=re.MULTILINE | re.DOTALL)
            assert count == 1, f"{self.owner.__name__}.{self.method} no longer has {inlined}"
            source = found
        made: dict[str, Any] = {}
        exec(
            compile(f"from __future__ import annotations\n{source}", self.file, "exec"),
            function.__globals__,
            made,
        )
        with patch.object(self.owner, self.method, made[self.method]):
            yield


GET: Final = (
    r"    try:\n        file: OpenFile \| None = .*?        raise os_error\(EBADF\)\n",
    "    file = task.files.get(fd)\n",
)
PASS_CHARGED: Final = "simkernel.engine.engine.Engine.pass_charged"
FILE_GET: Final = "simkernel.kernel.vfs.fdtable.FileTable.get"
REQUEST: Final = "simkernel.application.caller.Caller.request"
QUEUE: Final = "simkernel.kernel.netlink.deliver.queue"

INLINES: Final = (
    Inline(
        (PASS_CHARGED,), Runner, "enter",
        ((r"        time = engine.now \+ engine.charged\n        if \(time.*?pending:\n",
          "        if task.signals.pending or not engine.pass_charged():\n"),
         (r"    engine.now = time\n    engine.charged = 0\n", "")),
    ),
    Inline(
        (PASS_CHARGED,), Runner, "_resume",
        ((r"    time = engine.now \+ engine.charged\n    if \(.*?    \):\n",
          "    if not engine.pass_charged():\n"),
         (r"        engine.now = time\n        engine.charged = 0\n", "")),
    ),
    Inline(
        ("simkernel.kernel.sched.wait.Sleeping.enqueue",), Runner, "_sleep",
        ((r"    queue = sleep.queue\n.*?    else:\n        sleep.enqueue\(\)\n", "    sleep.enqueue()\n"),),
    ),
    Inline(
        ("simkernel.kernel.sched.scheduler.UnlimitedCpus.release",), Runner, "_sleep",
        ((r"    if task.cpu is None:\n.*?    else:\n        self._release\(task\)\n",
          "    self._release(task)\n"),),
    ),
    Inline(
        ("simkernel.engine.engine.Engine.resume_at",), UnlimitedCpus, "waker",
        ((r"        entry = \(start, .*?heappush\(engine.queue, entry\)\n",
          "        engine.resume_at(start, resume, task, woken, error)\n"),),
    ),
    Inline(
        ("simkernel.kernel.sched.wait.Sleeping.dequeue",), Sleeping, "wake",
        ((r"        queue = self.queue\n.*?queue._first = None\n", "        self.dequeue()\n"),),
    ),
    Inline((FILE_GET,), SocketCalls, "sendto", (GET,)),
    Inline((FILE_GET,), SocketCalls, "recvfrom", (GET,)),
    Inline(
        ("simkernel.kernel.netlink.skb.make_skb", QUEUE), KernelSocket, "send_in",
        ((r"if netlink.trace.emit is not None:", "if True:"),),
    ),
    Inline(
        ("simkernel.kernel.netlink.genetlink.family.Info.message",), Info, "reply",
        ((r"    portid, length = .*?family.version, 0\)\n",
          "    headers, attributes = self.message(command, attributes, flags), b''\n"
          "    portid, length = self.inbound.sender.portid, len(headers)\n"),),
    ),
    Inline((QUEUE,), Broadcast, "to", ((r"home = self.net if [^\n]*", "home = _NO_NET"),)),
    Inline(
        (REQUEST,), Socket, "send",
        ((r"    app = self._app\n.*?    return call\n",
          '    return self._app.request("sendto", (self._fd, data, flags, None))\n'),),
    ),
    Inline(
        (REQUEST,), Socket, "recv",
        ((r"        app = self._app\n.*?        return call\n",
          '        return self._app.request("recvfrom", (self._fd, bufsize, 0), plain_data)\n'),),
    ),
    Inline(
        ("simkernel.blocking.sync_runner.outside",), SyncRunner, "_call",
        ((r"    engine.running = True\n    engine.section\(\)\n    try:\n",
          "    with outside(engine, call):\n"),
         (r"    finally:\n        engine.running = False\n.*?        engine.section\(\)\n",
          "        engine.set_run_until(LONG_AGO)\n")),
    ),
)  # fmt: skip
"""Every method with inlined functions. Inlined constructors are in CONSTRUCTORS instead."""

CONSTRUCTORS: Final[tuple[type, ...]] = (Call, Skb, Inbound, Request)
"""Classes without a constructor. The functions that create their objects set the attributes."""
