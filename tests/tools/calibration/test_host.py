"""Tests of the C program that measures operations of the host: the measured times are positive, and a missing
C compiler, for example, raises an error.
"""

from __future__ import annotations

import shutil
import sys

import pytest

from simkernel.engine import SimulationError
from simkernel.tools.calibration import host
from tests.tools.calibration.test_operations import operation

linux = pytest.mark.skipif(sys.platform != "linux", reason="only a Linux can be measured")
compiler = pytest.mark.skipif(not any(map(shutil.which, host.COMPILERS)), reason="there is no C compiler")


@pytest.mark.long
@linux
@compiler
def test_by_a_c_program() -> None:
    asked = [operation("getppid"), operation("pipe", 64), operation("usersock", 64), operation("recv", 4096)]
    measured = host.measure(asked, host.compiler())
    assert asked[0] in measured
    assert all(took.ns > 0 for took in measured.values())
    assert all(took.quantiles == tuple(sorted(took.quantiles)) for took in measured.values())
    assert measured[asked[1]].ns > measured[asked[0]].ns


def test_only_linux_can_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SimulationError, match="only Linux can"):
        host.measure([], "cc")


def test_a_missing_compiler_is_an_error_that_names_the_compilers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SimulationError, match="needs a C compiler: install one of cc, gcc, clang"):
        host.compiler()


@linux
def test_an_error_of_the_compiler_is_reported() -> None:
    with pytest.raises(SimulationError, match="does not compile"):
        host.measure([operation("getppid")], "false")
