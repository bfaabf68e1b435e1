"""The netlink commands of ipc_demo, as specified in ipc_demo.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

from simkernel.driverapi.genetlink import (
    GenlInfo,
    Reply,
    genl_has_listeners,
    genl_register_family,
    genl_unregister_family,
    genlmsg_multicast,
)
from simkernel.driverapi.module import ThisModule
from simkernel.uapi.ipc_demo import IpcDemoEvent

from .event import Events
from .frame import Frames
from .question import answer

MAX_ATTRIBUTE: Final = 65531
"""Maximum payload of an attribute in bytes: its 16-bit length includes the 4-byte header."""
PART_OVERHEAD: Final = 32
"""Bytes that a message needs for its headers and attributes, besides the bytes of a frame."""


def register(this: ThisModule, events: Events, frames: Frames, undo: ExitStack) -> None:
    """Register the netlink family. From now on, each event is sent to the multicast group `events`."""

    def ask(info: GenlInfo) -> Reply:
        answered = answer(b"".join(info.required("question")))
        starts = range(0, len(answered) or 1, MAX_ATTRIBUTE)
        return {"answer": [answered[start : start + MAX_ATTRIBUTE] for start in starts]}

    def start(info: GenlInfo) -> None:
        events.start(info.required("count"), info.required("interval"))

    def take(info: GenlInfo) -> Reply:
        size = info.required("size")
        return {"sequence": frames.take(size), "size": size}

    def read(info: GenlInfo) -> Iterator[Reply]:
        offset = 0
        while offset < frames.size:
            data = frames.part(offset, info.tailroom - PART_OVERHEAD)
            yield {"sequence": frames.sequence, "offset": offset, "data": data}
            offset += len(data)

    def multicast(event: IpcDemoEvent) -> None:
        if genl_has_listeners(family, "events"):
            genlmsg_multicast(family, "event", {"number": event.number, "time": event.time})

    family = genl_register_family(this, do={"ask": ask, "start": start, "take": take}, dump={"read": read})
    undo.callback(genl_unregister_family, family)
    events.multicast = multicast
