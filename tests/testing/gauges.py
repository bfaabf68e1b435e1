"""Gauges: devices whose driver (modules/gauge.py) has a bug for each model."""

from __future__ import annotations

from pathlib import Path

from simkernel.hardware import Device

MODULES = [Path(__file__).parent / "modules"]


class Gauge(Device):
    """A gauge without a bug in its driver."""

    vendor_id = 0x6A06
    device_id = 0


class StaleGauge(Gauge):
    """The driver uses its memory after the gauge is gone."""

    kind = "gauge"
    device_id = 1


class MinorsGauge(Gauge):
    """The driver does not free the minor number."""

    kind = "gauge"
    device_id = 2


class GreedyGauge(Gauge):
    """The driver takes a reference to its module in each write."""

    kind = "gauge"
    device_id = 3


class EmptyGauge(Gauge):
    """The driver reads the first byte of an empty write."""

    kind = "gauge"
    device_id = 4
