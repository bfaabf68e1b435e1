"""A replacement for the program `ip -json` on a machine. pyroute2's tests check the kernel's state with this
program.

It supports the commands of tests/net_tools.py of pyroute2: `ip -json (addr|link|route|rule) show`, also in
a named namespace. It shares no code with pyroute2.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any, Final

from simkernel import Machine
from simkernel.blocking.process import BlockingProcess
from simkernel.uapi.fib_rules import FRA_PRIORITY
from simkernel.uapi.if_addr import IFA_ADDRESS, IFA_CACHEINFO, IFA_LOCAL
from simkernel.uapi.if_link import IFLA_IFNAME
from simkernel.uapi.netlink import (
    NETLINK_ROUTE,
    NLM_F_DUMP,
    NLM_F_REQUEST,
    NLMSG_DONE,
    locate_attributes,
    locate_messages,
    message,
)
from simkernel.uapi.rtnetlink import (
    RTA_DST,
    RTA_TABLE,
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_GETROUTE,
    RTM_GETRULE,
)
from simkernel.uapi.sched import CLONE_NEWNET
from simkernel.uapi.socket import AF_INET, AF_INET6, AF_NETLINK, SOCK_RAW
from simkernel.uapi.structure import U32

TABLES: Final = {"main": 254, "local": 255}
Attributes = dict[int, bytes]


class Ip:
    """Replacement for `subprocess.run` that executes the command `ip` on a machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def run(self, command: list[str], **_: object) -> SimpleNamespace:
        """Run an `ip` command. Raise FileNotFoundError for another program."""
        namespace = None
        if command[:3] == ["ip", "netns", "exec"]:
            namespace, command = command[3], command[4:]
        program, _, *words = command
        if program != "ip":
            raise FileNotFoundError(2, "No such file or directory", program)
        family = {"-4": AF_INET, "-6": AF_INET6}.get(words[0], 0)
        words = words[1:] if family else words
        with self._machine.blocking() as process:
            if namespace is not None:
                process.setns(process.open(f"/run/netns/{namespace}", os.O_RDONLY), CLONE_NEWNET)
            options = dict(zip(words[2::2], words[3::2], strict=True))
            found = list(getattr(self, words[0])(process, family, options))
        dev = options.get("dev")
        if dev is not None and not any(each.get("ifname") == dev for each in found):
            return SimpleNamespace(returncode=1, stdout=b"", stderr=b"")
        shown = [each for each in found if dev in (None, each.get("ifname"))]
        return SimpleNamespace(returncode=0, stdout=json.dumps(shown).encode(), stderr=b"")

    def link(self, process: BlockingProcess, family: int, options: Any) -> Iterator[dict[str, Any]]:
        """Yield the links as `ip -json link` does."""
        for header, attributes in dump(process, RTM_GETLINK, family, 16):
            index, name = (
                int.from_bytes(header[4:8], "little"),
                attributes[IFLA_IFNAME].rstrip(b"\0").decode(),
            )
            yield {"ifindex": index, "ifname": name}

    def addr(self, process: BlockingProcess, family: int, options: Any) -> Iterator[dict[str, Any]]:
        """Yield the links with their addresses as `ip -json addr` does."""
        addresses: dict[int, list[dict[str, Any]]] = {}
        for header, attributes in dump(process, RTM_GETADDR, family, 8):
            preferred, valid = (U32.unpack_from(attributes[IFA_CACHEINFO], at)[0] for at in (0, 4))
            addresses.setdefault(U32.unpack_from(header, 4)[0], []).append({
                "local": str(ip_address(attributes.get(IFA_LOCAL, attributes[IFA_ADDRESS]))),
                "prefixlen": header[1],
                "preferred_life_time": preferred,
                "valid_life_time": valid,
            })  # fmt: skip
        for link in self.link(process, 0, options):
            yield {**link, "addr_info": addresses.get(link["ifindex"], [])}

    def route(self, process: BlockingProcess, family: int, options: Any) -> Iterator[dict[str, Any]]:
        """Yield the routes of a table as `ip -json route` does."""
        table = TABLES.get(options["table"]) or int(options["table"])
        for header, attributes in dump(process, RTM_GETROUTE, family or AF_INET, 12):
            if U32.unpack(attributes[RTA_TABLE])[0] == table:
                yield {"dst": prefix(attributes.get(RTA_DST), header[1])}

    def rule(self, process: BlockingProcess, family: int, options: Any) -> Iterator[dict[str, Any]]:
        """Yield the rules as `ip -json rule` does."""
        for _, attributes in dump(process, RTM_GETRULE, family, 12):
            yield {"priority": U32.unpack(attributes.get(FRA_PRIORITY, bytes(4)))[0]}


def prefix(address: bytes | None, length: int) -> str:
    """Return a destination prefix as `ip` prints it."""
    if address is None:
        return "default"
    return str(ip_address(address)) + ("" if length == len(address) * 8 else f"/{length}")


def dump(process: BlockingProcess, type: int, family: int, size: int) -> Iterator[tuple[bytes, Attributes]]:
    """Yield the header (of `size` bytes) and the attributes of each message of a dump."""
    with process.socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) as sock:
        request = bytes([family]).ljust(size, b"\0")
        sock.send(message(type, request, flags=NLM_F_REQUEST | NLM_F_DUMP, seq=1))
        while True:
            data = sock.recv(1 << 16)
            for header, first, end in locate_messages(data)[0]:
                if header[1] == NLMSG_DONE:
                    return
                located, _ = locate_attributes(data, first + size, end)
                yield data[first : first + size], {each: data[one:last] for each, one, last in located}
