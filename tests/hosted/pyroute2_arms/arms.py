"""The three arms (kernels) in which pyroute2's own tests run: this host's kernel, User-mode Linux and
simkernel.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path
from typing import Final

from tests.conformance.uml import boot

ROOT: Final = Path(__file__).resolve().parents[3]
SUITES: Final = ("test_linux", "test_minimal", "test_core", "test_limits", "test_process", "test_integration")
"""Directories of pyroute2's tests that use netlink."""
PLUGIN: Final = "tests.hosted.pyroute2_arms.plugin"
UNPACKED: Final = ROOT / ".ci" / "pyroute2"
"""Directory into which .ci/run clones pyroute2's repository."""

Results = dict[str, tuple[str, str]]
"""For each test: its result, and the last line of its error or of the reason why it was skipped."""


class Unavailable(Exception):
    """pyroute2's tests cannot run on this host, for example without root or a checkout. The text has the
    reason.
    """


def find_tree() -> Path:
    """Return the path of a checkout of pyroute2's repository. Raise Unavailable if there is none."""
    for folder in filter(None, (os.environ.get("PYROUTE2_TREE"), str(UNPACKED))):
        if (Path(folder) / "tests" / "test_linux").is_dir():
            return Path(folder)
    raise Unavailable(f"no checkout of pyroute2's repository: set PYROUTE2_TREE, or clone it to {UNPACKED}")


def homepage() -> str:
    """Return the URL of pyroute2's repository, from the metadata of the installed package."""
    urls = [each.partition(", ")[2] for each in metadata.metadata("pyroute2").get_all("Project-URL") or ()]
    return urls[0]


def command(
    tree: Path, suite: str, arm: str, work: Path, more: Iterable[str]
) -> tuple[list[str], dict[str, str]]:
    """Return the pytest command line for a suite, and the environment variables for this command."""
    tests = tree / "tests"
    folders = [tests / suite, *sorted((tests / suite).glob("test_*/"))]
    paths = [tree, tests, tests / "mocklib"]
    paths += [each for each in folders if each.is_dir() and not (each / "__init__.py").exists()]
    environment = {
        "HOME": str(work),
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join(map(str, [*paths, ROOT])),
        "SKIPDB": "postgres",
        "TMPDIR": str(work),
        "WORKSPACE": str(tree),
    }
    plugins = ("no:xdist", "no:cacheprovider", "no:simkernel.pytest_plugin", PLUGIN)
    options = [*(f"-p{each}" for each in plugins), "-q", "--tb=short", "--continue-on-collection-errors"]
    places: list[object] = [
        "--rootdir",
        tests,
        "--confcutdir",
        tests,
        "-c",
        os.devnull,
        "--basetemp",
        work / "tmp",
    ]
    world = "simkernel" if arm == "simkernel" else "linux"
    line: list[object] = [sys.executable, "-m", "pytest", *options, "--arm", world]
    line += ["--results", work / "results", *places, *more, tests / suite]
    return list(map(str, line)), environment


def run_here(lines: list[tuple[list[str], dict[str, str]]], work: Path) -> None:
    """Run commands on this host, one after the other."""
    for line, environment in lines:
        with open(work / "output", "ab") as output:
            subprocess.run(line, env=environment, cwd=work, stdout=output, stderr=output, check=False)


def run_on_host(lines: list[tuple[list[str], dict[str, str]]], work: Path) -> None:
    """Run commands on this host's kernel. Raise Unavailable without root."""
    if os.geteuid():
        raise Unavailable("running each test in a network namespace needs root")
    run_here(lines, work)


INIT: Final = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mount -t hostfs -o hostfs={work} none {work}
mount --bind {modules} /lib/modules
modprobe -a ipv6 dummy
cd {work}
exec > output 2>&1 < /dev/null
{lines}
{python} -c 'import ctypes, os; os.sync(); ctypes.CDLL(None).reboot(0x4321FEDC)'
"""


def run_in_uml(lines: list[tuple[list[str], dict[str, str]]], work: Path) -> None:
    """Run commands in User-mode Linux. Its root file system is the host's. Only the directory `work` is
    writable.

    Raise Unavailable if User-mode Linux cannot run here.
    """
    try:
        binary = boot.find()
        modules, preload = boot.modules(binary).parent, boot.preload(work)
    except boot.Unavailable as error:
        raise Unavailable(str(error)) from None
    commands = [
        shlex.join(["env", "-i", *(f"{name}={value}" for name, value in environment.items()), *line])
        for line, environment in lines
    ]
    init = work / "init"
    text = INIT.format(work=work, modules=modules, lines="\n".join(commands), python=sys.executable)
    init.write_text(text)
    init.chmod(0o755)
    options = "mem=512M root=/dev/root rootfstype=hostfs rootflags=/ ro quiet"
    consoles = "con=null con0=null,fd:2 con1=fd:0,fd:1"
    subprocess.run(
        [binary, *options.split(), *consoles.split(), f"uml_dir={work}", f"init={init}"],
        env={**os.environ, "HOME": str(work), "TMPDIR": str(work), **preload},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
    )  # fmt: skip


ARMS: Final[dict[str, Callable[[list[tuple[list[str], dict[str, str]]], Path], None]]] = {
    "host": run_on_host,
    "uml": run_in_uml,
    "simkernel": run_here,
}


def run(
    arm: str, tree: Path, work: Path, suites: Iterable[str] = SUITES, more: Iterable[str] = ()
) -> Results:
    """Run suites of pyroute2 on the kernel `arm` (host, uml or simkernel) and return the results. Raise
    Unavailable if this is not possible on this host.
    """
    work = work / arm
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / "results").touch()
    ARMS[arm]([command(tree, suite, arm, work, more) for suite in suites], work)
    lines = [json.loads(line) for line in (work / "results").read_text().splitlines()]
    return {each["test"]: (each["result"], each["text"]) for each in lines}
