"""Generic netlink families that a driver declares and a program uses."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Any

import pytest

from simkernel import millis, seconds
from simkernel.blocking.process import BlockingClient
from simkernel.uapi.netlink import NETLINK_GENERIC, NLM_F_ACK, NLM_F_REQUEST, NLMSG_ERROR, message
from simkernel.uapi.structure import S32
from tests.kernel.conftest import Bench

SPEC = """
name: store
doc: Things by number.
attribute-sets:
  -
    name: thing
    attributes:
      - {name: number, type: u32, checks: {max: 100}}
      - {name: label, type: string, checks: {max-len: 20}}
      - {name: colour, type: u8, enum: colour}
      - {name: data, type: binary}
definitions:
  - {name: colour, type: enum, entries: [red, green]}
operations:
  list:
    -
      name: put
      doc: Keep a thing.
      attribute-set: thing
      do: {request: {attributes: [number, label, colour]}, reply: {attributes: [number]}}
    -
      name: get
      doc: One thing, or all.
      attribute-set: thing
      do: {request: {attributes: [number]}, reply: {attributes: [number, label, colour]}}
      dump: {reply: {attributes: [number, label, colour, data]}}
    -
      name: clear
      doc: Forget them all.
      flags: [admin-perm]
      do: {}
    -
      name: kept
      doc: Something was kept.
      attribute-set: thing
      event: {attributes: [number]}
      mcgrp: news
mcast-groups:
  list:
    - {name: news}
"""

MODULE = """
from simkernel.driverapi.genetlink import *

class Store:
    def __init__(self, this):
        self.this = this
        self.things = {}
        self.generation = 1
        self.closed = 0
        self.family = genl_register_family(
            this,
            do={"put": self.put, "get": self.get, "clear": self.clear},
            dump={"get": self.get_all},
            on_release=self.release,
        )

    async def put(self, info):
        number = info.attributes.get("number")
        if number is None:
            info.fail(EINVAL, "which?", missing="number")
        if number == 13:
            info.fail(EDOM, "unlucky", attribute="number")
        await msleep(self.this, 1)
        self.things[number] = dict(info.attributes)
        self.generation += 1
        genlmsg_multicast(self.family, "kept", {"number": number})
        return {"number": number}

    def get(self, info):
        if info.attributes["number"] == 99:
            1 / 0
        return self.things[info.attributes["number"]]

    def get_all(self, info):
        for thing in list(self.things.values()):
            info.generation = self.generation
            yield {**thing, "data": b"x" * 2000}
            self.generation += thing.get("label") == "fidget"

    def clear(self, info):
        self.capable = [info.capable(number) for number in (12, 21, 40)], info.credentials.uid
        self.things.clear()

    def release(self, sock):
        self.closed += 1

def init(this):
    return Store(this)

def exit(this, store):
    genl_unregister_family(store.family)
"""


@pytest.fixture
def store(bench: Bench) -> Iterator[BlockingClient]:
    bench.write("store.yaml", SPEC)
    bench.module("store", MODULE, aliases=("net-pf-16-proto-16-family-store",))
    return bench.root.genetlink("store")


def fails(call: Any, *arguments: Any, **attributes: Any) -> OSError:
    with pytest.raises(OSError) as raised:
        call(*arguments, **attributes)
    return raised.value


def test_a_handler_sees_the_rights_of_its_caller(bench: Bench, store: BlockingClient) -> None:
    """`info.capable()` returns True only if both the caller and the opener of the caller's socket have the
    capability.
    """
    store.do("clear")
    assert bench.data("store").capable == ([True, True, True], 0)
    some = bench.machine.blocking(uid=0)
    some.capset([12])
    some.genetlink("store").do("clear")
    assert bench.data("store").capable == ([True, False, False], 0)


def test_a_client_that_asks_for_the_family_loads_it(bench: Bench, store: BlockingClient) -> None:
    assert bench.states() == {"store": "Live"}


def test_requests_and_replies(store: BlockingClient) -> None:
    assert store.do("put", number=3, label="lamp", colour="green") == {"number": 3}
    assert store.do("get", number=3) == {"number": 3, "label": "lamp", "colour": "green"}
    assert store.do("clear") is None


def test_invalid_requests_never_reach_a_handler(bench: Bench, store: BlockingClient) -> None:
    error = fails(store.do, "put", number=101)
    assert error.errno == errno.ERANGE
    assert bench.data("store").things == {}


def test_a_refusal_says_why(store: BlockingClient) -> None:
    error = fails(store.do, "put", number=13)
    assert error.errno == errno.EDOM
    assert "unlucky" in str(error)
    assert "'number'" in str(error)
    missing = fails(store.do, "put", label="x")
    assert "which?" in str(missing)
    assert "'number' is missing" in str(missing)


def test_an_oops_in_a_handler_is_an_error_and_the_family_continues(
    bench: Bench, store: BlockingClient
) -> None:
    store.do("put", number=3)
    assert fails(store.do, "get", number=99).errno == errno.EFAULT
    assert bench.machine.kernel.oopses.reports[0].where == "store get doit"
    assert store.do("get", number=3) == {"number": 3}


def test_a_permission(bench: Bench, store: BlockingClient) -> None:
    user = bench.machine.blocking(uid=1000).genetlink("store")
    user.do("put", number=1)
    assert fails(user.do, "clear").errno == errno.EPERM


def test_a_dump_takes_as_many_datagrams_as_it_needs(store: BlockingClient) -> None:
    for number in range(40):
        if number != 13:
            store.do("put", number=number)
    replies = store.dump("get")
    assert [reply["number"] for reply in replies] == [n for n in range(40) if n != 13]
    assert all(reply["data"] == b"x" * 2000 for reply in replies)


def test_a_dump_is_flagged_as_interrupted_after_a_change(store: BlockingClient) -> None:
    for number in range(5):
        store.do("put", number=number)
    assert len(store.dump("get")) == 5
    store.do("put", number=2, label="fidget")
    assert fails(store.dump, "get").errno == errno.EINTR


def test_events_reach_the_members_of_their_group(bench: Bench, store: BlockingClient) -> None:
    listener = bench.machine.blocking(uid=1000).genetlink("store")
    listener.join("news")
    store.do("put", number=5)
    event = next(listener.events())
    assert (event.name, dict(event)) == ("kept", {"number": 5})


def test_the_family_hears_of_closed_sockets(bench: Bench, store: BlockingClient) -> None:
    sock = bench.root.socket(proto=NETLINK_GENERIC)
    sock.bind((0, 0))
    before = bench.data("store").closed
    sock.close()
    assert bench.data("store").closed == before + 1


def test_unloading_takes_the_family_away(bench: Bench, store: BlockingClient) -> None:
    store.do("put", number=1)
    bench.root.rmmod("store")
    assert bench.machine.kernel.modules.leaks == 0
    assert fails(store.do, "put", number=1).errno == errno.ENOENT
    assert len(bench.machine.kernel.resources) == 1


def test_a_handler_that_sleeps_holds_the_module(bench: Bench, store: BlockingClient) -> None:
    path = bench.folder / "store.py"
    bench.root.rmmod("store")
    path.write_text(path.read_text().replace("msleep(self.this, 1)", "msleep(self.this, 100)"))
    bench.root.modprobe("store")
    results: list[object] = []

    async def putter(app: Any) -> None:
        client = await app.genetlink("store")
        results.append(await client.do("put", number=1))

    bench.machine.spawn(putter)
    bench.pass_time(millis(50))
    assert bench.root.lsmod()[0]["references"] == 1
    assert fails(bench.root.rmmod, "store").errno in (errno.EBUSY, errno.EAGAIN)
    bench.pass_time(seconds(1))
    assert results == [{"number": 1}]
    bench.root.rmmod("store")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('"put": self.put, ', ""), "store declares a do 'put' that nothing handles"),
        (('"put": self.put', '"putt": self.put'), "store has no do 'putt' to handle: did you mean put"),
    ],
)
def test_handlers_and_operations_must_agree(bench: Bench, change: tuple[str, str], says: str) -> None:
    bench.write("store.yaml", SPEC)
    bench.module("store", MODULE.replace(*change))
    assert fails(bench.root.insmod, "store").errno == errno.EFAULT
    assert any(says in text for text in bench.log)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('return {"number": number}', 'return {"numbr": 1}'), "did you mean number?"),
        (('"kept", {"number": number}', '"kept", {"number": -1}'), "store kept: attribute 'number': "),
        (('"kept", {', '"get", {'), "'get' has no reply for the mode event"),
    ],
)
def test_a_message_that_does_not_fit_the_specification_is_an_oops_that_says_so(
    bench: Bench, change: tuple[str, str], says: str
) -> None:
    bench.write("store.yaml", SPEC)
    bench.module("store", MODULE.replace(*change))
    bench.root.insmod("store")
    assert fails(bench.root.genetlink("store").do, "put", number=1).errno == errno.EFAULT
    assert any("SimulationError: store" in text and says in text for text in bench.log)


@pytest.mark.parametrize(
    ("spec", "number", "says"),
    [
        (None, errno.ENOENT, "store: specification store.yaml cannot be read"),
        ("name: store\ndoc: x\n", errno.ENOEXEC, "store: store.yaml:1: "),
        ("name: [", errno.ENOEXEC, "store: store.yaml:"),
    ],
)
def test_a_specification_that_will_not_do(bench: Bench, spec: str | None, number: int, says: str) -> None:
    if spec is not None:
        bench.write("store.yaml", spec)
    bench.module("store", MODULE)
    assert fails(bench.root.insmod, "store").errno == number
    assert any(text.startswith(says) for text in bench.log)


def test_a_second_family_of_that_name(bench: Bench, store: BlockingClient) -> None:
    bench.module("copy", MODULE.replace("            this,\n", "            this, spec='store',\n"))
    assert fails(bench.root.insmod, "copy").errno == errno.EEXIST


@pytest.mark.parametrize("garbage", [b"\xff" * 3, b"\xff\xfe" * 4 + b"\0", b"\0"])
def test_bytes_that_are_no_text_are_no_oops(bench: Bench, store: BlockingClient, garbage: bytes) -> None:
    sock = bench.root.socket(proto=NETLINK_GENERIC)
    family = next(each for each in bench.machine.kernel.genetlink.registry if each.name == "store")
    attribute = (4 + len(garbage)).to_bytes(2, "little") + b"\2\0" + garbage
    padded = attribute + bytes(-len(attribute) % 4)
    sock.send(message(family.id, b"\1\1\0\0" + padded, flags=NLM_F_REQUEST | NLM_F_ACK))
    answer = sock.recv(4096)
    assert int.from_bytes(answer[4:6], "little") == NLMSG_ERROR
    assert S32.unpack_from(answer, 16)[0] == -errno.EINVAL
    assert bench.machine.kernel.oopses.count == 0
