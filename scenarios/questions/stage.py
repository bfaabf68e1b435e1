"""What the questions have in common: what is seen, what that shows, and the sentence that follows."""

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
"""Columns of a paragraph: those of a transcript."""
ROOT: Final = "root"
"""Programs of this name prepare what the others need, and are not shown."""
USER: Final = 1000
ACCESSES: Final = ("rwmmio_read", "rwmmio_write")
"""Tracepoints of an access to a register."""

Fact = bool | int | str


class NotShown(Exception):
    """The run has not shown what would have been said of it."""


async def result_or_error(call: Awaitable[Any]) -> Any:
    """Return what a system call returns, or the name of the errno with which it fails."""
    try:
        return await call
    except OSError as error:
        return error_name(error.errno or 0)


class Stage:
    """One question on the machine of a run.

    `facts` is what the run has shown, by name.  If `brief`, the story of the report is the answer alone.
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
        """What times count from: the first thing that is shown."""
        self._unsaid: list[str] = []
        self._plugged: list[Device] = []
        self._processes: list[Any] = []

    # -- the report -----------------------------------------------------------

    def say(self, text: str) -> None:
        """A paragraph."""
        self._run.text(fill(text, WIDTH), detail=self._brief)

    @contextmanager
    def shown(self, *points: str) -> Iterator[Watch]:
        """Watch the calls in this block and the tracepoints of these names, then print them.

        NotShown if there is none.
        """
        with self.watch(*points) as seen:
            yield seen
        if not seen.lines:
            raise NotShown(f"{self._name}: nothing was seen")
        if self._zero is None:
            self._zero = seen.lines[0].time
        self._run.text(seen.text(self._zero), detail=True)

    def watch(self, *points: str) -> AbstractContextManager[Watch]:
        """Like `shown`, without printing."""
        return self._transcript.watch(*points)

    def table(self, title: str, columns: Iterable[str], rows: Iterable[Iterable[str | int | None]]) -> None:
        """Print a table."""
        self._run.table(title, columns, rows, detail=True)

    def one(self, seen: Watch, name: str, **fields: object) -> Any:
        """The one record of that name with these fields.  NotShown if there is none, or another."""
        found = seen.named(name, **fields)
        if len(found) != 1:
            raise NotShown(f"{self._name}: {name} was seen {len(found)} times and not once")
        return found[0]

    def fact(self, name: str, value: Fact, expected: Fact) -> None:
        """Write down what the run has shown.  NotShown if it is not as the next sentence will have it."""
        self.facts[name] = value
        if type(value) is not type(expected) or value != expected:
            raise NotShown(f"{self._name}: {name} is {value!r} and not {expected!r}, so nothing follows")
        self._unsaid.append(name)

    def note(self, name: str, value: Fact) -> None:
        """Write down what may be one way or another."""
        self.facts[name] = value

    def so(self, sentence: str) -> None:
        """A sentence that the facts since the last one have shown to be true.  NotShown if there are none."""
        if not self._unsaid:
            raise NotShown(f"{self._name}: nothing has shown that {sentence}")
        self._unsaid.clear()
        text = fill(sentence, WIDTH, initial_indent="=> ", subsequent_indent="   ")
        self._run.text(text, detail=self._brief)

    def answer(self, sentence: str) -> None:
        """The answer, which sums up what was said.  NotShown if a program still waits for something."""
        for process in self._processes:
            self._check_ended(process)
        self._run.text(fill(sentence, WIDTH, initial_indent="Answer: "))

    def legs(self, way: str, *milestones: tuple[str, str, int]) -> None:
        """A table of how long each leg of a way took.

        A milestone is what happened, where the time before it was spent, and when it was [ns].
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
            raise NotShown(f"{self._name}: process {process.pid} waits for what does not come")

    # -- the machine ------------------------------------------------------------

    def plug(self, device: Device) -> None:
        """Plug a device in; it is unplugged when the question is done with."""
        self.machine.plug(device)
        self._plugged.append(device)

    def clear(self) -> None:
        """Leave the machine as it was: nothing plugged in and nothing loaded."""
        for device in self._plugged:
            self.machine.unplug(device)
        self.do(_unload, name=ROOT)

    def spawn(self, program: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Start a program.  It has to come to its end before the question is answered."""
        process = self.machine.spawn(program, *arguments, **options)
        self._processes.append(process)
        return process

    def do(self, program: Callable[..., Awaitable[Any]], *arguments: Any, name: str, **options: Any) -> Any:
        """Let a program run to its end, and all that comes of it; return what it returns.

        NotShown if it does not end.
        """
        returned: list[Any] = []

        async def run(app: App) -> None:
            returned.append(await program(app, *arguments))

        process = self.spawn(run, name=name, **options)
        self.machine.run()
        self._check_ended(process)
        return returned[0]

    def prepare(self, *modules: str, node: str = "") -> None:
        """Load modules as root, and let every user open `node`, as the rules of a system may."""

        async def administrator(app: App) -> None:
            for module in modules:
                await app.modprobe(module)
            if node:
                await app.chmod(node, 0o666)

        self.do(administrator, name=ROOT)

    def pass_time(self, ns: int) -> None:
        """Let the machine run on for a while."""
        self.machine.run(until=self.machine.now + ns)


async def _unload(app: App) -> None:
    """Unloads every module, those first that use others."""
    while loaded := await app.lsmod():
        for module in loaded:
            if not module["users"]:
                await app.rmmod(module["name"])
