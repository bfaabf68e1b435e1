"""Numbers and layouts, compared with Python's modules and the C headers of this host."""

from __future__ import annotations

import errno as host_errno
import os
import platform
import select
import shutil
import signal as host_signal
import socket as host_socket
import sys
import types

import pytest

from simkernel.uapi import (
    capability,
    errno,
    fcntl,
    fib_rules,
    genetlink,
    if_addr,
    if_link,
    module,
    neighbour,
    net_namespace,
    netlink,
    poll,
    rtnetlink,
    sched,
    signal,
    socket,
    wait,
)
from simkernel.uapi.structure import Structure
from tests.uapi.headers import bytes_of_structures, numbers_in_headers
from tests.uapi.strategies import STRUCTURES

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="compares with Linux on x86-64"
)
needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")

# Names to which the C library gives other numbers than the kernel.
OF_THE_LIBRARY = {"SIGRTMIN", "SIGRTMAX", "O_LARGEFILE", "SOMAXCONN"}
# Numbers that grow with the version of Linux.
GROWING = {"AF_MAX", "CAP_LAST_CAP", "FRA_MAX", "IFLA_MAX", "RTA_MAX", "RTM_MAX", "RTNLGRP_MAX"}


def numbers(source: types.ModuleType) -> dict[str, int]:
    """Return the constants of a module."""
    return {
        name: int(value)
        for name, value in vars(source).items()
        if name[0] != "_" and isinstance(value, int) and not isinstance(value, bool)
    }


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (errno, host_errno),
        (fcntl, os),
        (netlink, host_socket),
        (poll, select),
        (sched, os),
        (signal, host_signal),
        (socket, host_socket),
        (wait, os),
    ],
)
def test_numbers_are_those_of_python(ours, theirs):
    host = numbers(theirs)
    common = numbers(ours).keys() & host.keys() - OF_THE_LIBRARY
    assert {name: getattr(ours, name) for name in common} == {name: host[name] for name in common}


@needs_compiler
@pytest.mark.parametrize(
    ("ours", "headers"),
    [
        (capability, ["linux/capability.h"]),
        (errno, ["linux/errno.h"]),
        (fcntl, ["linux/fcntl.h"]),
        (genetlink, ["linux/genetlink.h"]),
        (fib_rules, ["linux/fib_rules.h"]),
        (if_addr, ["linux/if_addr.h"]),
        (if_link, ["linux/if_link.h", "linux/if.h", "linux/if_arp.h"]),
        (module, ["linux/module.h"]),
        (neighbour, ["linux/neighbour.h"]),
        (net_namespace, ["linux/net_namespace.h"]),
        (netlink, ["linux/netlink.h"]),
        (poll, ["linux/poll.h"]),
        (rtnetlink, ["linux/rtnetlink.h"]),
        (sched, ["linux/sched.h"]),
        (signal, ["asm/signal.h"]),
        (socket, ["sys/socket.h"]),
        (wait, ["linux/wait.h"]),
    ],
)
def test_numbers_are_those_of_the_headers(ours, headers, tmp_path):
    names = sorted(numbers(ours).keys() - GROWING - OF_THE_LIBRARY)
    host = numbers_in_headers(names, headers, tmp_path)
    assert {name: getattr(ours, name) for name in host} == host
    assert len(host) > len(names) // 2


LAYOUTS: list[tuple[type[Structure], str, list[str]]] = [
    (netlink.SockaddrNl, "sockaddr_nl", ["nl_family", "nl_pad", "nl_pid", "nl_groups"]),
    (netlink.NlPktinfo, "nl_pktinfo", ["group"]),
    (netlink.NlMsgHdr, "nlmsghdr", ["nlmsg_len", "nlmsg_type", "nlmsg_flags", "nlmsg_seq", "nlmsg_pid"]),
    (
        netlink.NlMsgErr,
        "nlmsgerr",
        ["error", "msg.nlmsg_len", "msg.nlmsg_type", "msg.nlmsg_flags", "msg.nlmsg_seq", "msg.nlmsg_pid"],
    ),
    (netlink.NlAttr, "nlattr", ["nla_len", "nla_type"]),
    (netlink.NlaBitfield32, "nla_bitfield32", ["value", "selector"]),
    (genetlink.GenlMsgHdr, "genlmsghdr", ["cmd", "version", "reserved"]),
    (rtnetlink.RtGenMsg, "rtgenmsg", ["rtgen_family"]),
    (rtnetlink.IfInfoMsg, "ifinfomsg", ["ifi_family", "ifi_type", "ifi_index", "ifi_flags", "ifi_change"]),
    (
        rtnetlink.IfAddrMsg,
        "ifaddrmsg",
        ["ifa_family", "ifa_prefixlen", "ifa_flags", "ifa_scope", "ifa_index"],
    ),
    (
        fib_rules.FibRuleHdr,
        "fib_rule_hdr",
        [
            *("family", "dst_len", "src_len", "tos", "table", "res1", "res2"),
            *("action", "flags"),
        ],
    ),
    (if_link.IfStatsMsg, "if_stats_msg", ["family", "pad1", "pad2", "ifindex", "filter_mask"]),
    (
        neighbour.NdMsg,
        "ndmsg",
        [
            *("ndm_family", "ndm_pad1", "ndm_pad2", "ndm_ifindex"),
            *("ndm_state", "ndm_flags", "ndm_type"),
        ],
    ),
    (
        rtnetlink.RtMsg,
        "rtmsg",
        [
            *("rtm_family", "rtm_dst_len", "rtm_src_len", "rtm_tos", "rtm_table"),
            *("rtm_protocol", "rtm_scope", "rtm_type", "rtm_flags"),
        ],
    ),
    (socket.Ucred, "ucred", ["pid", "uid", "gid"]),
    (socket.CmsgHdr, "cmsghdr", ["cmsg_len", "cmsg_level", "cmsg_type"]),
]


ELSEWHERE = {"simkernel.uapi.input"}
"""Modules whose structures another test compares with the C headers, by means of layouts.py."""


@needs_compiler
def test_layouts_are_those_of_the_headers(tmp_path):
    assert {cls for cls, _, _ in LAYOUTS} == {cls for cls in STRUCTURES if cls.__module__ not in ELSEWHERE}
    ours = b"".join(cls(*range(1, len(fields) + 1)).pack() for cls, _, fields in LAYOUTS)
    headers = ["sys/socket.h", "linux/netlink.h", "linux/genetlink.h", "linux/rtnetlink.h"]
    headers += ["linux/fib_rules.h", "linux/neighbour.h"]
    assert bytes_of_structures([(name, fields) for _, name, fields in LAYOUTS], headers, tmp_path) == ours
