"""The hardware bus: slots with register windows, interrupt lines, memory, DMA, hot-plug.

The kernel accesses hardware only through this package.
"""

from simkernel.hardware.bus.bus import Bus as Bus
from simkernel.hardware.bus.device import Device as Device
from simkernel.hardware.bus.faulty import FaultyBus as FaultyBus
from simkernel.hardware.bus.interrupts import Interrupts as Interrupts
from simkernel.hardware.bus.memory import Memory as Memory
from simkernel.hardware.bus.register_table import RO as RO
from simkernel.hardware.bus.register_table import RW as RW
from simkernel.hardware.bus.register_table import W1C as W1C
from simkernel.hardware.bus.register_table import WO as WO
from simkernel.hardware.bus.register_table import Register as Register
