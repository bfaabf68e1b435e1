"""The ioctls of an event device (drivers/input/evdev.c).

FIXED has the ioctls whose number includes a fixed size.  SIZED has those of any size, by their number
without the size.  The others are families of numbers: EVIOCGBIT for each event type, and the ioctls for
absolute axes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

from simkernel.driverapi.fs import File
from simkernel.driverapi.mm import PAGE_SIZE
from simkernel.driverapi.mutex import mutex_interruptible
from simkernel.driverapi.uaccess import copy_from_user, copy_to_user, get_user, put_user
from simkernel.uapi import input as uapi
from simkernel.uapi import input_event_codes as ev
from simkernel.uapi.errno import EINVAL, ENODEV, ENOENT, ENOSYS, os_error
from simkernel.uapi.ioctl import _IOC_DIR, _IOC_NR, _IOC_READ, _IOC_SIZE, _IOC_TYPE
from simkernel.uapi.structure import U32

from .bits import to_bytes
from .device import InputDev
from .evdev_client import CLOCKS, Client
from .evdev_device import grab, is_alive, revoke, ungrab

Fixed = Callable[[File, Client, int], Awaitable[None] | None]
"""The handler of an ioctl of fixed size. It sleeps only to lock the input device's mutex."""
Sized = Callable[[File, Client, int, int], int]
"""The handler of an ioctl whose request number contains the size of the program's buffer. Its last arguments
are this size and the buffer's address.
"""


async def ioctl(file: File, request: int, argument: int) -> int:
    """Execute an ioctl on an event device (`evdev_ioctl_handler()`).

    Raise ENODEV if the device is gone, EINVAL if the request is unknown, EINTR if a signal arrives.
    """
    client: Client = file.private_data
    async with mutex_interruptible(client.evdev.mutex):
        if not is_alive(client):
            raise os_error(ENODEV)
        return await _ioctl(file, client, request, argument)


async def _ioctl(file: File, client: Client, request: int, argument: int) -> int:
    """Execute an ioctl on an event device (`evdev_do_ioctl()`). The caller holds the mutex."""
    fixed = FIXED.get(request)
    if fixed is not None:
        pending = fixed(file, client, argument)
        if pending is not None:
            await pending
        return 0
    size = _IOC_SIZE(request)
    sized = SIZED.get(uapi.without_size(request))
    if sized is not None:
        return sized(file, client, size, argument)
    type = _IOC_NR(request) - _IOC_NR(uapi.EVIOCGBIT(0, 0))
    if _IOC_TYPE(request) == ord("E") and _IOC_DIR(request) == _IOC_READ and 0 <= type <= ev.EV_MAX:
        return _codes(file, _device(client), type, size, argument)
    raise os_error(EINVAL)  # No modelled device has absolute axes, so ioctls for axes fail here.


def _device(client: Client) -> InputDev:
    dev: InputDev = client.evdev.handle.dev
    return dev


# -- identity and capabilities ---------------------------------------------------------


def _version(file: File, client: Client, address: int) -> None:
    put_user(file, address, U32, uapi.EV_VERSION)


def _id(file: File, client: Client, address: int) -> None:
    copy_to_user(file, address, _device(client).id.pack())


def _string(name: str, file: File, client: Client, size: int, address: int) -> int:
    """Copy a string to the program and return its size, including the NUL (`str_to_user()`).

    A long string is truncated.
    """
    text: str | None = getattr(_device(client), name)
    if text is None:
        raise os_error(ENOENT)
    return _bytes(file, text.encode() + b"\0", size, address)


def _bytes(file: File, data: bytes, size: int, address: int) -> int:
    copy_to_user(file, address, data[:size])
    return min(len(data), size)


def _properties(file: File, client: Client, size: int, address: int) -> int:
    return _bytes(file, to_bytes(_device(client).propbit, ev.INPUT_PROP_MAX), size, address)


def _codes(file: File, dev: InputDev, type: int, size: int, address: int) -> int:
    """Copy a bitmap to the program: the codes that the device reports for one event type
    (`handle_eviocgbit()`).
    """
    if type == ev.EV_SYN:
        return _bytes(file, to_bytes(dev.evbit, ev.EV_MAX), size, address)
    if type not in ev.MAX_CODE:
        raise os_error(EINVAL)
    return _bytes(file, to_bytes(dev.bits.get(type, 0), ev.MAX_CODE[type]), size, address)


# -- state -----------------------------------------------------------------------------


def _state(type: int, file: File, client: Client, size: int, address: int) -> int:
    """Copy the current state of keys, LEDs, sounds or switches to the program (`evdev_handle_get_val()`).

    Queued events of this type are dropped, because they would report the same changes again.
    """
    dev = _device(client)
    with dev.lock:
        state = to_bytes(dev.state.get(type, 0), ev.MAX_CODE[type])
        client.flush(type)
    try:
        return _bytes(file, state, size, address)
    except OSError:
        client.drop(client.evdev.time(client.clock))
        raise


# -- settings of a reader ----------------------------------------------------------------


async def _grab(file: File, client: Client, argument: int) -> None:
    await (grab if argument else ungrab)(client.evdev, client)


async def _revoke(file: File, client: Client, argument: int) -> None:
    if argument:
        raise os_error(EINVAL)
    await revoke(client.evdev, client)


def _set_clock(file: File, client: Client, address: int) -> None:
    clock = get_user(file, address, U32)
    if clock not in CLOCKS:
        raise os_error(EINVAL)
    if client.set_clock(clock):
        client.drop(client.evdev.time(clock))


def _mask_bits(type: int) -> int:
    """Return the number of bits in the mask of an event type (`evdev_get_mask_cnt()`).

    The codes of EV_SYN are the event types.
    """
    return ev.EV_CNT if type == ev.EV_SYN else ev.MAX_CODE.get(type, -1) + 1


def _set_mask(file: File, client: Client, address: int) -> None:
    """Set the reader's mask for one event type: the codes that the reader wants (`evdev_set_mask()`).

    Codes beyond the end of the mask are not wanted.
    """
    mask = uapi.InputMask.unpack(copy_from_user(file, address, uapi.InputMask.SIZE))
    count = _mask_bits(mask.type)
    if not count:
        return
    if mask.codes_size % 8:
        raise os_error(EINVAL)
    size = min(len(to_bytes(0, count - 1)), mask.codes_size)
    wanted = int.from_bytes(copy_from_user(file, mask.codes_ptr, size), "little")
    with client.lock:
        client.masks[mask.type] = wanted


def _get_mask(file: File, client: Client, address: int) -> None:
    """Copy the reader's mask for one event type to the program (`evdev_get_mask()`).

    If the reader has set no mask, all bits of the copy are set.
    """
    mask = uapi.InputMask.unpack(copy_from_user(file, address, uapi.InputMask.SIZE))
    count = _mask_bits(mask.type)
    known = b""
    if count:
        wanted = client.masks.get(mask.type)
        size = len(to_bytes(0, count))
        known = b"\xff" * size if wanted is None else to_bytes(wanted, count - 1)
    copy_to_user(file, mask.codes_ptr, known[: mask.codes_size])
    # Clear the rest of the program's buffer page by page, because the buffer can have any size.
    for done in range(len(known), mask.codes_size, PAGE_SIZE):
        copy_to_user(file, mask.codes_ptr + done, bytes(min(PAGE_SIZE, mask.codes_size - done)))


# -- unsupported features ------------------------------------------------------------------


def _unsupported(type: int, file: File, client: Client, argument: int) -> None:
    """Raise ENOSYS, because no modelled device has key repeat (EV_REP) or force feedback (EV_FF). For EV_FF,
    Linux raises ENOSYS in `input_ff_erase()`.
    """
    assert not _device(client).evbit >> type & 1
    raise os_error(ENOSYS)


def _no_keymap(size: int, file: File, client: Client, address: int) -> None:
    """Raise EINVAL: no modelled device has a keymap (`input_default_getkeycode()`).

    The argument is read first, so a bad address raises EFAULT.
    """
    copy_from_user(file, address, size)
    raise os_error(EINVAL)


def _effects(file: File, client: Client, address: int) -> None:
    put_user(file, address, U32, 0)


def _upload_effect(file: File, client: Client, size: int, address: int) -> int:
    """Copy the effect from the program, then raise ENOSYS: no modelled device has EV_FF
    (`input_ff_effect_from_user()`).
    """
    if size != _IOC_SIZE(uapi.EVIOCSFF):
        raise os_error(EINVAL)
    copy_from_user(file, address, size)
    raise os_error(ENOSYS)


def _slots(file: File, client: Client, size: int, address: int) -> int:
    """Raise EINVAL: no modelled device has multitouch slots (`evdev_handle_mt_request()`)."""
    get_user(file, address, U32)
    raise os_error(EINVAL)


FIXED: Final[Mapping[int, Fixed]] = MappingProxyType(
    {
        uapi.EVIOCGVERSION: _version,
        uapi.EVIOCGID: _id,
        uapi.EVIOCGREP: partial(_unsupported, ev.EV_REP),
        uapi.EVIOCSREP: partial(_unsupported, ev.EV_REP),
        uapi.EVIOCRMFF: partial(_unsupported, ev.EV_FF),
        uapi.EVIOCGEFFECTS: _effects,
        uapi.EVIOCGRAB: _grab,
        uapi.EVIOCREVOKE: _revoke,
        uapi.EVIOCGMASK: _get_mask,
        uapi.EVIOCSMASK: _set_mask,
        uapi.EVIOCSCLOCKID: _set_clock,
        uapi.EVIOCGKEYCODE: partial(_no_keymap, U32.size),
        uapi.EVIOCSKEYCODE: partial(_no_keymap, 2 * U32.size),
        uapi.EVIOCGKEYCODE_V2: partial(_no_keymap, uapi.InputKeymapEntry.SIZE),
        uapi.EVIOCSKEYCODE_V2: partial(_no_keymap, uapi.InputKeymapEntry.SIZE),
    }
)

SIZED: Final[Mapping[int, Sized]] = MappingProxyType(
    {
        uapi.EVIOCGPROP(0): _properties,
        uapi.EVIOCGMTSLOTS(0): _slots,
        uapi.EVIOCGKEY(0): partial(_state, ev.EV_KEY),
        uapi.EVIOCGLED(0): partial(_state, ev.EV_LED),
        uapi.EVIOCGSND(0): partial(_state, ev.EV_SND),
        uapi.EVIOCGSW(0): partial(_state, ev.EV_SW),
        uapi.EVIOCGNAME(0): partial(_string, "name"),
        uapi.EVIOCGPHYS(0): partial(_string, "phys"),
        uapi.EVIOCGUNIQ(0): partial(_string, "uniq"),
        uapi.without_size(uapi.EVIOCSFF): _upload_effect,
    }
)
