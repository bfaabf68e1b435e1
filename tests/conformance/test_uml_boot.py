"""If a host cannot run User-mode Linux (UML), each case for UML is skipped with a reason. After
`Uml.close()`, no process of the guest is left.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.conformance.case import load_cases
from tests.conformance.uml import boot
from tests.conformance.uml.world import UmlCases

CASE = load_cases()[0]


def processes(group: int) -> list[str]:
    """Return the pids of a process group's members that have not exited."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, pgid = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(pgid) == group and state not in "ZX":
            found.append(folder.name)
    return found


def test_a_host_without_uml_skips_each_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    world = UmlCases()
    for _ in range(2):
        outcome = world.run_case(CASE, 1.0)
        assert outcome.skipped == "no linux.uml: install Debian's package user-mode-linux"


def test_another_system_skips_each_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert UmlCases().run_case(CASE, 1.0).skipped == "User-mode Linux runs on Linux only"


def test_a_cpu_with_amx_needs_a_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(boot, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    boot.CPUINFO.write_text("flags\t\t: fpu avx512f amx_bf16\n")
    assert boot.preload(tmp_path) == {}
    boot.CPUINFO.write_text("flags\t\t: fpu amx_tile amx_bf16\n")
    with pytest.raises(boot.Unavailable, match="no C compiler"):
        boot.preload(tmp_path)


@pytest.mark.long
def test_a_guest_that_hangs_is_ended_with_all_its_processes() -> None:
    try:
        guest = boot.Uml()
    except boot.Unavailable as reason:
        pytest.skip(str(reason))
    group = guest.pid
    assert processes(group)
    os.kill(group, signal.SIGSTOP)
    guest.close()
    deadline = time.monotonic() + 5  # After SIGKILL, the guest's processes end asynchronously.
    while processes(group) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert processes(group) == []
    assert not guest.folder.exists()
