"""The comparison of simkernel with other tools measures each tool that is installed. The tests do not judge
the figures.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from attrs import evolve
from click.testing import CliRunner

from simkernel.tools.comparison.__main__ import main, markdown
from simkernel.tools.comparison.measure import Failed, Result, measure, run
from simkernel.tools.comparison.rows import ROWS

pytestmark = pytest.mark.long


def measured(name: str) -> Result:
    result = measure(ROWS[name], seconds=0.05, runs=2)
    if result.error.startswith("not run here"):
        pytest.skip(result.error)
    assert result.error == ""
    assert result.first_green > 0 < result.machines_per_second
    return result


@pytest.mark.parametrize("name", ["simkernel", "unittest.mock"])
def test_simulated_and_mocked_runs_are_equal_and_need_no_root(name: str) -> None:
    result = measured(name)
    assert result.same == "yes"
    assert result.root is not True


@pytest.mark.parametrize("name", ["unshare -rn", "umockdev"])
def test_a_port_id_of_the_host_kernel_differs_between_runs(name: str) -> None:
    result = measure(ROWS[name], seconds=0.05, runs=2)
    if result.error:  # sandboxes may forbid user namespaces
        pytest.skip(result.error)
    assert result.same == "no"


@pytest.mark.long
@pytest.mark.parametrize("name", ["user-mode-linux", "virtme-ng"])
def test_a_real_kernel_boots_and_passes(name: str) -> None:
    result = measure(ROWS[name])
    if result.error:  # a kernel may fail to boot on this CPU
        pytest.skip(result.error)
    assert result.same in ("answers only", "no")


def test_a_missing_tool_is_named_with_its_package() -> None:
    row = evolve(ROWS["umockdev"], requires="/no/such/tool-*")
    assert measure(row).error == f"not run here: no /no/such/tool-* ({row.install})"


def test_a_command_that_fails_or_hangs_says_so(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"ls: .* no-such-file"):
        run(("sh", "-c", "echo 'ls: error at no-such-file' >&2; echo later >&2; exit 1"), 10)
    pid = tmp_path / "pid"
    with pytest.raises(Failed, match=r"no result after 0\.5 s"):
        run(("sh", "-c", f"echo $$ > {pid}; sleep 60"), 0.5)
    assert not Path("/proc", pid.read_text().strip(), "exe").exists()


def test_table_has_measured_cells_or_the_reason_for_none() -> None:
    cells = Result("unittest.mock", "", "", False, 0.125, 680.4, "yes")
    lines = list(markdown([cells, Result("umockdev", error="not run here: no tool")]))
    assert lines[2] == (
        "| unittest.mock | the author of the test | no | 0.12 s | 680 | yes | yes: what the author expects |"
    )
    assert "| not run here: no tool |" in lines[3]
    assert lines[-1].startswith("Quoted, not measured:")


def test_json_has_the_rows_asked_for_and_the_host() -> None:
    command = ["--only", "unittest.mock", "--seconds", "0.05", "--json"]
    printed = json.loads(CliRunner().invoke(main, command).output)
    assert [row["name"] for row in printed["rows"]] == ["unittest.mock"]
    assert "Python" in printed["host"]
