"""Uevents, which announce kernel objects to user space (`kobject_uevent_env()`, lib/kobject_uevent.c)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from simkernel.engine import Engine
from simkernel.kernel.lib.fault import Armed
from simkernel.kernel.lib.layers import KERNEL
from simkernel.kernel.lib.log import Log
from simkernel.kernel.vfs.task import NetNamespace
from simkernel.uapi.uevent import Uevent

BUFFER_SIZE = 2048
"""Maximum size of an event's variables in bytes (UEVENT_BUFFER_SIZE)."""
MAX_VARIABLES = 64
"""Maximum number of variables of an event (UEVENT_NUM_ENVP)."""


@attrs.define(eq=False, repr=False)
class Uevents:
    """Sends the uevents of one machine.  `broadcast` delivers an event to all listeners."""

    _engine: Engine
    _log: Log
    broadcast: Callable[[Uevent, NetNamespace | None], None]
    _faults: Armed | None = None
    sequence: int = 0
    """SEQNUM of the last event (/sys/kernel/uevent_seqnum)."""

    def next_sequence(self) -> int:
        """Increment the sequence number and return it."""
        self.sequence += 1
        return self.sequence

    def send(
        self,
        action: str,
        devpath: str,
        subsystem: str,
        environment: Mapping[str, str] | None = None,
        net: NetNamespace | None = None,
    ) -> None:
        """Send a uevent for the object at `devpath` to all network namespaces, or only to `net` if it is
        given.

        Its variables are ACTION, DEVPATH and SUBSYSTEM, then `environment`, then SEQNUM.  An event with
        too many or too long variables is dropped, with a warning in the kernel log (`add_uevent_var()`).
        """
        variables = {"ACTION": action, "DEVPATH": devpath, "SUBSYSTEM": subsystem, **(environment or {})}
        variables["SEQNUM"] = str(self.sequence + 1)
        size = len(
            "".join([f"{key}={value}\0" for key, value in variables.items()]).encode(
                "utf-8", "surrogateescape"
            )
        )
        if size > BUFFER_SIZE or len(variables) > MAX_VARIABLES:
            self._log.warn(f"WARNING: add_uevent_var: too many keys, or buffer size too small ({devpath})")
            return
        self.next_sequence()
        if (emit := self._engine.trace.emit) is not None:
            emit(
                "kobject_uevent", KERNEL, "device core", action=action, devpath=devpath, seqnum=self.sequence
            )
        device = devpath.rpartition("/")[2]
        if self._faults is None or not self._faults.hit(
            "uevent.drop", device=device, action=action, subsystem=subsystem
        ):
            self.broadcast(Uevent(action, devpath, variables), net)
