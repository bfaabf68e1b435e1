"""Network namespaces: who can reach whom (net/core/net_namespace.c)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Final, Generic, TypeVar

import attrs

from simkernel.kernel.vfs.task import NetNamespace, Task
from simkernel.uapi.errno import EBUSY, EEXIST, os_error
from simkernel.uapi.if_link import ARPHRD_LOOPBACK, IFF_LOOPBACK

T = TypeVar("T")
PernetHook = Callable[["Net"], None]

LOOPBACK_IFINDEX: Final = 1
"""The first index of a namespace is lo's (include/net/net_namespace.h)."""


@attrs.define(eq=False)
class NetDevice:
    """A network device (`struct net_device`)."""

    index: int
    name: str
    flags: int
    mtu: int
    type: int = ARPHRD_LOOPBACK
    address: bytes = bytes(6)
    tx_queue_len: int = 1000


class Net(NetNamespace):
    """One network namespace (`struct net`).  Its owner is the initial user namespace.

    `devices` holds the network devices, by index; `users` counts the sockets that keep it busy.
    `socket_cookies` is shared by all namespaces.
    """

    __slots__ = ("_generic", "_ids", "cookie", "devices", "initial", "socket_cookies", "users")

    def __init__(self, cookie: int, socket_cookies: Iterator[int], *, initial: bool) -> None:
        self.cookie = cookie
        self.socket_cookies = socket_cookies
        self.initial = initial
        self.users = 0
        self._generic: dict[PernetSlot[Any], Any] = {}
        # A new namespace's `lo` is down (`loopback_setup()`).
        lo = NetDevice(LOOPBACK_IFINDEX, "lo", IFF_LOOPBACK, 65536)
        self.devices: dict[int, NetDevice] = {lo.index: lo}
        self._ids: dict[Net, int] = {}

    def __repr__(self) -> str:
        return f"<net {self.cookie}>"

    def assign_id(self, peer: Net, number: int | None = None) -> int:
        """Give `peer` a number by which it is known in here (RTM_NEWNSID, `peernet2id_alloc()`).

        The lowest free one unless `number` says which (a negative one does not).  EEXIST if either has
        one already.
        """
        taken = self._ids.values()
        if number is None or number < 0:
            number = next(each for each in range(len(self._ids) + 1) if each not in taken)
        if peer in self._ids or number in taken:
            raise os_error(EEXIST)
        self._ids[peer] = number
        return number

    def id_of(self, peer: Net) -> int | None:
        """The number by which `peer` is known in here, if it has one (`peernet2id()`)."""
        return self._ids.get(peer)

    def known_as(self, number: int) -> Net | None:
        """The namespace that has a number in here (`get_net_ns_by_id()`)."""
        return next((peer for peer, each in self._ids.items() if each == number), None)

    @property
    def numbered(self) -> list[tuple[int, Net]]:
        """The namespaces that have a number in here, by their numbers."""
        return sorted(((number, peer) for peer, number in self._ids.items()), key=lambda each: each[0])

    def device_named(self, name: str) -> NetDevice | None:
        """The device called `name` (`dev_get_by_name()`)."""
        return next((device for device in self.devices.values() if device.name == name), None)

    def forget(self, peer: Net) -> None:
        """`peer` is gone: its number is free."""
        self._ids.pop(peer, None)


def net_of(task: Task) -> Net:
    """Return the network namespace of a task (`current->nsproxy->net_ns`)."""
    net = task.net
    assert isinstance(net, Net)
    return net


class PernetSlot(Generic[T]):
    """A subsystem's data in each namespace (`net_generic()`), made by `make` at its first use."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make

    def of(self, net: Net) -> T:
        """The data in `net`."""
        if self not in net._generic:
            net._generic[self] = self._make()
        value: T = net._generic[self]
        return value


class Namespaces:
    """All network namespaces of a machine; `init` is the one it boots with.

    A subsystem that has something in each namespace registers a pair of hooks
    (`register_pernet_subsys()`); they are called for those that exist, and for each that comes or goes.
    """

    def __init__(self) -> None:
        self._cookie = 0
        self._socket_cookies = count(1)
        self._hooks: list[tuple[PernetHook, PernetHook]] = []
        self._nets: dict[Net, None] = {}
        self.init = self._add(initial=True)

    def __iter__(self) -> Iterator[Net]:
        return iter(tuple(self._nets))

    def __len__(self) -> int:
        return len(self._nets)

    def register_pernet(self, init: PernetHook, exit: PernetHook) -> None:
        """Call `init` for each namespace now and later, `exit` for each that goes."""
        self._hooks.append((init, exit))
        for net in self:
            init(net)

    def create(self) -> Net:
        """A new namespace, with nothing in it but `lo` (unshare(2) with CLONE_NEWNET)."""
        return self._add(initial=False)

    def destroy(self, net: Net) -> None:
        """Take a namespace away.  EBUSY while sockets of programs are in it, and for the initial one."""
        if net.initial or net.users:
            raise os_error(EBUSY)
        for _, exit in reversed(self._hooks):
            exit(net)
        del self._nets[net]
        for other in self._nets:
            other.forget(net)

    def _add(self, *, initial: bool) -> Net:
        self._cookie += 1
        net = Net(self._cookie, self._socket_cookies, initial=initial)
        self._nets[net] = None
        for init, _ in self._hooks:
            init(net)
        return net
