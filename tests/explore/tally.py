"""A target with a bug that only a pause finds: two programs count requests, and one request is lost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from simkernel.explore.plan import Plan
from simkernel.explore.run import run
from simkernel.testing.sim import Body
from simkernel.uapi.netlink import NLM_F_REQUEST, message
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW

PROTOCOL = 25
MODULES = Path(__file__).parent / "modules"


async def count(app: Any) -> None:
    """Send one request, which the module counts."""
    sock = await app.socket(AF_NETLINK, SOCK_RAW, PROTOCOL)
    await sock.sendto(message(16, b"", flags=NLM_F_REQUEST), (0, 0))
    await sock.recv(100)
    await sock.close()


async def count_twice(app: Any, sim: Any) -> None:
    """Run two programs concurrently. Each of them counts one request. Read the total afterwards."""
    await app.spawn(count)
    await app.spawn(count)
    await sim.quiet()
    sock = await app.socket(AF_NETLINK, SOCK_RAW, PROTOCOL)
    await sock.sendto(message(16, b"", flags=NLM_F_REQUEST), (0, 0))
    answer = await sock.recv(100)
    await sock.close()
    assert answer[16] == 3, f"{answer[16]} requests were counted"


async def count_in_turn(app: Any, sim: Any) -> None:
    """Run two programs that count one request each. The second begins after the end of the first, so they do
    not race.
    """
    for _ in range(2):
        await app.spawn(count)
        await sim.quiet()


async def count_once(app: Any, sim: Any) -> None:
    """Run one program that counts one request."""
    await count(app)


TALLY = Body(count_twice, modules=("tally",), options={"module_path": [MODULES], "udev": False})
ONE = Body(count_once, modules=("tally",), options={"module_path": [MODULES], "udev": False})
IN_TURN = Body(count_in_turn, modules=("tally",), options={"module_path": [MODULES], "udev": False})

if __name__ == "__main__":
    print(run(TALLY, Plan.parse(sys.argv[1]), traced=True).digest)
