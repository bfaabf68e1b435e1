"""Output on a terminal: colours, tables, width, pager and progress. A pipe gets plain text."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from simkernel.cli.report import show_parts
from simkernel.scenario import Table
from tests.cli.terminal import PROGRAM, Terminal, plain


def test_report_of_short_work_has_colour_and_tables_and_no_progress(story: Path) -> None:
    text = Terminal("run", "story.py").text()
    assert "\x1b[1m" in text
    shown = plain(text)
    assert "Good morning." in shown
    assert re.search(r"^ +1 +\[red\]sleepy\[/red\] *\r$", shown, re.MULTILINE)
    assert "1000 s simulated" in shown
    assert "of 1000.000 s" not in shown


def test_a_table_that_is_too_wide_folds_texts_and_keeps_numbers_whole(story: Path) -> None:
    text = story.read_text("utf-8")
    begin = text.index('    run.table("Naps"')
    table = """
    run.table(
        "Wide",
        ("what there was", "the first of the numbers", "the second of the numbers", "path"),
        [("a" * 30, 123456789012, "-1.500", "/b" * 30)],
    )
"""
    story.write_text(f"{text[:begin]}{table}{text[begin:]}", "utf-8")
    shown = plain(Terminal("run", "story.py", columns=80).text())
    lines = [line.rstrip() for line in shown.splitlines()]
    assert max(map(len, lines)) <= 80
    assert "\u2026" not in shown
    assert re.search(r" 123456789012 +-1\.500 ", shown)
    assert sum(line.count("a") for line in lines if line.startswith(" aa")) == 30


WORDS = ["Everything", "a", "driver", "announces,", "misunderstands", "or", "overwrites", "is", "reported"]


@pytest.mark.parametrize("columns", [30, 40, 60, 80, 100])
def test_a_table_splits_no_word_and_no_number(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = ("  " + WORDS[4], 123456789012, " ".join(WORDS), " ".join(reversed(WORDS)))
    table = Table("Wide", ("indented", "number", "text", "another text"), (row,))
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show_parts([table], "")
    shown = plain(capsys.readouterr().out)
    assert max(map(len, shown.splitlines())) <= columns
    words = Counter(shown.split())
    assert words["123456789012"] == 1
    assert [words[word] for word in WORDS] == [3 if word == WORDS[4] else 2 for word in WORDS]


def test_guide_is_shown_in_the_pager(tmp_path: Path) -> None:
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\necho paged\nexec cat\n")
    pager.chmod(0o755)
    text = Terminal("guide", "time", environment={**os.environ, "PAGER": str(pager)}, keyboard=True).text()
    assert plain(text).startswith("paged\r\n")
    assert "A task's states" in plain(text)


def test_description_and_guide_are_set_for_a_terminal() -> None:
    for arguments in (["describe", "nlctrl"], ["guide"], ["list"]):
        text = Terminal(*arguments).text()
        assert "\x1b[1m" in text or "\x1b[1;" in text


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "camera"],
        pytest.param(["describe", "camera"], marks=pytest.mark.long),
        pytest.param(["guide"], marks=pytest.mark.long),
    ],
)
def test_lines_are_as_long_as_the_terminal_is_wide(arguments: list[str]) -> None:
    shown = plain(Terminal(*arguments, columns=60).text()).splitlines()
    assert 50 < max(len(line.rstrip()) for line in shown) <= 60


def test_names_in_a_description_are_never_cut(tmp_path: Path) -> None:
    spec = tmp_path / "long.yaml"
    name = "a-very-" * 8 + "long-name"
    spec.write_text(
        "name: long\ndoc: long\noperations: {list: []}\nattribute-sets:\n"
        f"  - {{name: set, attributes: [{{name: {name}, type: u8, doc: {name}}}]}}\n",
        "utf-8",
    )
    shown = plain(Terminal("describe", str(spec), columns=60).text())
    assert "a-very-a-very-" in shown
    assert "\u2026" not in shown


def test_a_description_is_set_anew_for_the_terminal(tmp_path: Path) -> None:
    spec = tmp_path / "long.yaml"
    spec.write_text(
        "name: long\nattribute-sets: []\noperations: {list: []}\n"
        "doc: |\n  One\n  two\n  three.\n\n  Four\n  - five\n    six\n  - seven\n",
        "utf-8",
    )
    shown = plain(Terminal("describe", str(spec)).text()).splitlines()
    told = [line.rstrip() for line in shown[1:7]]
    assert told == ["  One two three.", "", "  Four", "  - five", "    six", "  - seven"]


@pytest.mark.long
def test_json_is_the_same_as_in_a_pipe(story: Path) -> None:
    command = ["run", "story.py", "--json"]
    pipe = subprocess.run([*PROGRAM, *command], capture_output=True, text=True, check=True).stdout
    terminal = Terminal(*command, errors=False).text().replace("\r\n", "\n")
    assert terminal.partition('"host"')[0] == pipe.partition('"host"')[0]


def test_progress_is_shown_on_long_work_until_it_ends(story: Path) -> None:
    terminal = Terminal("run", "story.py", "--set", "naps=1000000000", "--set", "nap=0")
    seen = ""
    for piece in terminal.pieces():
        seen += piece
        if re.search(r"napping .* s of 1000.000 s", plain(seen)):
            terminal.process.send_signal(signal.SIGINT)
    assert terminal.process.returncode == 130
    assert "interrupted" in seen
