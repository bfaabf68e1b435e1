"""A client resolves the id of a generic netlink family only once. If the module is reloaded, the family gets
another id.

After https://github.com/sonic-net/sonic-swss/pull/4853 (a client must resolve `psample` again after a
reload) and https://github.com/sonic-net/sonic-buildimage/pull/29080 (a plugin resolves it only at its
start).
"""

from __future__ import annotations

from typing import Any

from simkernel.uapi.errno import EBUSY, ENODEV, ENOENT
from tests.planted.bug import Bug


async def poll(app: Any, counts: list[int], sound: bool) -> None:
    """Ask the family `registry` every millisecond how many entries its table has."""
    client = await app.genetlink("registry")
    for _ in range(8):
        while True:
            try:
                counts.append((await client.do("count"))["number"])
                break
            except OSError as error:
                if not sound or error.errno not in (ENOENT, ENODEV):
                    raise
                await client.close()
                client = await app.genetlink("registry")
        await app.sleep(0.001)


async def reload(app: Any) -> None:
    """Reload the module `registry`. If the module is in use, try again after a millisecond."""
    while True:
        try:
            await app.rmmod("registry")
            break
        except OSError as error:
            if error.errno != EBUSY:
                raise
            await app.sleep(0.001)
    await app.modprobe("registry")


async def body(app: Any, sim: Any, sound: bool) -> None:
    """The module `registry` is reloaded at an arbitrary step of a client."""
    counts: list[int] = []
    sim.any_step(sim.machine.spawn, reload)
    await app.sleep(0.01)
    await app.spawn(poll, counts, sound)
    await sim.quiet()
    assert counts == [12] * 8, counts


BUG = Bug(body, sound=("registry",), faulty=("registry",))
