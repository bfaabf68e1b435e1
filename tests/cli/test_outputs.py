"""A command refuses an impossible output file before the run. It writes a file completely or leaves it
unchanged, and leaves no temporary files.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simkernel.cli.outputs import OutputFile
from simkernel.trace.diagram import Diagram
from tests.cli.terminal import PROGRAM
from tests.conftest import CommandLine

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX")
OPTIONS = ("--trace", "--pcap", "--diagram")
OLD = "precious"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"__pycache__"}


def shell(command: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command in which SIMKERNEL stands for `simkernel`."""
    text = command.replace("SIMKERNEL", " ".join(PROGRAM))
    return subprocess.run(["sh", "-c", text], capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def bench() -> str:
    """Return the measurements of a benchmark as JSON."""
    return subprocess.run(
        [*PROGRAM, "bench", "--quick", "--row", "1", "--json"], capture_output=True, text=True, check=True
    ).stdout


# -- refused before anything runs ------------------------------------------------


@pytest.mark.parametrize("bad", ["nowhere/x", ".", "folder", "folder/", "old.json/x", "", "a\0b"])
@pytest.mark.parametrize("option", OPTIONS)
def test_one_refused_output_leaves_the_others_unchanged(
    simkernel: CommandLine, story: Path, option: str, bad: str
) -> None:
    Path("folder").mkdir()
    Path("old.json").write_text(OLD, "utf-8")
    before = names(Path())
    other = next(each for each in OPTIONS if each != option)
    for arguments in ([other, "old.json", option, bad], [option, bad, other, "old.json"]):
        done = simkernel("run", "story.py", *arguments)
        assert (done.code, done.out) == (2, "")
        assert f"Invalid value for {option}: cannot write {bad}: " in done.err
        assert Path("old.json").read_text("utf-8") == OLD
        assert names(Path()) == before


@POSIX
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_without_write_permission_is_refused(simkernel: CommandLine, story: Path) -> None:
    Path("locked").mkdir(mode=0o555)
    Path("locked.json").touch(mode=0o444)
    for name in ("locked/x", "locked.json"):
        done = simkernel("run", "story.py", "--trace", name)
        assert done.code == 2
        assert f"cannot write {name}: Permission denied" in done.err


@pytest.mark.parametrize(
    "name", ["story.py", "./story.py", "other.py", "link.json", "hard.json", "mine/m.yaml"]
)
def test_a_source_file_is_never_overwritten(simkernel: CommandLine, story: Path, name: str) -> None:
    text = story.read_text("utf-8")
    Path("mine").mkdir()
    Path("other.py").write_text(text, "utf-8")
    Path("mine/m.yaml").write_text(text, "utf-8")
    Path("link.json").symlink_to("other.py")
    Path("hard.json").hardlink_to("story.py")
    done = simkernel("run", "story.py", "--trace", name)
    assert (done.code, done.out) == (2, "")
    assert f"cannot write {name}: " in done.err
    assert Path(name).read_text("utf-8") == text


def test_a_file_that_the_command_reads_is_never_overwritten(
    simkernel: CommandLine, story: Path, bench: str, tmp_path: Path
) -> None:
    prices, figures = tmp_path / "prices.json", tmp_path / "figures.png"
    prices.write_text('{"parameters": {"syscall": 1}}', "utf-8")
    figures.write_text(bench, "utf-8")
    for arguments in (["run", "story.py", "--costs", prices, "--trace", prices], ["plot", figures]):
        done = simkernel(*arguments)
        assert (done.code, done.out) == (2, "")
        assert "is read by this command" in done.err
    assert figures.read_text("utf-8") == bench


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("a", "a"), ("a", "./a"), ("a", "folder/../a"), ("old", "link"), ("old", "hard"), ("new", "dangling"),
        ("here/a", "folder/a"), ("/dev/null", "/dev/null"), ("/dev/stdout", "/dev/fd/1"),
    ],
)  # fmt: skip
@POSIX
def test_two_names_of_one_file_are_refused(simkernel: CommandLine, story: Path, one: str, two: str) -> None:
    Path("folder").mkdir()
    Path("here").symlink_to("folder")
    Path("old").write_text(OLD, "utf-8")
    Path("link").symlink_to("old")
    Path("hard").hardlink_to("old")
    Path("dangling").symlink_to("new")
    done = simkernel("run", "story.py", "--trace", one, "--pcap", two)
    assert (done.code, done.out) == (2, "")
    assert f"Invalid value for --pcap: cannot write {two}: --trace writes it" in done.err
    assert Path("old").read_text("utf-8") == OLD


def test_a_picture_of_another_kind_is_refused(simkernel: CommandLine, bench: str, tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    path.write_text(bench, "utf-8")
    done = simkernel("plot", path, "-o", tmp_path / "picture.bmp")
    assert done.code == 2
    assert "unknown format '.bmp' of" in done.err and "must end in .png, .svg, .pdf" in done.err


# -- complete or unchanged -------------------------------------------------------


@POSIX
def test_an_existing_file_keeps_its_mode_and_a_link_stays_a_link(simkernel: CommandLine, story: Path) -> None:
    Path("old").write_text(OLD, "utf-8")
    Path("old").chmod(0o640)
    Path("link").symlink_to("old")
    mask = os.umask(0o027)
    os.umask(mask)
    assert simkernel("run", "story.py", "--trace", "link", "--pcap", "new").code == 0
    assert Path("link").is_symlink()
    assert json.loads(Path("old").read_text("utf-8"))
    assert stat.S_IMODE(Path("old").stat().st_mode) == 0o640
    assert stat.S_IMODE(Path("new").stat().st_mode) == 0o666 & ~mask
    assert names(Path()) == {"story.py", "old", "link", "new"}


def test_the_old_file_exists_until_the_end(
    simkernel: CommandLine, story: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("old").write_text(OLD, "utf-8")
    seen = []
    monkeypatch.setattr(Diagram, "record", lambda *_: seen.append(Path("old").read_text("utf-8")))
    assert simkernel("run", "story.py", "--diagram", "old").code == 0
    assert set(seen) == {OLD}
    assert Path("old").read_text("utf-8").startswith("sequenceDiagram")


@pytest.mark.parametrize("step", ["write", "close", "rename"])
def test_a_full_disk_keeps_the_old_file(
    simkernel: CommandLine, story: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    class Full:
        def __init__(self, file: Any) -> None:
            self.write, self.close = file.write, file.close
            setattr(self, step, full)

    Path("old").write_text(OLD, "utf-8")
    if step == "rename":
        monkeypatch.setattr(os, "replace", full)
    else:
        made = OutputFile.__init__

        def init(self: OutputFile, name: str, binary: bool) -> None:
            made(self, name, binary)
            if name == "old":
                self._file = Full(self._file)

        monkeypatch.setattr(OutputFile, "__init__", init)
    done = simkernel("run", "story.py", "--trace", "old", "--pcap", "new")
    assert done.code == 1
    assert done.out.startswith("Good morning.")
    assert "cannot write old: No space left on device" in done.err
    assert Path("old").read_text("utf-8") == OLD
    assert names(Path()) - {"new"} == {"story.py", "old"}


def test_an_error_of_an_exporter_keeps_the_old_file(
    simkernel: CommandLine, story: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("old").write_text(OLD, "utf-8")
    monkeypatch.setattr(Diagram, "finish", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        simkernel("run", "story.py", "--diagram", "old")
    assert Path("old").read_text("utf-8") == OLD
    assert names(Path()) == {"story.py", "old"}


@given(data=st.binary(max_size=100), old=st.none() | st.binary(max_size=100), finish=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_output_is_all_or_nothing(tmp_path: Path, data: bytes, old: bytes | None, finish: bool) -> None:
    path = tmp_path / "out"
    path.unlink(missing_ok=True)
    if old is not None:
        path.write_bytes(old)
    file = OutputFile(str(path), binary=True)
    file.write(data)
    if finish:
        file.finish()
    file.discard()
    assert (path.read_bytes() if path.exists() else None) == (data if finish else old)
    assert names(tmp_path) <= {"out"}


@POSIX
def test_a_pipe_and_a_device_are_written_directly(simkernel: CommandLine, story: Path) -> None:
    os.mkfifo("fifo")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(Path("fifo").read_text("utf-8")))
    reader.start()
    done = simkernel("run", "story.py", "--trace", "fifo", "--pcap", "/dev/null")
    reader.join(timeout=60)
    assert done.code == 0
    assert json.loads(read[0])["traceEvents"]
    assert stat.S_ISFIFO(Path("fifo").stat().st_mode)
    assert names(Path()) == {"story.py", "fifo"}


@POSIX
@pytest.mark.parametrize(
    "to",
    [
        "| cat",
        *(pytest.param(each, marks=pytest.mark.long) for each in ("> out; cat out", ">> out; cat out")),
    ],
)
def test_standard_output_holds_the_trace_and_then_the_report(story: Path, to: str) -> None:
    done = shell(f"SIMKERNEL run story.py --trace /dev/stdout {to}")
    trace, _, report = done.stdout.partition("\n]}\n")
    assert json.loads(f"{trace}\n]}}")["traceEvents"]
    assert report.startswith("Good morning.")


# -- signals ---------------------------------------------------------------------


@POSIX
@pytest.mark.parametrize(
    "where",
    [
        "in the run",
        *(
            pytest.param(each, marks=pytest.mark.long)
            for each in ("at import", "in a loop", "caught for ever")
        ),
    ],
)
def test_sigterm_leaves_no_half_file(story: Path, where: str) -> None:
    Path("old").write_text(OLD, "utf-8")
    loops: dict[str, Callable[[str], str]] = {
        "at import": lambda text: f"print('begun', flush=True)\nimport time\ntime.sleep(60)\n{text}",
        "in the run": lambda text: text,
        "in a loop": lambda text: text.replace(
            "await app.sleep(", "print('begun', flush=True)\n            while True: pass\n            ("
        ),
        "caught for ever": lambda text: text.replace(
            "await app.sleep(",
            "while True:\n"
            "                try: print('begun', flush=True); __import__('time').sleep(60)\n"
            "                except BaseException: pass\n            (",
        ),
    }
    story.write_text(loops[where](story.read_text("utf-8")), "utf-8")
    endless = ["--strace", "--set", "naps=1000000000", "--set", "nap=0"] if where == "in the run" else []
    command = [*PROGRAM, "run", "story.py", *endless, "--trace", "old"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            process.terminate()
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 128 + signal.SIGTERM
    assert errors.startswith("terminated")
    assert "Traceback" not in errors
    assert names(Path()) == {"story.py", "old"}
    text = Path("old").read_text("utf-8")
    assert text == OLD if where in ("at import", "caught for ever") else json.loads(text)["traceEvents"]


# -- standard output -------------------------------------------------------------


@POSIX
@pytest.mark.parametrize(
    "command",
    [
        "run story.py", pytest.param("run story.py --json", marks=pytest.mark.long), "list", "guide",
        "describe nlctrl",
    ],
)  # fmt: skip
def test_a_closed_standard_output_is_refused(story: Path, command: str) -> None:
    done = shell(f"SIMKERNEL {command} >&-")
    assert done.returncode == 2
    assert done.stderr.endswith("Error: standard output is closed: redirect it to a file or to /dev/null\n")


@POSIX
def test_a_closed_standard_error_is_no_error(story: Path) -> None:
    done = shell("SIMKERNEL run story.py 2>&-")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@POSIX
@pytest.mark.parametrize(
    "command",
    [
        "list", "guide",
        *(
            pytest.param(each, marks=pytest.mark.long)
            for each in ("run story.py", "run story.py --json", "run talk --strace")
        ),
    ],
)  # fmt: skip
def test_a_closed_pipe_ends_the_command_without_a_message(story: Path, command: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*PROGRAM, *command.split()], stdout=writer, stderr=subprocess.PIPE, timeout=60)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@POSIX
@pytest.mark.parametrize(
    "nap", ["0", pytest.param("0.00001", marks=pytest.mark.long)], ids=["folded", "not folded"]
)
def test_a_closed_pipe_ends_an_endless_run(story: Path, nap: str) -> None:
    endless = f"run story.py --set naps=1000000000 --set nap={nap} --strace --trace t.json"
    done = shell(f"(SIMKERNEL {endless}; echo $? >code) | head -1; cat code")
    first, code = done.stdout.splitlines()
    assert (code, done.stderr) == ("141", "")
    assert "clock_nanosleep" in first
    assert json.loads(Path("t.json").read_text("utf-8"))["traceEvents"]


@POSIX
@pytest.mark.parametrize("command", ["run story.py --strace", "list"])
def test_a_full_standard_output_is_an_error(story: Path, command: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs a full device")
    done = shell(f"SIMKERNEL {command} >/dev/full")
    assert done.returncode == 1
    assert done.stderr == "Error: cannot write standard output: No space left on device\n"
