"""The class `Stage`, with which a scenario answers a question in steps: print a transcript, check facts, and
print the conclusion.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import pairwise
from textwrap import fill
from typing import Any, Final

from simkernel import App, Machine
from simkernel.hardware import Device
from simkernel.scenario import Run, Transcript, Watch
from simkernel.uapi.errno import error_name

WIDTH: Final = 78
"""Width of a paragraph in columns. A transcript has the same width."""
ROOT: Final = "root"
"""Name of each program that prepares the machine. The transcript omits programs with this name."""
USER: Final = 1000
ACCESSES: Final = ("rwmmio_read", "rwmmio_write")
"""Tracepoints of register accesses."""

Fact = bool | int | str


class NotShown(Exception):
    """Raised if a run of the machine does not show a fact that the answer states."""


async def result_or_error(call: Awaitable[Any]) -> Any:
    """Return the result of a system call, or the name of its errno if it fails."""
    try:
        return await call
    except OSError as error:
        return error_name(error.errno or 0)


class Stage:
    """The answer to one question, and the machine on which its programs run.

    `facts` has the observations of the run, by name.  If `brief` is True, the report shows only the final
    answer, and the rest is a detail.
    """

    def __init__(
        self, run: Run, machine: Machine, transcript: Transcript, name: str, *, brief: bool = False
    ) -> None:
        self.machine = machine
        self.facts: dict[str, Fact] = {}
        self._run = run
        self._transcript = transcript
        self._name = name
        self._brief = brief
        self._zero: int | None = None
        """Time of the first transcript line in ns.  The transcript prints times relative to it."""
        self._unsaid: list[str] = []
        self._plugged: list[Device] = []
        self._processes: list[Any] = []

    # -- the report -----------------------------------------------------------

    def say(self, text: str) -> None:
        """Print a paragraph."""
        self._run.text(fill(text, WIDTH), detail=self._brief)

    @contextmanager
    def shown(self, *points: str) -> Iterator[Watch]:
        """Print a transcript of the `with` block: its system calls, and the tracepoints whose names are in
        `points`.

        Raise NotShown if it is empty.
        """
        with self.watch(*points) as seen:
            yield seen
        if not seen.lines:
            raise NotShown(f"{self._name}: the transcript is empty")
        if self._zero is None:
            self._zero = seen.lines[0].time
        self._run.text(seen.text(self._zero), detail=True)

    def watch(self, *points: str) -> AbstractContextManager[Watch]:
        """Record a transcript of the `with` block, as `shown` does, but do not print it."""
        return self._transcript.watch(*points)

    def table(self, title: str, columns: Iterable[str], rows: Iterable[Iterable[str | int | None]]) -> None:
        """Add a table that only `--details` prints."""
        self._run.table(title, columns, rows, detail=True)

    def one(self, seen: Watch, name: str, **fields: object) -> Any:
        """Return the only record in the transcript `seen` with the given name and field values.

        Raise NotShown if there is no such record, or more than one.
        """
        found = seen.named(name, **fields)
        if len(found) != 1:
            raise NotShown(f"{self._name}: {name} occurred {len(found)} times instead of once")
        return found[0]

    def fact(self, name: str, value: Fact, expected: Fact) -> None:
        """Record an observation. Raise NotShown if it differs from the expected value."""
        self.facts[name] = value
        if type(value) is not type(expected) or value != expected:
            raise NotShown(f"{self._name}: {name} is {value!r} instead of {expected!r}")
        self._unsaid.append(name)

    def note(self, name: str, value: Fact) -> None:
        """Record an observation that has no expected value."""
        self.facts[name] = value

    def so(self, sentence: str) -> None:
        """Print a conclusion from the facts that `fact` has recorded since the previous conclusion.

        Raise NotShown if there are none.
        """
        if not self._unsaid:
            raise NotShown(f"{self._name}: no fact shows that {sentence}")
        self._unsaid.clear()
        text = fill(sentence, WIDTH, initial_indent="=> ", subsequent_indent="   ")
        self._run.text(text, detail=self._brief)

    def answer(self, sentence: str) -> None:
        """Print the final answer.  Raise NotShown if a program has not ended."""
        for process in self._processes:
            self._check_ended(process)
        self._run.text(fill(sentence, WIDTH, initial_indent="Answer: "))

    def legs(self, way: str, *milestones: tuple[str, str, int]) -> None:
        """Print a table with the durations between the milestones of a request or an event.

        A milestone is a description, the layers that take the time before it, and a time in ns.
        """
        rows = [
            (where, before, after, to - since)
            for (before, _, since), (after, where, to) in pairwise(milestones)
        ]
        whole = milestones[-1][2] - milestones[0][2]
        self.table(f"{way}: {whole} ns", ("time spent in", "from", "to", "ns"), rows)
        for number, (*_, ns) in enumerate(rows, 1):
            self.note(f"{way.lower()}_{number}_ns", ns)

    def _check_ended(self, process: Any) -> None:
        if process.alive:
            raise NotShown(f"{self._name}: process {process.pid} waits for an event that does not occur")

    # -- the machine ------------------------------------------------------------

    def plug(self, device: Device) -> None:
        """Plug in a device.  `clear` unplugs it."""
        self.machine.plug(device)
        self._plugged.append(device)

    def clear(self) -> None:
        """Unplug all devices and unload all modules."""
        for device in self._plugged:
            self.machine.unplug(device)
        self.do(_unload, name=ROOT)

    def spawn(self, program: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Start a program.  It must end before the final answer."""
        process = self.machine.spawn(program, *arguments, **options)
        self._processes.append(process)
        return process

    def do(self, program: Callable[..., Awaitable[Any]], *arguments: Any, name: str, **options: Any) -> Any:
        """Start a program, run the machine until no event is left, and return the program's result.

        Raise NotShown if it does not end.
        """
        returned: list[Any] = []

        async def run(app: App) -> None:
            returned.append(await program(app, *arguments))

        process = self.spawn(run, name=name, **options)
        self.machine.run()
        self._check_ended(process)
        return returned[0]

    def prepare(self, *modules: str, node: str = "") -> None:
        """Load modules as root, and let every user open the device node at the path `node`."""

        async def administrator(app: App) -> None:
            for module in modules:
                await app.modprobe(module)
            if node:
                await app.chmod(node, 0o666)

        self.do(administrator, name=ROOT)

    def pass_time(self, ns: int) -> None:
        """Run the machine for `ns` nanoseconds."""
        self.machine.run(until=self.machine.now + ns)


async def _unload(app: App) -> None:
    """Unload all modules. Unload a module only after the modules that use it."""
    while loaded := await app.lsmod():
        for module in loaded:
            if not module["users"]:
                await app.rmmod(module["name"])
