"""Completion in a shell: the words offered for each argument, and the script that enables completion."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from simkernel import guide
from simkernel.cli import main, stories
from tests.cli.terminal import PROGRAM

FILE = ("file", "")


def offered(*words: str) -> list[tuple[str, str]]:
    """Return kind and text of each completion of the last word."""
    *before, word = words
    items = ShellComplete(main, {}, "simkernel", "_SIMKERNEL_COMPLETE").get_completions(before, word)
    return [(item.type, item.value) for item in items]


def plain(*words: str) -> list[str]:
    return [value for kind, value in offered(*words) if kind == "plain"]


def test_commands_are_completed() -> None:
    assert plain("de") == ["describe"]


def test_scenarios_are_completed() -> None:
    assert plain("run", "") == plain("list", "") == stories.names()
    assert plain("run", "ta") == plain("run", "--seed", "1", "ta") == ["talk"]


def test_a_second_scenario_is_completed() -> None:
    assert plain("list", "talk", "ca") == ["camera"]


def test_families_are_completed(tmp_path: Path) -> None:
    (tmp_path / "cabin.yaml").touch()
    assert plain("describe", "n") == ["netdev", "nlctrl"]
    assert {*plain("describe", "")} >= {"camera", "ipc_demo", "mouse", "nlctrl"}
    assert {*plain("describe", "--module-path", str(tmp_path), "ca")} == {"cabin", "camera"}


def test_topics_are_completed() -> None:
    assert plain("guide", "") == list(guide.topics())
    assert plain("guide", "ti") == ["time"]


@pytest.mark.parametrize(
    "words",
    [
        ("run", "./st"), ("run", "talk", "--trace", "t"), ("run", "talk", "--pcap", ""),
        ("run", "talk", "--diagram", ""), ("run", "talk", "--costs", ""), ("describe", "modules/m"),
        ("plot", ""), ("plot", "x.json", "-o", ""), ("calibrate", "--host", "-o", ""),
    ],
)  # fmt: skip
def test_files_are_completed(words: tuple[str, ...]) -> None:
    assert offered(*words) == [("file", words[-1])]


def test_options_are_completed() -> None:
    assert plain("run", "--di") == ["--diagram"]


def test_the_shell_gets_names() -> None:
    environment = {**os.environ, "_SIMKERNEL_COMPLETE": "bash_complete", "COMP_WORDS": "simkernel run ta"}
    code = "from simkernel.cli import main; main(prog_name='simkernel')"
    done = subprocess.run(
        [PROGRAM[0], "-c", code], env={**environment, "COMP_CWORD": "2"}, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("plain,talk\n", "")
