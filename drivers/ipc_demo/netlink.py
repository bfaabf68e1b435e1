"""The door of generic netlink: the operations of ipc_demo.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

from simkernel.driverapi.genetlink import (
    GenlFamily,
    GenlInfo,
    Reply,
    genl_has_listeners,
    genl_register_family,
    genl_unregister_family,
    genlmsg_multicast,
)
from simkernel.driverapi.module import ThisModule
from simkernel.uapi.errno import EINVAL
from simkernel.uapi.ipc_demo import IpcDemoEvent

from .event import Events
from .frame import Frames
from .question import Questions, answer

LONGEST_ATTRIBUTE: Final = 65531
"""Bytes in one attribute: its length has 16 bits, which count its header of 4 as well."""
PART_OVERHEAD: Final = 32
"""Bytes of a part of a frame beside its data."""


def register(
    this: ThisModule, questions: Questions, events: Events, frames: Frames, undo: ExitStack
) -> GenlFamily:
    """Let the family be there."""

    def ask(info: GenlInfo) -> Reply:
        parts = info.attributes.get("question")
        if not parts:
            info.fail(EINVAL, missing="question")
        answered = answer(b"".join(parts))
        return {"answer": _cut(answered)}

    def start(info: GenlInfo) -> None:
        for name in ("count", "interval"):
            if name not in info.attributes:
                info.fail(EINVAL, missing=name)
        events.start(info.attributes["count"], info.attributes["interval"])

    def take(info: GenlInfo) -> Reply:
        if "size" not in info.attributes:
            info.fail(EINVAL, missing="size")
        size = info.attributes["size"]
        return {"sequence": frames.take(size), "size": size}

    def read(info: GenlInfo) -> Iterator[Reply]:
        offset = 0
        while offset < frames.size:
            data = frames.part(offset, info.room - PART_OVERHEAD)
            yield {"sequence": frames.sequence, "offset": offset, "data": data}
            offset += len(data)

    family = genl_register_family(this, do={"ask": ask, "start": start, "take": take}, dump={"read": read})
    undo.callback(genl_unregister_family, family)

    def announce(event: IpcDemoEvent) -> None:
        if genl_has_listeners(family, "events"):
            genlmsg_multicast(family, "event", {"number": event.number, "time": event.time})

    events.announce.append(announce)
    return family


def _cut(data: bytes) -> list[bytes]:
    """Pieces that fit into an attribute each."""
    return [data[start : start + LONGEST_ATTRIBUTE] for start in range(0, len(data) or 1, LONGEST_ATTRIBUTE)]
