"""Network namespaces: pernet callbacks, ids of peers (nsids), lifetimes, inode numbers, and port ids."""

from __future__ import annotations

import pytest

from simkernel.kernel.net.namespace import Namespaces, Net
from simkernel.kernel.netlink.kernel_socket import KERNEL_SOCKETS
from simkernel.uapi.errno import EEXIST
from simkernel.uapi.netlink import NETLINK_GENERIC, NETLINK_USERSOCK
from tests.kernel.netlink.stack import Stack


def test_hooks_are_called_for_those_there_and_those_to_come() -> None:
    namespaces = Namespaces()
    seen: list[tuple[str, Net]] = []
    namespaces.register_pernet(lambda net: seen.append(("init", net)), lambda net: seen.append(("exit", net)))
    net = namespaces.create()
    net.put()
    assert seen == [("init", namespaces.init), ("init", net), ("exit", net)]
    assert list(namespaces) == [namespaces.init]


def test_numbers_of_others() -> None:
    namespaces = Namespaces()
    one, two, three = (namespaces.create() for _ in range(3))
    init = namespaces.init
    assert (init.assign_id(one, 1), init.assign_id(two), init.assign_id(three)) == (1, 0, 2)
    assert (init.id_of(two), init.net_by_id(2), one.id_of(init)) == (0, three, None)
    assert init.assign_id(namespaces.create(), -1) == 3
    for peer, number in ((one, 7), (one, None), (namespaces.create(), 2)):
        with pytest.raises(OSError) as refused:
            init.assign_id(peer, number)
        assert refused.value.errno == EEXIST
    two.put()
    assert init.id_of(two) is None


def test_a_namespace_with_a_socket_stays() -> None:
    stack = Stack()
    net = stack.namespaces.create()
    sock = stack.open(NETLINK_USERSOCK, 1, net=net)
    net.put()
    sock.task.net.put()
    assert net in list(stack.namespaces)
    sock.close()
    assert net not in list(stack.namespaces)
    assert not KERNEL_SOCKETS.of(net)


def test_the_lowest_free_inode_number_is_used_again() -> None:
    namespaces = Namespaces()
    one, two = namespaces.create(), namespaces.create()
    assert (one.number, two.number) == (0xF0000000, 0xF0000001)
    one.put()
    assert namespaces.create().number == one.number


def test_the_same_port_id_is_free_elsewhere() -> None:
    stack = Stack()
    there = stack.namespaces.create()
    a, b = stack.open(NETLINK_GENERIC, 1), stack.open(NETLINK_GENERIC, 1, net=there)
    a.send(b"\x10\0\0\0\1\0\5\0" + bytes(8))
    assert (len(a.drain()), len(b.drain())) == (1, 0)
