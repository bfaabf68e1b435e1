"""`simkernel calibrate`, and `--costs`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simkernel.kernel.lib.costs import PARAMETERS, CostModel
from simkernel.tools.calibration import host
from simkernel.tools.calibration.operations import Operation
from tests.conftest import CommandLine

GETPPID = CostModel().syscall


def written(folder: Path, content: object) -> Path:
    path = folder / "figures.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def test_json_has_a_row_for_each_figure(simkernel: CommandLine, tmp_path: Path) -> None:
    path = written(tmp_path, {"ns": {"getppid": {"0": 100}, "pipe write + read": {"16": 300.5, "64": 377}}})
    done = simkernel("calibrate", "--against", path, "--json")
    rows = json.loads(done.out)["rows"]
    assert done.code == 0
    assert [row["size"] for row in rows] == [0, 16, 64]
    assert rows[0] == {
        "operation": "getppid", "size": 0, "measured_ns": 100, "simulated_ns": GETPPID,
        "error": round(GETPPID / 100 - 1, 4),
    }  # fmt: skip


def test_a_table_for_people(simkernel: CommandLine, tmp_path: Path) -> None:
    done = simkernel("calibrate", "--against", written(tmp_path, {"ns": {"getppid": {"0": 188.0}}}))
    assert "188.0" in done.out
    assert "-50.0%" in done.out
    assert "1 rows, the largest error is 50.0%" in done.out


def test_what_is_no_operation_is_said_in_its_row(simkernel: CommandLine, tmp_path: Path) -> None:
    path = written(tmp_path, {"ns": {"teleport": {"0": 1}, "getppid": {"0": 94}}})
    done = simkernel("calibrate", "--against", path, "--json")
    unknown, known = json.loads(done.out)["rows"]
    assert done.code == 1
    assert (unknown["simulated_ns"], unknown["error"], unknown["problem"]) == (
        None,
        None,
        "no such operation",
    )
    assert known["error"] == 0
    assert "usersock multicast send, N members" in simkernel("calibrate", "--against", path).out


def test_what_the_kernel_refuses_is_said_in_its_row(simkernel: CommandLine, tmp_path: Path) -> None:
    path = written(tmp_path, {"ns": {"usersock unicast send + recv": {"999999": 1}}})
    done = simkernel("calibrate", "--against", path)
    assert done.code == 1
    assert "Message too long" in done.out


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "it is no JSON"),
        ([], 'it has no object "ns"'),
        ({"ns": 3}, 'it has no object "ns"'),
        ({"ns": {"getppid": 94}}, "an object of sizes"),
        ({"ns": {"getppid": {"big": 94}}}, "is no size in bytes"),
        ({"ns": {"getppid": {"0": "fast"}}}, "is no number of nanoseconds"),
        ({"ns": {"getppid": {"0": 0}}}, "is no number of nanoseconds"),
    ],
)
def test_a_bad_file_is_told(simkernel: CommandLine, tmp_path: Path, content: object, told: str) -> None:
    done = simkernel("calibrate", "--against", written(tmp_path, content))
    assert done.code == 2
    assert told in " ".join(done.err.split())


def test_it_must_be_told_what_to_do(simkernel: CommandLine) -> None:
    assert simkernel("calibrate").code == 2


@pytest.mark.parametrize("arguments", [("--against",), ("--host", "--costs"), ()])
def test_a_mistake_overwrites_no_file(
    simkernel: CommandLine, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    path = written(tmp_path, {"ns": {"getppid": {"0": 94}}, "parameters": {"syscall": 94}})
    before = path.read_text("utf-8")
    assert simkernel("calibrate", *arguments, *([path] if arguments else []), "-o", path).code == 2
    assert path.read_text("utf-8") == before


def test_a_file_that_cannot_be_written_is_told_before_anything_is_measured(
    simkernel: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "compiler", lambda: pytest.fail("it measures"))
    done = simkernel("calibrate", "--host", "-o", tmp_path / "nowhere" / "mine.json")
    assert done.code == 2
    assert "mine.json" in done.err


def test_without_a_compiler_the_host_is_not_measured(
    simkernel: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "COMPILERS", ("no-such-compiler",))
    done = simkernel("calibrate", "--host")
    assert done.code == 1
    assert "needs a C compiler (no-such-compiler)" in done.err


def test_prices_are_fitted_to_what_the_host_measured(
    simkernel: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host is three times as slow as the machine of the default prices."""

    def slow(operations: list[Operation], *_: Any) -> dict[Operation, float]:
        return {each: 3 * each.simulated(CostModel()) for each in operations if each.count <= 10}

    monkeypatch.setattr(host, "compiler", lambda: "cc")
    monkeypatch.setattr(host, "measure", slow)
    path = tmp_path / "mine.json"
    done = simkernel("calibrate", "--host", "--json", "-o", path)
    told = json.loads(done.out)
    assert json.loads(path.read_text("utf-8")) == told
    assert set(told["parameters"]) == set(PARAMETERS)
    assert told["parameters"]["syscall"] == pytest.approx(3 * GETPPID, rel=0.02)
    assert told["ns"]["getppid"] == {"0": 3.0 * GETPPID}
    again = json.loads(simkernel("calibrate", "--against", path, "--costs", path, "--json").out)["rows"]
    assert max(abs(row["error"]) for row in again) < 0.05


def test_costs_of_a_file_are_a_runs_prices(simkernel: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({"parameters": {"switch": 0, "wake": 0}}), "utf-8")
    usual, cheap = (
        json.loads(simkernel("run", "hello", "--json", *more).out)["simulated_ns"]
        for more in ((), ("--costs", path))
    )
    assert cheap < usual


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "it is no JSON"),
        ("{}", 'it has no object "parameters"'),
        ('{"parameters": {"swich": 1}}', "there is no price 'swich'"),
        ('{"parameters": {"switch": 1.5}}', "is no whole number"),
        ('{"parameters": {"switch": -1}}', "is no whole number"),
    ],
)
def test_bad_costs_are_told(simkernel: CommandLine, tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "prices.json"
    path.write_text(content, "utf-8")
    done = simkernel("run", "hello", "--costs", path)
    assert done.code == 2
    assert told in " ".join(done.err.split())
