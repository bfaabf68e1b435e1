"""What the real kernel says so seldom that a million calls need not reach it a hundred times, and why."""

from __future__ import annotations

from typing import Final

_TWO_FAULTS: Final = (
    "a second fault in a message that has bytes left over already, or one that only a mutation makes"
)
SELDOM: Final = {
    ("ROUTE says", "EAGAIN +text"): _TWO_FAULTS,
    ("ROUTE says", "EPERM +text"): _TWO_FAULTS,
    ("ROUTE says", "ERANGE +text"): _TWO_FAULTS,
    ("ROUTE says", "ERANGE +text +offset"): _TWO_FAULTS,
    ("ROUTE says", "EINVAL +text +offset +policy"): _TWO_FAULTS,
    ("GENERIC says", "EAGAIN +text"): _TWO_FAULTS,
}
"""By call and result."""
