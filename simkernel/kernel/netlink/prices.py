"""What every message costs on its way, from the machine's prices: by its size where it is copied."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from simkernel.kernel.net.truesize import SLAB_LARGEST

if TYPE_CHECKING:
    from simkernel.kernel.lib.costs import CostModel

MOST: Final = 4096
"""How many sizes are remembered."""


def _sending(costs: CostModel, size: int) -> int:
    return costs.send + costs.skb_alloc + (costs.page_alloc if size > SLAB_LARGEST else 0)


BESIDES: Final[dict[str, Callable[[CostModel, int], int]]] = {
    "send": _sending,
    "receive": lambda costs, size: costs.receive,
    "kernel_skb": lambda costs, size: costs.skb_alloc,
    "kernel_unicast": lambda costs, size: costs.skb_alloc + costs.deliver,
}
"""What is paid beside the copy, of each table."""


class Prices:
    """The prices of messages by their size in bytes, each reckoned when it is first asked for.

    They are plain dictionaries, and who finds nothing there asks `reckon()`: to look something up in a
    subclass of dict, which would ask by itself, takes two to three times as long.
    """

    __slots__ = ("_costs", "genl_dispatch", "genl_reply", *BESIDES)

    def __init__(self, costs: CostModel) -> None:
        self._costs = costs
        self.send: dict[int, int] = {}
        """A program sends it."""
        self.receive: dict[int, int] = {}
        """A program takes it off its queue."""
        self.kernel_skb: dict[int, int] = {}
        """The kernel makes a buffer of it."""
        self.kernel_unicast: dict[int, int] = {}
        """The same, and queues it for a program at once."""
        self.genl_dispatch = costs.genl_dispatch
        self.genl_reply = costs.genl_reply

    def reckon(self, name: str, size: int) -> int:
        """A price that is not in the table of that name; from now on it is, if prices last."""
        costs = self._costs
        price = BESIDES[name](costs, size) + costs.copy(size)
        table: dict[int, int] = getattr(self, name)
        if costs.on_copy is None and len(table) < MOST:
            table[size] = price
        return price
