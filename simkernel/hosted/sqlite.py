"""The `_sqlite3` module of a hosted program: databases in memory, with the machine's clock and random
numbers.
"""

from __future__ import annotations

import sqlite3 as real
from types import ModuleType
from typing import Any, Final

from simkernel.engine import NotModelled
from simkernel.hosted.calls import Facade, ProcessCalls

DATES: Final = ("date", "datetime", "julianday", "strftime", "time", "unixepoch")
"""SQL functions that would read the host's clock for 'now' (https://sqlite.org/lang_datefunc.html)."""
CURRENT: Final = {"current_date": "date", "current_time": "time", "current_timestamp": "datetime"}


def sqlite_module(call: ProcessCalls, time: ModuleType) -> ModuleType:
    """Return the `_sqlite3` module of one process."""
    import _sqlite3

    random = call.process.random

    class Connection(real.Connection):
        """A connection to a database in memory.

        SQL statements that open files (ATTACH, VACUUM INTO) fail.
        """

        def __init__(self, database: Any, *arguments: Any, **keywords: Any) -> None:
            if database != ":memory:":
                raise NotModelled(f"sqlite3.connect({database!r}) opens a file of the host; use ':memory:'")
            super().__init__(database, *arguments, **keywords)
            self.setlimit(real.SQLITE_LIMIT_ATTACHED, 0)
            self.execute("pragma temp_store = memory")
            plain = real.connect(database)
            for name in DATES:
                self.create_function(name, -1, _at(plain, name, time))
            for name, function in CURRENT.items():
                self.create_function(name, 0, _at(plain, function, time))
            self.create_function("random", 0, lambda: random.getrandbits(64) - (1 << 63))
            self.create_function("randomblob", 1, lambda size: random.randbytes(max(size, 1)))

    Connection.__module__ = "sqlite3"

    def connect(database: Any, *arguments: Any, factory: Any = Connection, **keywords: Any) -> Any:
        return factory(database, *arguments, **keywords)

    return Facade(_sqlite3, Connection=Connection, connect=connect)


def _at(plain: real.Connection, name: str, time: ModuleType) -> Any:
    """Return a function that calls SQLite's function `name`, but replaces the argument 'now' with the current
    time of the hosted program's module `time`.
    """

    def function(*arguments: Any) -> Any:
        bare = len(arguments) == (name == "strftime")  # without a time argument, SQLite uses 'now'
        given = (*arguments, "now") if bare else arguments
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        given = tuple(now if each == "now" else each for each in given)
        return plain.execute(f"select {name}({', '.join('?' * len(given))})", given).fetchone()[0]

    return function
