"""Detection of accesses to the host: from Python's audit events, and from process state that a program has
changed.
"""

from __future__ import annotations

import ctypes
import locale
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

PREFIXES = (
    "open", "os.", "socket.", "sqlite3.connect", "ctypes.dl", "fcntl.", "mmap.", "resource.", "syslog.",
    "signal.", "time.sleep", "_thread.", "winreg.",
)  # fmt: skip
"""Prefixes of audit events that show an access to the host. The events in BY_PYTHON are ignored: if one of
them accesses the host, the access emits a further event.
"""
BY_PYTHON = ("os.walk", "os.fwalk", "sqlite3.connect/handle")
_seen: list[str] | None = None


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if _seen is None or not event.startswith(PREFIXES) or event in BY_PYTHON or _of_import(event, arguments):
        return
    _seen.append(f"{event}{arguments}")


def _of_import(event: str, arguments: tuple[object, ...]) -> bool:
    """Return True if an audit event opens an in-memory database or comes from an import. An event counts as
    an import if it reads a file or directory of the Python installation or of sys.path.
    """
    if event == "sqlite3.connect":
        return arguments[0] == ":memory:"
    first = str(arguments[0]) if arguments else ""
    if first.startswith("<"):  # Python tries to open names such as `<string>`, which are not names of files.
        return True
    reads = (event == "open" and arguments[1] in ("r", "rb", None)) or event in ("os.listdir", "os.scandir")
    return reads and first.startswith((*filter(None, sys.path), sys.prefix, sys.base_prefix))


sys.addaudithook(_hook)


@contextmanager
def watch() -> Iterator[list[str]]:
    """Yield a list of accesses to the host. Audit events are appended while the context is active. At its
    end, a text is appended for each change of the process's state.
    """
    global _seen
    before = _state()
    _seen = seen = []
    try:
        yield seen
    finally:
        _seen = None
        after = _state()
        if "os.fork()" in seen:  # This event is allowed: fork() in a hosted program creates a real process.
            seen[:] = [each for each in seen if each != "os.fork()"]
            before["children"] = after["children"]
        seen += [
            f"{name} was {value}, is {after[name]}" for name, value in before.items() if after[name] != value
        ]


def _state() -> dict[str, object]:
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_char_p
    return {
        "working directory": os.getcwd(),
        "children": resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt,
        "locale": locale.setlocale(locale.LC_ALL),
        "signal handlers": {number: signal.getsignal(number) for number in range(1, 32)},
        "environment": dict(os.environ),
        "C environment": getenv(b"SIMKERNEL_PROBE"),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "modules": {name: id(vars(module).get("__spec__")) for name, module in _modules()},
        "constants": _constants(),
    }


def _modules() -> list[tuple[str, object]]:
    return [
        (name, sys.modules[name])
        for name in ("os", "socket", "ssl", "signal", "logging")
        if name in sys.modules
    ]


def _constants() -> list[int]:
    return [
        id(getattr(module, name, None)) for _, module in _modules() for name in ("AF_INET", "PROTOCOL_TLS")
    ]
