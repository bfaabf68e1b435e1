"""RTM_NEWNSID and RTM_GETNSID for a namespace that a descriptor or a process id selects, and the
notifications, as on Linux 6.18.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from simkernel import Machine
from simkernel.uapi import if_link as il
from simkernel.uapi import net_namespace as ns
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.netlink import (
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_REQUEST,
    attribute,
    iterate_attributes,
    message,
)
from simkernel.uapi.sched import CLONE_NEWNET
from simkernel.uapi.structure import S32, U32
from tests.kernel import links
from tests.kernel.host import expect_as_on_this_host, only_6_18

NS = "/proc/self/ns/net"
ADD_MEMBERSHIP = 1


def by_fd(fd: int) -> bytes:
    return attribute(ns.NETNSA_FD, U32.pack(fd))


def by_pid(pid: int) -> bytes:
    return attribute(ns.NETNSA_PID, U32.pack(pid))


def nsid(number: int) -> bytes:
    return attribute(ns.NETNSA_NSID, S32.pack(number))


def observe(world: Any) -> list[list[object]]:
    """Assign ids (nsids) to namespaces, release a namespace, and return the replies and notifications."""
    seen: list[list[object]] = []

    def read(sock: Any) -> list[list[object]]:
        found: list[list[object]] = []
        for header, payload in links.messages(sock):
            if header.type == 2:
                found.append(["error", errno.errorcode.get(-S32.unpack_from(payload)[0], "0")])
            elif header.type == 3:
                found.append(["done"])
            else:
                values = [[type, S32.unpack(value)[0]] for type, value in iterate_attributes(payload[4:])]
                found.append([header.type, header.flags, header.seq, bool(header.pid), values])
        return found

    def ask(label: str, type: int, *attributes: bytes, flags: int = NLM_F_ACK) -> None:
        sock.send(message(type, bytes(4) + b"".join(attributes), flags=NLM_F_REQUEST | flags, seq=len(seen)))
        seen.append([label, read(sock), read(listener)])

    first = world.open(NS, os.O_RDONLY)
    listener, sock = links.route_socket(world, rt.RTNLGRP_NSID), links.route_socket(world)
    world.unshare(CLONE_NEWNET)
    second = world.open(NS, os.O_RDONLY)
    world.unshare(CLONE_NEWNET)
    third = world.open(NS, os.O_RDONLY)
    null = world.open("/dev/null", os.O_RDONLY)
    ask("new by descriptor", rt.RTM_NEWNSID, by_fd(second), nsid(5))
    ask("again", rt.RTM_NEWNSID, by_fd(second), nsid(6))
    ask("new by process", rt.RTM_NEWNSID, by_pid(world.getpid()), nsid(-1))
    ask("taken", rt.RTM_NEWNSID, by_fd(first), nsid(5))
    ask("no namespace", rt.RTM_NEWNSID, by_fd(null), nsid(7))
    ask("no descriptor", rt.RTM_NEWNSID, by_fd(99), nsid(7))
    ask("no process", rt.RTM_NEWNSID, by_pid(0x7FFFFFF0), nsid(7))
    ask("get by descriptor", rt.RTM_GETNSID, by_fd(second), flags=0)
    ask("get by process", rt.RTM_GETNSID, by_pid(world.getpid()), flags=0)
    ask("without a number", rt.RTM_GETNSID, by_fd(first), flags=0)
    ask("all", rt.RTM_GETNSID, flags=NLM_F_DUMP)
    world.close(second)
    getattr(world, "sleep", time.sleep)(0.2)
    seen.append(["one goes", read(listener)])
    ask("gone", rt.RTM_GETNSID, nsid(5), flags=0)
    world.setns(first)
    world.close(third)
    getattr(world, "sleep", time.sleep)(0.2)
    seen.append(["the other goes", read(listener)])
    ask("none", rt.RTM_GETNSID, flags=NLM_F_DUMP)
    return seen


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


def numbers_by_links(world: Any, group: int) -> list[list[object]]:
    """Create links across namespaces. Return the ids (nsids) of the namespaces, and the notifications."""
    nets, socks, listeners = [], [], []
    for step in range(3):
        if step:
            world.unshare(CLONE_NEWNET)
        nets.append(world.open(NS, os.O_RDONLY))
        socks.append(links.route_socket(world))
        listeners.append(links.route_socket(world, rt.RTNLGRP_NSID, group))
    seen: list[list[object]] = []

    def look(label: str, result: str) -> None:
        seen.append([label, result])
        for here, there in ((0, 1), (1, 2), (2, 0), (0, 2)):
            request = bytes(4) + by_fd(nets[there])
            socks[here].send(message(rt.RTM_GETNSID, request, flags=NLM_F_REQUEST))
            answer = socks[here].recv(65536)
            seen.append([here, there, S32.unpack_from(answer, 24)[0]])
        for each in listeners:
            seen.append([_digest(header.type, payload) for header, payload in links.messages(each)])

    def to(net: int) -> bytes:
        return links.number(il.IFLA_NET_NS_FD, nets[net])

    world.setns(nets[0])
    look("peer elsewhere", links.add_veth(world, "va", "vb", peer_more=to(1)))
    look("peer moves on", links.change(world, "va", to(2)))
    world.setns(nets[1])
    look("the other moves", links.change(world, "vb", to(2)))
    world.setns(nets[2])
    look("renamed", links.change(world, "vb", attribute(il.IFLA_IFALIAS, b"x")))
    look("both deleted", links.delete(world, "va"))
    look("across again", links.add_veth(world, "va", "vb", peer_more=to(0)))
    world.setns(nets[0])
    for each in (socks[2], listeners[2]):
        each.close()
    del listeners[2]
    world.close(nets[2])
    links.settle(world, 0.2)
    for each in listeners:
        seen.append([_digest(header.type, payload) for header, payload in links.messages(each)])
    return seen


def _digest(type: int, payload: bytes) -> list[object]:
    """Return the type of a notification and its namespace ids (nsids)."""
    if type in (rt.RTM_NEWNSID, rt.RTM_DELNSID):
        return [type, S32.unpack_from(payload, 8)[0]]
    wanted = {il.IFLA_LINK_NETNSID, il.IFLA_NEW_NETNSID, il.IFLA_LINK, il.IFLA_NEW_IFINDEX}
    found = iterate_attributes(payload[16:])
    return [type, [[each, S32.unpack(value)[0]] for each, value in found if each in wanted]]


def with_a_listener(world: Any) -> list[list[object]]:
    return numbers_by_links(world, rt.RTNLGRP_LINK)


def without_a_listener(world: Any) -> list[list[object]]:
    return numbers_by_links(world, rt.RTNLGRP_NSID)


@only_6_18
@pytest.mark.parametrize("function", [with_a_listener, without_a_listener])
def test_links_across_namespaces_number_them_as_on_this_host(function: Any) -> None:
    expect_as_on_this_host(function)


@only_6_18
def test_numbers_are_given_and_freed_as_on_this_host() -> None:
    expect_as_on_this_host(observe)


def test_a_listener_is_notified_when_a_numbered_namespace_goes(machine: Machine) -> None:
    seen = {label: rest for label, *rest in observe(machine.blocking(uid=0))}
    assert seen["one goes"] == [[[rt.RTM_DELNSID, 0, 0, False, [[ns.NETNSA_NSID, 5]]]]]
    assert seen["none"][0] == [["done"]]
