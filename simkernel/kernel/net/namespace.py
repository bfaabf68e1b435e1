"""Network namespaces (net/core/net_namespace.c).

A namespace exists while a task, a socket or an open `/proc/PID/ns/net` holds a reference to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Final, Generic, TypeVar

from simkernel.kernel.net.device import NET_NS_INIT_INO
from simkernel.kernel.net.device import Net as Net
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.errno import ESRCH, os_error

T = TypeVar("T")
PernetHook = Callable[["Net"], None]
ForgetHook = Callable[["Net", int], None]
"""Hook that is called when a namespace is destroyed, once for each id that other namespaces have assigned to
it. Arguments: the namespace that has assigned the id, and the id.
"""
Defer = Callable[[Callable[[], None]], None]
"""Function that takes another function as argument and schedules it for execution in process context."""
FindTask = Callable[[int], Task]
"""Function that returns the task with a pid. Raises ESRCH if no task has the pid."""

FIRST_NUMBER: Final = 0xF0000000
"""Lowest inode number of namespaces other than the initial one (PROC_DYNAMIC_FIRST)."""


def net_of(task: Task) -> Net:
    """Return the network namespace of a task (`current->nsproxy->net_ns`)."""
    net = task.net
    assert isinstance(net, Net)
    return net


class PernetSlot(Generic[T]):
    """A subsystem's data for each namespace (`net_generic()`).

    `put` sets it, or `make` creates it on first use.
    """

    def __init__(self, make: Callable[[], T] | None = None) -> None:
        self._make = make

    def put(self, net: Net, value: T) -> None:
        """Set the subsystem's data for `net`."""
        net._generic[self] = value

    def of(self, net: Net) -> T:
        """Return the subsystem's data for `net`."""
        if self not in net._generic and self._make is not None:
            net._generic[self] = self._make()
        value: T = net._generic[self]
        return value


def _no_task(pid: int) -> Task:
    raise os_error(ESRCH)


class Namespaces:
    """The network namespaces of a machine. `init` is the initial one.

    A subsystem with data in each namespace registers hooks (`register_pernet_subsys()`). They are called
    for existing namespaces, and whenever a namespace is created or destroyed.
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
        """Call `init` for each existing and each new namespace, `exit` for each destroyed one.

        If the destroyed namespace has an id in other namespaces, `forget` is called for each of these
        before `exit`.
        """
        self._hooks.append((init, exit, forget))
        for net in self:
            init(net)

    def create(self) -> Net:
        """Create a namespace that contains only `lo`. The caller gets a reference (`copy_net_ns()`)."""
        numbers = {net.number for net in self._nets}
        net = self._add(next(number for number in count(FIRST_NUMBER) if number not in numbers))
        return net.get()

    def by_pid(self, pid: int) -> Net:
        """Return the namespace of a task (`get_net_ns_by_pid()`). Raises ESRCH if the task has exited."""
        task = self._find_task(pid)
        if not task.alive:
            raise os_error(ESRCH)
        return net_of(task)

    def cleanup(self, net: Net) -> None:
        """Schedule the destruction of a namespace without references (`__put_net()`)."""
        self._defer(partial(self._cleanup, net))

    def _cleanup(self, net: Net) -> None:
        """Destroy a namespace: free its ids and call the `exit` hooks (`cleanup_net()`)."""
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
