"""Callbacks of a generic netlink family: a socket joins or leaves one of the family's groups (`genl_bind()`,
`genl_unbind()`).
"""

from __future__ import annotations

import pytest

from simkernel.kernel.netlink.genetlink.family import Family, Group
from simkernel.uapi import netlink as nl
from simkernel.uapi.capability import CAP_NET_ADMIN
from simkernel.uapi.errno import EPERM
from tests.kernel.netlink.stack import NOBODY, Stack


def registered(stack: Stack, calls: list[tuple[str, int]]) -> Family:
    """Register a family with two groups. Its callbacks append to `calls` if a socket joins or leaves one."""
    family = Family(
        "toy",
        groups=(Group("open"), Group("closed", (CAP_NET_ADMIN,))),
        on_join=lambda index: calls.append(("join", index)),
        on_leave=lambda index: calls.append(("leave", index)),
    )
    stack.genetlink.register(family)
    return family


def test_a_family_is_called_for_each_socket_that_joins_or_leaves(stack: Stack) -> None:
    calls: list[tuple[str, int]] = []
    first = registered(stack, calls).first_group
    one, two = (stack.open(nl.NETLINK_GENERIC, portid) for portid in (1, 2))
    one.join(first, first + 1)
    two.join(first + 1)
    assert calls == [("join", 0), ("join", 1), ("join", 1)]
    one.set(nl.NETLINK_DROP_MEMBERSHIP, first + 1)
    assert calls[3:] == [("leave", 1)]
    one.close()
    two.close()
    assert sorted(calls[4:]) == [("leave", 0), ("leave", 1)]


def test_a_family_is_not_called_for_a_refused_group(stack: Stack) -> None:
    calls: list[tuple[str, int]] = []
    first = registered(stack, calls).first_group
    sock = stack.open(nl.NETLINK_GENERIC, 1, uid=NOBODY)
    with pytest.raises(OSError) as refused:
        sock.join(first + 1)
    assert refused.value.errno == EPERM
    assert calls == []
