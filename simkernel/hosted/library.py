"""The standard library of a hosted program: modules that are shared, absent, or refuse their calls.

A module in no table that is written in Python is reread (importing.py); one written in C is shared.
tests/hosted/test_library.py wants a decision about every C module of a new Python.
"""

from __future__ import annotations

from typing import Final

SHARED: Final = frozenset({
    "__future__", "_collections_abc", "_compat_pickle", "_opcode_metadata", "_py_abc", "_pydecimal",
    "_pylong", "_threading_local", "_weakrefset", "abc", "ast", "asyncio", "base64", "bisect", "codeop",
    "collections", "colorsys", "concurrent", "contextvars", "copy", "copyreg", "dataclasses", "decimal",
    "difflib", "dis", "encodings", "enum", "fractions", "functools", "getopt", "graphlib", "hashlib",
    "heapq", "hmac", "html", "imp", "importlib", "inspect", "ipaddress", "json", "keyword", "numbers",
    "opcode", "operator", "pkgutil", "pprint", "queue", "re", "reprlib", "sre_compile", "sre_constants",
    "sre_parse", "stat", "string", "stringprep", "struct", "textwrap", "threading", "token", "traceback",
    "types", "typing", "warnings", "zipimport",
})  # fmt: skip
"""Python modules that everybody has: they act on nothing, import and show source code, or are asyncio's."""

_PURE: Final = "Python's library does without it, and acts on the machine"
_LACKING: Final = "the machine has no counterpart of what it acts on"
ABSENT: Final = {
    **dict.fromkeys(("_dbm", "_gdbm", "dbm.sqlite3", "_locale", "_pickle", "_uuid", "_zoneinfo"), _PURE),
    "py_compile": "importlib writes its files on the host",
    **dict.fromkeys(
        ("_curses", "_curses_panel", "_tkinter", "readline", "nis", "spwd", "ossaudiodev"), _LACKING
    ),
    **dict.fromkeys(("_interpreters", "_interpchannels", "_interpqueues", "_xxsubinterpreters"), _LACKING),
}
"""Modules whose import raises ModuleNotFoundError, as in a Python built without them, and the reason."""

REFUSED: Final[dict[str, tuple[str, ...]]] = {
    "_multiprocessing": (),
    "_posixshmem": (),
    "_ssl": ("nid2obj", "txt2obj"),
    "faulthandler": ("disable", "dump_traceback", "enable", "is_enabled"),
    "resource": ("struct_rusage",),
    "syslog": ("LOG_MASK", "LOG_UPTO"),
    "termios": (),
}
"""C modules whose functions and classes raise NotModelled, except those named."""
