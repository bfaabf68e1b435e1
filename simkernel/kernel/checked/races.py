"""Data races of module code, by the order of events (compare kernel/kcsan/).

Theory of operation.  A context is a task, an interrupt line or a timer.  Each has a vector clock: how far it
knows the others.  Whatever a section schedules comes after it, and so does what is done under a lock that it
has released, or after a completion.  Two accesses to an attribute are a race if neither comes after the other
and one is a write.  KCSAN must meet both at the same time; this detector needs only a run in which both
happen, in any order.

Publication: what a module did before it registered something (a device, a family, a handler) comes before all
that module code does afterwards.  Linux has the locks and RCU of each table for it.

A write is atomic for a reader that is marked (`READ_ONCE()`), as with Linux's default
CONFIG_KCSAN_ASSUME_PLAIN_WRITES_ATOMIC; a change of a container is too, like those of list_empty().
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType, GetSetDescriptorType, MemberDescriptorType
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from simkernel.kernel.lib.report import Reports
from simkernel.kernel.lib.stack import LOCATION, Place, describe, place
from simkernel.kernel.loader.accesses import ACCESSES, Accesses
from simkernel.kernel.sched.task import SchedTask
from simkernel.kernel.time.timer import Timer, Timers

if TYPE_CHECKING:
    from simkernel.engine.planned import Perturbation, PlannedEngine

CHECKER: Final = "races"
PRIVATE: Final = frozenset({"timer", "work", "workqueue", "dma"})
"""Kinds of resources through which other code reaches nothing of the module."""
DEPTH: Final = 8
"""Functions of a call trace that are kept of each access."""

Clock = dict[Hashable, int]


@attrs.frozen(eq=False)
class _Access:
    context: Hashable
    time: int
    write: bool
    marked: bool
    statement: str
    trace: tuple[Place, ...]

    def races(self, other: _Access) -> bool:
        """Whether the two are a race if nothing orders them."""
        both = (self, other)
        marked_read = any(each.marked and not each.write for each in both)
        return any(each.write for each in both) and not (marked_read or all(each.marked for each in both))


@attrs.define(eq=False)
class _Cell:
    """The last write of an attribute, and the last read of each context since."""

    write: _Access | None = None
    reads: dict[Hashable, _Access] = attrs.field(factory=dict)
    assigned: Clock | None = None
    """The clock of the last `rcu_assign_pointer()`."""


class Races:
    """The race detector of one machine.

    It observes the engine's sections (`Observer`), its locks (`LockEvents`) and the accesses of module code.
    """

    def __init__(self) -> None:
        self._reports: Reports | None = None
        self._current: Callable[[], SchedTask | None] = lambda: None
        self._clocks: dict[Hashable, Clock] = {}
        self._carried: Clock | None = None
        """The clock under which the current section was scheduled, until its context has taken it."""
        self._contexts: list[Hashable] = []
        """The interrupts and timers that run."""
        self._released: dict[object, Clock] = {}
        self._published: Clock = {}
        self._shadows: dict[int, tuple[object, dict[str, _Cell]]] = {}
        self._seen: set[frozenset[str]] = set()

    def attach(self, reports: Reports, current: Callable[[], SchedTask | None]) -> None:
        """Observe the kernel that runs `current` and has these reports."""
        self._reports = reports
        self._current = current

    # -- order ------------------------------------------------------------------

    def _context(self) -> Hashable:
        return self._contexts[-1] if self._contexts else self._current()

    def _clock(self) -> Clock:
        """The clock of the current context; of a section without context, what it was scheduled under."""
        context = self._context()
        carried, self._carried = self._carried, None
        if context is None:
            self._carried = clock = {} if carried is None else carried
            return clock
        clock = self._clocks.setdefault(context, {context: 1})
        if carried is not None:
            _join(clock, carried)
        return clock

    def _snapshot(self) -> Clock:
        """A copy of the clock; what the context does from now on is not in it."""
        clock = self._clock()
        copy = dict(clock)
        context = self._context()
        if context is not None:
            clock[context] += 1
        return copy

    def scheduled(self) -> Clock:
        """Return the token of something that is scheduled now (`Observer`)."""
        return self._snapshot()

    def begin(self, token: Clock | None) -> None:
        """Begin a section; None: one of ordinary code, which knows all that has happened."""
        if token is None:
            token = {}
            for clock in self._clocks.values():
                _join(token, clock)
        self._carried = dict(token)
        Accesses.listener = self

    def leave(self) -> Callable[[], None]:
        """Pause a section; return the function that continues it."""
        self._clock()

        def back() -> None:
            self._carried = None
            Accesses.listener = self

        return back

    def acquired(self, lock: object) -> None:
        """The context comes after all releases of `lock`."""
        if (released := self._released.get(lock)) is not None:
            _join(self._clock(), released)

    def released(self, lock: object) -> None:
        """What acquires `lock` afterwards comes after the context."""
        _join(self._released.setdefault(lock, {}), self._snapshot())

    def registered(self, kind: str) -> None:
        """Something was registered: module code that runs from now on comes after the context."""
        if kind not in PRIVATE:
            _join(self._published, self._snapshot())

    @contextmanager
    def within(self, context: Hashable) -> Iterator[None]:
        """Be in an interrupt or a timer, whose handlers never run twice at a time."""
        clock = self._snapshot()
        self._contexts.append(context)
        _join(self._clock(), clock)
        try:
            yield
        finally:
            self._contexts.pop()
            self._carried = clock if self._context() is None else None

    # -- accesses ---------------------------------------------------------------

    def access(self, obj: object, name: str, kind: int, statement: int, frame: FrameType) -> None:
        """Check an access of module code, and remember it."""
        context = self._context()
        if context is None or not _is_data(type(obj), name):
            return
        clock = self._clock()
        _join(clock, self._published)
        cell = self._cells(obj).setdefault(name, _Cell())
        if kind & 4:
            if cell.assigned is not None:
                _join(clock, cell.assigned)
            if kind & 1:
                cell.assigned = self._snapshot()
        write, marked, time = bool(kind & 1), bool(kind & 2), clock[context]
        last = cell.write if write else cell.reads.get(context)
        if last is not None and last.context == context and last.time == time and last.marked <= marked:
            return  # nothing has happened since that could make a difference
        file = str(frame.f_globals[LOCATION][1])
        this = _Access(context, time, write, marked, f"{file}:{statement}", tuple(_places(frame)))
        for other in (cell.write, *(cell.reads.values() if write else ())):
            if other is not None and clock.get(other.context, 0) < other.time and this.races(other):
                self._report(obj, name, this, other)
        if write:
            cell.write = this
            cell.reads.clear()
        else:
            cell.reads[context] = this

    def _cells(self, obj: object) -> dict[str, _Cell]:
        key = id(obj)
        found = self._shadows.get(key)
        if found is None:
            try:
                holder: object = weakref.ref(obj, lambda _: self._shadows.pop(key, None))
            except TypeError:
                holder = obj  # so that no other object gets its id
            found = self._shadows[key] = holder, {}
        return found[1]

    def _report(self, obj: object, name: str, this: _Access, other: _Access) -> None:
        """`kcsan_report_known_origin()`.  Each pair of lines is reported once."""
        pair = frozenset(describe(each.trace[0]) for each in (this, other))
        if pair in self._seen:
            return
        self._seen.add(pair)
        functions = " / ".join(sorted({each.trace[0][0].co_name for each in (this, other)}))
        lines = []
        for each in (this, other):
            marked = " (marked)" if each.marked else ""
            action = "write" if each.write else "read"
            lines += [f"{action}{marked} of {type(obj).__name__}.{name} by {_name(each.context)}:"]
            lines += [*(f" {describe(at)}" for at in each.trace), ""]
        lines.append("Reported by Kernel Concurrency Sanitizer.")
        places = [f" at {each.statement}" for each in (this, other)]
        assert self._reports is not None
        self._reports.add(CHECKER, f"BUG: KCSAN: data-race in {functions}", lines, places, "=")


def _join(clock: Clock, other: Clock) -> None:
    for context, time in other.items():
        if time > clock.get(context, 0):
            clock[context] = time


_DATA: dict[tuple[type, str], bool] = {}
"""Whether an attribute is data: no method, property or constant of the class.  It depends on nothing else."""


def _is_data(kind: type, name: str) -> bool:
    found = _DATA.get((kind, name))
    if found is None:
        attribute = next((vars(each)[name] for each in kind.__mro__ if name in vars(each)), None)
        data = (MemberDescriptorType, GetSetDescriptorType)
        found = _DATA[kind, name] = attribute is None or isinstance(attribute, data)
    return found


def _places(frame: FrameType | None) -> Iterator[Place]:
    depth = 0
    while frame is not None and depth < DEPTH:
        names = frame.f_globals
        if LOCATION in names or str(names.get("__name__")).startswith("simkernel.kernel."):
            depth += 1
            yield place(frame)
        frame = frame.f_back


def _name(context: Hashable) -> str:
    if isinstance(context, SchedTask):
        return f"task {context.comm}/{context.pid}"
    kind, what = cast("tuple[str, object]", context)  # see `within`
    return f"{kind} {getattr(what, 'name', what)}"


class ObservedTimers(Timers):
    """Timers whose functions are contexts."""

    def __init__(self, *arguments: Any) -> None:
        *others, races = arguments
        super().__init__(*others)
        self._races: Races = races

    def _expire(self, timer: Timer) -> None:
        with self._races.within(("timer", timer)):
            super()._expire(timer)


class Watched:
    """The perturbation of a machine with a race detector: another one, observed, or none."""

    def __init__(self, perturbation: Perturbation | None) -> None:
        self.races = self.observer = Races()
        self._inner = perturbation
        inner = () if perturbation is None else perturbation.instruments
        self.instruments: Sequence[Any] = (*inner, ACCESSES)

    def begin(self, engine: PlannedEngine) -> None:
        """Begin the run of a machine that has this engine."""
        if self._inner is not None:
            self._inner.begin(engine)

    def step(self, task: Any) -> int:
        """Return the delay of a task that is about to continue, in ns."""
        return 0 if self._inner is None else self._inner.step(task)

    def statement(self, place: str) -> int:
        """Return the pause of a section at a statement of module code, in ns."""
        return 0 if self._inner is None else self._inner.statement(place)
