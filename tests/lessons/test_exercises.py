"""The exercises: the starting file and typical wrong solutions fail with a reason, the solution passes."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest

from simkernel.lessons.checking import Verdict, grade
from simkernel.shipped import shipped
from simkernel.testing.exercise import find, names

pytestmark = pytest.mark.long

EXERCISES = shipped("scenarios") / "exercises"


@attrs.frozen
class Mistake:
    """A change that makes the solution of an exercise wrong, and the reason and line that its verdict must
    have.

    old, new  the change: `old` occurs in the solution
    reason    pattern of the reason
    line      text of the line that the place names, or ""
    """

    name: str
    old: str
    new: str
    reason: str
    line: str = ""


REMOVE = """\
        writel(0, clicker.io, hw.CONTROL)
        writel(0, clicker.io, hw.IRQ_ENABLE)
        await free_irq(self.this, device.irq, clicker)
        await destroy_workqueue(self.this, clicker.queue)
"""
REMOVE_QUEUE_FIRST = """\
        await destroy_workqueue(self.this, clicker.queue)
        await free_irq(self.this, device.irq, clicker)
        writel(0, clicker.io, hw.CONTROL)
"""
DIGITS = "    if not digits.isdigit() or int(digits) > 100:\n        raise os_error(EINVAL)\n"
TRY = """\
    try:
        assert 0 <= int(digits) <= 100
    except (ValueError, AssertionError):
        raise os_error(EINVAL) from None
"""
UNREGISTER = "        device_unregister(clicker.node)\n"
LISTEN = "    monitor = await app.uevents()\n"
LIST = '    table.update(await app.listdir("/sys/class/mouse"))\n'
WAIT = "        await wait_event_interruptible(mouse.readable, mouse.ready)\n"
LOCK = "        with mouse.lock:\n"
MISTAKES: dict[str, tuple[Mistake, ...]] = {
    "request": (
        Mistake("the number of the family is fixed", "if type == 1:", "family = 21\n        if type == 7:",
                r"set_rate\(app, sock, 500\) returns 2: it must return 0"),
        Mistake("the sender is not checked", "if sender[0] != 0:", "if False:",
                r"set_rate\(app, sock, 1000\) returns 1: it must return 0"),
        Mistake("the sequence number is not checked", "if number == sequence:", "if True:",
                r"set_rate\(app, sock, 500\) returns 0, but the mouse's rate is 125"),
        Mistake("no acknowledgement is requested", "REQUEST | ACK", "REQUEST",
                "call 1 of set_rate never returns: it waits for an answer"),
        Mistake("a length counts the padding", "4 + len(value), type", "8, type",
                r"set_rate\(app, sock, 500\) returns 22: it must return 0"),
        Mistake("the errno is negative", "return -struct", "return struct",
                r"set_rate\(app, sock, 333\) returns -22: it must return 22"),
    ),
    "resync": (
        Mistake("ENOBUFS ends the program", "if error.errno != ENOBUFS:", "if True:",
                r"OSError: ENOBUFS: No buffer space available", "async for event"),
        Mistake("ENOBUFS is ignored", "            stale = True\n", "",
                r"table\['mouse\d'\] is \(.*\): the mouse is at \("),
        Mistake("the first state is missing", "    stale = True\n    while", "    stale = False\n    while",
                r"table\['mouse0'\] is \(.*\): the mouse is at \("),
        Mistake("a step counts twice", 'if event["sequence"] <= sequences.get(name, -1):', "if False:",
                r"table\['mouse0'\] is \(6, 18\): the mouse is at \(5, 15\)"),
    ),
    "attribute": (
        Mistake("no newline", "brightness}\\n", "brightness}",
                r"brightness shows b'0' after the module is loaded: it must show b'0\\n'"),
        Mistake("no upper limit", " or int(digits) > 100", "", r"a write of b'101\\n' is accepted:"),
        Mistake("no lower limit", "not digits.isdigit() or int", "int", r"a write of b'-1\\n' is accepted"),
        Mistake("text is an oops", "not digits.isdigit() or int(digits) > 100", "not 0 <= int(digits) <= 100",
                "an oops in attribute brightness of lamp0: ValueError", "int(digits)"),
        Mistake("int of Python takes more than digits", DIGITS, TRY, r"a write of b'1_0\\n' is accepted"),
        Mistake("another errno", "raise os_error(EINVAL)", "raise os_error(5)",
                r"a write of b'101\\n' fails with errno 5: refuse it with EINVAL"),
        Mistake("no lock", "    with lamp.lock:\n        lamp.bri", "    if True:\n        lamp.bri",
                r"changes shows b'\d\\n' after two programs have written 2 times each: it must show b'4"),
    ),
    "remove": (
        Mistake("the interrupt is not freed", "await free_irq(self.this, device.irq, clicker)", "pass",
                r"remove does not release irq 1 \(clicker\)"),
        Mistake("the queue is not destroyed", "await destroy_workqueue(self.this, clicker.queue)", "pass",
                "remove does not release workqueue clicker$"),
        Mistake("the file stays", "device_unregister(clicker.node)", "pass",
                r"remove does not release clicker\d"),
        Mistake("the queue goes first, and the device is on", REMOVE, REMOVE_QUEUE_FIRST,
                "an oops in irq handler clicker: .*workqueue clicker is destroyed", "queue_work("),
        Mistake("await is missing", "await free_irq", "free_irq",
                r"an oops in remove of 0:1: .*never awaited: free_irq at mine.py:\d+", "free_irq("),
    ),
    "interrupt": (
        Mistake("no wake-up", "wake_up_interruptible(mouse.readable)", "pass",
                r"the mouse has made 8 reports, and the readers never get \[0, 1, .*\]: they got \[\]"),
        Mistake("the handler has no lock", LOCK[4:] + "        while", "    if True:\n        while",
                r"BUG: KCSAN: data-race in put / take\nread of Mouse.used by interrupt 1:\n put at mine",
                "if self.used < SLOTS"),
        Mistake("the reader has no lock", LOCK + "            if", "        if True:\n            if",
                "BUG: KCSAN: data-race in put / take", "if self.used < SLOTS"),
        Mistake("the reader does not look again", "if mouse.used:  #", "if True:  #",
                r"a read returns \d a second time: the readers already have \["),
        Mistake("a wrong argument", "irq(device, device.irq", "irq(None, device.irq",
                "an oops in probe of 0:1: AttributeError", "devm_request_irq(None"),
        Mistake("a wrong line", "devm_request_irq(device, device.irq", "devm_request_irq(device, 99",
                "there is no file /dev/reports: probe has failed"),
        Mistake("the reader sleeps under the lock", WAIT + LOCK, LOCK + "    " + WAIT,
                "an oops in read of .*spinlock lockup on ring"),
    ),
    "hotplug": (
        Mistake("lists before it listens", LISTEN + LIST, LIST + LISTEN,
                r"has \['mouse0'\], but the mice are \['mouse1'\]: mouse0 is unplugged while watch begins"),
        Mistake("never lists", LIST, "", r"the table lacks \['mouse0', 'mouse1'\], it has \[\]"),
        Mistake("ignores removal", 'elif event.action == "remove":', "elif False:",
                r"the table has \['mouse0'\], but the mice are \['mouse1'\]"),
        Mistake("takes all subsystems", 'if event.variables["SUBSYSTEM"] != "mouse":', "if False:",
                r"the table has \['0:1', 'event0', 'input2'\], but the mice are"),
        Mistake("returns", "            table.discard(name)", "            return table.discard(name)",
                "the function watch returns: it must never stop waiting for events"),
    ),
}  # fmt: skip
RIGHT: dict[str, tuple[tuple[str, str, str], ...]] = {
    "request": (
        ("one sequence number", "sequence = next(SEQUENCES)", "sequence = 1"),
        ("a far sequence number", "itertools.count(1)", "itertools.count(2**31)"),
    ),
    "resync": (
        ("the state at each event", "                x, y = table",
         "                stale = True\n                break\n                x, y = table"),
    ),
    "attribute": (
        ("int with its exception", DIGITS, TRY.replace("0 <=", "b'_' not in digits and 0 <=")),
        ("a number is returned", "lamp.changes += 1\n", "lamp.changes += 1\n    return len(data)\n"),
    ),
    "remove": (
        ("the device stays on", REMOVE, REMOVE.replace("writel(0, clicker.io, hw.CONTROL)", "pass")),
        ("the file goes last", UNREGISTER + REMOVE, REMOVE + UNREGISTER),
    ),
    "interrupt": (
        ("one report an interrupt", "while 0 < readl(mouse.io, hw.FIFO_COUNT) < ALL_ONES:", "if True:"),
        ("wake-up under the lock", "    wake_up_interruptible", "        wake_up_interruptible"),
    ),
    "hotplug": (
        ("a list at each event", "        if event.variables",
         "        table.clear()\n    " + LIST + "        continue\n        if event.variables"),
    ),
}  # fmt: skip
"""Other right solutions of each exercise. Each has a name, a part of the shipped solution, and the text that
replaces this part.
"""
CASES = [(name, mistake) for name, mistakes in MISTAKES.items() for mistake in mistakes]


STARTS = {
    "request": "NotImplementedError: make the netlink and generic netlink headers",
    "resync": "OSError: ENOBUFS: No buffer space available",
    "attribute": "brightness shows b'?",
    "remove": "remove does not release clicker2, irq 1 (clicker), irq 2 (clicker), workqueue clicker",
    "interrupt": "NotImplementedError('wait until the ring has a number",
    "hotplug": "NotImplementedError: list the mice, and follow the events",
}


def graded(name: str, text: str, folder: Path, seeds: int = 2, plan: str | None = None) -> Verdict:
    file = folder / "mine.py"
    file.write_text(text, "utf-8")
    module = folder / "module"
    module.mkdir(exist_ok=True)
    return grade(find(name), file, module, seeds, 1, plan)


@pytest.mark.long
@pytest.mark.parametrize("name", MISTAKES)
def test_solution_passes_many_runs(name: str, tmp_path: Path) -> None:
    verdict = graded(name, solution(name), tmp_path, seeds=500)
    assert verdict.passed, verdict


def solution(name: str) -> str:
    """Return the solution without lines that are comments."""
    lines = (EXERCISES / name / "solution.py").read_text("utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.lstrip().startswith("#"))


def test_each_exercise_has_three_typical_mistakes() -> None:
    assert set(MISTAKES) == set(names())
    assert all(len(mistakes) >= 3 for mistakes in MISTAKES.values())


@pytest.mark.parametrize("name", MISTAKES)
def test_starting_file_fails(name: str, tmp_path: Path) -> None:
    text = find(name).start()
    assert text.startswith(f'"""{find(name).task}')
    verdict = graded(name, text, tmp_path)
    assert not verdict.passed
    assert STARTS[name] in verdict.reason


@pytest.mark.parametrize("name", MISTAKES)
def test_solution_passes(name: str, tmp_path: Path) -> None:
    verdict = graded(name, solution(name), tmp_path, seeds=8)
    assert verdict.passed, verdict


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [(name, old, new) for name, others in RIGHT.items() for _, old, new in others],
    ids=[f"{name}: {title}" for name, others in RIGHT.items() for title, _, _ in others],
)
def test_other_right_solution_passes(name: str, old: str, new: str, tmp_path: Path) -> None:
    text = solution(name)
    assert old in text
    verdict = graded(name, text.replace(old, new), tmp_path, seeds=8)
    assert verdict.passed, verdict


@pytest.mark.parametrize(("name", "mistake"), CASES, ids=[f"{name}: {each.name}" for name, each in CASES])
def test_mistake_is_found(name: str, mistake: Mistake, tmp_path: Path) -> None:
    text = solution(name)
    assert mistake.old in text
    text = text.replace(mistake.old, mistake.new)
    verdict = graded(name, text, tmp_path)
    assert not verdict.passed
    assert re.search(mistake.reason, verdict.reason), verdict.reason
    if mistake.line:
        _, line = verdict.place.split(":")
        assert mistake.line in text.splitlines()[int(line) - 1]
    again = graded(name, text, tmp_path, plan=verdict.plan)
    assert (again.reason, again.place) == (verdict.reason, verdict.place)
    assert again.calls or again.runs == 0
