"""Four questions that everybody asks, each answered by a small run and by what the run has shown.

Covers: what netlink is for; whether an application can talk to hardware; what drivers are and where they
    sit; whether every module is a driver. System calls, messages, registers, interrupts, errors, /proc, /sys.
Scenario: Each question is put. Then programs run on the machine, and with --details what happens is shown
    line by line: their calls as strace prints them, and tracepoints of the kernel, the drivers and the
    hardware. The sentence that follows is printed only if the run has shown it.
When useful: as an answer to a colleague's question. By default the answers alone; with --only 2 the second
    question and what shows its answer; with --details every line.

Read it in this order:
    stage.py        how a question is put, what is a fact, and when a sentence may be said
    netlink.py      1. What is netlink for?
    hardware.py     2. Can an application talk to hardware directly?
    drivers.py      3. What are drivers, and where do they sit?
    modules.py      4. Is every module a driver?
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simkernel.scenario import Run, ScenarioParameter, Transcript, scenario

from .drivers import drivers
from .hardware import hardware
from .modules import modules
from .netlink import netlink
from .stage import ROOT, Stage

QUESTIONS: Final[dict[str, tuple[str, Callable[[Stage], None]]]] = {
    "1": ("What is netlink for?", netlink),
    "2": ("Can an application talk to hardware directly?", hardware),
    "3": ("What are drivers, and where do they sit?", drivers),
    "4": ("Is every module a driver?", modules),
}
ALL: Final = "all"
LEGEND: Final = """\
How to read a line: when, in microseconds; who; and what happened. A program's
calls stand as strace prints them; what happens below stands further right,
as ftrace prints it: in the kernel, in a driver, in the hardware."""


@scenario(ScenarioParameter("only", str, ALL, choices=(ALL, *QUESTIONS), help="which question is answered"))
def questions(run: Run) -> None:
    machine = run.machine(udev=False)
    transcript = Transcript(machine, hidden=(ROOT,))
    chosen = tuple(QUESTIONS) if run["only"] == ALL else (run["only"],)
    for number in chosen:
        text, answer = QUESTIONS[number]
        heading = f"{number}. {text}"
        run.text(f"{heading}\n{'=' * len(heading)}")
        if number == chosen[0]:
            run.text(LEGEND, detail=True)
        stage = Stage(run, machine, transcript, answer.__name__, brief=len(chosen) > 1)
        answer(stage)
        stage.clear()
        run.metric(answer.__name__, stage.facts)
    if len(chosen) > 1:
        run.text("What shows the first answer: simkernel run questions --only 1 --details")
