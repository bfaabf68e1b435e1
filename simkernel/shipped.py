"""Where the folders are that ship with simkernel: its drivers and its scenarios."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent


def shipped(folder: str) -> Path:
    """The folder `drivers` or `scenarios`: within an installed simkernel, beside it in a checkout."""
    installed = _HERE / folder
    return installed if installed.is_dir() else _HERE.parent / folder
