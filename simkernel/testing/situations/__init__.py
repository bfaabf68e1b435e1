"""Situations that programs and drivers meet on Linux, each requested by one call.

    from simkernel.testing.situations import dump_interrupted

    with dump_interrupted(machine):
        frame = camera.dump("read-frame", sequence=0)

Every function takes the machine, and returns an `Occurrence` that counts how often the situation has
happened.  A `with` block raises AssertionError if it has not.  A call acts at once or arms a trigger.  It can
be made by ordinary code, by a program and by `machine.at`.  `program` selects whose calls trigger.

The kernel makes each situation, as Linux does.  So it works for async programs, plain programs, hosted
packages and the blocking façade.

`SITUATIONS` describes them; `simkernel situations` prints it.
"""

from __future__ import annotations

from simkernel.testing.situations.devices import (
    interrupt_shared,
    replugged,
    syn_dropped,
    unplugged_while_mapped,
    unplugged_while_reading,
    unplugged_while_streaming,
)
from simkernel.testing.situations.failures import allocation_failed, interrupt_lost
from simkernel.testing.situations.netlink import (
    done_alone,
    dump_interrupted,
    late_reply,
    longer_than_buffer,
    module_reloaded,
    notification_in_dump,
    overrun,
    several_in_datagram,
)
from simkernel.testing.situations.occurrence import Occurrence
from simkernel.testing.situations.registry import SITUATIONS, Situation
from simkernel.testing.situations.uevents import (
    listed_before_subscribed,
    uevent_before_node,
    uevents_doubled,
    uevents_lost,
    uevents_reordered,
)

__all__ = [
    "SITUATIONS",
    "Occurrence",
    "Situation",
    "allocation_failed",
    "done_alone",
    "dump_interrupted",
    "interrupt_lost",
    "interrupt_shared",
    "late_reply",
    "listed_before_subscribed",
    "longer_than_buffer",
    "module_reloaded",
    "notification_in_dump",
    "overrun",
    "replugged",
    "several_in_datagram",
    "syn_dropped",
    "uevent_before_node",
    "uevents_doubled",
    "uevents_lost",
    "uevents_reordered",
    "unplugged_while_mapped",
    "unplugged_while_reading",
    "unplugged_while_streaming",
]
