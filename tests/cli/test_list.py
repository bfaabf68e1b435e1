"""`simkernel list`: the list of scenarios, and the short start time of the command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from simkernel.cli import stories
from tests.conftest import CommandLine


def test_lists_every_shipped_scenario(simkernel: CommandLine) -> None:
    done = simkernel("list")
    assert done.code == 0
    listed = [line.split()[0] for line in done.out.splitlines() if not line.startswith(" ")]
    assert listed == stories.names()


def test_lessons_and_exercises_have_lists_of_their_own() -> None:
    assert not {"lessons", "exercises"} & set(stories.names())


def test_listing_has_the_docstring(simkernel: CommandLine, story: Path) -> None:
    done = simkernel("list", "./story.py")
    assert done.out.splitlines() == [
        "story  Somebody naps.",
        "    Covers:       sleeping, and waking.",
        "    Scenario:     a program naps.",
        "    When useful:  never.",
        "    --set naps=3",
        "          how many naps: a whole number from 1 to 1000000000",
        "    --set nap=0.1",
        "          a number from 0 to 1 s",
        "    --set nightmare=false",
        "          true or false",
    ]


def test_unknown_name_gets_the_nearest(simkernel: CommandLine, story: Path) -> None:
    done = simkernel("list", "stroy.py")
    assert done.code == 2
    assert "there is no file 'stroy.py': did you mean story.py?" in done.err


def test_file_without_a_docstring_is_no_trouble(story: Path) -> None:
    story.write_text("x = (", "utf-8")
    assert stories.sections(stories.docstring(story)) == {"": ""}


def test_a_character_that_the_pipe_does_not_know_is_no_trouble(story: Path) -> None:
    story.write_text('"""A nap \u2192 a dream."""', "utf-8")
    command = [sys.executable, "-m", "simkernel", "list", "story.py"]
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "A nap ? a dream." in done.stdout


def test_starts_without_the_machine() -> None:
    """`simkernel list` starts nearly as fast as `import simpy`, because it imports few modules."""
    script = "import sys; from simkernel.cli import main\ntry: main(['list'])\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    imported = set(done.stdout.splitlines()[-1].split())
    assert not imported & {"simpy", "attrs", "rich", "yaml", "simkernel.engine", "simkernel.machine"}


def test_unknown_file_in_an_empty_folder_has_no_suggestion(simkernel: CommandLine, tmp_path: Path) -> None:
    done = simkernel("run", tmp_path / "nothere.py")
    assert done.code == 2
    assert done.err.endswith("nothere.py'\n")
