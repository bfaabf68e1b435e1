"""Shared fixtures, such as `simkernel`, which runs a command of simkernel inside the pytest process. Also the
settings of hypothesis and pytest.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest
from hypothesis import HealthCheck, settings

from simkernel import Machine
from simkernel.cli import main


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--checks`, which enables checkers in every machine, such as `--checks lockdep,hung`."""
    parser.addoption("--checks", default="", help="checkers that every machine has on, separated by commas")


def pytest_configure(config: pytest.Config) -> None:
    """Enable the checkers of the option `--checks` in every machine."""
    if names := config.getoption("--checks"):
        Machine.__init__.__kwdefaults__["checks"] = tuple(names.split(","))


def pytest_report_header(config: pytest.Config) -> str:
    """Return a line with the expected duration of the test suite, which pytest prints in its header."""
    return "duration on two quiet cores: below 2 minutes; of the long tests (-m long): about 25 minutes"


# Tests start hundreds of processes. Without cached bytecode, each process would compile all modules.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

settings.register_profile("thorough", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("simkernel", settings.get_profile("thorough"), max_examples=25)
settings.load_profile("simkernel")

ROOT = Path(__file__).resolve().parents[1]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Disable Python's garbage collector while pytest collects the tests. Then freeze all objects, so that
    the garbage collector never visits the thousands of tests.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@attrs.frozen
class Result:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str


CommandLine = Callable[..., Result]


@pytest.fixture
def simkernel(capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """Return a function that runs simkernel's command line inside the pytest process. The function takes the
    command-line arguments and returns a Result.
    """

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        before = signal.getsignal(signal.SIGINT)
        try:
            with pytest.raises(SystemExit) as exit:
                main([str(argument) for argument in arguments], prog_name="simkernel")
        finally:
            signal.signal(signal.SIGINT, before)  # after a KeyboardInterrupt, the command ignores SIGINT
        captured = capsys.readouterr()
        return Result(int(exit.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder of the checkout."""
    return ROOT
