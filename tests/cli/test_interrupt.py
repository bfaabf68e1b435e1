"""Ctrl-C: what was traced so far is whole, and the exit code is a shell's."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")

RUN = [sys.executable, "-m", "simkernel", "run", "story.py"]


def test_files_are_whole(story: Path) -> None:
    asked = ["--strace", "--trace", "t.json", "--pcap", "t.pcap", "--diagram", "t.mmd"]
    with subprocess.Popen(
        [*RUN, "--set", "naps=1000000000", "--set", "nap=0", *asked],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        printed, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.decode().splitlines()[-1].startswith("interrupted at ")
    assert printed.endswith(b"\n")
    assert json.loads(Path("t.json").read_text("utf-8"))["traceEvents"]
    assert len(Path("t.pcap").read_bytes()) >= 24
    assert Path("t.mmd").read_text("utf-8").startswith("sequenceDiagram\n")


def test_a_second_one_ends_a_program_that_never_sleeps(story: Path) -> None:
    text = story.read_text("utf-8").replace(
        "await app.sleep(", "print('awake', flush=True)\n            while True: pass\n            ("
    )
    story.write_text(text, "utf-8")
    with subprocess.Popen(
        [*RUN, "--trace", "t.json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"awake\n"
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(Path("t.json").read_text("utf-8"))["traceEvents"]
