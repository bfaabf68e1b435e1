"""Changes of network devices by ioctl(2), as on Linux 6.18."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from struct import pack
from typing import Any

import pytest

from simkernel import Machine
from simkernel.uapi import if_link as il
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.rtnetlink import IfInfoMsg
from simkernel.uapi.socket import AF_UNIX, SOCK_STREAM
from tests.kernel.host import expect_as_on_this_host, only_6_18
from tests.kernel.links import add, add_veth, attempt, messages, route_socket, settle, up

FLAGS, NAME, MTU, HWADDR, HWBROADCAST, TXQLEN = 0x8914, 0x8923, 0x8922, 0x8924, 0x8937, 0x8943
GETTERS = (0x8913, 0x891D, 0x8921, 0x8933, 0x8942, 0x8970)
ETHER, LOOPBACK = 1, 772


def sockaddr(family: int, *address: int) -> bytes:
    return pack("<H14s", family, bytes(address))


FLAG_VALUES = (il.IFF_UP, 0, 0x1043, 0x1103, 0x1303, 0x1002, 0xFFFF, 0x1002)
ADDRESSES = (sockaddr(ETHER, 2, 0, 0, 0, 0, 9), sockaddr(LOOPBACK, 2), sockaddr(ETHER, 3), sockaddr(0))
DEVICES = ("lo", "va", "br0")
RENAMES = (("vc", b"v%d\0"), ("v0", b"va\0"), ("nope", b"x\0"), ("lo", b"l\0"))
CHANGES = [
    *((FLAGS, device, pack("<H", flags)) for device in (*DEVICES, "va:1") for flags in FLAG_VALUES),
    *((MTU, device, pack("<i", mtu)) for device in DEVICES for mtu in (1280, 1500, 0, 67, -1, 65536)),
    *((TXQLEN, "va", pack("<i", length)) for length in (0, 10, -1, 2**31 - 1)),
    *(
        (call, device, address)
        for call in (HWADDR, HWBROADCAST)
        for device in DEVICES
        for address in ADDRESSES
    ),
    *((NAME, "va", name) for name in (b"vc\0", b"", b"a/b\0", b"lo\0", b"x" * 16)),
    *((NAME, device, name) for device, name in RENAMES),
    *((MTU, "nope", pack("<i", 1500)), (FLAGS, "", pack("<H", 1))),
    *((call, "va", b"") for call in (0x891E, 0x8971, 0x8930, 0x8947, 0x8994, 0x89B1, 0x8929)),
]


def changes(world: Any) -> list[object]:
    """Change links by ioctl(2) requests. Return the results, the final state and the notifications."""
    add_veth(world, "va", "vb")
    add(world, "br0", "bridge")
    up(world, "vb")
    settle(world, 1.1)
    listener = route_socket(world, rt.RTNLGRP_LINK)
    seen: list[object] = []
    sockets = (world.socket(AF_UNIX, SOCK_STREAM), route_socket(world))

    def call(sock: Any, request: int, name: str, value: bytes = b"") -> object:
        argument = name.encode().ljust(16, b"\0") + value.ljust(24, b"\0")
        result = attempt(world.ioctl, sock, request, argument)
        return list(result) if isinstance(result, bytes) else result

    for number, (request, name, value) in enumerate(CHANGES):
        sock = sockets[number % 2]
        seen.append([request, name, list(value), call(sock, request, name, value)])
        settle(world, 0.01)
        headers = [(header.type, IfInfoMsg.unpack(payload)) for header, payload in messages(listener)]
        seen.append(
            [[type, each.index, each.flags, each.change] for type, each in headers if each.family == 0]
        )
        for device in ("lo", "va", "vb", "br0"):
            seen.append([call(sock, getter, device) for getter in GETTERS])
        seen.append(list(world.ioctl(sock, 0x8912, bytes(16))))  # SIOCGIFCONF
        if request in (HWADDR, HWBROADCAST):
            seen.append(world.read_file("/sys/class/net/va/broadcast").decode())
    world.setgid(65534)
    world.setuid(65534)
    return [
        *seen,
        *(call(sockets[0], each, "va", pack("<i", 1)) for each in (FLAGS, NAME, MTU, HWADDR, TXQLEN)),
    ]


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


@pytest.mark.long
@only_6_18
def test_changes_have_the_results_of_this_host() -> None:
    expect_as_on_this_host(changes)


def test_an_unknown_name_requests_its_modules(tmp_path: Path) -> None:
    """`dev_load()` requests the module netdev-NAME if the process has CAP_NET_ADMIN, and the module NAME if
    the process has CAP_SYS_MODULE.
    """
    (tmp_path / "eth7.py").write_text(
        "from simkernel.driverapi.module import Module\n"
        "from simkernel.driverapi.netdevice import alloc_netdev, ether_setup, register_netdevice\n"
        "MODULE = Module(license='GPL', aliases=('netdev-eth9',))\n"
        "def init(this):\n"
        "    device = alloc_netdev(this, 'eth9', ether_setup)\n"
        "    register_netdevice(this, device)\n"
        "    return device\n"
    )
    with Machine(module_path=[tmp_path]) as machine:
        for uid, name in ((1000, b"eth9"), (0, b"eth8")):
            user = machine.blocking(uid=uid)
            sock = user.socket(AF_UNIX, SOCK_STREAM)
            with pytest.raises(OSError, match="No such device"):
                user.ioctl(sock, 0x8933, name.ljust(40, b"\0"))
            assert "eth7" not in {module.name for module in machine.kernel.modules}
        assert user.ioctl(sock, 0x8933, b"eth9".ljust(40, b"\0"))[16] == 2
