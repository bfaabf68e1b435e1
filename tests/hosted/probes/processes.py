"""Probes of the library functions for processes, signals and C libraries."""

from __future__ import annotations

from typing import Any

from probes import FOLDER, path, probe


@probe("refused", "subprocess")
def _() -> Any:
    import subprocess

    subprocess.run(["true"], check=True)


@probe("refused", "os.system")
def _() -> Any:
    import os

    os.system("true")


@probe("refused", "os.popen")
def _() -> Any:
    import os

    os.popen("true")


@probe("machine", "os.fork")
def _() -> Any:
    import os

    memory = []
    if not (pid := os.fork()):
        memory.append(1)
        os._exit(os.getpid() - os.getppid())
    _, status = os.waitpid(pid, 0)
    assert not memory and os.waitstatus_to_exitcode(status) == pid - os.getpid()


@probe("refused", "os.execv")
def _() -> Any:
    import os

    os.execv("/bin/true", ["true"])


@probe("refused", "os.posix_spawn")
def _() -> Any:
    import os

    os.posix_spawn("/bin/true", ["true"], {})


@probe("machine", "os.spawnv")
def _() -> Any:
    import os

    assert os.spawnv(os.P_WAIT, "/bin/true", ["true"]) == 127  # The machine has no executable files.


@probe("refused", "pty.openpty")
def _() -> Any:
    import pty

    pty.openpty()


@probe("refused", "pty.fork")
def _() -> Any:
    import pty

    pty.fork()


@probe("machine", "multiprocessing.Process")
def _() -> Any:
    import multiprocessing

    process = multiprocessing.get_context("fork").Process(target=int)
    process.start()
    process.join()
    assert process.exitcode == 0


@probe("refused", "multiprocessing.Pool")
def _() -> Any:
    import multiprocessing

    multiprocessing.Pool(1)


@probe("refused", "multiprocessing.shared_memory")
def _() -> Any:
    from multiprocessing import shared_memory

    shared_memory.SharedMemory("simkernel-probe", create=True, size=10)


@probe("machine", "os.kill")
def _() -> Any:
    import os
    import signal

    got = []
    signal.signal(signal.SIGUSR1, lambda *arguments: got.append(arguments[0]))
    os.kill(os.getpid(), signal.SIGUSR1)
    assert got == [signal.SIGUSR1]


@probe("machine", "signal.raise_signal")
def _() -> Any:
    import signal

    got = []
    signal.signal(signal.SIGTERM, lambda *arguments: got.append(arguments[0]))
    signal.raise_signal(signal.SIGTERM)
    assert got == [signal.SIGTERM]


@probe("refused", "signal.alarm")
def _() -> Any:
    import signal

    signal.alarm(1)


@probe("refused", "signal.setitimer")
def _() -> Any:
    import signal

    signal.setitimer(signal.ITIMER_REAL, 100)


@probe("refused", "ctypes.CDLL")
def _() -> Any:
    import ctypes

    ctypes.CDLL(None).getpid()


@probe("refused", "ctypes.pythonapi")
def _() -> Any:
    import ctypes

    ctypes.pythonapi.PyOS_FSPath(1)


@probe("machine", "ctypes.util.find_library")
def _() -> Any:
    import ctypes.util

    assert ctypes.util.find_library("c") is None


@probe("harmless", "ctypes.Structure")
def _() -> Any:
    import ctypes

    class Pair(ctypes.Structure):
        _fields_ = (("one", ctypes.c_uint8), ("two", ctypes.c_uint32))

    pair = Pair.from_buffer_copy(bytes(range(8)))
    assert ctypes.cast(ctypes.pointer(pair), ctypes.POINTER(ctypes.c_uint8))[4] == 4
    return bytes(pair), ctypes.sizeof(Pair)


@probe("machine", "atexit")
def _() -> Any:
    import atexit
    import os

    atexit.register(lambda: os.stat(FOLDER))
    path("a")


@probe("machine", "weakref.finalize")
def _() -> Any:
    import tempfile

    keep.append(tempfile.TemporaryDirectory(dir=path("")[:-1]))


keep: list[object] = []
