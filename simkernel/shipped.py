"""The paths of the drivers and scenarios that are part of simkernel's distribution."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent


def shipped(folder: str) -> Path:
    """Return the path of the folder `drivers` or `scenarios`, in an installed simkernel or in a checkout."""
    installed = _HERE / folder
    return installed if installed.is_dir() else _HERE.parent / folder
