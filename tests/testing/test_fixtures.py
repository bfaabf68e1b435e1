"""The plugin for pytest, in a project of its own."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

CONFTEST = 'pytest_plugins = ["simkernel.testing.fixtures"]'


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project that uses the plugin."""
    pytester.makeconftest(CONFTEST)
    return pytester


def test_a_machine_for_each_test(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import pytest

        seen = []

        pytestmark = pytest.mark.machine(udev=False, seed=1)

        def test_one(machine):
            machine.run(until=5)
            seen.append(machine)
            assert machine.statistics["processes"]["failed"] == 0

        @pytest.mark.machine(seed=2)
        def test_other(machine):
            assert machine.now == 0
            assert machine.engine.rng.seed == 2
            assert machine is not seen[0]
            with pytest.raises(Exception, match="closed"):
                seen[0].run()
    """)
    project.runpytest_inprocess("--strict-markers", "-p", "no:xdist").assert_outcomes(passed=2)


def test_a_leak_fails_the_test(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import pytest

        async def program(app):
            await app.pipe()
            await app.sleep(3600)

        def test_that_leaves_nothing(machine):
            machine.spawn(program)
            machine.run(until=10**9)

        def test_that_leaks(machine):
            machine.spawn(program)
            machine.run(until=10**9)
            for file in machine.kernel.open_files:
                file.get()

        @pytest.mark.machine(check_leaks=False)
        def test_that_may_leak(machine):
            machine.kernel.modules.leaks = 1
    """)
    result = project.runpytest_inprocess("-p", "no:xdist")
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*Leak: left behind: *open file pipe:[[]1]*"])


def test_a_report_of_a_checker_fails_the_test(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import pytest

        def break_it(machine):
            machine.kernel.reports.add("lockdep", "WARNING: possible circular locking dependency detected")

        def test_that_reports(machine):
            break_it(machine)

        def test_that_expects_it(machine):
            break_it(machine)
            assert [report.checker for report in machine.reports.take()] == ["lockdep"]

        @pytest.mark.machine(checks=())
        def test_without_checkers(machine):
            break_it(machine)
    """)
    result = project.runpytest_inprocess("-p", "no:xdist")
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*KernelBug: WARNING: possible circular locking dependency detected"])


def test_worlds(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import pytest
        from simkernel.uapi.netlink import NETLINK_USERSOCK

        def test_root(world):
            world.socket(proto=NETLINK_USERSOCK).bind((0, 1))

        def test_nobody(unprivileged_world):
            with pytest.raises(PermissionError):
                unprivileged_world.socket(proto=NETLINK_USERSOCK).bind((0, 1))
    """)
    project.runpytest_inprocess("-p", "no:xdist").assert_outcomes(passed=2)


def test_a_failure_shows_the_kernel_log(project: pytest.Pytester) -> None:
    project.makepyfile("""
        def test_that_fails(machine):
            machine.kernel.log.err("a line that explains it")
            assert False

        def test_without_a_machine():
            assert False
    """)
    result = project.runpytest_inprocess("-p", "no:xdist")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*Kernel log*", "*a line that explains it"])


def test_what_a_program_raised_fails_the_test(project: pytest.Pytester) -> None:
    project.makepyfile("""
        async def program(app):
            raise ValueError("of the program")

        def test_that_does_not_look(machine):
            machine.spawn(program)
            machine.blocking().sleep(1)
    """)
    result = project.runpytest_inprocess("-p", "no:xdist")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*ValueError: of the program"])
