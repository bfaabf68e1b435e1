"""The programs' system calls as strace(1) prints them with -f -o.

A call that sleeps while another task does something is cut: `recvfrom(3,  <unfinished ...>`, and later
`<... recvfrom resumed>`.  What a descriptor's datagrams are is known from the call that made it.
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
"""The form of a call that is not modelled."""
USER_MODE: Final = frozenset({"compute"})
"""What a program awaits that is no system call."""

UEVENT_ACTION: Final = len("offline@/")
"""How far the path is at most from the beginning of a uevent (kobject_actions[])."""

NO_NETLINK: Final = -1
"""The protocol of a socket of another family."""

RESULT_COLUMN: Final = 40
"""Where ` = ` stands if the call is short enough (strace -a)."""


@attrs.define
class _Call:
    """A call that has not returned."""

    name: str
    arguments: tuple[Any, ...]
    form: Form


@attrs.define
class _Descriptors:
    """What is known of a task's descriptors: a protocol each."""

    decoder: Decoder
    protocols: dict[int, int] = attrs.field(factory=dict)

    def datagram(self, fd: int, data: bytes, *, received: bool = False) -> str:
        """A datagram; one of the kernel's uevents is a text, also through a socket older than the trace."""
        protocol = self.protocols.get(fd)
        if protocol == NO_NETLINK:
            return c_string(data)
        looks_so = protocol is None and b"@/" in data[:UEVENT_ACTION]
        if received and (looks_so or protocol == netlink.NETLINK_KOBJECT_UEVENT):
            return c_string(data)
        return self.decoder.datagram(protocol, data)

    def after(self, call: _Call, result: Any) -> None:
        """Follow what a call that succeeded did to the descriptors."""
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
    """Writes a line a call, as it happens.

    specification   a family's specification by name; LookupError where there is none
    relative        begin each line with the time since the line before it (strace -r)
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
        """Leave the line that is being written, if there is one: something else is to be shown first."""
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

    # -- what is known ------------------------------------------------------

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
        """Go on with the line of a call, on a new one if something came between."""
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
