"""`simkernel bench` and `simkernel plot`: their output. The tests do not judge the speed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simkernel.cli import bench
from simkernel.tools.bench.__main__ import main
from tests.cli.terminal import Terminal
from tests.cli.test_terminal import plain
from tests.conftest import CommandLine
from tests.tools.bench.conftest import TINY

KEYS = {"row", "name", "figure", "anchor", "ratio", "must_hold", "aim", "better", "spread", "skipped"}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reduce every measurement to the minimum effort."""
    monkeypatch.setattr(bench, "FULL", TINY)


def measured(simkernel: CommandLine, *rows: int) -> dict[str, Any]:
    done = simkernel("bench", "--json", *(argument for row in rows for argument in ("--row", row)))
    assert done.code == 0
    result: dict[str, Any] = json.loads(done.out)
    return result


@pytest.mark.long
def test_json_has_a_line_for_each_quantity(simkernel: CommandLine) -> None:
    told = measured(simkernel, 1, 8)
    assert [row["name"] for row in told["rows"]] == ["round-trip", "socket-memory", "process-memory"]
    for row in told["rows"]:
        assert set(row) == KEYS
        assert row["better"] in ("lower", "higher")
        assert row["skipped"] is None
        assert row["ratio"] == row["figure"] / row["anchor"]
    assert told["growth"] == []
    assert told["host"]["python"]


@pytest.mark.long
def test_json_has_the_curves(simkernel: CommandLine) -> None:
    curves = measured(simkernel, 7)["growth"]
    assert [curve["counts"] for curve in curves] == ["idle sockets", "active processes"]
    assert [[count for count, _ in curve["points"]] for curve in curves] == [[1, 3], [1, 2]]


def test_a_skipped_row_says_so(simkernel: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyroute2", None)
    (row,) = measured(simkernel, 5)["rows"]
    assert row["skipped"] == "pyroute2 is not installed: pip install pyroute2"
    assert row["figure"] is row["anchor"] is row["ratio"] is row["spread"] is None
    done = simkernel("bench", "--row", 5)
    assert ": pyroute2 is not installed: pip install pyroute2." in done.out


@pytest.mark.long
def test_table_and_curves_are_plain_in_a_pipe(simkernel: CommandLine) -> None:
    done = simkernel("bench", "--row", 1, "--row", 7)
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "Speed"
    assert lines[1].split("  ")[1:3] == ["row", "quantity"]
    assert lines[2].split()[:4] == ["1", "GETFAMILY", "round", "trip"]
    assert "Round trip over T2, by idle sockets" in lines
    assert any(line.endswith("#" * 40) for line in lines)
    assert done.err == ""


def test_a_row_that_is_not_there(simkernel: CommandLine) -> None:
    assert simkernel("bench", "--row", 13).code == 2
    assert simkernel("bench", "--row", 9).code == 2


def test_one_subject_can_be_run_alone() -> None:
    command = [sys.executable, "-m", "simkernel.tools.bench", "round-trip", "10"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_one_subject_can_be_profiled(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--profile", "round-trip", "10"], standalone_mode=False)
    assert re.search(r"^ +10 .*(sendmsg)", capsys.readouterr().out, re.MULTILINE)


def saved(simkernel: CommandLine, folder: Path, *rows: int) -> Path:
    path = folder / "figures.json"
    path.write_text(json.dumps(measured(simkernel, *rows)), "utf-8")
    return path


@pytest.mark.long
@pytest.mark.parametrize("rows", [(1, 7), (1,)])
def test_plot_draws_a_picture(rows: tuple[int, ...], simkernel: CommandLine, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: it is the extra `plot`")
    path = saved(simkernel, tmp_path, *rows)
    done = simkernel("plot", path)
    assert done.out == f"{path.with_suffix('.png')}\n"
    assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_plot_writes_the_given_file(simkernel: CommandLine, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: it is the extra `plot`")
    picture = tmp_path / "picture.svg"
    assert simkernel("plot", saved(simkernel, tmp_path, 1), "-o", picture).code == 0
    assert "<svg" in picture.read_text("utf-8")
    assert simkernel("plot", tmp_path / "figures.json", "-o", tmp_path / "nowhere/picture.svg").code == 2


def test_plot_without_matplotlib_says_how_to_get_it(
    simkernel: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = simkernel("plot", saved(simkernel, tmp_path, 1))
    assert done.code == 1
    assert "pip install 'simkernel[plot]'" in done.err


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rows": [1]}', '{"rows": [{"row": 1}]}'])
def test_plot_of_something_else(text: str, simkernel: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "else.json"
    path.write_text(text, "utf-8")
    done = simkernel("plot", path)
    assert done.code == 2
    assert "is not the output of `simkernel bench --json`" in done.err


@pytest.mark.long
def test_in_a_narrow_terminal_no_word_is_broken() -> None:
    wide, narrow = (
        [
            line.rstrip()
            for line in plain(
                Terminal("bench", "--quick", "--row", "12", columns=columns).text()
            ).splitlines()
        ]
        for columns in (160, 80)
    )
    assert max(map(len, narrow)) <= 80
    for lines in (wide, narrow):
        shown = "\n".join(lines)
        assert re.search(r"^ +12 +simkernel list, a whole process ", shown, re.MULTILINE)
        assert re.search(r" (holds|misses|aim)$", shown, re.MULTILINE)
    assert "Speed" in narrow and "What was measured" in narrow
    assert "What was measured" not in wide
