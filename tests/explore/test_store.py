"""A search stores its results in a file. A new process reads the results and continues the search. Results of
another version of the code are ignored.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from simkernel import SimulationError
from simkernel.explore.pool import Batch, Failure
from simkernel.explore.store import Store, code_digest

FIRST = Batch((1, 2), 0.5, None, ((2, "aa"),), frozenset({"kernel:sys_enter"}), frozenset({"open"}))
FAILED = Batch((3, 16), 0.5, Failure(16, "16,5+1", "AssertionError"), ((16, "bb"),), frozenset(), frozenset())


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "results.sqlite")


def test_results_are_there_when_the_file_is_opened_again(path: str) -> None:
    with Store(path, "target", "code", "{}") as store:
        store.add(FIRST)
        store.add(FAILED)
    with Store(path, "target", "code", "{}") as store:
        assert store.seeds() == {1, 2, 3, 16}
        assert sorted(store.schedules()) == ["aa", "bb"]
        assert store.coverage("tracepoint") == {"kernel:sys_enter"}
        assert store.coverage("fault") == {"open"}
        assert store.first_failure() == FAILED.failure
        assert store.runs_of_other_code == 0


def test_a_chunk_that_is_added_twice_counts_once(path: str) -> None:
    with Store(path, "target", "code", "{}") as store:
        store.add(FIRST)
        store.add(FIRST)
        assert store.seeds() == {1, 2}


@pytest.mark.parametrize(
    "other", [("other", "code", "{}"), ("target", "new", "{}"), ("target", "code", "[]")]
)
def test_another_search_has_results_of_its_own(path: str, other: tuple[str, str, str]) -> None:
    with Store(path, "target", "code", "{}") as store:
        store.add(FAILED)
    with Store(path, *other) as store:
        assert store.seeds() == set()
        assert store.first_failure() is None
        assert store.runs_of_other_code == (2 if other[1] == "new" else 0)


def test_a_file_that_is_no_database_is_refused(path: str) -> None:
    Path(path).write_text("results " * 200)
    with pytest.raises(SimulationError, match=r"cannot store results in .*: file is not a database"):
        Store(path, "target", "code", "{}")


def test_a_database_of_another_program_is_refused_and_not_changed(path: str) -> None:
    file = sqlite3.connect(path)
    file.execute("CREATE TABLE birds (name)")
    file.commit()
    file.close()
    before = Path(path).read_bytes()
    with pytest.raises(SimulationError, match="another program or version"):
        Store(path, "target", "code", "{}")
    assert Path(path).read_bytes() == before


def test_an_edit_of_a_loaded_module_changes_the_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "client_of_a_user.py"
    file.write_text("A = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = code_digest()
    __import__("client_of_a_user")
    loaded = code_digest()
    file.write_text("A = 2\n")
    assert len({before, loaded, code_digest()}) == 3
    file.write_text("A = 1\n")
    assert code_digest() == loaded
