"""SIGINT and SIGTERM end a run with exit code 128 plus the signal number. Output files are complete or
unchanged.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from simkernel.cli.interrupt import NOTICE, Interruptible
from tests.conftest import CommandLine

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `simkernel run story.py` in a process while the test lasts."""
    command = [sys.executable, "-m", "simkernel", "run", "story.py", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def first_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def test_files_are_whole(story: Path) -> None:
    endless = ["--set", "naps=1000000000", "--set", "nap=0"]
    with running(
        *endless, "--strace", "--trace", "t.json", "--pcap", "t.pcap", "--diagram", "t.mmd"
    ) as process:
        assert first_line(process)
        process.send_signal(signal.SIGINT)
        printed, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.decode().splitlines()[-1].startswith("interrupted at ")
    assert printed.endswith(b"\n")
    assert json.loads(Path("t.json").read_text("utf-8"))["traceEvents"]
    assert len(Path("t.pcap").read_bytes()) >= 24
    assert Path("t.mmd").read_text("utf-8").startswith("sequenceDiagram\n")


@pytest.mark.long
def test_sigterm_stops_a_run_in_a_program_and_files_are_whole(story: Path) -> None:
    story.write_text(story.read_text("utf-8").replace("await app.sleep(", LOOPS["never sleeps"]), "utf-8")
    with running("--trace", "t.json", "--pcap", "t.pcap") as process:
        assert first_line(process) == b"awake\n"
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 143
    assert errors.decode().splitlines()[-1].startswith("terminated at ")
    assert json.loads(Path("t.json").read_text("utf-8"))["traceEvents"]
    assert len(Path("t.pcap").read_bytes()) >= 24


@pytest.mark.long
def test_program_that_catches_the_end_leaves_old_files(story: Path) -> None:
    story.write_text(
        story.read_text("utf-8").replace("await app.sleep(", LOOPS["catches everything"]), "utf-8"
    )
    Path("t.json").write_text("old", "utf-8")
    with running("--trace", "t.json") as process:
        assert first_line(process) == b"awake\n"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 143
    assert Path("t.json").read_text("utf-8") == "old"


def test_before_and_after_the_simulation(
    simkernel: CommandLine, story: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for where in ("show", "Exporters"):
        monkeypatch.setattr(f"simkernel.cli.run.{where}", interrupted)
        done = simkernel("run", "story.py")
        assert (done.code, done.err) == (130, "interrupted\n")


LOOPS = {
    "never sleeps": "print('awake', flush=True)\n            while True: pass\n            (",
    "catches everything": (
        "while True:\n                try: print('awake', flush=True); __import__('time').sleep(60)\n"
        "                except BaseException: pass\n            ("
    ),
}


@pytest.mark.parametrize("loop", ["never sleeps", pytest.param("catches everything", marks=pytest.mark.long)])
def test_the_first_sigint_prints_a_notice_and_the_second_ends_the_run(story: Path, loop: str) -> None:
    story.write_text(story.read_text("utf-8").replace("await app.sleep(", LOOPS[loop]), "utf-8")
    with running("--trace", "t.json") as process:
        assert process.stderr is not None
        assert first_line(process) == b"awake\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline().decode() == NOTICE
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.decode().startswith("interrupted")
    if loop == "never sleeps":
        assert json.loads(Path("t.json").read_text("utf-8"))["traceEvents"]
    assert {path.name for path in Path().iterdir()} <= {"story.py", "t.json", "__pycache__"}


@pytest.mark.long
def test_any_number_of_sigints_ends_a_run_with_one_report(story: Path) -> None:
    with running("--set", "naps=1000000000", "--set", "nap=0", "--strace") as process:
        assert first_line(process)
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=0.002)
        _, errors = process.communicate()
    assert process.returncode == 130
    assert [line for line in errors.decode().splitlines() if line.startswith("interrupted at ")]
    assert "Traceback" not in errors.decode()


def test_a_signal_that_arrives_when_the_run_ends_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    run, exporters = Mock(interrupt=Mock(return_value=False)), Mock(busy=False)
    received = []
    before = signal.signal(signal.SIGINT, lambda number, frame: received.append(number))
    try:
        leaving = Interruptible(run, exporters)
        leaving.__enter__()
        leaving._on_signal(signal.SIGINT, SimpleNamespace(f_code=Interruptible.__exit__.__code__))
        assert received == []
        leaving.__exit__(None, None, None)
        assert received == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)
