"""The two kernels of the live search: this host's and simkernel's, each with a process and its sockets.

On the host, one process enters a new network namespace for each example, and drops and regains privilege.
In simkernel, each example has a new machine.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

import attrs

from simkernel.blocking.process import Blocking
from simkernel.engine import millis, seconds
from simkernel.kernel.netlink.route.link_fill import fill_link_netnsid
from simkernel.machine import Machine
from simkernel.testing import World as SimulatedWorld
from simkernel.uapi import netlink as nl
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW
from simkernel.uapi.uevent import UEVENT_GROUP
from tests.conformance.live.actor import LONG_WAIT, SHORT_WAIT, Actor, Outcome
from tests.conformance.live.areas import Scope
from tests.conformance.live.links.settle import DAD_DELAY, Settler
from tests.conformance.live.mirror import Mirror, closed_groups, families
from tests.conformance.live.steps import Step
from tests.conformance.privilege import pretend_nobody, return_to_root
from tests.conformance.real import RealWorld, enter_new_namespace

SHARED_PROTOCOLS: Final = (
    nl.NETLINK_ROUTE,
    nl.NETLINK_USERSOCK,
    nl.NETLINK_KOBJECT_UEVENT,
    nl.NETLINK_GENERIC,
)
NEED_NAMESPACE: Final = ("uevent", "route", "netdev")
"""Areas (groups of recorded cases) that the search compares only in a new namespace. In an existing
namespace, a program would see the host's devices and their events.
"""
PATIENCE: Final = 20.0
"""Maximum duration of a step in seconds. A longer step counts as blocked, but the machine can also be
slow.
"""
KINDS: Final = ("veth", "bridge")
AT_ONCE: Final = millis(1)
MAX_LEFT: Final = 100
"""Number of old namespaces that the host keeps. When so many exist, all of them are destroyed together."""
UEVENT_SEQUENCE: Final = Path("/sys/kernel/uevent_seqnum")


@attrs.define
class Host:
    """Capabilities of this host. With privilege, each example gets a new namespace."""

    privileged: bool
    scope: Scope
    mirror: Mirror
    _monitor: socket.socket | None = None
    """A socket that receives uevents. The search causes no uevents on it, so a received uevent was caused by
    another process.
    """
    _namespace: int = -1
    _left: list[int] = attrs.field(factory=list)
    """Namespaces of earlier examples, to be destroyed together. The kernel needs about the same time for many
    as for one.
    """
    patience: float = SHORT_WAIT
    """Seconds that a listener waits for a notification that simkernel has sent."""

    @contextmanager
    def actor(self) -> Iterator[Actor]:
        """Yield a process on the host's kernel, in a new namespace if the host has privilege."""
        world = RealWorld(self.privileged, self._enter())
        settler = Settler()
        actor = HostActor(world, os.getpid(), settler.settle, self.patience)
        try:
            yield actor
        finally:
            actor.close()
            settler.close()
            self._left += [other.namespace_fd for other in actor.worlds[1:]]
            if self.privileged:
                world.become(privileged=True)

    @contextmanager
    def patient(self) -> Iterator[None]:
        """Wait longer for notifications within the `with` block, so that a slow machine does not count as a
        difference.
        """
        self.patience = LONG_WAIT
        try:
            yield
        finally:
            self.patience = SHORT_WAIT

    def disturbed(self) -> bool:
        """Return True if other processes have caused uevents since the last call."""
        received = False
        while self._monitor is not None:
            try:
                self._monitor.recv(1, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except OSError:  # So many uevents arrived that the listener lost some.
                pass
            received = True
        return received

    def _enter(self) -> int:
        if self.privileged:
            if self._namespace >= 0:
                self._left.append(self._namespace)
            self._namespace = enter_new_namespace()
            if len(self._left) >= MAX_LEFT:
                for namespace in self._left:
                    os.close(namespace)
                self._left.clear()
        return self._namespace


def find_host() -> Host | str:
    """Return this host, or the reason why it cannot be used."""
    if not hasattr(socket, "AF_NETLINK"):
        return "the host has no AF_NETLINK"
    protocols = tuple(protocol for protocol in SHARED_PROTOCOLS if _has(protocol))
    if not protocols:
        return "no process on this host can open a netlink socket"
    signal.signal(signal.SIGALRM, _blocks)
    everywhere = tuple(families())
    monitor = _uevent_monitor() if nl.NETLINK_KOBJECT_UEVENT in protocols else None
    try:
        enter_new_namespace()
    except OSError:
        visible = frozenset(family.id for family in everywhere)
        mirror = Mirror(everywhere, visible, frozenset(closed_groups()))
        return Host(False, Scope(protocols).without(NEED_NAMESPACE), mirror)
    visible = frozenset(family.id for family in families())
    pretend_nobody()
    closed = frozenset(closed_groups())
    return_to_root()
    return Host(True, Scope(protocols), Mirror(everywhere, visible, closed), monitor)


def _uevent_monitor() -> socket.socket:
    monitor = socket.socket(AF_NETLINK, SOCK_RAW, nl.NETLINK_KOBJECT_UEVENT)
    monitor.bind((0, UEVENT_GROUP))
    return monitor


class Blocked(Exception):
    """A step has taken longer than `PATIENCE`. It is not an OSError, because an OSError counts as the step's
    result.
    """


class HostActor(Actor):
    """A process on the host's kernel. If a step blocks, its outcome is the text of the exception Blocked."""

    def perform(self, step: Step, wanted: int = 0) -> list[Outcome]:
        """Execute a step for at most `PATIENCE` seconds."""
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)
        try:
            return super().perform(step, wanted)
        except Blocked as blocked:
            return [(str(blocked), None)]
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def _blocks(number: int, frame: object) -> NoReturn:
    raise Blocked(f"the step blocks for more than {PATIENCE:g} s")


def _has(protocol: int) -> bool:
    try:
        socket.socket(AF_NETLINK, SOCK_RAW, protocol).close()
    except OSError:
        return False
    return True


@contextmanager
def simulated(host: Host, seed: int = 0) -> Iterator[Actor]:
    """Yield a process on a new simulated machine, in a namespace that is not the initial one. The machine has
    the generic netlink families of the host.

    The pid of the process, and so its first port id, is that of the Python process. `seed` decides the
    random port ids.
    """
    with Machine(seed, udev=False, unmodelled="raise") as machine:
        host.mirror.install(machine.kernel)
        machine.kernel.processes._last_pid = os.getpid() - 1
        if UEVENT_SEQUENCE.exists():
            machine.kernel.uevents.sequence = int(UEVENT_SEQUENCE.read_text())
        machine.kernel.rtnetlink.ipv6.detection.max_delay = seconds(DAD_DELAY)
        blocking = machine.blocking(uid=0 if host.privileged else os.getuid())
        world = SimulatedWorld(
            machine, blocking, machine.kernel.namespaces.create(), privileged=host.privileged
        )
        yield Actor(world, blocking.getpid(), partial(_settle, machine, blocking))


def _settle(machine: Machine, blocking: Blocking, actor: Actor, *, slow: bool) -> None:
    """Complete the pending work of the work queues and the deferred work of links, as `Settler` does on the
    host.

    The host has the link kinds built in, so the modules are loaded before the first link is created.
    Namespaces of peers get nsids, as after the RTM_GETLINK of the `Settler`.
    """
    for kind in KINDS:
        if machine.kernel.modules.find(kind) is None:
            blocking.modprobe(kind)
    machine.run(until=machine.engine.time() + AT_ONCE)
    for world in actor.worlds:
        devices = [device for _, device in sorted(world._net.devices.items())]
        for device in devices:
            fill_link_netnsid(device, world._net)
        # The order is that in which `Settler` completes the events of the host's links.
        for device in sorted(devices, key=lambda device: device.index == device.iflink):
            machine.kernel.net_devices.watch.sync(device)
