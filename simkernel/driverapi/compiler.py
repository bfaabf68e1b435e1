"""include/linux/compiler.h and asm/rwonce.h: functions that mark an access without a lock as intended.

    if READ_ONCE(camera.gone): ...               # another CPU can set it concurrently
    WRITE_ONCE(camera, "gone", True)
    data_race(len(camera.fresh))                 # any value is acceptable

The functions do not change the access. They tell the race detector, and the reader, that an access without
a lock is intended (tools/memory-model/Documentation/access-marking.txt). Each use needs a comment with the
reason.
"""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def READ_ONCE(value: T) -> T:
    """Return `value` unchanged. The caller has read it from an attribute without the lock that protects the
    attribute.

    A concurrent assignment of the attribute is no race; a concurrent change of a container is.
    """
    return value


def WRITE_ONCE(target: object, name: str, value: object) -> None:
    """Set an attribute that `READ_ONCE` reads without a lock."""
    setattr(target, name, value)


def data_race(value: T) -> T:
    """Return `value`, and mark the expression as a harmless data race: the caller must accept any value."""
    return value
