"""A client requests a dump on the socket on which it also receives notifications."""

from __future__ import annotations

from typing import Any

import pytest

from simkernel import Machine, SimulationError
from simkernel.testing.situations import notification_in_dump
from simkernel.uapi.genetlink import CTRL_CMD_DELFAMILY, CTRL_CMD_NEWFAMILY, GENL_ID_CTRL
from simkernel.uapi.netlink import (
    NETLINK_ADD_MEMBERSHIP,
    NETLINK_GENERIC,
    NETLINK_ROUTE,
    NLM_F_MULTI,
    NLMSG_DONE,
    iterate_messages,
)
from simkernel.uapi.rtnetlink import RTM_NEWLINK
from simkernel.uapi.socket import SOL_NETLINK
from tests.testing.situations.conftest import Equipped
from tests.testing.situations.requests import FAMILIES, LINKS, headers


def test_a_link_is_reported_before_the_dump_of_links() -> None:
    with Machine() as machine:
        sock = machine.blocking().socket(proto=NETLINK_ROUTE)
        sock.bind((0, 1))
        with notification_in_dump(machine):
            sock.send(LINKS)
            event, links, done = (headers(sock.recv(8192)) for _ in range(3))
    assert (event, links, done) == ([(RTM_NEWLINK, 0)], [(RTM_NEWLINK, 7)], [(NLMSG_DONE, 7)])


def test_the_notification_has_the_content_of_the_dump() -> None:
    with Machine() as machine:
        sock = machine.blocking().socket(proto=NETLINK_ROUTE)
        sock.bind((0, 1))
        with notification_in_dump(machine):
            sock.send(LINKS)
            (event,), (link,) = (list(iterate_messages(sock.recv(8192))) for _ in range(2))
    assert event[1] == link[1]
    assert (event[0].flags, link[0].flags) == (0, NLM_F_MULTI)


def test_a_family_comes_and_goes_before_the_dump_of_families() -> None:
    with Machine() as machine:
        sock = machine.blocking().socket(proto=NETLINK_GENERIC)
        sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, GENL_ID_CTRL)
        with notification_in_dump(machine):
            sock.send(FAMILIES)
            received = [list(iterate_messages(sock.recv(8192))) for _ in range(3)]
    commands = [payload[0] for datagram in received[:2] for _, payload in datagram]
    assert commands == [CTRL_CMD_NEWFAMILY, CTRL_CMD_DELFAMILY]
    assert {header.seq for header, _ in received[2]} == {7}


def test_an_event_of_a_driver_arrives_between_two_parts_of_a_dump(equipped: Equipped) -> None:
    machine, order = equipped.machine, list[bool | None]()

    async def viewer(app: Any) -> None:
        camera = await app.genetlink("camera")
        await camera.join("frames")
        await camera.do("stream-on")
        frame = await anext(camera.events("frame-ready"))
        sock = camera.event_socket  # one socket for events and for the dump
        request = camera._request("read-frame", "dump", 0x301, {"sequence": frame["sequence"]})
        await sock.send(request)
        while not order or order[-1] is not None:
            for header, _ in iterate_messages(await sock.recv(1 << 16)):
                order.append(None if header.type == NLMSG_DONE else bool(header.flags & NLM_F_MULTI))

    with notification_in_dump(machine, "viewer", event=lambda: None):  # each frame causes an event
        machine.spawn(viewer)
        machine.run()
    assert order[0] is True
    assert False in order[1:-2]
    assert order[-2:] == [True, None]


def test_a_group_of_another_family_wants_a_function_that_makes_an_event(equipped: Equipped) -> None:
    program = equipped.machine.blocking()
    mouse = program.genetlink("mouse")
    mouse.join("motion")
    with pytest.raises(SimulationError, match="pass event="), notification_in_dump(equipped.machine):
        mouse.event_socket.send(FAMILIES)
