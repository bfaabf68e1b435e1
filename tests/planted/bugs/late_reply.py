"""A client stops waiting for a reply and sends its next request. Then the late reply arrives, and the client
mistakes it for the reply to the next request.

After https://github.com/containers/netavark/pull/463 and https://github.com/ngtcp2/ngtcp2/pull/826. Both
check the sequence number, which their clients ignored.
"""

from __future__ import annotations

from typing import Any

from simkernel.uapi.netlink import NLM_F_REQUEST, NLMSG_HDRLEN, NlMsgHdr, message
from simkernel.uapi.poll import POLLIN
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW
from tests.planted.bug import Bug

NETLINK_ORACLE, ASK = 18, 16
TIMEOUT_MS = 3


async def ask(app: Any, answers: dict[int, int], sound: bool) -> None:
    """Request the squares of some numbers. After a timeout, continue with the next request."""
    sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_ORACLE)
    await sock.bind((0, 0))
    for number in range(1, 6):
        await sock.sendto(message(ASK, str(number).encode(), flags=NLM_F_REQUEST, seq=number), (0, 0))
        while await app.poll([(sock, POLLIN)], TIMEOUT_MS):
            data = await sock.recv(4096)
            if sound and NlMsgHdr.unpack(data).seq != number:
                continue
            answers[number] = int(data[NLMSG_HDRLEN:].rstrip(b"\0"))
            break


async def body(app: Any, sim: Any, sound: bool) -> None:
    """A client sends five requests."""
    answers: dict[int, int] = {}
    await app.spawn(ask, answers, sound)
    await sim.quiet()
    assert all(answer == number**2 for number, answer in answers.items()), answers


BUG = Bug(body, sound=("oracle",), faulty=("oracle",))
