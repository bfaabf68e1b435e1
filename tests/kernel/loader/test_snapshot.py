"""A module path is looked at once while the simulation runs, and anew when ordinary code has had its turn."""

from __future__ import annotations

from simkernel.engine import Engine
from simkernel.kernel.loader.path import locations
from simkernel.kernel.loader.snapshot import ModulePath, Snapshot
from tests.kernel.conftest import Bench


def looks_of(engine: Engine, bench: Bench) -> list[Snapshot]:
    """The looks of two runs, in each of which somebody looks at two instants."""
    path = ModulePath((bench.folder,), engine)
    taken: list[Snapshot] = []
    for _ in range(2):
        for delay in (1, 2):
            engine.call_later(delay, lambda: taken.append(path.snapshot()))
        engine.run()
        bench.module("b")
    return taken


def test_one_look_serves_a_run(bench: Bench) -> None:
    bench.module("a")
    first, second, third, fourth = looks_of(Engine(), bench)
    assert first is second
    assert first.find("b") is None
    assert third is fourth
    assert third.find("b") is not None


def test_ordinary_code_looks_anew_each_time(bench: Bench) -> None:
    path = ModulePath((bench.folder,), Engine())
    assert path.snapshot().find("a") is None
    bench.module("a")
    assert path.snapshot().find("a") is not None


def test_a_module_is_found_as_insmod_names_it(bench: Bench) -> None:
    bench.module("net_thing")
    look = Snapshot(locations((bench.folder,)))
    for name in ("net_thing", "net-thing", "net_thing.py"):
        found = look.find(name)
        assert found is not None and found.name == "net_thing"
    for name in ("", "/net_thing", "net_thing.yaml", "net"):
        assert look.find(name) is None
