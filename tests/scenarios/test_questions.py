"""The four questions of the scenario `questions`: their demonstrations and answers. Every statement is
demonstrated.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest

from simkernel import Machine
from simkernel.cli import stories
from simkernel.engine import Record
from simkernel.hardware.bus import Bus
from simkernel.hardware.mouse.device import Mouse
from simkernel.kernel.lib.costs import PARAMETERS, CostModel
from simkernel.kernel.netlink.broadcast import Broadcast
from simkernel.kernel.pseudofs.sysfs import modules as sysfs_modules
from simkernel.scenario import Run, Scenario, Text
from simkernel.scenario.report import Table
from tests.cli.terminal import Terminal
from tests.conftest import CommandLine

NUMBERS = {"1": "netlink", "2": "hardware", "3": "drivers", "4": "modules"}
ANSWER = "Answer: "
SHOWN = "=> "
each_number = pytest.mark.parametrize("number", NUMBERS)


@pytest.fixture(scope="module")
def questions() -> Scenario:
    return stories.load(stories.find("questions"))


def texts(run: Run) -> list[str]:
    return [part.text for part in run.parts if isinstance(part, Text)]


def said(run: Run) -> list[str]:
    return [text for text in texts(run) if text.startswith((SHOWN, ANSWER))]


@pytest.fixture(scope="module")
def whole(questions: Scenario) -> Run:
    return questions.run()


def test_every_question_is_put_shown_and_answered(whole: Run) -> None:
    headings = [text for text in texts(whole) if text.split("\n")[-1].startswith("===")]
    assert [text.split(".")[0] for text in headings] == list(NUMBERS)
    assert list(whole.metrics) == list(NUMBERS.values())
    answers = [text for text in said(whole) if text.startswith(ANSWER)]
    assert len(answers) == len(NUMBERS)
    assert len(said(whole)) >= 4 * len(NUMBERS)
    assert answers[1].startswith("Answer: No.") and answers[3].startswith("Answer: No.")


def test_the_facts_are_right(whole: Run) -> None:
    facts = whole.metrics
    netlink = facts["netlink"]
    assert (netlink["messages_sent"], netlink["programs_that_heard"]) == (1, 3)
    assert (netlink["error_by_ioctl"], netlink["error_by_netlink"]) == ("EINVAL", "ERANGE")
    assert netlink["attribute_at_that_offset"] == "interval"
    hardware = facts["hardware"]
    assert hardware["errors_of_the_user"] == hardware["errors_of_root"] == "ENOENT EFAULT"
    assert (hardware["registers_reached"], hardware["accesses_within_a_call"]) == (0, 2)
    assert (hardware["bytes_looked_at"], hardware["calls_to_look_at_them"]) == (19200, 0)
    drivers = facts["drivers"]
    assert (drivers["node"], drivers["node_now"], drivers["node_at_last"]) == (
        "ENOENT", "a character device", "ENOENT",
    )  # fmt: skip
    assert drivers["driver_now"] == drivers["driver_there"] == "mouse"
    assert all(drivers[f"{way}_{leg}_ns"] > 0 for way in ("down", "up") for leg in (1, 2, 3))
    modules = facts["modules"]
    assert modules["drivers"] == "camera mouse"
    assert modules["not_drivers"] == "devclass hello input video"
    assert (modules["modules_loaded"], modules["interrupt_taken_by"]) == (0, "hotplug")


@each_number
def test_alone_a_question_has_the_same_answer(questions: Scenario, whole: Run, number: str) -> None:
    alone = questions.run(parameters={"only": number}, seed=7)
    assert alone.metrics == {NUMBERS[number]: whole.metrics[NUMBERS[number]]}
    assert said(alone) == [text for text in said(whole) if text in said(alone)]
    assert len([text for text in said(alone) if text.startswith(ANSWER)]) == 1


@pytest.mark.parametrize("times", [0, 1 / 3, 5])
def test_the_answers_do_not_depend_on_costs(
    questions: Scenario, whole: Run, monkeypatch: pytest.MonkeyPatch, times: float
) -> None:
    prices = {name: int(times * getattr(CostModel(), name)) for name in PARAMETERS}
    monkeypatch.setattr("simkernel.machine.CostModel", lambda: CostModel(**prices))
    run = questions.run()
    for name, facts in whole.metrics.items():
        others = run.metrics[name]
        assert {fact for fact in facts if facts[fact] != others[fact]} <= {
            each for each in facts if "ns" in each
        }


def test_a_seed_is_a_run(questions: Scenario) -> None:
    first, second = questions.run(seed=3), questions.run(seed=3)
    assert first.parts == second.parts
    assert first.now == second.now


def test_the_machine_is_left_as_it_was(questions: Scenario) -> None:
    machines: list[Machine] = []
    Run(questions).execute(machines.append)
    statistics = machines[0].statistics
    assert statistics["modules"]["loaded"] == statistics["modules"]["leaks"] == 0
    assert statistics["dma"]["allotted"] == statistics["oopses"] == statistics["bus"]["errors"] == 0


# -- 80 columns -------------------------------------------------------------------


def test_it_fits_into_80_columns(simkernel: CommandLine) -> None:
    lines = simkernel("run", "questions", "--details").out.splitlines()
    assert len(lines) > 300
    assert [line for line in lines if len(line) > 80] == []


@pytest.mark.long
def test_nothing_is_folded_on_a_terminal_of_80_columns() -> None:
    shown = (
        Terminal("run", "questions", "--only", "3", "--details", columns=80, errors=False).text().splitlines()
    )
    report = stories.load(stories.find("questions")).run(parameters={"only": "3"})
    for text in texts(report):
        for line in text.splitlines():
            assert line in [each.rstrip() for each in shown]


# -- --only -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("questions", "--only", "9"), "parameter only is one of all, 1, 2, 3, 4, not '9'"),
        (("camera", "--only", "2"), "scenario camera has no parts to choose from: leave --only out"),
        (("questions", "--only", "2", "--set", "only=3"), "--only 2 and --set only=3: leave one of them out"),
    ],
)
def test_an_unknown_part_is_refused(simkernel: CommandLine, arguments: tuple[str, ...], text: str) -> None:
    done = simkernel("run", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith(f"Error: {text}\n")


# -- every statement is demonstrated ------------------------------------------------


def nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Broadcast, "to", lambda *_: None)


def frames_are_garbled(monkeypatch: pytest.MonkeyPatch) -> None:
    written = Bus.dma_write

    def garbled(bus: Bus, device: Any, address: int, *parts: Any) -> bool:
        if len(parts) > 1:  # only camera frames have several parts: the pixels are the first
            parts = (bytes(len(parts[0])), *parts[1:])
        return written(bus, device, address, *parts)

    monkeypatch.setattr(Bus, "dma_write", garbled)


def the_mouse_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mouse, "move", lambda mouse, *_, **__: None)


def no_module_is_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysfs_modules, "_drivers", lambda kernel, module: iter(()))


@pytest.mark.parametrize(
    ("number", "break_it", "why", "unsaid"),
    [
        ("1", nobody_listens, "programs_that_heard is 0 instead of 3", "The kernel sent first"),
        ("2", frames_are_garbled, "checksum_is_right is False instead of True", "The camera wrote the frame"),
        (
            "3",
            the_mouse_is_stuck,
            "report occurred 0 times instead of once",
            "The mouse raised its interrupt line",
        ),
        ("4", no_module_is_a_driver, "drivers is '' instead of 'camera mouse'", "Two of six modules"),
    ],
)
def test_statements_that_were_not_shown_are_omitted(
    questions: Scenario, monkeypatch: pytest.MonkeyPatch, number: str, break_it: Any, why: str, unsaid: str
) -> None:
    run = Run(questions, parameters={"only": number})
    break_it(monkeypatch)
    with pytest.raises(Exception) as refused:
        run.execute()
    raised = refused.value
    while isinstance(raised, BaseExceptionGroup):
        raised = raised.exceptions[0]
    assert type(raised).__name__ == "NotShown"
    assert why in str(raised)
    assert not any(unsaid in text or text.startswith(ANSWER) for text in said(run))
    assert run.metrics == {}


def test_a_sentence_without_a_fact_is_refused(questions: Scenario) -> None:
    stage = _stage(questions)
    with pytest.raises(Exception, match="no fact shows that it is so"):
        stage.so("it is so")
    stage.fact("one", 1, 1)
    stage.so("it is so")
    with pytest.raises(Exception, match="one is 1 instead of True"):
        stage.fact("one", 1, True)


def test_an_answer_waits_for_every_program(questions: Scenario) -> None:
    async def sleeper(app: Any) -> None:
        await app.sleep(1e9)

    stage = _stage(questions)
    stage.spawn(sleeper)
    stage.pass_time(1_000_000)
    with pytest.raises(Exception, match="waits for an event that does not occur"):
        stage.answer("It is so.")


def _stage(questions: Scenario) -> Any:
    module = sys.modules[questions.module]
    run = Run(questions)
    machine = run.machine(udev=False)
    return module.Stage(run, machine, module.Transcript(machine), "test")


def test_shown_accesses_are_those_of_the_trace(questions: Scenario) -> None:
    """Each register access that the scenario shows is in the trace. All shown times differ from the trace's
    times by the same offset.
    """
    records: list[Record] = []
    run = Run(questions, parameters={"only": "2"})
    run.execute(lambda machine: machine.trace.subscribe(records.append))
    recorded = {
        (each.time, f"{each.name}:", each.fields["register"])
        for each in records
        if each.name.startswith("rwmmio_")
    }
    shown = []
    for text in texts(run):
        for line in text.splitlines():
            if " rwmmio_" in line:
                time, _, name, register, *_ = line.split()
                shown.append((round(float(time) * 1000), name, register))
    assert len(shown) > 3
    zeros = {time - shown[0][0] for time, *what in recorded if tuple(what) == shown[0][1:]}
    assert any(recorded >= {(time + zero, *what) for time, *what in shown} for zero in zeros)


def test_tables_say_how_long_each_leg_took(whole: Run) -> None:
    tables = {part.title: part for part in whole.parts if isinstance(part, Table)}
    for way in ("Down", "Up"):
        (title,) = [each for each in tables if each.startswith(f"{way}: ")]
        assert sum(int(row[-1]) for row in tables[title].rows if row[-1] is not None) == int(title.split()[1])
