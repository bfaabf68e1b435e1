"""What becomes of messages: of two in a row, of many that nobody reads, of one that has grown."""

from __future__ import annotations

from typing import Any, Final

from simkernel.uapi.errno import error_name

from ..ways.way import Listener, Numbers, Settings, Way
from .stage import play

MANY: Final = {"driver": 1000, "program": 5000}
"""More than any queue here has room for."""
ROOM: Final = 4096


def bounds(machine: Any, way: type[Way], settings: Settings) -> str:
    """Two messages, and a read with room for one and a half."""

    async def first(listener: Listener) -> int:
        return len(await listener.receive(ROOM))

    async def both(listener: Listener) -> tuple[Numbers, int]:
        return listener.parse(await listener.receive(size * 3 // 2))

    size: int = play(machine, way, settings, 1, first)[0]
    (numbers, rest), source = play(machine, way, settings, 2, both)
    begun = sorted(source.begun)
    if rest:
        return "no: cut amid"
    if numbers == begun[:1]:
        return "yes"
    if numbers == begun:
        return "no: added up"
    return "no: overwritten" if numbers == begun[1:] else "no: merged"


def flow(machine: Any, way: type[Way], settings: Settings) -> str:
    """Many, and a reader who comes when all is over: what stops the sender, or what is lost."""

    async def drain(listener: Listener) -> tuple[int, Numbers, list[str]]:
        heard: Numbers = []
        while await listener.ready():
            heard += await listener.hear()
        return len(heard), heard, listener.losses

    (heard, numbers, losses), source = play(machine, way, settings, MANY[way.other], drain, wait=False)
    sent = len(source.begun)
    if heard == sent < MANY[way.other]:
        return f"EAGAIN after {sent}"
    if heard == sent:
        return f"added up: {heard}"
    told = losses[0] if losses else "a gap" if None not in numbers else "untold"
    return f"lost {sent - heard}, {told}"


def extensible(machine: Any, way: type[Way], settings: Settings) -> str:
    """A program that was made when a message had one field reads two that have two."""

    async def read(listener: Listener) -> list[int] | str:
        try:
            return await listener.read_as_once()
        except OSError as error:
            return error_name(error.errno or 0)
        except ValueError:
            return "not understood"

    read_as_once, source = play(machine, way, settings, 2, read)
    if isinstance(read_as_once, str):
        return f"no: {read_as_once}"
    begun = sorted(source.begun)
    if not read_as_once:
        return "no: no field"
    return "yes" if read_as_once in (begun, begun[1:]) else "no: misread"
