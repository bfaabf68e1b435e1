"""A client ignores NLM_F_DUMP_INTR and misses an entry, because another entry was removed during the dump.

After https://github.com/svinota/pyroute2/issues/874. https://github.com/vishvananda/netlink/pull/925 fixed
the same bug.
"""

from __future__ import annotations

from typing import Any

from simkernel.uapi.netlink import (
    NETLINK_GENERIC,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLM_F_REQUEST,
    NLMSG_DONE,
    locate_messages,
    message,
)
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW
from tests.planted.bug import Bug

TYPE, FLAGS = 1, 2


async def dump(app: Any, seen: list[int], sound: bool) -> None:
    """Dump the family `registry`, and store the number of each entry in `seen`."""
    family = (await app.genetlink("registry")).family
    sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC)
    await sock.bind((0, 0))
    request = family.encode("entry", "dump", {})
    while True:
        seen.clear()
        await sock.sendto(message(family.id, request, flags=NLM_F_REQUEST | NLM_F_DUMP, seq=1), (0, 0))
        interrupted = done = False
        while not done:
            data = await sock.recv(4096)
            for header, start, end in locate_messages(data)[0]:
                interrupted |= bool(header[FLAGS] & NLM_F_DUMP_INTR)
                if header[TYPE] == NLMSG_DONE:
                    done = True
                else:
                    seen.append(family.decode("entry", "dump", data, start, end)["number"])
        if not (sound and interrupted):
            return


async def remove(app: Any) -> None:
    """Remove the entry with the number 0 from the family `registry`."""
    await (await app.genetlink("registry")).do("remove", number=0)


async def body(app: Any, sim: Any, sound: bool) -> None:
    """An entry is removed at an arbitrary step while a client dumps the entries."""
    seen: list[int] = []
    sim.any_step(sim.machine.spawn, remove)
    await app.spawn(dump, seen, sound)
    await sim.quiet()
    entries = (await (await app.genetlink("registry")).do("count"))["number"]
    assert [number for number in seen if number] == list(range(1, entries + 1)), seen


BUG = Bug(body, sound=("registry",), faulty=("registry",))
