"""Conversion and checks of arguments as in CPython's socket and select modules (Modules/socketmodule.c).

The conversion runs when a program makes the call, before the kernel is entered.
"""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Iterable, Sequence
from typing import Final, Protocol, SupportsIndex

from simkernel.engine import MICROSECOND, MILLISECOND, SECOND
from simkernel.uapi.resource import RLIM64_INFINITY, RLIM_INFINITY
from simkernel.uapi.structure import S32

NetlinkAddress = tuple[int, int]
"""Address of a netlink socket: the port id, and a bit mask of the first 32 multicast groups."""
Buffer = bytes | bytearray | memoryview
ControlMessage = tuple[int, int, bytes]


class HasFileno(Protocol):
    """An object with a method fileno() that returns its file descriptor, such as a socket."""

    def fileno(self) -> int: ...


Descriptor = int | HasFileno
Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]

INT_MAX: Final = (1 << 31) - 1
SSIZE_MAX: Final = (1 << 63) - 1
TIME_MAX: Final = (1 << 63) - 1
"""Maximum of CPython's internal timestamps in nanoseconds (_PyTime_MAX)."""
MAX_OPTION: Final = 1024
"""Maximum buffer size of getsockopt in bytes."""


def to_int(value: SupportsIndex) -> int:
    """Convert an integer to a plain int, because a subclass of int may override operators.

    TypeError for other types.
    """
    return int.__index__(operator.index(value))


def c_int(value: SupportsIndex) -> int:
    """Convert an integer to a plain int, and raise OverflowError if it does not fit into a C int.

    Raise TypeError for a non-integer.
    """
    if type(value) is int and value == 0:  # fast path: most calls pass the flags 0
        return 0
    number = to_int(value)
    if number > INT_MAX:
        raise OverflowError("signed integer is greater than maximum")
    if number < -INT_MAX - 1:
        raise OverflowError("signed integer is less than minimum")
    return number


def descriptor(what: Descriptor) -> int:
    """Return `what` if it is an int, or the file descriptor of the object `what`, as
    `PyObject_AsFileDescriptor()` does.

    Raise TypeError for other objects, ValueError for a negative descriptor.  A socket of the blocking
    façade has the host's descriptor in `fileno()` and the machine's descriptor in `descriptor`.
    """
    if isinstance(what, int):
        fd = what
    elif isinstance(inside := getattr(what, "descriptor", None), int):
        fd = inside
    elif hasattr(what, "fileno"):
        fd = what.fileno()
    else:
        raise TypeError("argument must be an int, or have a fileno() method.")
    if not isinstance(fd, int):
        raise TypeError("fileno() returned a non-integer")
    fd = c_int(fd)
    if fd < 0:
        raise ValueError(f"file descriptor cannot be a negative integer ({fd})")
    return fd


def text(path: Path) -> str:
    """Convert a path (str, bytes or os.PathLike) to str, as os.fsdecode() does.

    Raise TypeError for other types, ValueError if it contains a NUL, or a surrogate that
    stands for no byte.
    """
    raw = os.fspath(path)
    name = raw.decode("utf-8", "surrogateescape") if isinstance(raw, bytes) else raw
    if not name.isascii():
        name.encode("utf-8", "surrogateescape")  # raises UnicodeEncodeError, as os.fsencode() does
    if "\0" in name:
        raise ValueError("embedded null byte")
    return name


def size(value: SupportsIndex, wrong: str, largest: int = SSIZE_MAX) -> int:
    """Check the size that a caller passes for a buffer, and return it as an int.

    Raise ValueError with the text `wrong` if it is negative or above `largest`.
    """
    number = operator.index(value)
    if 0 <= number <= largest:
        return number
    if abs(number) > SSIZE_MAX:
        raise OverflowError("Python int too large to convert to C ssize_t")
    raise ValueError(wrong)


def control_size(value: SupportsIndex) -> int:
    """Check the size that a caller passes for a buffer of control messages, and return it as an int.

    Raise ValueError if it is negative or above INT_MAX.
    """
    return size(value, "invalid ancillary data buffer length", INT_MAX)


def data(buffer: Buffer) -> bytes:
    """Return the content of a buffer as a bytes object.

    Raise TypeError for other objects, BufferError if it is not contiguous.
    """
    if type(buffer) is bytes:
        return buffer
    view = memoryview(buffer)
    if not view.c_contiguous:
        raise BufferError("memoryview: underlying buffer is not C-contiguous")
    return view.tobytes()


def writable(buffer: object, call: str) -> memoryview:
    """Return a writable view of a buffer's bytes.  Raise TypeError if the buffer is read-only or not
    contiguous.
    """
    try:
        view = memoryview(buffer)  # type: ignore[arg-type]
    except TypeError:
        view = memoryview(b"")
    if view.readonly or not view.c_contiguous:
        kind = type(buffer).__name__
        raise TypeError(f"{call}() argument 1 must be read-write bytes-like object, not {kind}")
    return view.cast("B") if view.nbytes else memoryview(bytearray())


def netlink_address(value: object, call: str) -> NetlinkAddress:
    """Return a netlink address, the pair (port id, groups).  Both numbers are reduced modulo 2**32.

    Raise TypeError unless it is a pair of integers.
    """
    if not isinstance(value, tuple):
        raise TypeError(f"{call}(): AF_NETLINK address must be tuple, not {type(value).__name__}")
    if len(value) != 2:
        raise TypeError("AF_NETLINK address must be a pair (pid, groups)")
    return operator.index(value[0]) & 0xFFFFFFFF, operator.index(value[1]) & 0xFFFFFFFF


def control_messages(items: Iterable[tuple[SupportsIndex, SupportsIndex, Buffer]]) -> list[ControlMessage]:
    """Convert the (level, type, data) tuples that a program passes to sendmsg: the numbers to C ints, the
    data to bytes.
    """
    messages = []
    for item in items:
        if len(item) != 3:
            raise TypeError(f"sendmsg() ancillary data items are sequences of length 3, not {len(item)}")
        level, kind, payload = item
        messages.append((c_int(level), c_int(kind), data(payload)))
    return messages


def option(value: SupportsIndex | Buffer) -> bytes:
    """Convert the value of a socket option: an integer to a C int, a buffer to bytes."""
    try:
        return S32.pack(c_int(value))  # type: ignore[arg-type]
    except (TypeError, OverflowError):
        return data(value)  # type: ignore[arg-type]


def option_as_int(value: bytes) -> int:
    """Decode the value of a socket option as a C int, from its first 4 bytes."""
    return int(S32.unpack_from(value.ljust(S32.size, b"\0"))[0])


def limits(value: Sequence[SupportsIndex]) -> tuple[int, int]:
    """Convert a soft and a hard resource limit from Python's numbers to the kernel's: -1 (RLIM_INFINITY)
    becomes 2**64 - 1.

    Raise TypeError if a limit is not an integer, ValueError unless there are exactly two.
    """
    if len(value) != 2:
        raise ValueError("expected a tuple of 2 integers")
    return operator.index(value[0]) & RLIM64_INFINITY, operator.index(value[1]) & RLIM64_INFINITY


def limits_from_kernel(value: tuple[int, int]) -> tuple[int, int]:
    """Convert a soft and a hard resource limit from the kernel's numbers to Python's: 2**64 - 1 becomes -1
    (RLIM_INFINITY).
    """
    soft, hard = (RLIM_INFINITY if each == RLIM64_INFINITY else each for each in value)
    return soft, hard


def timeout(seconds: float | SupportsIndex | None) -> int | None:
    """Convert a timeout in seconds to nanoseconds, rounded up.  `None` means no timeout.

    Raise TypeError for another type, ValueError for NaN or a negative timeout, OverflowError if it is too
    large.
    """
    if seconds is None:
        return None
    ns = nanoseconds(seconds, SECOND)
    if ns < 0:
        raise ValueError("Timeout value out of range")
    return ns


def nanoseconds(value: float | SupportsIndex, unit: int, wanted: str = "") -> int:
    """Multiply `value` by `unit`, the length of its time unit in ns. Round away from zero, as CPython rounds
    timeouts (ROUND_TIMEOUT).

    A float is multiplied by `unit` in floating point.  Raise TypeError with the text `wanted` for other
    types, ValueError for NaN, OverflowError above TIME_MAX.
    """
    if not isinstance(value, float):
        if wanted and not hasattr(value, "__index__"):
            raise TypeError(wanted)
        ns = operator.index(value) * unit
    elif math.isnan(value):
        raise ValueError("Invalid value NaN (not a number)")
    elif math.isinf(scaled := value * unit):
        raise OverflowError("timestamp out of range for platform time_t")
    else:
        ns = math.ceil(scaled) if scaled > 0 else math.floor(scaled)
    if abs(ns) > TIME_MAX:
        raise OverflowError("timestamp too large to convert to C PyTime_t")
    return ns


def poll_timeout(value: float | SupportsIndex | None, unit: int) -> int | None:
    """Convert a timeout of `poll` or `epoll.poll` to ns, rounded to whole milliseconds.  `unit` is the length
    of the timeout's unit in ns.  `None` means no timeout.

    A negative timeout becomes None.  poll rounds away from zero, epoll rounds up (Modules/selectmodule.c).
    """
    ns = -1 * MILLISECOND if value is None else nanoseconds(value, unit, "timeout must be an integer or None")
    ms = ns // MILLISECOND if ns < 0 and unit == MILLISECOND else -(-ns // MILLISECOND)
    if not -INT_MAX - 1 <= ms <= INT_MAX:
        raise OverflowError("timeout is too large")
    return None if ms < 0 else ms * MILLISECOND


def select_timeout(value: float | SupportsIndex | None) -> int | None:
    """Convert a timeout of `select` from seconds to ns, rounded up to whole microseconds.  `None` means no
    timeout.
    """
    if value is None:
        return None
    ns = nanoseconds(value, SECOND, "timeout must be a float or None")
    if ns < 0:
        raise ValueError("timeout must be non-negative")
    return -(-ns // MICROSECOND) * MICROSECOND
