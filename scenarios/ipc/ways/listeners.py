"""Listeners that more than one way has."""

from __future__ import annotations

from typing import Any

from .way import EVENT, NUMBER, Listener, Looker, Settings


class FileListener(Listener):
    """Reads what comes from a descriptor: a pipe's end, a device."""

    def __init__(self, app: Any, fd: int) -> None:
        self.app = app
        self.fd = fd
        self.losses = []

    async def receive(self, room: int) -> bytes:
        """What there is, up to `room` bytes."""
        data: bytes = await self.app.read(self.fd, room)
        return data


class MemoryLooker(Looker):
    """Has memory mapped in which the last event is; `seen` is the number of the one before its first."""

    def __init__(self, app: Any, memory: Any, settings: Settings, seen: int = 0) -> None:
        self.app = app
        self.memory = memory
        self.settings = settings
        self.seen = seen
        self.losses = []

    async def look(self) -> bytes:
        """No call at all."""
        record: bytes = self.memory[:EVENT]
        return record

    async def read_as_once(self) -> list[int]:
        """What was added lies behind what was there."""
        return [int.from_bytes(self.memory[:NUMBER], "little")]
