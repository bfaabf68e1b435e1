"""Finding modules by name and alias, with dependencies; wrong names; and repeated reads of the module
path.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from simkernel.engine import Engine
from simkernel.kernel.lib.log import Log
from simkernel.kernel.loader.path import find_specification, locations, read_specification
from simkernel.kernel.loader.snapshot import ModulePath, Snapshot, UnknownModule
from simkernel.kernel.netlink.genetlink import FAMILIES
from tests.kernel.conftest import Bench


def module_path(engine: Engine, *folders: Path) -> ModulePath:
    return ModulePath(folders, engine, Log(engine))


def index(bench: Bench, *more: Path) -> Snapshot:
    return module_path(Engine(), bench.folder, *more).snapshot()


def exporter(bench: Bench, name: str, *imports: str) -> None:
    """Write a module `name` that exports a function `NAME_call` and imports such a function from each of
    `imports`.
    """
    bench.module(name, f"def {name}_call(state): pass", exports=(f"{name}_call",),
                 imports=tuple(f"{each}_call" for each in imports))  # fmt: skip


def test_dependencies_are_loaded_first(bench: Bench) -> None:
    exporter(bench, "top", "left", "right")
    exporter(bench, "left", "bottom")
    exporter(bench, "right", "bottom")
    exporter(bench, "bottom")
    assert index(bench).resolve("top") == ("bottom", "left", "right", "top")
    assert index(bench).resolve("bottom") == ("bottom",)


def test_by_alias(bench: Bench) -> None:
    exporter(bench, "library")
    bench.module("a", aliases=("simbus:v*d00000001*",), imports=("library_call",))
    bench.module("b", aliases=("simbus:v*d00000001*", "other"))
    assert index(bench).resolve("simbus:v000051B5d00000001") == ("library", "a", "b")
    assert index(bench).resolve("other") == ("b",)


def test_files_without_a_module_are_passed_over(bench: Bench) -> None:
    bench.write("a.py", "TEXT = 'no module'\n")
    bench.write("c.py", "MODULE = 1 / 0\n")
    bench.module("b", aliases=("wanted",))
    bench.module("d", aliases=("later",))
    assert index(bench).resolve("wanted") == ("b",)
    assert index(bench).resolve("later") == ("d",)


def test_a_change_is_seen_by_the_next_request(bench: Bench) -> None:
    bench.module("a", aliases=("old",))
    path = module_path(Engine(), bench.folder)
    assert path.snapshot().resolve("old") == ("a",)
    bench.module("a", aliases=("brand-new",))
    bench.module("b", aliases=("old",))
    assert path.snapshot().resolve("old") == ("b",)
    assert path.snapshot().resolve("brand-new") == ("a",)
    (bench.folder / "b.py").unlink()
    with pytest.raises(UnknownModule):
        path.snapshot().resolve("old")


def test_hyphens_in_aliases_are_underscores(bench: Bench) -> None:
    bench.module("a", aliases=("net-pf-16-proto-9*",))
    assert index(bench).resolve("net_pf_16_proto_9") == ("a",)


def test_a_name_comes_before_an_alias(bench: Bench) -> None:
    bench.module("a", aliases=("b",))
    bench.module("b")
    assert index(bench).resolve("b") == ("b",)


def test_an_unknown_name_gets_the_nearest(bench: Bench) -> None:
    bench.module("camera")
    with pytest.raises(UnknownModule, match=r"'camra'.*camera"):
        index(bench).resolve("camra")


@pytest.mark.parametrize("name", ["../camera", "camera/../camera", "/camera", ""])
def test_a_path_is_no_name(bench: Bench, name: str) -> None:
    bench.module("camera")
    with pytest.raises(UnknownModule):
        index(bench).resolve(name)


def test_a_cycle_is_refused(bench: Bench) -> None:
    exporter(bench, "a", "b")
    exporter(bench, "b", "c")
    exporter(bench, "c", "a")
    with pytest.raises(UnknownModule, match="modules depend on each other: b -> c -> a -> b"):
        index(bench).resolve("b")


def test_an_unknown_symbol_is_reported_by_the_kernel(bench: Bench) -> None:
    bench.module("a", imports=("nosuch",))
    assert index(bench).resolve("a") == ("a",)


def test_a_module_that_does_not_load_is_found_by_its_name_only(bench: Bench) -> None:
    bench.write("broken.py", "MODULE = 1 / 0")
    assert index(bench).resolve("broken") == ("broken",)
    assert index(bench).modules.keys() == set()


def test_the_first_folder_that_has_a_name_wins(bench: Bench, tmp_path: Path) -> None:
    first, second = Bench(tmp_path / "first"), Bench(tmp_path / "second")
    first.module("m", aliases=("first",))
    second.module("m", aliases=("second",))
    found = index(first, second.folder)
    assert found.resolve("first") == ("m",)
    with pytest.raises(UnknownModule):
        found.resolve("second")


def test_a_folder_that_is_not_there_has_no_modules(tmp_path: Path) -> None:
    assert locations((tmp_path / "nowhere",)) == []


def test_specifications_are_found_beside_modules_and_within_them(bench: Bench) -> None:
    text = "name: {}\ndoc: x\nattribute-sets: []\noperations: {{list: []}}\n"
    bench.write("one.yaml", text.format("one"))
    bench.write("pack/two.yaml", text.format("two"))
    folders = (FAMILIES, bench.folder)
    for name in ("one", "two", "nlctrl"):
        assert read_specification(find_specification(name, folders)).name == name
    with pytest.raises(LookupError, match="there is no specification of 'thre'"):
        find_specification("thre", folders)


def snapshots_of(engine: Engine, bench: Bench) -> list[Snapshot]:
    """Run the engine twice, and take two snapshots of the module path in each run. Return all four."""
    path = module_path(engine, bench.folder)
    taken: list[Snapshot] = []
    for _ in range(2):
        for delay in (1, 2):
            engine.call_later(delay, lambda: taken.append(path.snapshot()))
        engine.run()
        bench.module("b")
    return taken


def test_one_snapshot_serves_a_run(bench: Bench) -> None:
    bench.module("a")
    first, second, third, fourth = snapshots_of(Engine(), bench)
    assert first is second
    assert first.find("b") is None
    assert third is fourth
    assert third.find("b") is not None


def test_ordinary_code_gets_a_new_snapshot_each_time(bench: Bench) -> None:
    path = module_path(Engine(), bench.folder)
    assert path.snapshot().find("a") is None
    bench.module("a")
    assert path.snapshot().find("a") is not None


def test_a_module_is_found_as_insmod_names_it(bench: Bench) -> None:
    bench.module("net_thing")
    snapshot = index(bench)
    for name in ("net_thing", "net-thing", "net_thing.py"):
        found = snapshot.find(name)
        assert found is not None and found.name == "net_thing"
    for name in ("", "/net_thing", "net_thing.yaml", "net"):
        assert snapshot.find(name) is None
