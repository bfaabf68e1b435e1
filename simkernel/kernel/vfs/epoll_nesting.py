"""Epoll files that watch epoll files: how deep, how many, and never in a circle (fs/eventpoll.c)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from simkernel.uapi.errno import EINVAL, ELOOP, os_error

if TYPE_CHECKING:
    from simkernel.kernel.vfs.eventpoll import EventPoll
    from simkernel.kernel.vfs.file import OpenFile

MAX_NESTS: Final = 4
"""How many epoll files may stand one in the other (EP_MAX_NESTS)."""

PATH_LIMITS: Final = (1000, 500, 100, 50, 10)
"""How many ways of each length may lead from a file to an epoll that nobody watches; any number of 1."""


def check_loop(outer: EventPoll, inner: EventPoll) -> None:
    """ELOOP if `inner` in `outer` made a circle, or a chain that is too long (`ep_loop_check()`)."""
    down = _depth(inner, outer)
    if down is None or down + 1 + _height(outer) > MAX_NESTS:
        raise os_error(ELOOP)


def _watched(epoll: EventPoll) -> Iterator[EventPoll]:
    for item in epoll.items.values():
        watched = item.file.object
        if isinstance(watched, type(epoll)):
            yield watched


def _watching(file: OpenFile | None) -> Iterator[EventPoll]:
    for item in (file.watchers or ()) if file is not None else ():
        yield item.epoll


def _depth(epoll: EventPoll, outer: EventPoll, level: int = 0) -> int | None:
    """How many epoll files stand one in the other below `epoll`; None: too many, or `outer` is there."""
    deepest = 0
    for inner in _watched(epoll):
        below = None if inner is outer or level > MAX_NESTS else _depth(inner, outer, level + 1)
        if below is None or below + 1 > MAX_NESTS:
            return None
        deepest = max(deepest, below + 1)
    return deepest


def _height(epoll: EventPoll) -> int:
    """How many epoll files there are above `epoll`, one over the other."""
    return max((_height(outer) + 1 for outer in _watching(epoll.file)), default=0)


def check_paths(epoll: EventPoll, file: OpenFile) -> None:
    """EINVAL if too many ways lead up from a file that is to be watched (`reverse_path_check()`)."""
    if not any(_watching(epoll.file)) and not isinstance(file.object, type(epoll)):
        return
    for leaf in _leaves(file, type(epoll)):
        counts: Counter[int] = Counter()
        if not _count(leaf, 0, counts):
            raise os_error(EINVAL)


def _leaves(file: OpenFile, kind: type[EventPoll]) -> Iterator[OpenFile]:
    """The files that are no epoll files in or below `file`."""
    if isinstance(file.object, kind):
        for item in file.object.items.values():
            yield from _leaves(item.file, kind)
    else:
        yield file


def _count(file: OpenFile, length: int, counts: Counter[int]) -> bool:
    if length > MAX_NESTS:
        return False
    for outer in _watching(file):
        if outer.file is not None and outer.file.watchers:
            if not _count(outer.file, length + 1, counts):
                return False
        elif length:
            counts[length] += 1
            if counts[length] > PATH_LIMITS[length]:
                return False
    return True
