"""Four questions of beginners, each answered by a small run.

Covers: the purpose of netlink; whether an application can access hardware; what drivers are and where they
    are in the kernel; whether every module is a driver. System calls, messages, registers, interrupts,
    errors, /proc, /sys.
Scenario: For each question, programs run on the machine. With --details the report shows their system calls
    as strace prints them, and tracepoints of the kernel, the drivers and the hardware. A sentence after =>
    is printed only if the run has shown it.
When useful: as an answer to a colleague's question. By default it prints the answers only; --only 2 prints
    the second question and the observations behind its answer; --details prints every line.

Read the files in this order:

    stage.py        the steps of an answer: transcripts, facts and sentences
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
Each line has a time in microseconds and a program, then its system call as
strace prints it. Lines that are indented further are tracepoints of the
kernel, the drivers and the hardware, as ftrace prints them."""


@scenario(ScenarioParameter("only", str, ALL, choices=(ALL, *QUESTIONS), help="the question to answer"))
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
        run.text("To print the details of answer 1: simkernel run questions --only 1 --details")
