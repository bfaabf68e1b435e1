"""Cost of each step of a message, by its size where it is copied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from simkernel.kernel.lib.costs import CostModel
from simkernel.kernel.lib.fault import Armed
from simkernel.kernel.net.truesize import SLAB_LARGEST, head_size
from simkernel.uapi.errno import ENOBUFS, ENOMEM, os_error

MAX_CACHED: Final = 4096
"""Sizes cached in each table."""


def _sending(costs: CostModel, size: int) -> int:
    return costs.send + costs.skb_alloc + (costs.pages(head_size(size)) if size > SLAB_LARGEST else 0)


FIXED_COSTS: Final[dict[str, Callable[[CostModel, int], int]]] = {
    "send": _sending,
    "receive": lambda costs, size: costs.receive,
    "kernel_skb": lambda costs, size: costs.skb_alloc,
    "kernel_unicast": lambda costs, size: costs.skb_alloc + costs.deliver,
}
"""Fixed cost per operation, without the copy."""


class MessageCosts:
    """Costs of messages by their size in bytes, each computed at its first use.

    The tables are plain dictionaries, and a caller that misses calls `compute()`: a lookup in a subclass of
    dict with `__missing__` takes two to three times as long.
    """

    __slots__ = ("_costs", "genl_dispatch", "genl_reply", *FIXED_COSTS)

    def __init__(self, costs: CostModel) -> None:
        self._costs = costs
        self.send: dict[int, int] = {}
        """A program sends it."""
        self.receive: dict[int, int] = {}
        """A program receives it."""
        self.kernel_skb: dict[int, int] = {}
        """The kernel allocates a buffer for it."""
        self.kernel_unicast: dict[int, int] = {}
        """The kernel allocates a buffer and queues it for a program."""
        self.genl_dispatch = costs.genl_dispatch
        self.genl_reply = costs.genl_reply

    def compute(self, name: str, size: int) -> int:
        """Compute a cost that the table `name` lacks, and cache it if the costs are constant."""
        costs = self._costs
        cost = FIXED_COSTS[name](costs, size) + costs.copy(size)
        table: dict[int, int] = getattr(self, name)
        if costs.on_copy is None and len(table) < MAX_CACHED:
            table[size] = cost
        return cost


class FaultyMessageCosts(MessageCosts):
    """Costs of messages whose buffers cannot be allocated on demand, computed anew for each message.

    A cost is charged where its buffer is allocated, so this is the fault point `skb.alloc` of all messages.
    """

    __slots__ = ("_faults", "_user_costs")

    def __init__(self, costs: CostModel, faults: Armed) -> None:
        super().__init__(costs)
        self._faults = faults
        self._user_costs = attrs.evolve(costs, on_copy=faults.copying(costs.on_copy))

    def compute(self, name: str, size: int) -> int:
        """Compute a cost.  A program gets ENOBUFS (`netlink_sendmsg()`), a driver ENOMEM (`nlmsg_new()`)."""
        if name != "receive" and self._faults.hit("skb.alloc"):
            raise os_error(ENOBUFS if name == "send" else ENOMEM)
        costs = self._user_costs if name in ("send", "receive") else self._costs
        return FIXED_COSTS[name](costs, size) + costs.copy(size)
