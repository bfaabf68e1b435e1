"""Situations that programs and drivers meet on Linux. Each function makes one of them happen, at once or
later.

    from simkernel.testing.situations import dump_interrupted

    with dump_interrupted(machine):
        frame = camera.dump("read-frame", sequence=0)

Every function takes the machine, and returns an `Occurrence` that counts how often the situation has
happened.  At its end, a `with` block raises AssertionError if the situation has not happened.  Some
functions act immediately, others arm a trigger.  Ordinary code, a program and `machine.at` can call them.
The argument `program` selects the program that triggers the situation by its system calls.

The kernel makes each situation, as Linux does.  So it works for async programs, plain programs, hosted
packages and the blocking façade.

`SITUATIONS` describes the situations; `simkernel situations` prints the descriptions.
"""

from __future__ import annotations

from simkernel.testing.situations.devices import interrupt_shared as interrupt_shared
from simkernel.testing.situations.devices import replugged as replugged
from simkernel.testing.situations.devices import syn_dropped as syn_dropped
from simkernel.testing.situations.devices import unplugged_while_mapped as unplugged_while_mapped
from simkernel.testing.situations.devices import unplugged_while_reading as unplugged_while_reading
from simkernel.testing.situations.devices import unplugged_while_streaming as unplugged_while_streaming
from simkernel.testing.situations.failures import allocation_failed as allocation_failed
from simkernel.testing.situations.failures import interrupt_lost as interrupt_lost
from simkernel.testing.situations.links import link_index_reused as link_index_reused
from simkernel.testing.situations.links import link_moved as link_moved
from simkernel.testing.situations.links import link_recreated as link_recreated
from simkernel.testing.situations.links import link_renamed_in_dump as link_renamed_in_dump
from simkernel.testing.situations.links import routes_removed_with_link as routes_removed_with_link
from simkernel.testing.situations.netlink import done_alone as done_alone
from simkernel.testing.situations.netlink import dump_interrupted as dump_interrupted
from simkernel.testing.situations.netlink import late_reply as late_reply
from simkernel.testing.situations.netlink import longer_than_buffer as longer_than_buffer
from simkernel.testing.situations.netlink import module_reloaded as module_reloaded
from simkernel.testing.situations.netlink import notification_in_dump as notification_in_dump
from simkernel.testing.situations.netlink import overrun as overrun
from simkernel.testing.situations.netlink import several_in_datagram as several_in_datagram
from simkernel.testing.situations.occurrence import Occurrence as Occurrence
from simkernel.testing.situations.registry import SITUATIONS as SITUATIONS
from simkernel.testing.situations.registry import Situation as Situation
from simkernel.testing.situations.uevents import listed_before_subscribed as listed_before_subscribed
from simkernel.testing.situations.uevents import uevent_before_node as uevent_before_node
from simkernel.testing.situations.uevents import uevents_doubled as uevents_doubled
from simkernel.testing.situations.uevents import uevents_lost as uevents_lost
from simkernel.testing.situations.uevents import uevents_reordered as uevents_reordered
