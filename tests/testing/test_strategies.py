"""Strategies for the requests of a generic netlink family, and the kernel's replies to these requests."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from functools import cache

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from simkernel import Machine, millis
from simkernel.blocking import BlockingSocket
from simkernel.hardware import Camera, Mouse
from simkernel.testing.strategies import (
    GenetlinkRequest,
    attributes,
    datagrams,
    garbage,
    nearly_valid_requests,
    requests,
    valid_requests,
)
from simkernel.uapi.extack import ExtAck, extended_ack
from simkernel.uapi.genetlink import GENL_ID_CTRL
from simkernel.uapi.netlink import (
    NETLINK_EXT_ACK,
    NETLINK_GENERIC,
    NLMSG_DONE,
    NLMSG_ERROR,
    iterate_messages,
)
from simkernel.uapi.poll import POLLIN
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW, SOL_NETLINK
from simkernel.uapi.structure import S32
from simkernel.ynl import Spec
from tests.examples import examples

FAMILIES = ("camera", "mouse", "nlctrl")

SOONER_OR_LATER = settings(max_examples=2000, phases=[Phase.generate], database=None)
"""Settings with which hypothesis searches for an example that meets a condition. It generates many examples,
and does not shrink the one that it finds.
"""

any_datagrams = cache(datagrams)


@cache
def specification(family: str) -> Spec:
    """Return the specification of a shipped family."""
    with Machine(udev=False) as machine:
        return machine.specification(family)


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """Return a machine with the generic netlink families in FAMILIES. A camera and a mouse are plugged in, so
    that their drivers register their families.
    """
    with Machine() as machine:
        machine.plug(Camera())
        machine.plug(Mouse())
        machine.run(until=millis(50))
        yield machine


@pytest.fixture(scope="module")
def numbers(machine: Machine) -> dict[str, int]:
    """Return the ids of the families."""
    root = machine.blocking()
    return {name: root.genetlink(name).family.id for name in FAMILIES}


class Asker:
    """A client that sends requests and reads the replies."""

    def __init__(self, machine: Machine) -> None:
        self._facade = machine.blocking()
        self._sock: BlockingSocket = self._facade.socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC)
        self._sock.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)

    def ask(self, message: bytes) -> tuple[int, ExtAck] | None:
        """Send a request. Return the errno and the extended ACK of the last NLMSG_ERROR or NLMSG_DONE, or
        None if neither arrives.
        """
        try:
            self._sock.sendto(message, (0, 0))
        except OSError as error:
            assert error.errno in (errno.ENODATA, errno.ENOBUFS)
        verdict = None
        while self._facade.poll([(self._sock, POLLIN)], 0):
            for header, payload in iterate_messages(memoryview(self._sock.recv(65536))):
                if header.type in (NLMSG_ERROR, NLMSG_DONE):
                    verdict = -S32.unpack_from(payload)[0], extended_ack(header, payload)
        return verdict


@pytest.fixture(scope="module")
def asker(machine: Machine) -> Asker:
    """Return an `Asker` on the machine with all families."""
    return Asker(machine)


def refused_by_policy(verdict: tuple[int, ExtAck] | None) -> bool:
    """Return True if the extended ACK contains a policy, because the kernel refused an attribute that breaks
    this policy. If the driver refuses a request, the extended ACK contains none.
    """
    return verdict is not None and verdict[1].policy is not None


@pytest.mark.parametrize("family", FAMILIES)
def test_a_valid_request_passes_every_policy(family: str, asker: Asker, numbers: dict[str, int]) -> None:
    @settings(max_examples=60)
    @given(valid_requests(specification(family)))
    def check(request: GenetlinkRequest) -> None:
        verdict = asker.ask(request.message(numbers[family]))
        assert verdict is not None
        assert not refused_by_policy(verdict), verdict

    check()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_nearly_valid_one_may_be_refused(family: str, asker: Asker, numbers: dict[str, int]) -> None:
    number = numbers[family]
    find(
        nearly_valid_requests(specification(family)),
        lambda it: refused_by_policy(asker.ask(it.message(number))),
        settings=SOONER_OR_LATER,
    )


def test_all_kinds_are_among_the_requests() -> None:
    spec = specification("camera")
    kinds: list[Callable[[GenetlinkRequest], bool]] = [
        lambda request: request.operation == "set-format" and len(request.payload) > 20,
        lambda request: request.mode == "dump",
        lambda request: request.operation == "",
        lambda request: len(request.payload) % 4 != 0,
    ]
    for kind in kinds:
        find(requests(spec), kind, settings=SOONER_OR_LATER)
    find(garbage(spec), lambda request: len(request.payload) < 4, settings=SOONER_OR_LATER)


def test_attributes_are_those_that_a_client_accepts() -> None:
    with Machine() as machine:
        machine.plug(Camera())
        camera = machine.blocking().genetlink("camera")

        @settings(max_examples=examples(30))
        @given(attributes(specification("camera"), "set-control"))
        def check(values: dict[str, object]) -> None:
            try:
                camera.do("set-control", **values)
            except OSError as error:
                assert error.errno in (errno.EINVAL, errno.ERANGE, errno.ENODEV)

        check()


@settings(max_examples=examples(150))
@given(st.sampled_from(FAMILIES), st.data())
def test_the_kernel_survives_any_message(
    asker: Asker, numbers: dict[str, int], machine: Machine, family: str, data: st.DataObject
) -> None:
    asker.ask(data.draw(any_datagrams(specification(family), numbers[family])))
    assert asker.ask(
        GenetlinkRequest("getfamily", "do", b"\3\1\0\0\6\0\1\0\x10\0\0\0").message(GENL_ID_CTRL)
    ) == (
        0,
        ExtAck(),
    )
    assert machine.statistics["oopses"] == 0
