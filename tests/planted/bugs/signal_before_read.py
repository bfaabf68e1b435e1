"""A program tests the flag that its signal handler sets, and then blocks. It misses a signal that arrives
between these two steps.

After https://github.com/booksbyus/zguide/pull/568 and https://github.com/radvd-project/radvd/issues/12.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from simkernel.uapi.signal import SIGTERM
from simkernel.uapi.socket import AF_UNIX, SOCK_DGRAM
from tests.planted.bug import Bug

NAME = b"\0server"


async def serve(app: Any, ready: list[Any], ended: list[int], sound: bool) -> None:
    """Receive messages until SIGTERM arrives. The handler of SIGTERM sets a flag or, if `sound` is true,
    raises SystemExit.
    """
    sock = await app.socket(AF_UNIX, SOCK_DGRAM)
    await sock.bind(NAME)
    stop: list[int] = []

    def leave(number: int) -> None:
        ended.append(number)
        raise SystemExit

    await app.signal(SIGTERM, leave if sound else stop.append)
    ready.append(sock)
    while not stop:
        await app.read_file("/proc/loadavg")
        with suppress(InterruptedError):
            await sock.recv(64)
    ended += stop


async def body(app: Any, sim: Any, sound: bool) -> None:
    """A program receives some messages, and gets SIGTERM at an arbitrary step."""
    ready: list[Any] = []
    ended: list[int] = []
    server = sim.machine.spawn(serve, ready, ended, sound)
    while not ready:
        await app.sleep(0.001)
    sock = await app.socket(AF_UNIX, SOCK_DGRAM)
    sim.any_step(server.kill, SIGTERM)
    for number in range(3):
        await app.sleep(0.001)
        with suppress(ConnectionRefusedError):
            await sock.sendto(b"%d" % number, NAME)
    await sim.quiet()
    assert ended == [SIGTERM], "the program does not end"


BUG = Bug(body)
