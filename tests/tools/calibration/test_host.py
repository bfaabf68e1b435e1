"""Measuring the machine that the tests run on: that there are figures, never which."""

from __future__ import annotations

import sys

import pytest

from simkernel.engine import SimulationError
from simkernel.tools.calibration import host, host_python
from simkernel.tools.calibration.host import OPERATIONS
from tests.tools.calibration.test_operations import operation

linux = pytest.mark.skipif(sys.platform != "linux", reason="only a Linux can be measured")
compiler = pytest.mark.skipif(host.compiler() is None, reason="there is no C compiler")


@linux
@compiler
def test_by_a_c_program() -> None:
    asked = [operation("getppid"), operation("pipe", 64), operation("usersock", 64), operation("recv", 4096)]
    cc = host.compiler()
    assert cc is not None
    measured = host.measure(asked, cc)
    assert asked[0] in measured
    assert all(ns > 0 for ns in measured.values())
    assert measured[asked[1]] > measured[asked[0]]


@linux
def test_by_pythons_own_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_python, "ROUNDS", 3)
    monkeypatch.setattr(host_python, "ROUND_NS", 20_000)
    measured = host_python.measure(OPERATIONS)
    assert {"getppid", "pipe", "eventfd", "poll"} <= {each.kind.key for each in measured}
    assert all(ns >= host_python.LEAST for ns in measured.values())


@pytest.mark.parametrize("measure", [lambda: host.measure([], "cc"), lambda: host_python.measure([])])
def test_only_a_linux_can_be_measured(measure: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SimulationError, match="only a Linux"):
        measure()  # type: ignore[operator]


@linux
def test_a_compiler_that_fails_is_told() -> None:
    with pytest.raises(SimulationError, match="does not compile"):
        host.measure([operation("getppid")], "false")
