"""Five models of a gauge, which is a simulated device. The driver (modules/gauge.py) is correct for one
model, and has a bug for each of the others.
"""

from __future__ import annotations

from pathlib import Path

from simkernel.hardware import Device

MODULES = [Path(__file__).parent / "modules"]


class Gauge(Device):
    """A gauge whose driver has no bug."""

    vendor_id = 0x6A06
    device_id = 0


class StaleGauge(Gauge):
    """A gauge whose driver uses the gauge's buffer after the unplug."""

    kind = "gauge"
    device_id = 1


class MinorsGauge(Gauge):
    """A gauge whose driver does not free the minor number."""

    kind = "gauge"
    device_id = 2


class GreedyGauge(Gauge):
    """A gauge whose driver takes a reference to its module in each write."""

    kind = "gauge"
    device_id = 3


class EmptyGauge(Gauge):
    """A gauge whose driver reads the first byte of an empty write."""

    kind = "gauge"
    device_id = 4
