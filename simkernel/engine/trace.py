"""Tracepoints: what happened, when, where, and because of what.

Theory of operation.  A machine has one `Tracer`.  While nobody listens its `emit` is None, and a
tracepoint is one attribute load and one comparison:

    if (emit := tracer.emit) is not None:
        emit("irq_handler_entry", KERNEL, "irq/9", irq=9, name="camera0")

A record has the name of Linux's tracepoint where Linux has one.  `flow` is the message or frame on
whose behalf things happen.  A request begins a flow.  So does what no request causes: a plug, an interrupt,
a timer that expires (`follow`).  A device may take `new_flow()` where its frame or report begins.
What is queued keeps the flow it was queued under, and who takes it out goes on under that flow.
Flows begin only while a listener is attached.
Records are handed over in the order in which they happen; times may run ahead within a call,
since a record bears the instant of its cause plus what has been charged so far.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import attrs


@attrs.frozen(slots=True)
class Record:
    """One thing that happened.  `time` in nanoseconds; `flow` 0 where there is none."""

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
    """`repr(value)` without addresses: traces are compared between runs."""
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_shown, value))})"
    if isinstance(value, memoryview):
        return f"<memory of {value.nbytes} bytes>"
    return getattr(value, "__qualname__", None) or repr(value)


Listener = Callable[[Record], None]


class Tracer:
    """The tracepoints of one machine, and the flow that is current."""

    __slots__ = ("_listeners", "_time", "emit", "flow", "flows", "on_error", "since")

    def __init__(self, time: Callable[[], int], on_error: Callable[[BaseException], object]) -> None:
        self._time = time
        self.on_error = on_error
        """Called with what a listener has raised."""
        self._listeners: tuple[Listener, ...] = ()
        self.flows = 0
        """The number of the flow that began last."""
        self.flow = 0
        self.since = 0
        """The last flow before nobody listened any more: what a task did until then is an old story."""
        self.emit: Callable[..., None] | None = None

    def __repr__(self) -> str:
        return f"<Tracer with {len(self._listeners)} listeners>"

    def new_flow(self) -> int:
        """A number for something that begins here; it becomes the current flow."""
        self.flow = self.flows = self.flows + 1
        return self.flow

    def follow(self, flow: int, finished: int = 0) -> None:
        """Make `flow` current; while a listener is attached, begin a new flow instead of 0 and `finished`."""
        self.flow = flow
        if self.emit is not None and flow in (0, finished):
            self.new_flow()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Hand every record to `listener`; returns what ends it.

        A record is emitted in the middle of a system call or of a driver's function.  What a listener raises
        is not theirs: the listener is unsubscribed, and `Machine.run()` raises the error once they are done.
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
