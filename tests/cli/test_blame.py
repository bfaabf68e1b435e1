"""An error of the user's code and an error of simkernel are printed in different ways."""

from __future__ import annotations

import click
import pytest

from simkernel import InternalError, Machine, SimulationError
from simkernel.cli.blame import Blame, explain


def raised(error: Exception) -> Exception:
    """Raise and catch `error` in this file, which counts as the user's code, and return the error."""
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


def misuse() -> Exception:
    """Return an error that simkernel raises because of a line of the user's code."""
    with pytest.raises(SimulationError) as caught:
        Machine(cpus=0)
    return caught.value


def test_wrong_use_is_a_sentence_with_the_users_line() -> None:
    text = explain(misuse())
    assert text.startswith(f"{__file__}:")
    assert "cpus=0: pass an int of at least 1" in text
    assert text.count("\n") == 1


def test_a_bug_of_ours_is_a_sentence() -> None:
    text = explain(raised(InternalError("please report, seed 3")))
    assert text.endswith(": please report, seed 3\n")
    assert "Traceback" not in text


def test_the_users_error_has_its_traceback() -> None:
    text = explain(raised(ValueError("oh")))
    assert text.startswith("Traceback")
    assert "in raised" in text
    assert text.endswith("ValueError: oh\n")


def test_of_many_each_is_shown_by_its_kind() -> None:
    text = explain(ExceptionGroup("programs failed", [misuse(), raised(ValueError("oh"))]))
    assert text.startswith(f"{__file__}:")
    assert text.endswith("ValueError: oh\n")
    assert "programs failed" not in text


def test_debug_shows_all() -> None:
    assert "machine.py" in explain(misuse(), debug=True)


@pytest.mark.parametrize(("error", "code"), [(ValueError("oh"), 1), (KeyboardInterrupt(), 130)])
def test_ends_the_process(error: BaseException, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, Blame(debug=False):
        raise error
    assert ended.value.code == code
    assert capsys.readouterr().err


def test_leaves_errors_of_the_command_line_alone() -> None:
    with pytest.raises(click.UsageError), Blame(debug=False):
        raise click.UsageError("no such thing")
