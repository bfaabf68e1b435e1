"""Fault injection: rules that make operations of the simulated kernel fail, and the injector that applies the
rules.

    EINTR = Fault("sleep.eintr", comm="daemon", p=.05, times=3)
    LOST = Fault("netlink.deliver", nth=3, comm="daemon")
    machine = Machine(seed=7, faults=Injector(EINTR | LOST, seed=7))

The rules are those of Linux's fault injection (Documentation/fault-injection/fault-injection.rst), checked
in the order of `should_fail_ex()`, with these differences:

* `p` is a probability from 0 to 1; Linux has a percentage.
* `nth` counts the hits that the rule covers; Linux's fail-nth counts all hits of one task.
* A rule covers the hits of a comm, pid, device, module or call, in a span of time.  Linux has a flag of the
  task and a range of addresses on the stack.  Linux's `space` has no counterpart.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Self

import attrs

from simkernel.engine import SimulationError
from simkernel.engine.streams import Streams
from simkernel.kernel.lib.fault import POINTS
from simkernel.ynl.errors import choose

UNLIMITED: Final = -1
"""Value of `Fault.times` for an unlimited number of failures."""
Firing = tuple[str, int]
"""One injected failure: the name of a fault point, and the number of the hit that fails.  The first hit has
number 1.
"""

_OF_TASK: Final = ("comm", "pid", "call")
_FILTERS: Final = (*_OF_TASK, "device", "module")


@attrs.frozen(kw_only=True)
class Fault:
    """A rule that makes some hits of a fault point fail.  A hit is one pass through the point.  Join rules
    with `|`.

    point     a name of `simkernel.kernel.lib.fault.POINTS`
    nth       the n-th hit fails, from 1
    p         without `nth`: each hit fails with this probability
    interval  with `p`: only every interval-th hit can fail
    times     maximum number of failures, or UNLIMITED
    comm, pid, call  cover only the hits of such a task
    device, module   cover only the hits of this device or module
    since, until     cover only the hits from `since` on and before `until`, in ns
    """

    point: str = attrs.field(kw_only=False)
    nth: int = 0
    p: float = 0.0
    interval: int = 1
    times: int = 1
    comm: str | None = None
    pid: int | None = None
    device: str | None = None
    module: str | None = None
    call: str | None = None
    since: int | None = None
    until: int | None = None

    def __attrs_post_init__(self) -> None:
        if self.point not in POINTS:
            raise SimulationError(f"unknown fault point {self.point!r}: {choose(self.point, POINTS)}")
        for key, least in (("nth", 0), ("interval", 1), ("times", UNLIMITED)):
            value = getattr(self, key)
            if not _is_int(value) or value < least:
                raise self._error(f"{key}={value!r}: use an int of at least {least}")
        if isinstance(self.p, bool) or not isinstance(self.p, int | float) or not 0 <= self.p <= 1:
            raise self._error(f"p={self.p!r}: use a probability from 0 to 1")
        if not self.nth and not self.p:
            raise self._error("nth=0 and p=0 select no hit: set nth=1 for the first hit, or p=1 for all")
        if self.nth and self.p:
            raise self._error(f"nth={self.nth} and p={self.p:g} exclude each other: set one of them")
        self._check_filters()

    def _check_filters(self) -> None:
        known = (*_OF_TASK, *POINTS[self.point].about)
        for key in (*_FILTERS, "since", "until"):
            value = getattr(self, key)
            if value is None:
                continue
            if key in _FILTERS and key not in known:
                allowed = ", ".join(each for each in _FILTERS if each in known)
                raise self._error(f"{key}={value!r}: hits of this point can be filtered by {allowed}")
            number = key in ("pid", "since", "until")
            if not (_is_int(value) if number else isinstance(value, str)):
                raise self._error(f"{key}={value!r}: use {'an int' if number else 'a str'}")
        if self.since is not None and self.until is not None and self.until <= self.since:
            raise self._error(f"until={self.until} is not after since={self.since}")

    def _error(self, text: str) -> SimulationError:
        return SimulationError(f"Fault({self.point!r}): {text}")

    def __or__(self, other: Fault | Faults) -> Faults:
        return Faults((self,)) | other

    def covers(self, about: Mapping[str, object]) -> bool:
        """Return True if the filters of the rule, such as `pid` and `since`, accept a pass through the fault
        point. The argument `about` has the properties of this pass.
        """
        time: Any = about["time"]
        if (self.since is not None and time < self.since) or (self.until is not None and time >= self.until):
            return False
        return all(
            wanted is None or about.get(key) == wanted for key in _FILTERS for wanted in (getattr(self, key),)
        )

    def data(self) -> dict[str, Any]:
        """Return the rule as a dictionary for JSON, without fields that have default values."""
        defaults = {field.name: field.default for field in attrs.fields(Fault)}
        return {key: value for key, value in attrs.asdict(self).items() if value != defaults[key]}


@attrs.frozen
class Faults:
    """An ordered collection of fault rules. A pass through a fault point fails if at least one rule selects
    this pass.
    """

    rules: tuple[Fault, ...] = ()

    def __iter__(self) -> Iterator[Fault]:
        return iter(self.rules)

    def __or__(self, other: Fault | Faults) -> Faults:
        if isinstance(other, Fault | Faults):
            return Faults((*self.rules, *((other,) if isinstance(other, Fault) else other.rules)))
        return NotImplemented

    def json(self) -> str:
        """Return the rules as JSON."""
        return json.dumps([rule.data() for rule in self.rules])

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Parse the output of `json`.  Raise SimulationError for any other text."""
        try:
            return cls(tuple(Fault(**{"point": "", **rule}) for rule in json.loads(text)))
        except (ValueError, TypeError) as error:
            raise SimulationError(f"not a list of faults in JSON: {error}") from None


class Injector:
    """Decides which passes (hits) through a machine's fault points fail: the passes that a rule selects, and
    those in a given list.

    Random draws of a rule depend only on the seed and the rule.  `hits` counts the hits of each point, and
    `fired` lists those that failed.  `Injector(firings=fired)` makes the same hits fail again.
    """

    def __init__(
        self, faults: Fault | Faults = Faults(), seed: int = 0, *, firings: Iterable[Firing] = ()
    ) -> None:
        streams = Streams(seed)
        self.hits: Counter[str] = Counter()
        self.fired: list[Firing] = []
        self._firings = frozenset(firings)
        for point, n in self._firings:
            if point not in POINTS:
                raise SimulationError(f"unknown fault point {point!r}: {choose(point, POINTS)}")
            if n < 1:
                raise SimulationError(f"{point}#{n}: hits are numbered from 1")
        self._rules: defaultdict[str, list[_Running]] = defaultdict(list)
        for rule in Faults() | faults:
            self._rules[rule.point].append(_Running(rule, streams(f"fault {rule.data()}").random))

    def hit(self, point: str, **about: object) -> bool:
        """Count a pass through the fault point `point`. Return True if this pass must fail."""
        self.hits[point] += 1
        firing = (point, self.hits[point])
        fails = firing in self._firings
        for rule in self._rules.get(point, ()):
            fails |= rule.fails(about)
        if fails:
            self.fired.append(firing)
        return fails


class _Running:
    """The state of a fault rule in one machine. It counts the hits that the rule covers, and the failures
    that the rule can still cause.
    """

    def __init__(self, rule: Fault, draw: Any) -> None:
        self._rule = rule
        self._draw = draw
        self._seen = 0
        self._left = rule.times

    def fails(self, about: Mapping[str, object]) -> bool:
        """Count a pass through the rule's fault point. Return True if this pass must fail
        (`should_fail_ex()`).
        """
        rule = self._rule
        if not rule.covers(about):
            return False
        self._seen += 1
        if not self._left:
            return False
        if rule.nth:
            fails = self._seen == rule.nth
        else:
            fails = self._seen % rule.interval == 0 and self._draw() < rule.p
        if fails and self._left > 0:
            self._left -= 1
        return fails


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
