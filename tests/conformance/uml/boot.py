"""Debian's User-mode Linux: find and boot it, exchange messages with its init, and end it.

User-mode Linux (UML) is a Linux kernel that runs as a program, without root or KVM. Its root file system
is the host's, read-only, through hostfs. The guest's first terminal is a pair of pipes. Requests and
replies are lines of JSON. UML writes its console to the file `console` in a temporary directory, which
`close` deletes.
"""

from __future__ import annotations

import json
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
UNPACKED = ROOT / ".ci" / "uml"
"""Directory into which .ci/run unpacks Debian's package."""

CPUINFO = Path("/proc/cpuinfo")
BOOT_SECONDS = 60.0


class Unavailable(Exception):
    """UML cannot run on this host. The text has the reason."""


def find() -> Path:
    """Return the path of `linux.uml`. Raise Unavailable if it is not installed."""
    if sys.platform != "linux":
        raise Unavailable("User-mode Linux runs on Linux only")
    found = shutil.which("linux.uml", path=f"{os.environ.get('PATH', '')}:{UNPACKED / 'usr/bin'}")
    if found is None:
        raise Unavailable("no linux.uml: install Debian's package user-mode-linux")
    return Path(found)


def modules(binary: Path) -> Path:
    """Return the directory that contains `modules.dep` and the modules of UML. Raise Unavailable if the
    directory does not exist.
    """
    folders = sorted((binary.parents[1] / "lib" / "uml" / "modules").glob("*"))
    if not folders:
        raise Unavailable(f"{binary} has no modules in {binary.parents[1] / 'lib/uml/modules'}")
    return folders[-1]


def preload(folder: Path) -> dict[str, str]:
    """Return the environment variables that UML needs on this CPU. If the CPU has AMX, compile xstate.c to a
    library for LD_PRELOAD. Raise Unavailable if no C compiler is installed or the compilation fails.
    """
    flags = next((line for line in CPUINFO.read_text().splitlines() if "flags" in line), "")
    if "amx_tile" not in flags.split():
        return {}
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise Unavailable(
            "this CPU has AMX, for which UML 6.12 needs a library, and no C compiler is installed to build it"
        )
    library = folder / "xstate.so"
    source = Path(__file__).with_name("xstate.c")
    done = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source)], capture_output=True, text=True
    )
    if done.returncode:
        raise Unavailable(f"{source.name} does not compile: {done.stderr.strip()}")
    return {"LD_PRELOAD": str(library)}


class Uml:
    """A running UML guest. Its init executes `tests.conformance.uml.guest`."""

    def __init__(self) -> None:
        binary = find()
        tree = modules(binary)
        self._folder = tempfile.TemporaryDirectory(prefix="uml-")
        self.folder = folder = Path(self._folder.name)
        try:
            environment = preload(folder)
            self._process = self._start(binary, tree, folder, environment)
        except BaseException:
            self._folder.cleanup()
            raise
        self._pending = b""
        self._owner = os.getpid()
        try:
            self.kernel: str = self._receive(BOOT_SECONDS)["kernel"]
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _start(
        binary: Path, tree: Path, folder: Path, environment: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        path = shlex.quote(os.environ.get("PYTHONPATH", ""))
        for script, module, arguments in (("init", "guest", str(folder)), ("modprobe", "modprobe", '"$@"')):
            python = f"{shlex.quote(sys.executable)} -B -m tests.conformance.uml.{module}"
            (folder / script).write_text(
                f"#!/bin/sh\nexport PYTHONPATH={path}\ncd {shlex.quote(str(ROOT))}\n"
                f"exec {python} {shlex.quote(str(tree))} {arguments}\n"
            )
            (folder / script).chmod(0o755)
        folder.chmod(0o755)  # The unprivileged user in the guest needs search permission for `folder`.
        with open(folder / "console", "wb") as console:
            return subprocess.Popen(
                [
                    binary,
                    "mem=256M",
                    f"uml_dir={folder}",
                    "root=/dev/root",
                    "rootfstype=hostfs",
                    "rootflags=/",
                    "ro",
                    f"init={folder / 'init'}",
                    "con=null",
                    "con0=null,fd:2",
                    "con1=fd:0,fd:1",
                    "quiet",
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=console,
                env={**os.environ, "HOME": str(folder), "TMPDIR": str(folder), **environment},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process id of the guest's kernel, which is also its process group id."""
        return self._process.pid

    def ask(self, request: dict[str, Any], patience: float) -> Any:
        """Send a request and return the guest's reply. Raise TimeoutError if no reply arrives within
        `patience` seconds, or EOFError if the guest has died.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise EOFError(self.console()) from None
        return self._receive(patience)

    def _receive(self, patience: float) -> Any:
        deadline = time.monotonic() + patience
        while True:
            line, newline, rest = self._pending.partition(b"\n")
            if newline:
                self._pending = rest
                if line.startswith(b"{"):  # Skip messages that UML writes to stdout while it starts.
                    return json.loads(line)
                continue
            assert self._process.stdout is not None
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                raise TimeoutError(f"User-mode Linux did not reply within {patience:g} s: {self.console()}")
            chunk = os.read(self._process.stdout.fileno(), 1 << 16)
            if not chunk:
                raise EOFError(self.console())
            self._pending += chunk

    def console(self) -> str:
        """Return the last lines of the guest's console on one line."""
        return " / ".join((self.folder / "console").read_text(errors="replace").splitlines()[-12:])

    def close(self) -> None:
        """Close the guest's input. The guest then powers itself off. If it still runs after 5 s, kill its
        processes.
        """
        if self._owner != os.getpid():
            return  # Only the process that booted the guest may end it. Forked children may not.
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(
                self.pid, signal.SIGKILL
            )  # The process group contains the guest's kernel and the stub processes that the kernel traces.
            self._process.wait()
        self._process.stdout.close()
        self._folder.cleanup()
