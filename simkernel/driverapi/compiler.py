"""include/linux/compiler.h and asm/rwonce.h: accesses that may happen at the same time as others.

    if READ_ONCE(camera.gone): ...               # another CPU may set it meanwhile
    WRITE_ONCE(camera, "gone", True)
    data_race(len(camera.fresh))                 # any value will do

They change nothing.  They tell the race detector, and the reader, that an access without a lock is intended
(tools/memory-model/Documentation/access-marking.txt).  Each use has a comment that says why.
"""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def READ_ONCE(value: T) -> T:
    """Return `value`, an attribute that is read without its lock.

    A plain assignment at the same time is no race; a change of a container is.
    """
    return value


def WRITE_ONCE(target: object, name: str, value: object) -> None:
    """Set an attribute that is read without a lock by `READ_ONCE`."""
    setattr(target, name, value)


def data_race(value: T) -> T:
    """Return the value of an expression whose accesses may race: nothing depends on its value being right."""
    return value
