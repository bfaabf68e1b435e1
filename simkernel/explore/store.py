"""An SQLite file stores the results of searches, batch by batch, so that a killed search can be continued.

The key of a search is its target, a digest of the code, and its options.  Results of a different version
of the code stay in the file, but are not counted.
"""

from __future__ import annotations

import hashlib
import sqlite3
import sys
import sysconfig
from pathlib import Path
from typing import Final, Self

from simkernel.engine import SimulationError
from simkernel.explore.pool import Batch, Failure

VERSION: Final = 1
SCHEMA: Final = """
CREATE TABLE search (id INTEGER PRIMARY KEY, target TEXT, code TEXT, options TEXT,
                     UNIQUE (target, code, options));
CREATE TABLE run (search INTEGER REFERENCES search, seed INTEGER, schedule TEXT,
                  PRIMARY KEY (search, seed)) WITHOUT ROWID;
CREATE TABLE failure (search INTEGER REFERENCES search, seed INTEGER, plan TEXT, error TEXT,
                      PRIMARY KEY (search, seed)) WITHOUT ROWID;
CREATE TABLE coverage (search INTEGER REFERENCES search, kind TEXT, name TEXT,
                       PRIMARY KEY (search, kind, name)) WITHOUT ROWID;
"""
TIMEOUT: Final = 60
"""Seconds to wait while another search writes to the file."""
_INSTALLED: Final = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))


class Store:
    """The stored results of one search.  As a context manager, it closes the file.

    Raise SimulationError if the file cannot be opened or has another format.
    """

    def __init__(self, path: str, target: str, code: str, options: str) -> None:
        try:
            self._file = sqlite3.connect(path, timeout=TIMEOUT)
            self._open(path)
        except sqlite3.Error as error:
            raise SimulationError(f"cannot store results in {path}: {error}") from None
        key = target, code, options
        with self._file:
            self._file.execute("INSERT OR IGNORE INTO search (target, code, options) VALUES (?, ?, ?)", key)
        where = "target = ? AND code = ? AND options = ?"
        [(self._search,)] = self._file.execute(f"SELECT id FROM search WHERE {where}", key)
        where = "target = ? AND code != ? AND options = ?"
        [(self.runs_of_other_code,)] = self._file.execute(
            f"SELECT count(*) FROM run JOIN search ON search = id WHERE {where}", key
        )

    def _open(self, path: str) -> None:
        [(version,)] = self._file.execute("PRAGMA user_version")
        [(tables,)] = self._file.execute("SELECT count(*) FROM sqlite_master")
        if not tables:
            self._file.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        elif version != VERSION:
            raise SimulationError(f"{path} is a database of another program or version: name another file")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, batch: Batch) -> None:
        """Store the results of a chunk of seeds in one transaction."""
        schedules, search = dict(batch.schedules), self._search
        names = [("tracepoint", each) for each in batch.tracepoints]
        names += [("fault", each) for each in batch.faults]
        with self._file:
            insert = self._file.executemany
            rows = ((search, seed, schedules.get(seed)) for seed in batch.seeds)
            insert("INSERT OR REPLACE INTO run VALUES (?, ?, ?)", rows)
            insert("INSERT OR IGNORE INTO coverage VALUES (?, ?, ?)", ((search, *each) for each in names))
            if (failure := batch.failure) is not None:
                row = search, failure.seed, failure.plan, failure.error
                insert("INSERT OR REPLACE INTO failure VALUES (?, ?, ?, ?)", [row])

    def seeds(self) -> set[int]:
        """Return the seeds whose runs are stored for this search."""
        return {seed for (seed,) in self._select("SELECT seed FROM run")}

    def schedules(self) -> list[str]:
        """Return one digest for each sampled run. A digest identifies the order in which the run passed its
        points.
        """
        rows = self._select("SELECT schedule FROM run", "AND schedule IS NOT NULL")
        return [schedule for (schedule,) in rows]

    def coverage(self, kind: str) -> set[str]:
        """Return the names of all tracepoints or of all fault points that the sampled runs passed.

        `kind` is "tracepoint" or "fault".
        """
        return {name for (name,) in self._select("SELECT name FROM coverage", "AND kind = ?", kind)}

    def first_failure(self) -> Failure | None:
        """Return the stored failure with the lowest seed, or None."""
        rows = self._select("SELECT seed, plan, error FROM failure", "ORDER BY seed LIMIT 1")
        return next((Failure(*row) for row in rows), None)

    def _select(self, what: str, more: str = "", *values: object) -> sqlite3.Cursor:
        return self._file.execute(f"{what} WHERE search = ? {more}", (self._search, *values))


def code_digest() -> str:
    """Return a digest of the source files of imported modules: the modules of simkernel outside its folders
    `cli` and `tools`, and all other modules outside the standard library and the installed packages.

    It includes the specifications in the same directories. Call it after the default run, which loads
    drivers.
    """
    modules = [(name, getattr(module, "__file__", None)) for name, module in sys.modules.items()]
    own = {Path(file) for name, file in modules if file and file.endswith(".py") and _counts(name, file)}
    own |= {file for folder in {file.parent for file in own} for file in folder.glob("*.yaml")}
    digest = hashlib.sha256()
    for text in sorted(file.read_bytes() for file in own if file.is_file()):
        digest.update(b"%d " % len(text) + text)
    return digest.hexdigest()[:16]


def _counts(name: str, file: str) -> bool:
    if name.startswith("simkernel"):
        return not name.startswith(("simkernel.cli", "simkernel.tools"))
    return not file.startswith(_INSTALLED)
