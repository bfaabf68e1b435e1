"""The environment of conformance cases: a new machine with a simulated process. The test is ordinary Python
code outside the simulation. It makes the system calls of this process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simkernel.blocking.process import Blocking
from simkernel.blocking.socket import BlockingSocket
from simkernel.kernel.lib.report import KIT
from simkernel.kernel.net.namespace import Net
from simkernel.kernel.netlink.socket import NetlinkSocket
from simkernel.kernel.sched.credentials import Credentials
from simkernel.machine import Machine
from simkernel.uapi.fcntl import O_NONBLOCK
from simkernel.uapi.filter import SockFilter
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW

NOBODY = 65534

NULL_DEVICE = {"SYNTH_UUID": "0", "MAJOR": "1", "MINOR": "3", "DEVNAME": "null", "DEVMODE": "0666"}
"""Properties of the uevent that Linux emits after a write to the file `uevent` of /dev/null."""


class World:
    """The environment of a conformance case: a process in a network namespace.  A new namespace has only the
    link `lo`, which is down.

    If `privileged` is true, the process has user id 0 and every capability, otherwise user id 65534 and
    none.
    """

    def __init__(self, machine: Machine, blocking: Blocking, net: Net, *, privileged: bool) -> None:
        self.machine = machine
        self.blocking = blocking
        self.privileged = privileged
        self._net = net

    def __repr__(self) -> str:
        return f"<World of {self.blocking!r} in {self._net!r}>"

    def socket(self, family: int = AF_NETLINK, type: int = SOCK_RAW, proto: int = 0) -> BlockingSocket:
        """Create a socket, as `socket.socket(family, type, proto)` does."""
        self.blocking.task.switch_net(self._net)
        return self.blocking.socket(family, type, proto)

    def poll(self, sock: BlockingSocket, mask: int) -> int:
        """Return the pending events of `sock`, as poll(2) does with a timeout of 0."""
        return next((events for _, events in self.blocking.poll([(sock, mask)], 0)), 0)

    def raw_call(self, sock: BlockingSocket, call: str, sockaddr: bytes) -> None:
        """Make the system call `call`, "bind" or "connect", with exactly the bytes `sockaddr` as struct
        sockaddr.
        """
        self.blocking.run(self.blocking.app.call(call, sock.descriptor, sockaddr))

    def attach_filter(self, sock: BlockingSocket, program: Sequence[tuple[int, int, int, int]]) -> None:
        """Attach a socket filter, as SO_ATTACH_FILTER does.

        Each instruction is a tuple (code, jt, jf, k).
        """
        target = self.blocking.task.files.get(sock.descriptor).object
        assert isinstance(target, NetlinkSocket)
        code = b"".join(SockFilter.LAYOUT.pack(*instruction) for instruction in program)
        target.attach_filter(code, self.machine.random("filter"))

    def dup(self, sock: BlockingSocket) -> BlockingSocket:
        """Duplicate a socket, as `socket.socket.dup` does."""
        return sock.dup()

    def process(self, *, privileged: bool) -> World:
        """Return a World (test environment) of a new process in the same network namespace."""
        return World(self.machine, _process(self.machine, privileged), self._net, privileged=privileged)

    def become(self, *, privileged: bool) -> None:
        """Change the credentials of the process: to user id 0 with all capabilities, or to 65534 with
        none.
        """
        self.privileged = privileged
        credentials = Credentials.of(_user(privileged))
        self.machine.kernel.processes.commit_credentials(self.blocking.task, credentials)

    def namespace(self) -> World:
        """Return a World (test environment) of the same process in a new network namespace."""
        net = self.machine.kernel.namespaces.create()
        return World(self.machine, self.blocking, net, privileged=self.privileged)

    def set_nsid(self, other: World, nsid: int) -> None:
        """Assign the id `nsid` to the network namespace of the World `other`. The id table of this World's
        own namespace stores it.
        """
        self._net.assign_id(other._net, nsid)

    def uevent(self) -> None:
        """Emit a `change` uevent of /dev/null."""
        self.machine.kernel.uevents.send("change", "/devices/virtual/mem/null", "mem", NULL_DEVICE)

    def wait(self, seconds: float) -> None:
        """Sleep for `seconds` of simulated time."""
        self.blocking.sleep(seconds)

    def initial_namespace(self) -> World:
        """Return a World (test environment) of the same process in the initial network namespace."""
        return World(self.machine, self.blocking, self.machine.kernel.net, privileged=self.privileged)

    def read_file(self, path: str) -> bytes:
        """Return the contents of a file, as read by a process in this namespace."""
        self.blocking.task.switch_net(self._net)
        return self.blocking.read_file(path)

    def listdir(self, path: str) -> list[str]:
        """Return the names in a directory, as seen by a process in this namespace."""
        self.blocking.task.net = self._net
        return self.blocking.listdir(path)

    def insmod(self, name: str, parameters: str = "", flags: int = 0) -> None:
        """Load a module from the module path (finit_module(2)).

        `parameters` are `key=value` words as for insmod(8).
        """
        self.blocking.call("finit_module", name, parameters, flags)

    def modprobe(self, name: str) -> None:
        """Load a module after its dependencies.  `name` can be an alias."""
        self.blocking.modprobe(name)

    def rmmod(self, name: str, flags: int = O_NONBLOCK) -> None:
        """Unload a module (delete_module(2))."""
        self.blocking.call("delete_module", name, flags)

    def ioctl(self, sock: BlockingSocket, request: int, argument: bytes | int) -> Any:
        """Call ioctl(2), as `fcntl.ioctl` does."""
        return self.blocking.ioctl(sock, request, argument)


def _process(machine: Machine, privileged: bool) -> Blocking:
    return machine.blocking(uid=_user(privileged))


def _user(privileged: bool) -> int:
    return 0 if privileged else NOBODY


@contextmanager
def world(*, privileged: bool = True, module_path: Iterable[Path] = ()) -> Iterator[World]:
    """Make a machine without udevd, and yield a World (test environment) with a process on this machine.
    Behaviour that is not modelled raises an error.

    `module_path` are directories with modules, in addition to the shipped modules.
    """
    with Machine(udev=False, unmodelled="raise", checks=KIT, module_path=module_path) as machine:
        yield World(machine, _process(machine, privileged), machine.kernel.net, privileged=privileged)
