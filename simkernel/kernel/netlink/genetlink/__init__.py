"""Generic netlink: families of commands over one protocol (net/netlink/genetlink.c)."""

from __future__ import annotations

from pathlib import Path

FAMILIES = Path(__file__).parent
"""The folder with the specifications of the kernel's own families."""
