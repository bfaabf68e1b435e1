"""Tracepoints. A trace record has a name, a time, a track (a task, a device or a part of the kernel), and a
flow. The flow is the id of the message or frame that caused the record.

A machine has one `Tracer`.  Its `emit` is None unless a listener is attached.  So an inactive tracepoint
costs one attribute load and one comparison:

    if (emit := tracer.emit) is not None:
        emit("irq_handler_entry", KERNEL, "irq/9", irq=9, name="camera0")

A record has the name of the corresponding tracepoint of Linux, if Linux has it.  `flow` is the id of the
message or frame that causes a record.  A request begins a flow.  A plug, an interrupt and an expired timer
begin a flow (`follow`) unless a request caused them.  A device may call `new_flow()` at the start of a
frame or report.  A queued item keeps the flow under which it was queued.  The task that dequeues it
continues that flow.  Flows begin only while a listener is attached.

Listeners get the records in the order in which they are emitted.  The time of a record is the instant of
its section plus the charges so far.  So the times of two sections may overlap.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import attrs


@attrs.frozen(slots=True)
class Record:
    """One trace record. `time` is in nanoseconds. `flow` is the id of the message or frame that caused the
    record, or 0.
    """

    time: int
    name: str
    layer: str
    track: str
    flow: int
    fields: dict[str, Any]

    def __repr__(self) -> str:
        fields = "".join(f", {name}={_shown(value)}" for name, value in self.fields.items())
        return f"<{self.name} {self.track} at {self.time} ns{fields}>"


def _shown(value: Any) -> str:
    """Return `repr(value)` without memory addresses, because they differ from run to run and traces of two
    runs are compared.
    """
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_shown, value))})"
    if isinstance(value, memoryview):
        return f"<memory of {value.nbytes} bytes>"
    return getattr(value, "__qualname__", None) or repr(value)


Listener = Callable[[Record], None]


class Tracer:
    """The tracepoints of one machine, and the id of the current flow (the message or frame that causes the
    records).
    """

    __slots__ = ("_listeners", "_time", "emit", "flow", "flows", "on_error", "since")

    def __init__(self, time: Callable[[], int], on_error: Callable[[BaseException], object]) -> None:
        self._time = time
        self.on_error = on_error
        """Function to call with the exception that a listener has raised."""
        self._listeners: tuple[Listener, ...] = ()
        self.flows = 0
        """Id of the flow (the records that one message or frame causes) that began last."""
        self.flow = 0
        self.since = 0
        """Id of the newest flow at the time when the last trace listener unsubscribed. A system call does not
        continue a flow with this id or a lower one, so that a new listener does not get an old flow.
        """
        self.emit: Callable[..., None] | None = None

    def __repr__(self) -> str:
        return f"<Tracer with {len(self._listeners)} listeners>"

    def new_flow(self) -> int:
        """Begin a flow (the records that one message or frame causes), make it the current flow, and return
        its id.
        """
        self.flow = self.flows = self.flows + 1
        return self.flow

    def follow(self, flow: int, finished: int = 0) -> None:
        """Set the id of the current flow to `flow`. Later trace records get this id.

        If `flow` is 0 or `finished` and a listener is attached, begin a new flow instead.
        """
        self.flow = flow
        if self.emit is not None and flow in (0, finished):
            self.new_flow()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every record.  Return a function that unsubscribes it.

        A record may be emitted inside a system call or a driver's function.  If the listener raises, it is
        unsubscribed, and `Machine.run()` raises the error after the call or function has returned.
        """
        self._set((*self._listeners, listener))
        return partial(self._unsubscribe, listener)

    def _unsubscribe(self, listener: Listener) -> None:
        self._set(tuple(each for each in self._listeners if each is not listener))

    def _set(self, listeners: tuple[Listener, ...]) -> None:
        self._listeners = listeners
        if self.emit is not None and not listeners:
            self.since = self.flows
        self.emit = self._emit if listeners else None

    def _emit(self, name: str, layer: str, track: str, /, **fields: Any) -> None:
        flow = fields.pop("flow", self.flow)
        record = Record(self._time(), name, layer, track, flow, fields)
        for listener in self._listeners:
            try:
                listener(record)
            except BaseException as error:  # noqa: BLE001 - raised by `on_error`
                self._unsubscribe(listener)
                self.on_error(error)
