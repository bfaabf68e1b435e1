"""`simkernel plot` draws the output of `simkernel run ipc --json`, which compares transports. test_bench.py
tests the plot of a benchmark.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal
from tests.conftest import CommandLine

pytestmark = pytest.mark.long

BRIEF = ("--set", "messages=10", "--set", "asleep=100")


def told(simkernel: CommandLine, folder: Path, *settings: str) -> Path:
    path = folder / "ipc.json"
    options = [word for setting in settings for word in ("--set", setting)]
    path.write_text(simkernel("run", "ipc", "--json", *BRIEF, *options).out, "utf-8")
    return path


@pytest.mark.parametrize(
    "settings",
    [
        ("transports=netlink,mmap,pipe", "frame=160x120"),
        ("transports=netlink,eventfd", "job=event", "probes=no"),
        ("transports=sysfs", "job=question", "size=65536"),
    ],
    ids=["all of it", "events only", "nothing that can be drawn as a line"],
)
def test_draws_a_picture(settings: tuple[str, ...], simkernel: CommandLine, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: it is the extra `plot`")
    path = told(simkernel, tmp_path, *settings)
    done = simkernel("plot", path)
    assert (done.code, done.out) == (0, f"{path.with_suffix('.png')}\n")
    assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_has_the_cells_and_the_lines(simkernel: CommandLine, tmp_path: Path) -> None:
    matplotlib = pytest.importorskip(
        "matplotlib", reason="matplotlib is not installed: it is the extra `plot`"
    )
    path = told(simkernel, tmp_path, "transports=netlink,ioctl", "frame=160x120")
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        assert simkernel("plot", path, "-o", tmp_path / "ipc.svg").code == 0
    picture = (tmp_path / "ipc.svg").read_text("utf-8")
    cells = [
        cell for row in json.loads(path.read_text("utf-8"))["metrics"]["probes"] for cell in row.values()
    ]
    assert all(cell in picture for cell in cells if cell != "driver")
    assert "Event latency" in picture


def test_another_scenario_is_refused(simkernel: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "talk.json"
    path.write_text(simkernel("run", "talk", "--json").out, "utf-8")
    done = simkernel("plot", path)
    assert done.code == 2
    assert "or `simkernel run ipc --json`" in done.err


@pytest.mark.long
def test_its_tables_fit_a_terminal_of_80_columns() -> None:
    text = Terminal("run", "ipc", "--details", *BRIEF, errors=False, columns=80).text()
    lines = re.sub(r"\x1b\[[0-9;]*m|\r", "", text).splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line for line in lines if line.startswith(" unix-dgram ")]
    assert len(rows) == 14
    folded = [
        number for number, line in enumerate(lines) if line in rows and lines[number + 1].strip()[:3] != "shm"
    ]
    assert not folded
