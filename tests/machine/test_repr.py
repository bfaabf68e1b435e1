"""repr() describes an object without an address, so it is equal in all runs."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from types import FunctionType, MethodType, ModuleType
from typing import Any

import pytest

from simkernel import Machine, SimulationError, millis
from simkernel.application.app import App
from simkernel.engine import Record
from simkernel.hardware import Camera
from simkernel.scenario import Run, Transcript, scenario
from simkernel.testing import world
from simkernel.uapi.netlink import NETLINK_GENERIC
from simkernel.uapi.socket import AF_NETLINK, AF_UNIX, SOCK_DGRAM, SOCK_RAW

ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}")
"""Pattern of an address. Shorter hexadecimal numbers are device numbers and flags."""
PLAIN = (str, bytes, int, float, type, FunctionType, MethodType, ModuleType)
CONTAINERS = (list, tuple, set, frozenset, deque)
KERNEL_PARTS = "simkernel.kernel."
"""Prefix of the kernel's modules. The classes of the kernel are not public, even if a public attribute leads
to them.
"""


def public(object: Any, seen: set[int]) -> Iterator[Any]:
    """Yield the simkernel objects that are reachable from `object` by public attributes."""
    if isinstance(object, PLAIN) or id(object) in seen:
        return
    seen.add(id(object))
    if isinstance(object, dict):
        object = [*object.values()]
    if isinstance(object, CONTAINERS):
        for each in object:
            yield from public(each, seen)
    elif type(object).__module__.startswith("simkernel."):
        if type(object).__module__.startswith(KERNEL_PARTS):
            return
        yield object
        for name in (*dir(type(object)), *getattr(object, "__dict__", ())):
            if not name.startswith("_"):
                try:
                    value = getattr(object, name)
                except (OSError, SimulationError, ValueError, AttributeError):
                    continue  # a property that the object lacks in its present state
                yield from public(value, seen)


async def program(app: App, made: dict[str, Any]) -> None:
    camera = await app.genetlink("camera")
    await camera.join("frames")
    made |= {
        "app": app,
        "client": camera,
        "events": camera.events(),
        "socket": await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC),
        "datagram": await app.socketpair(AF_UNIX, SOCK_DGRAM),
        "stream": await app.socketpair(),
        "pipe": await app.pipe(),
        "eventfd": await app.eventfd(0),
        "epoll": await app.epoll(),
        "monitor": await app.uevents(),
        "mapping": await app.mmap(-1, 4096),
        "device": await app.open("/dev/null", 0),
    }
    await app.sleep(1)


@pytest.fixture
def made() -> Iterator[dict[str, Any]]:
    """Return objects of every public kind, and the kernel's objects that a program's descriptors refer to."""
    made: dict[str, Any] = {}
    records: list[Record] = []
    with Machine(seed=7) as machine:
        machine.trace.subscribe(records.append)
        machine.plug(Camera())
        machine.run(until=millis(10))
        made["process"] = machine.spawn(program, made, name="program")
        blocking = machine.blocking()
        made["blocking"] = [
            blocking,
            blocking.socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC),
            blocking.socketpair(),
            blocking.genetlink("camera"),
            blocking.epoll(),
            blocking.uevents(),
        ]
        machine.run(until=millis(50))
        files = [file for file in made["app"].owner.files.open if file is not None]
        assert len(files) > 12
        made |= {
            "machine": machine,
            "records": records,
            "files": [files, [file.object for file in files], made["app"].owner.files],
            "net": machine.kernel.net,
            "log": machine.log,
            "kernel": machine.kernel,
        }
        transcript = Transcript(machine)
        with transcript.watch() as watch:
            made["transcript"] = [transcript, watch]
            yield made


@scenario()
def nothing(run: Run) -> None:
    pass


def flat(value: Any) -> Iterator[Any]:
    if isinstance(value, CONTAINERS):
        for each in value:
            yield from flat(each)
    else:
        yield value


def test_no_object_has_the_default_repr_or_an_address(made: dict[str, Any]) -> None:
    with world() as linux_like:
        objects = [*flat([*made.values()]), nothing, Run(nothing), linux_like]
        objects += public([*objects], set())
        default = {type(each).__qualname__ for each in objects if type(each).__repr__ is object.__repr__}
        assert default == set()
        assert [repr(each) for each in objects if ADDRESS.search(repr(each))] == []


def test_repr_describes_an_object(made: dict[str, Any]) -> None:
    assert repr(made["machine"]) == "<Machine seed=7 at 0.050000000 s, 8 tasks>"
    assert repr(made["process"]) == "<Process program/7, running>"
    assert repr(made["app"]) == "<App of program/7>"
    assert repr(made["client"]) == "<GenetlinkClient of camera>"
    assert repr(made["machine"].trace) == "<Tracer with 2 listeners>"
    assert repr(made["machine"].bus) == "<Bus with 1 devices>"


def test_repr_of_a_process_says_how_it_ended() -> None:
    async def fails(app: App) -> None:
        raise ValueError

    async def succeeds(app: App) -> None:
        pass

    with Machine(udev=False) as machine:
        processes = [machine.spawn(fails), machine.spawn(succeeds)]
        with pytest.raises(ExceptionGroup):
            machine.run()
    assert repr(processes[0]).endswith(", failed with ValueError>")
    assert repr(processes[1]).endswith(", ended with wait status 0>")
    assert repr(machine).endswith(", closed>")


def test_exception_group_names_every_failure() -> None:
    async def spells_badly(app: App) -> None:
        raise ValueError("attribute 'widht'\nand more")

    async def says_nothing(app: App) -> None:
        raise KeyError

    with Machine(udev=False) as machine:
        machine.spawn(spells_badly, name="prog")
        machine.spawn(says_nothing)
        with pytest.raises(ExceptionGroup) as raised:
            machine.run()
    assert raised.value.message == "prog/5: ValueError: attribute 'widht'; says_nothing/6: KeyError"
    assert [type(each) for each in raised.value.exceptions] == [ValueError, KeyError]
