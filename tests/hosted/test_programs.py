"""Packages can be hosted in concurrent programs: each program has separate modules and a separate process."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simkernel import App, Blocking, Machine, SimulationError, millis, seconds
from simkernel.hardware import Camera, Mouse
from simkernel.hosted import hosted

if sys.platform != "linux":
    pytest.skip("hosted programs need Python on Linux", allow_module_level=True)

GUEST = """
import os, time
log = []

def work(label, count):
    for number in range(count):
        import lodger.late
        lodger.late.seen.append((label, number))
        log.append(os.getpid())
        time.sleep(0.01)
    return log, lodger.late.seen
"""


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the packages `lodger` and `visitor` importable."""
    package = tmp_path / "lodger"
    package.mkdir()
    (package / "__init__.py").write_text(GUEST)
    (package / "late.py").write_text("seen = []\n")
    (tmp_path / "visitor.py").write_text("import lodger\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ("lodger", "lodger.late", "visitor"):
        sys.modules.pop(name, None)


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A machine without udevd."""
    with Machine(udev=False) as machine:
        yield machine


def interpreter() -> tuple[Any, ...]:
    """Return those parts of the Python interpreter's state that hosted programs can change."""
    packages = {name: module for name, module in sys.modules.items() if "lodger" in name or "visitor" in name}
    loop = asyncio.events._get_running_loop()
    return packages, list(sys.meta_path), asyncio.get_event_loop_policy(), loop, sys.get_asyncgen_hooks()


def test_each_program_has_its_own_modules_and_process(machine: Machine) -> None:
    def program(app: Blocking, label: str) -> None:
        with hosted(app, "lodger") as host:
            import lodger  # type: ignore[import-not-found]

            results[label] = (*lodger.work(label, 5), app.getpid(), host.os.getpid())
            assert sys.modules["lodger"] is lodger
        assert "lodger" not in sys.modules

    results: dict[str, Any] = {}
    before = interpreter()
    for label in ("one", "two", "three"):
        machine.spawn(program, label)
    for stop in range(1, 6):
        machine.run(until=millis(stop * 10))
        assert interpreter() == before
    machine.run()
    assert interpreter() == before and len(results) == 3
    for label, (pids, seen, pid, inside) in results.items():
        assert pids == [pid] * 5 and inside == pid
        assert seen == [(label, number) for number in range(5)]


def test_ordinary_code_keeps_its_modules(machine: Machine) -> None:
    def program(app: Blocking) -> None:
        with hosted(app, "lodger"):
            import lodger as own

            assert own is not mine
            own.work("program", 3)
            found.append(own)

    import lodger as mine

    found: list[Any] = []
    machine.spawn(program)
    machine.run(until=millis(15))
    import lodger.late

    assert lodger is mine and mine.late.seen == []
    machine.run()
    assert sys.modules["lodger"] is mine and found[0].late.seen != []


def test_a_program_does_not_share_a_package_that_ordinary_code_imports_meanwhile(machine: Machine) -> None:
    def program(app: Blocking) -> None:
        with hosted(app, "lodger") as host:
            import lodger

            host.time.sleep(1)
            import lodger.late

            lodger.late.seen.append("program")

    machine.spawn(program)
    machine.run(until=millis(500))
    import lodger.late

    machine.run()
    assert lodger.late.seen == []


def test_a_program_and_a_test_host_one_package_at_the_same_time(machine: Machine) -> None:
    def program(app: Blocking) -> None:
        with hosted(app, "visitor"):
            import visitor  # type: ignore[import-not-found]

            lodgers.append(visitor.lodger)
            visitor.lodger.work("visitor", 3)

    lodgers: list[Any] = []
    machine.spawn(program)
    with hosted(machine, "lodger") as host:
        import lodger

        _, seen = lodger.work("test", 5)
        assert seen == [("test", number) for number in range(5)]
        assert set(lodger.log) == {host.os.getpid()}
    assert lodgers[0] is not lodger


def test_hosted_blocks_can_be_nested(machine: Machine) -> None:
    def program(app: Blocking, label: str) -> None:
        with hosted(app, "lodger") as outer:
            import lodger

            with hosted(app, "visitor") as inner:
                import visitor

                assert visitor.lodger is lodger
                inner.time.sleep(0.5)
                assert sys.modules["visitor"] is visitor and sys.modules["lodger"] is lodger
            assert "visitor" not in sys.modules and sys.modules["lodger"] is lodger
            assert len(lodger.work(label, 2)[0]) == 2 and outer.os.getpid() == app.getpid()
            done.append(label)

    done: list[str] = []
    before = interpreter()
    machine.spawn(program, "one")
    machine.spawn(program, "two")
    machine.run()
    assert done == ["one", "two"] and interpreter() == before


def test_event_loops_belong_to_their_programs(machine: Machine) -> None:
    def program(app: Blocking, label: str, step: float) -> None:
        async def ticks() -> Any:
            for number in range(3):
                await asyncio.sleep(step)
                yield number

        async def main() -> None:
            loop = asyncio.get_running_loop()
            async for number in ticks():
                assert asyncio.get_running_loop() is loop
                steps.append((label, number, round(loop.time(), 2)))

        with hosted(app, "lodger"):
            asyncio.run(main())
            with pytest.raises(RuntimeError):
                asyncio.get_running_loop()

    steps: list[tuple[str, int, float]] = []
    before = interpreter()
    machine.spawn(program, "slow", 0.3)
    machine.spawn(program, "fast", 0.25)

    async def within_a_loop() -> None:
        inside = interpreter()
        machine.run(until=millis(400))
        assert interpreter() == inside
        machine.run()

    asyncio.run(within_a_loop())
    assert steps == [
        ("fast", 0, 0.25), ("slow", 0, 0.3), ("fast", 1, 0.5), ("slow", 1, 0.6), ("fast", 2, 0.75),
        ("slow", 2, 0.9),
    ]  # fmt: skip
    assert interpreter() == before


@pytest.mark.parametrize("end", ["close", "error", "kill"])
def test_a_program_that_ends_in_a_hosted_block_restores_the_interpreter(
    machine: Machine, end: str, caplog: pytest.LogCaptureFixture
) -> None:
    def program(app: Blocking) -> None:
        with hosted(app, "lodger"):
            import lodger

            asyncio.run(asyncio.sleep(0.1))
            lodger.work("program", 100 if end != "error" else 1)
            raise ValueError("inside")

    before = interpreter()
    process = machine.spawn(program)
    machine.run(until=millis(50))
    if end == "close":
        machine.close()
    elif end == "kill":
        process.kill(9)
        machine.run()
    else:
        with pytest.raises(ExceptionGroup, match="inside"):
            machine.run()
    assert interpreter() == before and not process.alive
    gc.collect()
    assert not caplog.records
    with Machine() as other, hosted(other, "lodger"):
        import lodger

        assert lodger.log == []


def test_wrong_uses_are_refused(machine: Machine) -> None:
    async def asynchronous(app: App) -> None:
        with (
            pytest.raises(SimulationError, match="the app of a program that is not async"),
            hosted(app, "lodger"),
        ):  # type: ignore[arg-type]
            pass

    def other_user(app: Blocking) -> None:
        with pytest.raises(SimulationError, match="keeps its user"), hosted(app, "lodger", uid=1000):
            pass

    processes = [machine.spawn(asynchronous), machine.spawn(other_user, uid=5)]
    machine.run()
    assert [each.exit_status for each in processes] == [0, 0]


# -- pyroute2 -------------------------------------------------------------------


def monitor(app: Blocking, log: list[tuple[Any, ...]]) -> None:
    """Log uevents with a monitor of pyroute2."""
    with hosted(app, "pyroute2"):
        from pyroute2.netlink.uevent import UeventSocket

        with UeventSocket() as sock:
            sock.bind()
            while log[-1][-1] != "bind@/devices/simbus0/0:2":
                for message in sock.get():
                    log.append(("uevent", app.monotonic_ns(), message["header"]["message"]))


def resolver(app: Blocking, log: list[tuple[Any, ...]], family: str) -> None:
    """Resolve a generic netlink family four times with pyroute2. Log its id each time."""
    with hosted(app, "pyroute2") as host:
        from pyroute2.netlink import genlmsg
        from pyroute2.netlink.generic import GenericNetlinkSocket

        with GenericNetlinkSocket() as generic:
            for _ in range(4):
                generic.bind(family, genlmsg)
                log.append((family, app.monotonic_ns(), generic.prid))
                host.time.sleep(0.07)


def links(app: Blocking, log: list[tuple[Any, ...]]) -> None:
    """Log network devices with an rtnetlink client of pyroute2."""
    with hosted(app, "pyroute2") as host:
        from pyroute2 import IPRoute

        with IPRoute() as route:
            for _ in range(4):
                names = [link.get("ifname") for link in route.get_links()]
                log.append(("links", app.monotonic_ns(), names))
                host.time.sleep(0.1)


def side_by_side() -> tuple[list[tuple[Any, ...]], str]:
    """Run four programs with pyroute2 concurrently. Return their log and the digest of the trace."""
    log: list[tuple[Any, ...]] = [("",)]
    digest = hashlib.sha256()
    with Machine(seed=7) as machine:
        machine.trace.subscribe(lambda record: digest.update(repr(record).encode()))
        machine.plug(Camera())
        machine.run(until=millis(100))
        machine.spawn(monitor, log)
        machine.spawn(resolver, log, "camera", uid=1000)
        machine.spawn(resolver, log, "nlctrl", uid=1000)
        machine.spawn(links, log)
        machine.at(millis(200), machine.plug, Mouse())
        machine.run()
    return log[1:], digest.hexdigest()


@pytest.mark.long
def test_programs_with_pyroute2_do_not_depend_on_the_hash_seed() -> None:
    mine = pytest.importorskip("pyroute2", reason="pyroute2 is not installed: it runs on Linux only")
    before = interpreter()
    log, digest = side_by_side()
    assert [each[0] for each in log if each[0] != "uevent"] == ["nlctrl", "camera", "links"] * 4
    uevents = [each for each in log if each[0] == "uevent"]
    assert uevents[0][2] == "add@/devices/simbus0/0:2" and all(millis(200) <= at for _, at, _ in uevents)
    assert [each[2] for each in log if each[0] == "links"] == [["lo"]] * 4
    assert {each[2] for each in log if each[0] == "nlctrl"} == {16}
    assert interpreter() == before and sys.modules["pyroute2"] is mine

    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\nimport test_programs\n"
    run = subprocess.run(
        [sys.executable, "-c", f"{code}print(test_programs.side_by_side())"],
        env=os.environ | {"PYTHONHASHSEED": "1"}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert run.stdout == f"{(log, digest)}\n"


def test_linuxpy_and_pyroute2_run_at_the_same_time() -> None:
    pytest.importorskip("pyroute2", reason="pyroute2 is not installed: it runs on Linux only")
    pytest.importorskip("linuxpy", reason="linuxpy is not installed")

    def viewer(app: Blocking) -> None:
        with hosted(app, "linuxpy"):
            from linuxpy.video.device import Device  # type: ignore[import-not-found]

            with Device.from_id(0) as camera:
                for frame in camera:
                    log.append(("frame", frame.frame_nb))
                    if frame.frame_nb == 5:
                        break

    log: list[tuple[Any, ...]] = []
    with Machine(seed=7) as machine:
        machine.plug(Camera())
        machine.run(until=millis(100))
        machine.spawn(viewer)
        machine.spawn(links, log)
        machine.run(until=seconds(5))
    assert [each[1] for each in log if each[0] == "frame"] == [0, 1, 2, 3, 4, 5]
    assert len([each for each in log if each[0] == "links"]) == 4
    assert [each[0] for each in log] != sorted(each[0] for each in log)
