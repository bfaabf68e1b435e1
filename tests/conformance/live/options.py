"""Random steps that set and read socket options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simkernel.uapi import netlink as nl
from simkernel.uapi import socket as so
from tests.conformance.live import values
from tests.conformance.live.filters import any_filter

if TYPE_CHECKING:
    from tests.conformance.live.generator import Generator


def membership(g: Generator) -> None:
    """Join or leave a group, or read the memberships."""
    random = g.random
    slot = g.slot()
    if random.random() < 0.2:
        length = random.choice((0, 1, 3, 4, 4, 7, 8, 64))
        g.add("getsockopt", slot, so.SOL_NETLINK, nl.NETLINK_LIST_MEMBERSHIPS, length)
        return
    group = random.choice(values.GROUPS if random.random() < 0.85 else values.ODD_GROUPS)
    g.add("setsockopt", slot, so.SOL_NETLINK, random.choice(values.MEMBERSHIPS), group)
    g.learn_name(slot)


def switch(g: Generator) -> None:
    """Enable or disable a netlink option or SO_PASSCRED."""
    on = 1 if g.random.random() < 0.7 else g.random.choice((0, 0, 17, -1))
    if g.random.random() < 0.2:
        g.add("setsockopt", g.slot(), so.SOL_SOCKET, so.SO_PASSCRED, on)
        return
    g.add("setsockopt", g.slot(), so.SOL_NETLINK, g.random.choice(values.SWITCHES), on)


def buffer(g: Generator) -> None:
    """Set the size of a buffer to a small or large value."""
    option = g.random.choice((so.SO_RCVBUF, so.SO_RCVBUF, so.SO_RCVBUF, so.SO_SNDBUF, so.SO_RCVBUFFORCE))
    g.add("setsockopt", g.slot(), so.SOL_SOCKET, option, g.random.choice(values.BUFFERS))


def attach_filter(g: Generator) -> None:
    """Attach a valid or invalid filter, and sometimes detach it."""
    slot = g.slot()
    _attach(g, slot)
    if g.random.random() < 0.3:
        _detach(g, slot)


def lock_filter(g: Generator) -> None:
    """Lock a socket's filter, then try to change or unlock it."""
    slot = g.slot()
    g.add("setsockopt", slot, so.SOL_SOCKET, so.SO_LOCK_FILTER, 1)
    for _ in range(2):
        g.random.choice((_attach, _detach, _attach_by_descriptor, _unlock))(g, slot)


def _attach(g: Generator, slot: int) -> None:
    g.add("attach_filter", slot, any_filter(g.random))


def _detach(g: Generator, slot: int) -> None:
    g.add("setsockopt", slot, so.SOL_SOCKET, so.SO_DETACH_FILTER, 0)


def _attach_by_descriptor(g: Generator, slot: int) -> None:
    g.add("setsockopt", slot, so.SOL_SOCKET, g.random.choice(tuple(values.DESCRIPTORS)), -1)


def _unlock(g: Generator, slot: int) -> None:
    g.add("setsockopt", slot, so.SOL_SOCKET, so.SO_LOCK_FILTER, 0)


def _option(g: Generator) -> tuple[int, int]:
    """Return an option level and an option."""
    random = g.random
    pick = random.random()
    if pick < 0.25:
        options = values.SWITCHES + values.MEMBERSHIPS + values.ODD_OPTIONS
        return so.SOL_NETLINK, random.choice(options)
    if pick < 0.38:
        return so.SOL_SOCKET, random.choice(values.COMMON_OPTIONS)
    if pick < 0.49:
        return so.SOL_SOCKET, random.choice(values.SHAPED)
    if pick < 0.97:
        return so.SOL_SOCKET, random.choice(values.SOCKET_OPTIONS)
    return random.choice(values.LEVELS), random.randrange(80)


def setsockopt(g: Generator) -> None:
    """Set any option to any value (setsockopt(2))."""
    random = g.random
    slot = g.slot()
    level, option = _option(g)
    value: Any = values.option_value(random, level, option)
    if level == so.SOL_SOCKET and random.random() < 0.04:
        option, value = random.choice(tuple(values.POINTERS)), bytes(random.choice((0, 4, 8, 15, 17, 32)))
    elif level == so.SOL_SOCKET and random.random() < 0.04:
        option, value = random.choice(tuple(values.DESCRIPTORS)), random.choice((-1, 999))
    g.add("setsockopt", slot, level, option, value)
    if option not in values.POINTERS and random.random() < 0.3:
        g.add("getsockopt", slot, level, option, values.option_length(random, level, option))


def getsockopt(g: Generator) -> None:
    """Read any option into a buffer of any size (getsockopt(2))."""
    level, option = _option(g)
    g.add("getsockopt", g.slot(), level, option, values.option_length(g.random, level, option))


def bind_to_device(g: Generator) -> None:
    """Bind a socket to a device, or to no device, three times. Before the third time, the process can drop or
    regain its privilege.
    """
    random = g.random
    slot = g.slot()
    for _ in range(2):
        option = random.choice((so.SO_BINDTODEVICE, so.SO_BINDTOIFINDEX))
        g.add("setsockopt", slot, so.SOL_SOCKET, option, values.FITTING[option](random))
    if g.may_be_privileged:
        g.add("become", slot, random.random() < 0.5)
    g.add("setsockopt", slot, so.SOL_SOCKET, option, values.FITTING[option](random))
    g.add("getsockopt", slot, so.SOL_SOCKET, so.SO_BINDTODEVICE, random.choice((0, 8, 15, 16, 16, 17)))


def forbidden(g: Generator) -> None:
    """Set an option that needs privilege while the process has none."""
    random = g.random
    option = random.choice(values.PRIVILEGED)
    if g.may_be_privileged:
        g.add("become", 0, False)
    g.add("setsockopt", g.slot(), so.SOL_SOCKET, option, values.option_value(random, so.SOL_SOCKET, option))
    if g.may_be_privileged and random.random() < 0.8:
        g.add("become", 0, True)


def peer_name(g: Generator) -> None:
    """Read SO_PEERNAME of a socket, connected or not."""
    slot = g.slot()
    g.add("connect", slot, values.address(g.random, len(g.protocol)))
    g.learn_name(slot)
    g.add("getsockopt", slot, so.SOL_SOCKET, so.SO_PEERNAME, g.random.choice((0, 4, 11, 12, 12, 16)))
