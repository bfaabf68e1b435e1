"""Generic netlink: families that share one netlink protocol (net/netlink/genetlink.c)."""

from __future__ import annotations

from pathlib import Path

FAMILIES = Path(__file__).parent
"""Directory of the YNL specifications of the kernel's own families."""
