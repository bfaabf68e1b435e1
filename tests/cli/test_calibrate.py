"""`simkernel calibrate`, and `--costs`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simkernel.kernel.lib.costs import PARAMETERS, CostModel
from simkernel.tools.calibration import host
from simkernel.tools.calibration.host import Timing
from simkernel.tools.calibration.operations import Operation, find
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


def test_an_unknown_operation_is_named_in_its_row(simkernel: CommandLine, tmp_path: Path) -> None:
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


def test_a_refused_operation_is_named_in_its_row(simkernel: CommandLine, tmp_path: Path) -> None:
    path = written(tmp_path, {"ns": {"usersock unicast send + recv": {"999999": 1}}})
    done = simkernel("calibrate", "--against", path)
    assert done.code == 1
    assert "Message too long" in done.out


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "not JSON"),
        ([], 'expected an object "ns"'),
        ({"ns": 3}, 'expected an object "ns"'),
        ({"ns": {"getppid": 94}}, "an object that maps sizes to times"),
        ({"ns": {"getppid": {"big": 94}}}, "is not a size in bytes"),
        ({"ns": {"getppid": {"0": "fast"}}}, "is not a number of nanoseconds"),
        ({"ns": {"getppid": {"0": 0}}}, "is not a number of nanoseconds"),
        ({"ns": {"stat": {"0": 9}}, "spread": {"stat": {"0": [3, 2, 1]}}}, "not a list of three quantiles"),
    ],
)
def test_a_bad_file_is_reported(simkernel: CommandLine, tmp_path: Path, content: object, told: str) -> None:
    done = simkernel("calibrate", "--against", written(tmp_path, content))
    assert done.code == 2
    assert told in " ".join(done.err.split())


@pytest.mark.long
def test_each_measurement_is_predicted_from_the_others(simkernel: CommandLine, tmp_path: Path) -> None:
    """The test simulates the measurements of a pipe with costs that differ from the defaults, and doubles the
    time for 64 bytes. The time that the command predicts for 64 bytes from the other sizes is then about 50 %
    too low.
    """
    theirs = CostModel(syscall=200, file=90, copy_per_kib=20)
    name = "pipe write + read"
    sizes = {str(size): find(name, size).simulated(theirs) for size in (16, 64, 128, 1024, 4096)}
    sizes["64"] *= 2
    content = {"ns": {name: sizes, "thread create + join": {"0": 9000}}}
    done = simkernel("calibrate", "--cross-validate", "--against", written(tmp_path, content), "--json")
    report = json.loads(done.out)
    wrong = next(row for row in report["rows"] if row["size"] == 64)
    assert done.code == 0
    assert wrong["error"] == pytest.approx(-0.5, abs=0.02)
    assert wrong["error_without_operation"] is None
    assert report["largest_error"] >= 0.48
    shown = simkernel("calibrate", "--cross-validate", "--against", written(tmp_path, content)).out
    assert "fixed by itself" in shown
    assert "4 of 6 rows predicted" in shown


def test_quantiles_stand_side_by_side(simkernel: CommandLine, tmp_path: Path) -> None:
    ns = CostModel().syscall
    content = {"ns": {"getppid": {"0": ns}}, "spread": {"getppid": {"0": [ns, 2 * ns, 3 * ns]}}}
    content |= {"parameters": {}, "factors": [1000, 2000, 3000]}
    path = written(tmp_path, content)
    done = simkernel("calibrate", "--jitter", "--against", path, "--costs", path, "--json")
    (row,) = json.loads(done.out)["rows"]
    assert row["measured_ns"] == [ns, 2 * ns, 3 * ns]
    assert row["simulated_ns"] == pytest.approx(row["measured_ns"], rel=0.2)
    assert "1 rows, the median error is" in simkernel("calibrate", "--jitter", "--against", path).out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--host", "--cross-validate"), "--host takes only"),
        (("--host", "--jitter"), "--host takes only"),
        (("--cross-validate", "--jitter"), "leave one of them out"),
        (("--cross-validate", "-o", "x.json"), "-o writes the result of --host: add --host, or leave -o out"),
        ((), "say what to do: --against FILE.json, --cross-validate, --jitter or --host"),
    ],
)
def test_incompatible_options_are_reported(
    simkernel: CommandLine, arguments: tuple[str, ...], told: str
) -> None:
    done = simkernel("calibrate", *arguments)
    assert done.code == 2
    assert told in " ".join(done.err.split())


def test_a_file_without_spread_is_reported(simkernel: CommandLine, tmp_path: Path) -> None:
    done = simkernel("calibrate", "--jitter", "--against", written(tmp_path, {"ns": {"getppid": {"0": 94}}}))
    assert done.code == 2
    assert 'the object "spread" is missing' in done.err


@pytest.mark.parametrize("option", ["--cross-validate", "--jitter"])
@pytest.mark.parametrize(
    ("ns", "told"),
    [
        ({"x": {"0": 1}}, "unknown operation 'x'"),
        ({}, "no measurements"),
        ({"usersock unicast send + recv": {"999999": 1}}, "Message too long"),
    ],
)
def test_an_operation_that_cannot_be_simulated_is_reported(
    simkernel: CommandLine, tmp_path: Path, option: str, ns: dict[str, dict[str, int]], told: str
) -> None:
    spread = {name: {size: [1, 1, 1] for size in sizes} for name, sizes in ns.items()}
    done = simkernel("calibrate", option, "--against", written(tmp_path, {"ns": ns, "spread": spread}))
    assert done.code == 2
    assert told in " ".join(done.err.split())


def test_an_action_must_be_chosen(simkernel: CommandLine) -> None:
    assert simkernel("calibrate").code == 2


@pytest.mark.parametrize("arguments", [("--against",), ("--host", "--costs"), ()])
def test_a_mistake_overwrites_no_file(
    simkernel: CommandLine, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    path = written(tmp_path, {"ns": {"getppid": {"0": 94}}, "parameters": {"syscall": 94}})
    before = path.read_text("utf-8")
    assert simkernel("calibrate", *arguments, *([path] if arguments else []), "-o", path).code == 2
    assert path.read_text("utf-8") == before


def test_a_file_that_cannot_be_written_is_reported_before_the_measurement(
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
    assert "needs a C compiler: install one of no-such-compiler" in done.err


@pytest.mark.long
def test_costs_are_fitted_to_measurements_of_the_host(
    simkernel: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this test, the operations on the host take three times as long as with the default costs."""

    def slow(operations: list[Operation], *_: Any) -> dict[Operation, Timing]:
        few = [each for each in operations if each.count <= 10 and each.size <= 4096]
        return {
            each: Timing(ns, (ns, 1.1 * ns, 1.4 * ns))
            for each in few
            for ns in [3 * each.simulated(CostModel())]
        }

    monkeypatch.setattr(host, "compiler", lambda: "cc")
    monkeypatch.setattr(host, "measure", slow)
    path = tmp_path / "mine.json"
    done = simkernel("calibrate", "--host", "--json", "-o", path)
    told = json.loads(done.out)
    assert json.loads(path.read_text("utf-8")) == told
    assert set(told["parameters"]) == set(PARAMETERS)
    assert told["parameters"]["syscall"] == pytest.approx(3 * GETPPID, rel=0.02)
    assert told["ns"]["getppid"] == {"0": 3.0 * GETPPID}
    assert told["spread"]["getppid"] == {"0": [round(factor * 3 * GETPPID) for factor in (1, 1.1, 1.4)]}
    assert told["factors"] == [1000, 1100, 1400]
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
        ("", "not JSON"),
        ("{}", 'expected an object "parameters"'),
        ('{"parameters": {"swich": 1}}', "unknown cost 'swich'"),
        ('{"parameters": {"switch": 1.5}}', "is not an integer of at least 0"),
        ('{"parameters": {"switch": -1}}', "is not an integer of at least 0"),
        ('{"parameters": {}, "factors": [1, 2]}', "not a list of three ascending numbers"),
        ('{"parameters": {}, "factors": 7}', "not a list of three ascending numbers"),
    ],
)
def test_bad_costs_are_reported(simkernel: CommandLine, tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "prices.json"
    path.write_text(content, "utf-8")
    done = simkernel("run", "hello", "--costs", path)
    assert done.code == 2
    assert told in " ".join(done.err.split())
