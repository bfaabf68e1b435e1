"""The race detector: for each way to order accesses, a faulty driver is reported and its correct version is
not.
"""

from __future__ import annotations

import pytest

from simkernel import Machine
from simkernel.explore.plan import Plan
from simkernel.explore.schedule import Schedule
from simkernel.kernel.lib.report import Report
from tests.kernel.checked.conftest import Checked
from tests.kernel.conftest import Bench


def races(
    bench: Bench, body: str, *texts: str, plan: Plan | None = None, cpus: int | None = None
) -> list[Report]:
    """Start a process for each of `texts`, which writes this text to the driver's device. All processes write
    at the same time. Return the reports.
    """
    checked = Checked(bench, bench.folder, checks=("races",), cpus=cpus, perturbation=plan and Schedule(plan))
    checked.driver(body)
    for text in texts:
        checked.write(text)
    return checked.reports()


COUNT = """
def act(state, text):
    {0}
        state.count = getattr(state, "count", 0)
        state.count += 1
"""


def test_a_module_is_compiled_alone(bench: Bench) -> None:
    """A module does not inherit `from __future__ import annotations` from simkernel: its annotations are
    evaluated.
    """
    for checks in ((), ("races",)):
        checked = Checked(bench, bench.folder, checks=checks)
        bench.module("m", "def function(value: Unknown) -> None: ...")
        with pytest.raises(OSError, match="Exec format error"):
            bench.root.insmod("m")
        assert "NameError" in bench.log[-1]
        checked.machine.close()


def test_a_counter_without_a_lock(bench: Bench) -> None:
    report = races(bench, COUNT.format("if True:"), "", "")[0]
    assert report.title == "BUG: KCSAN: data-race in act"
    assert "of State.count by task writer/7:\n act at faulty.py:" in report.text
    assert "of State.count by task writer/6:\n act at faulty.py:" in report.text
    assert all(place.startswith("faulty.py:") for place in report.places)
    assert len(report.places) == 2


@pytest.mark.parametrize("cpus", [None, 2])
def test_a_counter_with_a_lock(bench: Bench, cpus: int | None) -> None:
    assert races(bench, COUNT.format("with state.spin:"), "", "", cpus=cpus) == []


def test_a_perturbed_run_has_the_same_reports(bench: Bench) -> None:
    (first,) = {report.places for report in races(bench, COUNT.format("if True:"), "", "")[:1]}
    again = races(bench, COUNT.format("if True:"), "", "", plan=Plan(seed=0))
    assert first in {report.places for report in again}


def test_a_mutex_orders_its_sleepers(bench: Bench) -> None:
    body = """
async def act(state, text):
    async with state.one:
        state.busy = True
        await msleep(state.this, 1)
        state.busy = False
"""
    assert races(bench, body, "", "", "") == []


TIMER = """
def act(state, text):
    def expired(timer):
        {0}
            state.items.append(1)

    state.items = []
    mod_timer(timer_setup(state.this, expired), ktime_get(state.this) + 1000)
    udelay(state.this, 10)
    {0}
        state.items.clear()
"""


def test_a_timer_and_the_code_that_armed_it(bench: Bench) -> None:
    (report,) = races(bench, TIMER.format("if True:"), "")
    assert report.title == "BUG: KCSAN: data-race in act / expired"
    assert "write of State.items by timer expired:" in report.text


def test_a_timer_and_the_code_that_armed_it_under_a_spinlock(bench: Bench) -> None:
    assert races(bench, TIMER.format("with state.spin:"), "") == []


def test_flags_set_before_a_timer_is_armed(bench: Bench) -> None:
    body = """
def act(state, text):
    def expired(timer):
        state.one = state.other

    state.other = 1
    mod_timer(timer_setup(state.this, expired), ktime_get(state.this) + 1000)
"""
    assert races(bench, body, "") == []


WORK = """
async def act(state, text):
    def run(work):
        state.answer += 1
        {0}

    state.done = init_completion(state.this, "work")
    state.answer = 1
    schedule_work(init_work(state.this, run))
    await {1}
    state.answer += 1
"""


def test_work_that_nothing_waits_for(bench: Bench) -> None:
    reports = races(bench, WORK.format("pass", "msleep(state.this, 1)"), "")
    assert {report.title for report in reports} == {"BUG: KCSAN: data-race in act / run"}


@pytest.mark.parametrize("wait", ["wait_for_completion(state.done)", "later(state)"])
def test_work_that_completes_before_or_after_the_wait(bench: Bench, wait: str) -> None:
    later = """
async def later(state):
    await msleep(state.this, 1)
    await wait_for_completion(state.done)
"""
    assert races(bench, later + WORK.format("complete(state.done)", wait), "") == []


FLAG = """
def act(state, text):
    if text == "set":
        {0}
    elif {1}:
        pass
"""


@pytest.mark.parametrize(
    ("write", "read", "count"),
    [
        (
            "state.flag = True",
            "getattr(state, 'flag', 0)",
            0,
        ),  # the detector does not see getattr(), only `state.flag`
        ("state.spin = True", "state.spin", 1),
        ("state.spin = True", "READ_ONCE(state.spin)", 0),
        ("WRITE_ONCE(state, 'spin', True)", "READ_ONCE(state.spin)", 0),
        ("WRITE_ONCE(state, 'spin', True)", "state.spin", 1),
        ("state.spin = True", "data_race(state.spin)", 0),
        ("state.spin = True", "(lambda: state.spin)()", 1),
        ("state.spin = True", "[each for each in (1,) if state.spin]", 1),
    ],
)
def test_marked_accesses(bench: Bench, write: str, read: str, count: int) -> None:
    assert len(races(bench, FLAG.format(write, read), "get", "set", "get")) == count


RCU = """
class Client:
    pass

def act(state, text):
    if text == "add":
        client = Client()
        client.ready = True
        with state.spin:
            {0}(state, "other", client)
    else:
        client = {1}(state.other)
        if isinstance(client, Client):
            client.ready
"""


@pytest.mark.parametrize(
    ("write", "read", "count"),
    [("rcu_assign_pointer", "rcu_dereference", 0), ("WRITE_ONCE", "READ_ONCE", 1)],
)
def test_a_pointer_that_readers_follow_without_a_lock(
    bench: Bench, write: str, read: str, count: int
) -> None:
    assert len(races(bench, RCU.format(write, read), "add", "get")) == count


def test_flags_set_after_the_registration(bench: Bench) -> None:
    body = """
def act(state, text):
    if text == "register":
        state.early = 1
        device_create(state.this, state.kind, None, "second")
        state.late = 1
    else:
        udelay(state.this, 1)
        state.early
        {0}
"""
    assert races(bench, body.format("pass"), "register", "use") == []


def test_and_before(bench: Bench) -> None:
    body = """
def act(state, text):
    if text == "register":
        device_create(state.this, state.kind, None, "second")
        state.one = 1
    else:
        state.one
"""
    (report,) = races(bench, body, "register", "use")
    assert "of State.one by task" in report.text


def test_a_machine_without_the_detector_has_plain_code(bench: Bench) -> None:
    races(bench, COUNT.format("if True:"), "", "")
    with Machine(udev=False, module_path=[bench.folder]) as plain:
        plain.blocking().insmod("faulty")
        module = plain.kernel.modules.find("faulty")
        assert module is not None
        assert not any("access" in name for name in module.image.namespace.__dict__)
