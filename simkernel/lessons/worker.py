"""Processes that run lessons, and the program of such a process.

A lesson runs a student's code, which may never end.  Only killing its process stops it.  A request is a line
of JSON on standard input, an answer is a line on standard output.
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
"""Seconds that a run may take."""
LATE: Final = "The run took longer than {:g} seconds and was stopped. The program may have an endless loop."
MEMORY: Final = 2 << 30
"""Bytes of address space of a worker, where the host can limit it."""
WORKERS: Final = 4
"""Maximum number of runs at a time."""


class _Worker:
    """The server's end of a worker process."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", __name__]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )
        self._started = False
        self._why = ""

    def ask(self, request: str, limit: float) -> str:
        """Return the answer to a request, or "" if the process ends: by itself, or after `limit` seconds."""
        started = self._started or self._read()
        self._started = True
        late = Timer(limit, self.stop, [LATE.format(limit)])  # the start of Python is no part of the run
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
        """Kill the process."""
        self._why = self._why or why
        self._process.kill()

    def end(self) -> str:
        """Wait for the end of the process and return why it has ended."""
        self._process.communicate()
        return self._why or f"The run ended Python itself, with status {self._process.returncode}."


class Workers:
    """Worker processes.  `limit` is the maximum duration of a run in seconds."""

    def __init__(self, limit: float = LIMIT) -> None:
        self._limit = limit
        self._free = Semaphore(WORKERS)
        self._idle = [_Worker()]  # the first run finds it ready
        self._busy: dict[str, _Worker] = {}

    def run(self, run: str, folder: Path, settings: Mapping[str, Any]) -> str:
        """Return the answer of the lesson in `folder`, or the JSON {"stopped": why}.  `run` names the run."""
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
        """Kill the process of a run, if it runs."""
        if worker := self._busy.get(run):
            worker.stop()

    def close(self) -> None:
        """Kill all processes."""
        for worker in (*self._busy.values(), *self._idle):
            worker.stop()
            worker.end()


def limit_memory(size: int) -> None:
    """Limit the address space of this process to `size` bytes, if the host can."""
    with suppress(ImportError, ValueError, OSError):  # no POSIX host, or a lower limit
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def main() -> None:
    """Answer requests until standard input ends.  Standard input and output of student code are /dev/null."""
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
