"""A client of an edge-triggered epoll reads one message for each event. If two messages arrive together, it
misses the second.

After https://github.com/strongswan/davici/issues/4.
"""

from __future__ import annotations

from typing import Any

from simkernel.uapi.eventpoll import EPOLLET, EPOLLIN
from simkernel.uapi.socket import AF_UNIX, MSG_DONTWAIT, SOCK_DGRAM
from tests.planted.bug import Bug

MESSAGES = 8


async def receive(app: Any, fd: int, received: list[bytes], sound: bool) -> None:
    """Receive messages in an endless loop."""
    sock = await app.socket(fileno=fd)
    epoll = await app.epoll()
    await epoll.register(sock, EPOLLIN | EPOLLET)
    while True:
        await epoll.poll()
        while True:
            try:
                received.append(await sock.recv(64, MSG_DONTWAIT))
            except BlockingIOError:
                break
            if not sound:
                break


async def body(app: Any, sim: Any, sound: bool) -> None:
    """A program sends a message each millisecond."""
    ours, theirs = await app.socketpair(AF_UNIX, SOCK_DGRAM)
    received: list[bytes] = []
    await app.spawn(receive, theirs.fileno(), received, sound)
    for number in range(MESSAGES):
        await app.sleep(0.001)
        await ours.send(b"%d" % number)
    await sim.quiet()
    assert received == [b"%d" % number for number in range(MESSAGES)], received


BUG = Bug(body)
