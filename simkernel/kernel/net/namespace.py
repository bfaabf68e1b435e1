"""Network namespaces (net/core/net_namespace.c).

A namespace lives while a task, a socket or a descriptor of `/proc/PID/ns/net` holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any, Final, Generic, TypeVar

import attrs

from simkernel.kernel.vfs.task import NetNamespace, Task
from simkernel.uapi.errno import EEXIST, ESRCH, os_error
from simkernel.uapi.if_link import ARPHRD_LOOPBACK, IFF_LOOPBACK

T = TypeVar("T")
PernetHook = Callable[["Net"], None]
ForgetHook = Callable[["Net", int], None]
"""Takes a namespace and the number that a namespace which goes away had in it."""
Defer = Callable[[Callable[[], None]], None]
"""Runs a function later, in process context."""
FindTask = Callable[[int], Task]
"""Returns the task of a number.  ESRCH if there is none."""

NET_NS_INIT_INO: Final = 0xEFFFFFF9
"""Inode number of the initial namespace (include/uapi/linux/nsfs.h)."""
FIRST_NUMBER: Final = 0xF0000000
"""The lowest inode number of another (PROC_DYNAMIC_FIRST)."""

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

    `devices` holds the network devices, by index; `number` is the inode number of its descriptors.
    """

    __slots__ = ("_generic", "_ids", "cookie", "devices", "initial", "namespaces", "number", "socket_cookies")

    def __init__(self, namespaces: Namespaces, cookie: int, number: int) -> None:
        super().__init__()
        self.namespaces = namespaces
        self.cookie = cookie
        self.socket_cookies = namespaces.socket_cookies
        self.number = number
        self.initial = number == NET_NS_INIT_INO
        self._generic: dict[PernetSlot[Any], Any] = {}
        # A new namespace's `lo` is down (`loopback_setup()`).
        lo = NetDevice(LOOPBACK_IFINDEX, "lo", IFF_LOOPBACK, 65536)
        self.devices: dict[int, NetDevice] = {lo.index: lo}
        self._ids: dict[Net, int] = {}

    def __repr__(self) -> str:
        return f"<net {self.cookie}>"

    def unused(self) -> None:
        self.namespaces.cleanup(self)

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
        """The namespace that has a number in here and still has holders (`get_net_ns_by_id()`)."""
        return next((peer for peer, each in self._ids.items() if each == number and peer.users), None)

    @property
    def numbered(self) -> list[tuple[int, Net]]:
        """The namespaces that have a number in here, by their numbers."""
        return sorted(((number, peer) for peer, number in self._ids.items()), key=lambda each: each[0])

    def device_named(self, name: str) -> NetDevice | None:
        """The device called `name` (`dev_get_by_name()`)."""
        return next((device for device in self.devices.values() if device.name == name), None)

    def forget(self, peer: Net) -> int | None:
        """Free and return the number of `peer`, which goes away (`unhash_nsid()`)."""
        return self._ids.pop(peer, None)


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


def _no_task(pid: int) -> Task:
    raise os_error(ESRCH)


class Namespaces:
    """All network namespaces of a machine; `init` is the one it boots with.

    A subsystem that has something in each namespace registers a pair of hooks
    (`register_pernet_subsys()`); they are called for those that exist, and for each that comes or goes.
    """

    def __init__(self, defer: Defer = lambda run: run(), find_task: FindTask = _no_task) -> None:
        self._cookie = 0
        self._defer = defer
        self._find_task = find_task
        self.socket_cookies = count(1)
        self._hooks: list[tuple[PernetHook, PernetHook, ForgetHook | None]] = []
        self._nets: dict[Net, None] = {}
        self.init = self._add(NET_NS_INIT_INO)

    def __iter__(self) -> Iterator[Net]:
        return iter(tuple(self._nets))

    def __len__(self) -> int:
        return len(self._nets)

    def register_pernet(self, init: PernetHook, exit: PernetHook, forget: ForgetHook | None = None) -> None:
        """Call `init` for each namespace now and later, `exit` for each that goes.

        `forget` is called before, for each namespace in which the one that goes has a number.
        """
        self._hooks.append((init, exit, forget))
        for net in self:
            init(net)

    def create(self) -> Net:
        """A new namespace with nothing in it but `lo`, held by the caller (`copy_net_ns()`)."""
        numbers = {net.number for net in self._nets}
        net = self._add(next(number for number in count(FIRST_NUMBER) if number not in numbers))
        return net.get()

    def by_pid(self, pid: int) -> Net:
        """The namespace of a task (`get_net_ns_by_pid()`).  ESRCH if it has ended."""
        task = self._find_task(pid)
        if not task.alive:
            raise os_error(ESRCH)
        return net_of(task)

    def cleanup(self, net: Net) -> None:
        """Destroy a namespace that has no holder, a moment later (`__put_net()`)."""
        self._defer(partial(self._cleanup, net))

    def _cleanup(self, net: Net) -> None:
        """`cleanup_net()`"""
        del self._nets[net]
        for other in self._nets:
            number = other.forget(net)
            for _, _, forget in self._hooks:
                if number is not None and forget is not None:
                    forget(other, number)
        for _, exit, _ in reversed(self._hooks):
            exit(net)

    def _add(self, number: int) -> Net:
        self._cookie += 1
        net = Net(self, self._cookie, number)
        self._nets[net] = None
        for init, _, _ in self._hooks:
            init(net)
        return net
