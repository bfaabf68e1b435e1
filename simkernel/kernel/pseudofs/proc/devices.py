"""/proc/devices (fs/proc/devices.c)."""

from __future__ import annotations

from simkernel.kernel.parts import KernelParts


def records(kernel: KernelParts) -> list[str]:
    """The majors that are reserved, and for what; there are no block devices."""
    regions = kernel.char_devices.regions
    lines = [f"{region.major:3d} {region.name}\n" for region in regions]
    return ["Character devices:\n", *lines, "\nBlock devices:\n"]
