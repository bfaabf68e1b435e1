"""simkernel's plugin for pytest: the marker `sim`, and the fixtures."""

from __future__ import annotations

import pytest

from tests.testing.conftest import Pytest

pytestmark = pytest.mark.filterwarnings("ignore:The configuration option .asyncio_default")

SCOPE = "asyncio_default_fixture_loop_scope=function"
RACE = """
import pytest

async def list_then_subscribe(app, seen):
    seen |= set(await app.listdir("/sys/class/input"))
    monitor = await app.uevents()
    async for event in monitor:
        if event.action == "remove":
            seen.discard(event.devpath.rpartition("/")[2])

@pytest.mark.sim(seeds=200, devices=["mouse"])
async def test_it(app, sim):
    seen = set()
    sim.any_step(sim.unplug, "mouse0")
    await app.sleep(0.01)
    await app.spawn(list_then_subscribe, seen)
    await sim.quiet()
    assert seen == set(sim.truth("input"))
"""
"""A test file with a planted bug: its client lists devices before it subscribes to their events."""


def test_async_and_plain_bodies_are_programs(run_pytest: Pytest) -> None:
    result = run_pytest("""
        import pytest

        RUNS = {"async": 0, "plain": 0}

        @pytest.mark.sim(seeds=5)
        async def test_async(app, sim):
            RUNS["async"] += 1
            await app.sleep(1)
            assert app.monotonic_ns() > 10**9

        @pytest.mark.sim(seeds=5)
        def test_plain(app, sim):
            RUNS["plain"] += 1
            app.sleep(1)
            assert app.monotonic_ns() > 10**9

        class TestMethods:
            @pytest.mark.sim(seeds=2)
            def test_it(self, sim):
                assert sim.app.getpid() == 6

        def test_the_number_of_runs():
            assert RUNS == {"async": 5, "plain": 5}
    """)
    result.assert_outcomes(passed=4)


def test_options_of_the_machine(run_pytest: Pytest) -> None:
    result = run_pytest("""
        import pytest
        from simkernel.hardware import Camera, Mouse, Move, Script

        pytestmark = pytest.mark.sim(seeds=1, udev=False, cpus=2)

        async def busy(app):
            await app.compute(10**7)

        def quick():
            return Mouse(Script([Move(0, 1)]))

        @pytest.mark.sim(devices=[quick, Camera], modules=["hello"], udev=True, uid=1000)
        def test_closest_mark_wins(app, sim):
            assert {"mouse", "camera", "hello"} <= {each["name"] for each in app.lsmod()}
            assert app.getuid() == 1000
            assert list(sim.truth("camera")) and list(sim.truth("mouse"))

        def test_of_the_module(app, sim):
            for _ in range(3):
                app.spawn(busy)
            sim.quiet()
            assert 15 * 10**6 < app.monotonic_ns() < 17 * 10**6
            assert not [task for task in sim.machine.kernel.processes if task.comm == "udevd"]
    """)
    result.assert_outcomes(passed=2)


def test_modules_of_the_project(pytester: pytest.Pytester, run_pytest: Pytest) -> None:
    (pytester.mkdir("drivers") / "own.py").write_text(
        "from simkernel.driverapi import printk\nfrom simkernel.driverapi.module import Module\n"
        'MODULE = Module(license="GPL")\n'
        'def init(this):\n    printk.pr_info(this, "own is here")\n'
    )
    result = run_pytest("""
        import pytest

        @pytest.mark.sim(seeds=3, module_path="drivers", modules="own")
        def test_it(sim):
            assert any("own is here" in line for line in sim.machine.log.lines())
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("keywords", "text"),
    [
        ("seed=3", "sim has no keyword 'seed': did you mean seeds or sweep?"),
        ("seeds=-1", "seeds=-1: pass a number of runs, 0 or more"),
        ("seeds='many'", "seeds='many': pass a number of runs, 0 or more"),
        ("seeds=0", "seeds=0 without sweep, systematic and plans: the body would never run"),
        ("systematic=True", "systematic=True: pass a number of pauses, 0 or more"),
        ("strategy='swam'", "strategy='swam': did you mean swarm?"),
        ("sweep='bus.acess'", "does not reach the fault point 'bus.acess'"),
        ("faults='netlink.deliver'", "faults='netlink.deliver': join rules with |"),
        ("plans=['x']", "'x' is not a plan: 'x' is not a seed; write SEED"),
        ("plans=[3]", "plans=3: a plan is a text, as in"),
        ("devices=['mous']", "unknown device 'mous': did you mean mouse?"),
        ("modules=['nothing']", "nothing"),
        ("cpus=0", "cpus=0: pass an int of at least 1"),
        ("checks=['lock']", "'lock' is not a checker; use lockdep"),
        ("500", "the mark sim takes keywords, as in sim(seeds=500), not (500,)"),
    ],
)
def test_wrong_keywords(run_pytest: Pytest, keywords: str, text: str) -> None:
    result = run_pytest(f"""
        import pytest

        @pytest.mark.sim({keywords})
        def test_it(app, sim):
            app.sleep(1)
    """)
    result.assert_outcomes(failed=1)
    assert text in result.stdout.str()
    assert "simkernel/testing" not in result.stdout.str()


def test_fixtures_of_the_project_win(run_pytest: Pytest) -> None:
    result = run_pytest("""
        import pytest

        @pytest.fixture
        def app():
            return "mine"

        @pytest.fixture
        def sim_machine():
            return "mine, too"

        @pytest.mark.sim(seeds=2)
        def test_it(app, sim, tmp_path):
            assert app == "mine"
            assert sim.app.getpid()
            assert tmp_path.is_dir()

        @pytest.mark.sim(seeds=2)
        @pytest.mark.parametrize("sim", ["parameter"])
        async def test_parameter(sim):
            assert sim == "parameter"

        def test_without_the_mark(app, sim_machine):
            assert (app, sim_machine) == ("mine", "mine, too")
    """)
    result.assert_outcomes(passed=3)


def test_without_the_mark_app_and_sim_are_no_fixtures(run_pytest: Pytest) -> None:
    result = run_pytest("""
        def test_it(app):
            pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'app' not found"])


def test_skip_fail_and_xfail_of_a_body(run_pytest: Pytest) -> None:
    result = run_pytest("""
        import pytest

        @pytest.mark.sim
        def test_skip(app, sim):
            pytest.skip("not here")

        @pytest.mark.sim
        async def test_xfail(app, sim):
            pytest.xfail("known")

        @pytest.mark.sim
        @pytest.mark.xfail(raises=ZeroDivisionError, strict=True)
        async def test_marked(app, sim):
            1 / 0

        @pytest.mark.sim(seeds=2)
        async def test_fail(app, sim):
            pytest.fail("a reason")
    """)
    result.assert_outcomes(skipped=1, xfailed=2, failed=1)
    result.stdout.fnmatch_lines(["*Failed: a reason"])


def test_arguments_that_exclude_the_mark(run_pytest: Pytest) -> None:
    result = run_pytest("""
        import unittest
        import pytest
        from hypothesis import given, strategies as st

        class Case(unittest.TestCase):
            @pytest.mark.sim
            def test_method(self):
                pass

        @pytest.mark.sim
        @given(st.integers())
        def test_given(number):
            pass

        @pytest.mark.sim
        def test_machine(app, sim_machine):
            pass
    """)
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(
        [
            "*a test method of a TestCase cannot have the mark sim: call simkernel.testing.check in it",
            "*a test with @given cannot have the mark sim: remove the mark, and use sim_new_machine",
            "*a test with the mark sim has its own machine: use sim.machine, not sim_machine",
        ]
    )


def test_machines_of_a_test(run_pytest: Pytest) -> None:
    result = run_pytest("""
        import pytest
        from hypothesis import given, settings, strategies as st

        machines = []

        def test_seed_of_the_node_id(sim_machine, sim_new_machine):
            machines.append(sim_machine)
            assert sim_machine.engine.rng.seed == 158055386
            assert sim_new_machine().engine.rng.seed == 158055386
            assert sim_new_machine(3, cpus=2, devices=["mouse"]).engine.rng.seed == 3

        def test_closed_after_the_test():
            with pytest.raises(Exception, match="closed"):
                machines[0].run()

        @settings(max_examples=7, database=None)
        @given(st.integers(0, 9))
        def test_each_example_closes_its_own(sim_new_machine, number):
            for machine in machines:
                with pytest.raises(Exception, match="closed"):
                    machine.run()
            machines.append(sim_new_machine(number))
            machines[-1].run()

        def test_world(sim_world):
            assert sim_world.privileged

        def test_log(sim_machine):
            sim_machine.kernel.log.err("a line that explains it")
            assert False
    """)
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(["*kernel log*", "*a line that explains it"])


def test_leaks_and_bugs_of_a_machine_are_errors(run_pytest: Pytest) -> None:
    result = run_pytest("""
        from hypothesis import given, settings, strategies as st

        async def program(app):
            await app.pipe()
            await app.sleep(3600)

        def leak(machine):
            machine.spawn(program)
            machine.run(until=10**9)
            for file in machine.kernel.open_files:
                file.get()

        def test_leak(sim_machine):
            leak(sim_machine)

        def test_leak_after_a_failure(sim_machine):
            leak(sim_machine)
            assert False

        @settings(max_examples=3, database=None)
        @given(st.none())
        def test_leak_of_an_example(sim_new_machine, nothing):
            leak(sim_new_machine())
    """)
    result.assert_outcomes(passed=1, errors=1, failed=2)
    result.stdout.fnmatch_lines(["*Leak: resources were left behind: *open file pipe:[[]1]*"])


def test_other_async_plugins_are_left_alone(pytester: pytest.Pytester, run_pytest: Pytest) -> None:
    pytester.makeconftest("""
        import inspect
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_pyfunc_call(pyfuncitem):
            if inspect.iscoroutinefunction(pyfuncitem.obj):
                with pytest.raises(StopIteration):
                    pyfuncitem.obj().send(None)
                pyfuncitem.config.stash["theirs"] = pyfuncitem.name
                return True
    """)
    result = run_pytest("""
        import pytest

        async def test_theirs():
            pass

        @pytest.mark.sim(seeds=2)
        async def test_ours(app, sim):
            await app.sleep(1)

        def test_which(pytestconfig):
            assert pytestconfig.stash["theirs"] == "test_theirs"
    """)
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize("plugin", ["pytest_asyncio", "anyio"])
def test_with_the_async_plugin(run_pytest: Pytest, plugin: str) -> None:
    pytest.importorskip(plugin)
    mark = {"pytest_asyncio": "asyncio", "anyio": "anyio"}[plugin]
    options = (
        ["-p", "pytest_asyncio", "-o", "asyncio_mode=auto", "-o", SCOPE] if plugin == "pytest_asyncio" else []
    )
    result = run_pytest(
        f"""
        import asyncio
        import pytest

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.mark.{mark}
        async def test_theirs():
            await asyncio.sleep(0)

        @pytest.mark.sim(seeds=2)
        async def test_ours(app, sim):
            await app.sleep(1)
            assert app.monotonic_ns() > 10**9
    """,
        *options,
    )
    result.assert_outcomes(passed=2)


def test_nothing_is_imported_before_first_use(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import sys

        def test_it():
            ours = {name for name in sys.modules if name.startswith("simkernel")}
            assert ours == {"simkernel", "simkernel.pytest_plugin"}
    """)
    result = pytester.runpytest_subprocess("-p", "simkernel.pytest_plugin", "-p", "no:xdist")
    result.assert_outcomes(passed=1)


@pytest.mark.long
def test_assertions_of_simkernel_are_not_rewritten(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import sys

        def test_it(sim_machine):
            ours = {name: each for name, each in sys.modules.items() if name.startswith("simkernel.")}
            assert len(ours) > 100
            rewritten = {name for name, each in ours.items() if "@pytest_ar" in vars(each)}
            assert rewritten <= {"simkernel.pytest_plugin"}
    """)
    result = pytester.runpytest_subprocess("-p", "simkernel.pytest_plugin", "-p", "no:xdist")
    result.assert_outcomes(passed=1)


@pytest.mark.long
def test_with_xdist(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=RACE)
    pytester.makepyfile(
        test_other="""
        import pytest

        @pytest.mark.sim(seeds=3)
        def test_it(app, sim):
            app.sleep(1)
    """
    )
    result = pytester.runpytest_subprocess("-p", "simkernel.pytest_plugin", "-n", "2")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*- simulation -*", "*- replay -*", "pytest test_it.py::test_it --sim-replay *"]
    )


def test_bugs_and_exceptions_of_programs_are_errors(run_pytest: Pytest) -> None:
    result = run_pytest("""
        async def program(app):
            raise ValueError("of the program")

        def report(machine):
            machine.kernel.reports.add("lockdep", "WARNING: possible circular locking dependency detected")

        def test_exception(sim_machine):
            sim_machine.spawn(program)
            sim_machine.blocking().sleep(1)

        def test_report(sim_machine):
            report(sim_machine)

        def test_expected_report(sim_machine):
            report(sim_machine)
            assert [each.checker for each in sim_machine.reports.take()] == ["lockdep"]

        def test_without_checkers(sim_new_machine):
            report(sim_new_machine(checks=()))
    """)
    result.assert_outcomes(passed=4, errors=2)
    result.stdout.fnmatch_lines(
        ["*ValueError: of the program", "*KernelBug: WARNING: possible circular locking dependency detected"]
    )
