"""Processes that run lessons, and the main function of such a process.

A lesson runs a student's code, which may never end. The server kills its process to stop it. A request is
a line of JSON on standard input, and a response is a line on standard output.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Semaphore, Timer
from typing import Any, Final

LIMIT: Final = 10.0
"""Maximum duration of a run in seconds."""
LATE: Final = "The run took longer than {:g} seconds and was stopped. The program may have an endless loop."
MEMORY: Final = 2 << 30
"""Maximum address space of a worker in bytes, if the host supports a limit."""
WORKERS: Final = 4
"""Maximum number of simultaneous runs."""


class _Worker:
    """A worker process, with the pipes through which the server uses it."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", __name__]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )
        self._started = False
        self._why = ""

    def ask(self, request: str, limit: float) -> str:
        """Return the response to a request, or "" if the process exits or is killed after `limit` seconds."""
        started = self._started or self._read()
        self._started = True
        late = Timer(
            limit, self.stop, [LATE.format(limit)]
        )  # the time limit does not include the start of Python
        late.start()
        try:
            return started and self._read(request)
        finally:
            late.cancel()

    def _read(self, request: str = "") -> str:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(request)
            self._process.stdin.flush()
            return self._process.stdout.readline()
        except OSError:
            return ""

    def stop(self, why: str = "The run was stopped.") -> None:
        """Kill the process. Store the reason `why`, unless a reason is stored already."""
        self._why = self._why or why
        self._process.kill()

    def end(self) -> str:
        """Wait for the process to exit, and return the reason why it has ended."""
        self._process.communicate()
        return self._why or f"The code ended the Python process with status {self._process.returncode}."


class Workers:
    """A pool of worker processes. `limit` is the maximum duration of a run in seconds."""

    def __init__(self, limit: float = LIMIT) -> None:
        self._limit = limit
        self._free = Semaphore(WORKERS)
        self._idle = [_Worker()]  # started now, so that the first run does not wait for the process
        self._busy: dict[str, _Worker] = {}

    def run(self, run: str, folder: Path, settings: Mapping[str, Any]) -> str:
        """Run the lesson in `folder` and return its result, or the JSON {"stopped": reason}. The argument
        `run` is an id for `stop`, which can end the run early.
        """
        with self._free:
            worker = self._busy[run] = self._idle.pop() if self._idle else _Worker()
            try:
                request = json.dumps({"lesson": str(folder), "settings": settings}) + "\n"
                answer = worker.ask(request, self._limit)
            finally:
                del self._busy[run]
            self._idle.append(worker if answer else _Worker())
        return answer or json.dumps({"stopped": worker.end()})

    def stop(self, run: str) -> None:
        """Kill the process of a run, if the run has not ended."""
        if worker := self._busy.get(run):
            worker.stop()

    def close(self) -> None:
        """Kill all processes."""
        for worker in (*self._busy.values(), *self._idle):
            worker.stop()
            worker.end()


def limit_memory(size: int) -> None:
    """Limit the address space of this process to `size` bytes, if the host supports it."""
    with suppress(ImportError, ValueError, OSError):  # the host is not POSIX, or has a lower limit
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def main() -> None:
    """Answer requests until standard input ends. Standard input and output of a student's code are
    /dev/null.
    """
    from simkernel.lessons import Lesson, answer

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the server, which ends its workers
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    limit_memory(MEMORY)
    print(file=answers, flush=True)
    for request in requests:
        asked = json.loads(request)
        print(answer(Lesson.load(Path(asked["lesson"])), asked["settings"]), file=answers, flush=True)


if __name__ == "__main__":
    main()
