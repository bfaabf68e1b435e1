"""Virtual hardware: a bus and the devices on it.  It knows no kernel."""

from simkernel.hardware.bus import RO, RW, W1C, WO, Bus, Device, Register

__all__ = ["RO", "RW", "W1C", "WO", "Bus", "Device", "Register"]
