"""The kernel's own tools accept simkernel's specifications and work with its families."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simkernel import Machine, millis
from simkernel.hardware import Camera, Mouse
from simkernel.hosted import hosted
from tests.ynl.kernel_source import PACKED, PLACES, REPOSITORY, tree

pytestmark = pytest.mark.long

SPECIFICATIONS = sorted(
    path
    for folder in ("drivers", "simkernel")
    for path in (REPOSITORY / folder).rglob("*.yaml")
    if "\noperations:" in path.read_text("utf-8")
)
FAMILIES = [path for path in SPECIFICATIONS if path.parent.parent.name == "drivers"]


@pytest.fixture(scope="session")
def linux(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("jsonschema", reason="the kernel's client validates with jsonschema")
    found = tree(tmp_path_factory.mktemp("linux"))
    if found is None:
        pytest.skip(f"no source of Linux below {', '.join((*PLACES, *PACKED))}")
    return found


@pytest.fixture(autouse=True)
def client(linux: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make `lib`, the package of tools/net/ynl, importable."""
    monkeypatch.syspath_prepend(str(linux / "tools/net/ynl"))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "lib"]:
        del sys.modules[name]


def test_every_specification_is_found() -> None:
    names = {path.stem for path in SPECIFICATIONS}
    assert names >= {"camera", "mouse", "ipc_demo", "nlctrl", "netdev"}


@pytest.mark.parametrize("path", SPECIFICATIONS, ids=lambda path: path.stem)
def test_the_schema_accepts_a_specification(linux: Path, path: Path) -> None:
    from lib.nlspec import SpecFamily  # type: ignore[import-not-found]

    protocol = (
        "genetlink-legacy" if "\nprotocol: genetlink-legacy" in path.read_text("utf-8") else "genetlink"
    )
    family = SpecFamily(str(path), str(linux / f"Documentation/netlink/{protocol}.yaml"))
    assert family.license == "MIT"
    assert family.msgs


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine() as machine:
        machine.plug(Camera())
        machine.plug(Mouse())
        machine.run(until=millis(50))
        yield machine


def plain(value: Any) -> Any:
    """Convert a reply of simkernel's client to the types of the YNL client in Linux's source, where flags are
    a set.
    """
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return set(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize("path", FAMILIES, ids=lambda path: path.stem)
def test_the_client_gets_the_same_replies_as_ours(linux: Path, machine: Machine, path: Path) -> None:
    ours = machine.blocking().genetlink(path.stem)
    asked = 0
    with hosted(machine, "lib") as host:
        theirs = ynl(host, linux, path)
        for name, operation in theirs.ops.items():
            if "do" in operation and not name.startswith(("set", "stream")):
                assert reply(theirs.do, name, {}) == reply(ours.do, name)
                asked += 1
            if "dump" in operation:
                assert reply(theirs.dump, name, {}) == reply(ours.dump, name)
                asked += 1
    assert asked


def test_the_client_is_notified_of_frames(linux: Path, machine: Machine) -> None:
    path = next(path for path in FAMILIES if path.stem == "camera")
    with hosted(machine, "lib") as host:
        camera = ynl(host, linux, path)
        camera.ntf_subscribe("frames")
        camera.do("stream-on", {})
        machine.run(until=machine.now + millis(200))
        camera.check_ntf()
        events = [camera.async_msg_queue.pop(0) for _ in range(2)]
    assert [event["name"] for event in events] == ["frame-ready", "frame-ready"]
    assert events[1]["msg"]["sequence"] == events[0]["msg"]["sequence"] + 1


def ynl(host: Any, linux: Path, path: Path) -> Any:
    """Return a `YnlFamily` of the YNL client in Linux's source. The client uses the sockets of the simulated
    machine.
    """
    for file in (path, linux / "Documentation/netlink/genetlink.yaml"):
        with host.open(f"/tmp/{file.name}", "w") as out:
            out.write(file.read_text("utf-8"))
    from lib import YnlFamily  # type: ignore[import-not-found]

    return YnlFamily(f"/tmp/{path.name}", "/tmp/genetlink.yaml")


def reply(ask: Any, *arguments: Any) -> Any:
    """Return the replies to a request, or the errno."""
    try:
        replies = ask(*arguments)
    except OSError as error:
        return error.errno
    except Exception as error:  # noqa: BLE001 - NlError of the kernel's client has no other base
        return -error.nl_msg.error  # type: ignore[attr-defined]
    return plain(replies if isinstance(replies, dict) else list(replies))
