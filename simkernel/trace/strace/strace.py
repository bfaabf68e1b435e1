"""The system calls of programs in the format of `strace -f -o`.

If another task emits a line while a call sleeps, the call's line is cut: `recvfrom(3,  <unfinished ...>`,
and later `<... recvfrom resumed>`.  The protocol of a descriptor's datagrams is known from the call that
created it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TextIO

import attrs

from simkernel.engine import MICROSECOND, SECOND, Record
from simkernel.trace.exporter import Exporter
from simkernel.trace.strace import files, processes, sockets
from simkernel.trace.strace.arguments import signal_name
from simkernel.trace.strace.families import Family
from simkernel.trace.strace.forms import Form, form, plain, returned
from simkernel.trace.strace.messages import Decoder
from simkernel.trace.strace.quoting import c_string
from simkernel.trace.strace.specification import family_from
from simkernel.uapi import fcntl, netlink, socket, wait
from simkernel.uapi.errno import error_name, strerror
from simkernel.uapi.syscalls import SYSCALLS
from simkernel.ynl.errors import SpecError
from simkernel.ynl.model import Spec

FORMS: Final = (
    {name: form(spec) for name, spec in SYSCALLS.items()} | sockets.FORMS | files.FORMS | processes.FORMS
)
LINUX_NAMES: Final = {name: spec.linux_name for name, spec in SYSCALLS.items()}
UNKNOWN: Final = Form(plain)
"""Format of system calls that are not modelled."""
USER_MODE: Final = frozenset({"compute"})
"""Calls that are traced as system calls, but only spend CPU time in user mode. The output omits them."""

UEVENT_ACTION: Final = len("offline@/")
"""Maximum position of the device path in the text of a kernel uevent. The action precedes the path, and
"offline" is the longest action.
"""

NO_NETLINK: Final = -1
"""Value that is stored instead of a netlink protocol for a socket that is not a netlink socket."""

RESULT_COLUMN: Final = 40
"""Column at which ` = ` begins if the call is short enough (strace -a)."""


@attrs.define
class _Call:
    """A system call that has not returned."""

    name: str
    arguments: tuple[Any, ...]
    form: Form


@attrs.define
class _Descriptors:
    """The descriptors of a task, with their netlink protocols."""

    decoder: Decoder
    protocols: dict[int, int] = attrs.field(factory=dict)

    def datagram(self, fd: int, data: bytes, *, received: bool = False) -> str:
        """Format a datagram. A uevent of the kernel is printed as text, even if the socket's protocol is
        unknown.
        """
        protocol = self.protocols.get(fd)
        if protocol == NO_NETLINK:
            return c_string(data)
        looks_so = protocol is None and b"@/" in data[:UEVENT_ACTION]
        if received and (looks_so or protocol == netlink.NETLINK_KOBJECT_UEVENT):
            return c_string(data)
        return self.decoder.datagram(protocol, data)

    def after(self, call: _Call, result: Any) -> None:
        """Update the known descriptors of the task after a successful call."""
        match call.name, call.arguments:
            case "socket", (socket.AF_NETLINK, _, protocol):
                self.protocols[result] = protocol
            case "socket", _:
                self.protocols[result] = NO_NETLINK
            case "socketpair", _:
                self.protocols.update(dict.fromkeys(result, NO_NETLINK))
            case "accept4", _:
                self.protocols[result[0]] = NO_NETLINK
            case ("dup" | "dup2", (fd, *_)) | ("fcntl", (fd, fcntl.F_DUPFD, *_)) if fd in self.protocols:
                self.protocols[result] = self.protocols[fd]
            case "close", (fd,):
                self.protocols.pop(fd, None)


class Strace(Exporter):
    """An exporter that writes a line for each system call.

    specification  returns a family's specification by name, or raises LookupError
    relative       begin each line with the time since the previous line (strace -r)
    """

    def __init__(
        self, file: TextIO, specification: Callable[[str], Spec] | None = None, *, relative: bool = False
    ) -> None:
        self._file = file
        self.specification = specification
        self._relative = relative
        self._decoder = Decoder(self._family)
        self._tasks: dict[int, _Descriptors] = {}
        self._calls: dict[int, _Call] = {}
        self._writing: int | None = None
        self._column = 0
        self._last = 0
        self._taken: dict[str, Callable[[Record], None]] = {
            "sys_enter": self._enter,
            "sys_exit": self._leave,
            "signal_deliver": self._signal,
            "sched_process_fork": self._fork,
            "sched_process_exit": self._exit,
            "netlink_deliver_tap": self._learn,
        }

    def record(self, record: Record) -> None:
        if (take := self._taken.get(record.name)) is not None:
            take(record)

    def finish(self) -> None:
        self.cut()

    def cut(self) -> None:
        """End an incomplete line of a system call, before other text is written."""
        if self._column:
            self._end(" <unfinished ...>")

    # -- records ------------------------------------------------------------

    def _enter(self, record: Record) -> None:
        name, arguments = record.fields["call"], tuple(record.fields["arguments"])
        if name in USER_MODE:
            return
        pid = record.fields["pid"]
        call = self._calls[pid] = _Call(LINUX_NAMES.get(name, name), arguments, FORMS.get(name, UNKNOWN))
        texts = call.form.enter(self._descriptors(pid), *arguments)
        self._begin(record)
        filled = "" if call.form.leave is None else ", "
        self._write(f"{call.name}({', '.join(texts)}{filled if texts else ''}")
        self._writing = pid

    def _leave(self, record: Record) -> None:
        pid = record.fields["pid"]
        call = self._calls.pop(pid, None)
        if call is None:
            return
        descriptors = self._descriptors(pid)
        result, error = record.fields.get("result"), record.fields.get("error")
        self._resume(record, call)
        if call.form.leave is not None:
            self._write(", ".join(call.form.leave(descriptors, result, *call.arguments)))
        if error is None:
            descriptors.after(call, result)
            self._result((call.form.result or returned)(result, *call.arguments))
        elif isinstance(error, int):
            self._result(f"-1 {error_name(error)} ({strerror(error)})")
        else:
            self._result(f"? ({error})")

    def _signal(self, record: Record) -> None:
        name = signal_name(record.fields["signal"])
        self._line(record, f"--- {name} {{si_signo={name}}} ---")

    def _exit(self, record: Record) -> None:
        pid, status = record.fields["pid"], record.fields["status"]
        call = self._calls.pop(pid, None)
        if self._tasks.pop(pid, None) is None:
            return
        if call is not None:
            self._resume(record, call)
            self._result("?")
        if wait.WIFEXITED(status):
            self._line(record, f"+++ exited with {wait.WEXITSTATUS(status)} +++")
        else:
            self._line(record, f"+++ killed by {signal_name(wait.WTERMSIG(status))} +++")

    def _fork(self, record: Record) -> None:
        parent = self._tasks.get(record.fields["pid"])
        if parent is not None:
            self._tasks[record.fields["child"]] = attrs.evolve(parent, protocols=dict(parent.protocols))

    def _learn(self, record: Record) -> None:
        if record.fields["protocol"] == netlink.NETLINK_GENERIC:
            self._decoder.learn(record.fields["data"])

    # -- descriptors and families -----------------------------------------------

    def _descriptors(self, pid: int) -> _Descriptors:
        return self._tasks.setdefault(pid, _Descriptors(self._decoder))

    def _family(self, name: str) -> Family:
        if self.specification is not None:
            try:
                return family_from(self.specification(name))
            except (LookupError, SpecError):
                pass
        return Family(name)

    # -- lines --------------------------------------------------------------

    def _begin(self, record: Record) -> None:
        self.cut()
        self._write(f"{record.fields['pid']:<5} ")
        if self._relative:
            whole, rest = divmod(max(record.time - self._last, 0), SECOND)
            self._write(f"{whole:6}.{rest // MICROSECOND:06} ")
            self._last = record.time

    def _resume(self, record: Record, call: _Call) -> None:
        """Continue the line of a call, or begin a new line if other lines were written since."""
        if self._writing != record.fields["pid"]:
            self._begin(record)
            self._write(f"<... {call.name} resumed>")

    def _line(self, record: Record, text: str) -> None:
        self._begin(record)
        self._end(text)

    def _result(self, text: str) -> None:
        self._write(")")
        self._end(f"{' ' * (RESULT_COLUMN - 1 - self._column)} = {text}")

    def _write(self, text: str) -> None:
        self._file.write(text)
        self._column += len(text)

    def _end(self, text: str) -> None:
        self._file.write(f"{text}\n")
        self._column = 0
        self._writing = None
