"""Detection of data races in module code (compare kernel/kcsan/). Two accesses race if one of them is a write
and neither is ordered before the other, for example by a lock.

A context is a task, an interrupt line or a timer.  Each context has a vector clock: for each other
context, the latest time that happens before.  A section happens before all sections that it schedules. The
release of a lock happens before each later acquisition, and a completion before the return of its waiters.
Two accesses to an attribute are a race if neither happens before the other and one is a write. KCSAN must
observe both at the same time.  This detector needs only a run in which both happen, in any order.

Publication: all accesses of a module before a registration (of a device, a family, a handler) happen
before all later module code.  On Linux, the locks and RCU of each table establish this order.

A write is atomic for a marked reader (`READ_ONCE()`), as with Linux's default
CONFIG_KCSAN_ASSUME_PLAIN_WRITES_ATOMIC.  A change of a container is atomic for a test such as
list_empty().
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
"""Kinds of resources whose registration does not make the module's data visible to other code."""
DEPTH: Final = 8
"""Maximum number of functions that a report shows in the call trace of an access."""

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
        """Return True if this access and `other` are a data race. The caller has checked that neither is
        ordered before the other.
        """
        both = (self, other)
        marked_read = any(each.marked and not each.write for each in both)
        return any(each.write for each in both) and not (marked_read or all(each.marked for each in both))


@attrs.define(eq=False)
class _Cell:
    """The recorded accesses to one attribute of an object. `write` is the last write. `reads` maps a context
    (a task, an interrupt line or a timer) to the last read by this context after the last write.
    """

    write: _Access | None = None
    reads: dict[Hashable, _Access] = attrs.field(factory=dict)
    assigned: Clock | None = None
    """The vector clock of the last call of `rcu_assign_pointer()` or `xchg()` that set the attribute: a copy
    of the clock of the calling context (a task, an interrupt line or a timer). None if there was no such
    call.
    """


class Races:
    """The race detector of one machine.

    It observes the engine's sections (`Observer`), the kernel's locks (`LockEvents`) and the accesses of
    modules.
    """

    def __init__(self) -> None:
        self._reports: Reports | None = None
        self._current: Callable[[], SchedTask | None] = lambda: None
        self._clocks: dict[Hashable, Clock] = {}
        self._carried: Clock | None = None
        """The vector clock of the code that scheduled the current event. `_clock` merges it into the clock of
        the task, interrupt or timer that runs in this event, and then sets this attribute to None.
        """
        self._contexts: list[Hashable] = []
        """The interrupt handlers and timers that run now.  The innermost one is last."""
        self._released: dict[object, Clock] = {}
        self._published: Clock = {}
        self._shadows: dict[int, tuple[object, dict[str, _Cell]]] = {}
        self._seen: set[frozenset[str]] = set()

    def attach(self, reports: Reports, current: Callable[[], SchedTask | None]) -> None:
        """Set the kernel's report list, and the function that returns the kernel's running task."""
        self._reports = reports
        self._current = current

    # -- the order of events ----------------------------------------------------

    def _context(self) -> Hashable:
        return self._contexts[-1] if self._contexts else self._current()

    def _clock(self) -> Clock:
        """Return the vector clock of the task, interrupt or timer that runs now. If none runs, return the
        clock of the scheduler.
        """
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
        """Return a copy of the current context's vector clock, then advance the clock. The copy covers the
        accesses that the context has made so far, but not its later ones.
        """
        clock = self._clock()
        copy = dict(clock)
        context = self._context()
        if context is not None:
            clock[context] += 1
        return copy

    def scheduled(self) -> Clock:
        """Return a token for an event that the current context schedules: a copy of the context's vector
        clock (`Observer`).
        """
        return self._snapshot()

    def begin(self, token: Clock | None) -> None:
        """Record that the code of an event begins to run. `token` is the vector clock that `scheduled`
        returned for this event.

        With the token None, ordinary code runs, which is ordered after all earlier actions.
        """
        if token is None:
            token = {}
            for clock in self._clocks.values():
                _join(token, clock)
        self._carried = dict(token)
        Accesses.listener = self

    def leave(self) -> Callable[[], None]:
        """Record that the running code pauses. Return a function to be called when the code continues."""
        self._clock()

        def back() -> None:
            self._carried = None
            Accesses.listener = self

        return back

    def acquired(self, lock: object) -> None:
        """Record that the current context has acquired `lock`. From now on, its accesses are ordered after
        all earlier releases of `lock`.
        """
        if (released := self._released.get(lock)) is not None:
            _join(self._clock(), released)

    def released(self, lock: object) -> None:
        """Record that the current context releases `lock`. The context's accesses so far are ordered
        before all later acquisitions of `lock`.
        """
        _join(self._released.setdefault(lock, {}), self._snapshot())

    def registered(self, kind: str) -> None:
        """Record that the current context has registered a resource of this kind. All later accesses by
        modules are ordered after the registration. A kind in `PRIVATE` has no such effect.
        """
        if kind not in PRIVATE:
            _join(self._published, self._snapshot())

    @contextmanager
    def within(self, context: Hashable) -> Iterator[None]:
        """Run the body of the `with` statement in the context of an interrupt or a timer, which never runs
        concurrently with itself.
        """
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
        """Check an access of module code for races, and record it."""
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
            return  # the context's clock is the same as at its last access: no new race is possible
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
                holder = (
                    obj  # `obj` allows no weak reference: keep it alive, so that no new object gets its id
                )
            found = self._shadows[key] = holder, {}
        return found[1]

    def _report(self, obj: object, name: str, this: _Access, other: _Access) -> None:
        """Report a data race (`kcsan_report_known_origin()`).  Each pair of source lines is reported once."""
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
"""Cached results of `_is_data`, for all machines: False for a method, property or constant of a class, True
for a data attribute.
"""


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
    """Timers of a machine with a race detector. Each timer is a separate context of the race detector."""

    def __init__(self, *arguments: Any) -> None:
        *others, races = arguments
        super().__init__(*others)
        self._races: Races = races

    def _expire(self, timer: Timer) -> None:
        with self._races.within(("timer", timer)):
            super()._expire(timer)


class Watched:
    """The `Perturbation` of a machine with a race detector. It passes on the delays of tasks and the pauses
    of module code from the `Perturbation` that the machine was created with. If there is none, nothing is
    delayed or paused.
    """

    def __init__(self, perturbation: Perturbation | None) -> None:
        self.races = self.observer = Races()
        self._inner = perturbation
        inner = () if perturbation is None else perturbation.instruments
        self.instruments: Sequence[Any] = (*inner, ACCESSES)

    def begin(self, engine: PlannedEngine) -> None:
        """Pass `engine` to the plan of disturbances, if the machine has one. The constructor of the engine
        calls this method.
        """
        if self._inner is not None:
            self._inner.begin(engine)

    def step(self, task: Any) -> int:
        """Return the delay in ns for a task that is about to continue."""
        return 0 if self._inner is None else self._inner.step(task)

    def statement(self, place: str) -> int:
        """Return the length in ns of the pause before the statement of module code at `place` (file and
        line). 0 means no pause. A value below 0 means a pause until the next timer has expired.
        """
        return 0 if self._inner is None else self._inner.statement(place)
