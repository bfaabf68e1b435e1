"""Exit code and message of a run whose programs fail or do not end."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from textwrap import indent

import pytest

from tests.cli.test_interrupt import first_line, running
from tests.conftest import CommandLine

HEAD = """
import asyncio, sys
from simkernel import seconds
from simkernel.scenario import Run, scenario
from simkernel.uapi.signal import SIGTERM

@scenario()
def story(run: Run) -> None:
    machine = run.machine(udev=False)
    process = machine.spawn(program)
    machine.at(seconds(1), lambda: process.alive and process.kill(SIGTERM))
    machine.run(until=seconds(2))
    run.metric("status", process.exit_status)

async def program(app):
"""

CATCHES_ALL = """
print("awake", flush=True)
await app.signal(SIGTERM, lambda number: None)
while True:
    try:
        await app.sleep(NAP)
    except:
        pass
"""
RAISES_WHEN_CLOSED = """
try:
    await app.signal(SIGTERM, lambda number: None)
    while True:
        try:
            await app.sleep(1)
        except OSError:
            pass
finally:
    raise ValueError("too late")
"""

CASES = {
    "await app.sleep(1)": (0, ""),
    "raise asyncio.CancelledError": (1, "CancelledError"),
    "raise type('Own', (BaseException,), {})('mine')": (1, "Own: mine"),
    "sys.exit('usage: story')": (0, "usage: story"),
    "await app.signal(SIGTERM, lambda _: sys.exit(3))\nawait app.sleep(5)": (0, ""),
    RAISES_WHEN_CLOSED: (1, "ValueError: too late"),
    CATCHES_ALL.replace("NAP", "5"): (1, "program was abandoned, since it caught GeneratorExit"),
}


@pytest.mark.parametrize(("body", "code", "text"), [(body, *result) for body, result in CASES.items()])
def test_each_end_has_its_exit_code_and_message(
    simkernel: CommandLine, tmp_path: Path, body: str, code: int, text: str
) -> None:
    path = tmp_path / "story.py"
    path.write_text(HEAD + indent(body, "    "), "utf-8")
    done = simkernel("run", path)
    assert (done.code, text in done.err) == (code, True), done.err


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_ctrl_c_ends_a_run_whose_program_catches_everything(story: Path) -> None:
    endless = HEAD.replace("until=seconds(2)", "")
    story.write_text(endless + indent(CATCHES_ALL.replace("NAP", "0"), "    "), "utf-8")
    with running() as process:
        assert first_line(process) == b"awake\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.decode().splitlines()[-1].startswith("interrupted at ")
