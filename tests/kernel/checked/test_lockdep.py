"""lockdep: its reports about faulty drivers. The correct versions of these drivers cause no report."""

from __future__ import annotations

import pytest

from simkernel import KernelBug, millis
from tests.kernel.checked.conftest import Checked

NESTED = """
async def act(state, text):
    first, second = (state.one, state.other) if text == "forth" else (state.{0}, state.{1})
    async with first:
        async with second:
            pass
"""


def test_locks_in_both_orders_are_reported_though_they_never_deadlock(checked: Checked) -> None:
    checked.driver(NESTED.format("other", "one"))
    checked.write("forth", "back")
    (report,) = checked.reports()
    assert report.title == "WARNING: possible circular locking dependency detected"
    text = report.text
    assert "writer/6 is trying to acquire lock:\n (mutex one), at: act at faulty.py:" in text
    assert "already holding lock:\n (mutex other), at: act at faulty.py:" in text
    assert "-> #1 (mutex other):" in text
    assert "-> #0 (mutex one):" in text
    assert "  lock(other);\n                               lock(one);" in text
    assert len(set(report.places)) == 2
    assert report.text.splitlines() == checked.bench.log[-len(report.text.splitlines()) :]


def test_locks_in_one_order_are_not_reported(checked: Checked) -> None:
    checked.driver(NESTED.format("one", "other"))
    checked.write("forth", "back")
    assert checked.reports() == []


def test_a_cycle_of_three_locks_is_reported(checked: Checked) -> None:
    checked.driver("""
async def act(state, text):
    third = state.cdev.data.third = getattr(state, "third", None) or mutex_init(state.this, "third")
    pairs = {"1": (state.one, state.other), "2": (state.other, third), "3": (third, state.one)}
    async with pairs[text][0]:
        async with pairs[text][1]:
            pass
""")
    checked.write("1", "2", "3", "1", "2", "3")
    (report,) = checked.reports()
    assert "-> #2 (mutex third):" in report.text
    assert "-> #1 (mutex other):" in report.text
    assert "-> #0 (mutex one):" in report.text


TRYLOCK = """
async def act(state, text):
    if text == "forth":
        async with state.one, state.other:
            pass
    else:
        async with state.other:
            if mutex_trylock(state.one):
                mutex_unlock(state.one)
"""


def test_trylock_has_no_order(checked: Checked) -> None:
    checked.driver(TRYLOCK)
    checked.write("forth", "back")
    assert checked.reports() == []


def test_two_locks_of_one_class_are_reported(checked: Checked) -> None:
    checked.driver("""
async def act(state, text):
    first, second = [mutex_init(state.this, f"port {number}") for number in range(2)]
    async with first, second:
        pass
""")
    checked.write("")
    (report,) = checked.reports()
    assert report.title == "WARNING: possible recursive locking detected"
    assert "(mutex port 1)" in report.text


def test_a_lock_is_taken_in_interrupt_context_and_otherwise(checked: Checked) -> None:
    checked.driver("""
def act(state, text):
    def expired(timer):
        with state.spin:
            pass

    with state.spin:
        timer = timer_setup(state.this, expired)
        mod_timer(timer, ktime_get(state.this) + 1000)
""")
    checked.write("")
    assert checked.reports() == []


@pytest.mark.parametrize("lock", ["await mutex_lock(state.one)", "mutex_trylock(state.one)"])
def test_a_lock_that_is_held_on_return_to_user_mode_is_reported(checked: Checked, lock: str) -> None:
    checked.driver(f"""
{"async " if "await" in lock else ""}def act(state, text):
    {lock}
""")
    checked.write("", at=1)
    (report,) = checked.reports()
    if "await" in lock:
        assert report.title == "WARNING: lock held when returning to user space!"
        assert "writer/6 is leaving the kernel with locks still held!" in report.text
    else:  # write(2) did not sleep, so lockdep reports the held lock only when the process exits.
        assert report.title == "WARNING: writer/6 still has locks held!"
    assert "1 lock held by writer/6:\n #0: (mutex one), at: act at faulty.py:" in report.text


def test_a_mutex_that_another_task_unlocks_is_reported(checked: Checked) -> None:
    checked.driver("""
async def act(state, text):
    if text == "lock":
        await mutex_lock(state.one)
        await wait_for_completion_timeout(state.this, init_completion(state.this, "never"), 10000000)
    else:
        mutex_unlock(state.one)
""")
    checked.write("lock")
    checked.write("unlock", at=millis(1))
    (report,) = checked.reports()
    assert report.title == "WARNING: bad unlock balance detected!"
    assert "writer/7 is trying to release lock (mutex one) at:\n act at faulty.py:" in report.text
    assert "but writer/6 has taken it!" in report.text


def test_close_raises_the_reports_that_no_test_took(checked: Checked) -> None:
    checked.driver(NESTED.format("other", "one"))
    checked.write("forth", "back")
    checked.machine.run()
    with pytest.raises(KernelBug, match="possible circular locking dependency"):
        checked.machine.close()


def test_a_killed_holder_gives_its_locks_back(checked: Checked) -> None:
    checked.driver("""
async def act(state, text):
    async with state.one:
        await wait_event(init_waitqueue_head("never"), lambda: False)
""")
    checked.write("")
    checked.write("", at=1000)
    checked.machine.run(until=millis(1))
    assert {report.checker for report in checked.machine.reports.take()} == {"hung"}
    checked.machine.close()
    assert not len(checked.machine.reports)


def test_a_lock_taken_by_trylock_does_not_hide_the_order_of_those_before_it(checked: Checked) -> None:
    checked.driver("""
async def act(state, text):
    state.third = getattr(state, "third", None) or mutex_init(state.this, "third")
    if text == "forth":
        async with state.one:
            if mutex_trylock(state.other):
                async with state.third:
                    mutex_unlock(state.other)
    else:
        async with state.third, state.one:
            pass
""")
    checked.write("forth", "back")
    (report,) = checked.reports()
    assert report.title == "WARNING: possible circular locking dependency detected"
    assert "-> #1 (mutex third):" in report.text


def test_a_spinlock_that_its_holder_slept_with_has_no_order(checked: Checked) -> None:
    checked.driver("""
async def act(state, text):
    if text == "sleep":
        spin_lock(state.spin)
        await msleep(state.this, 1)
        async with state.one:
            pass
        spin_unlock(state.spin)
    else:
        async with state.one:
            with state.spin:
                pass
""")
    checked.write("sleep", "nest")
    titles = [report.title for report in checked.reports()]
    assert titles[:1] == ["BUG: sleeping function called from invalid context at msleep"]
    assert not any("circular" in title for title in titles)
