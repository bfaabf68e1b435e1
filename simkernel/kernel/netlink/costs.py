"""Costs of sending, receiving and allocating a message, which depend on its size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from simkernel.kernel.lib.costs import CostModel
from simkernel.kernel.lib.fault import Armed
from simkernel.kernel.net.truesize import SLAB_LARGEST, head_size
from simkernel.uapi.errno import ENOBUFS, ENOMEM, os_error

MAX_CACHED: Final = 4096
"""Maximum number of costs that each table of `MessageCosts` caches. A table has one cost per message size."""


def _sending(costs: CostModel, size: int) -> int:
    return costs.send + costs.skb_alloc + (costs.pages(head_size(size)) if size > SLAB_LARGEST else 0)


FIXED_COSTS: Final[dict[str, Callable[[CostModel, int], int]]] = {
    "send": _sending,
    "receive": lambda costs, size: costs.receive,
    "kernel_skb": lambda costs, size: costs.skb_alloc,
    "kernel_unicast": lambda costs, size: costs.skb_alloc + costs.deliver,
}
"""For each operation, by name: a function that computes the operation's cost for a message size. The result
does not include the cost of copying the data.
"""


class MessageCosts:
    """Costs of messages, by message size in bytes. Each cost is computed on first use.

    The tables are plain dictionaries, and the caller calls `compute()` on a miss. A dict subclass with
    `__missing__` was measured: its lookups take two to three times as long.
    """

    __slots__ = ("_costs", "genl_dispatch", "genl_reply", *FIXED_COSTS)

    def __init__(self, costs: CostModel) -> None:
        self._costs = costs
        self.send: dict[int, int] = {}
        """Cost of a send by a program, in ns, by message size."""
        self.receive: dict[int, int] = {}
        """Cost of a receive by a program, in ns, by message size."""
        self.kernel_skb: dict[int, int] = {}
        """Cost of allocating a buffer in the kernel, in ns, by message size."""
        self.kernel_unicast: dict[int, int] = {}
        """Cost of allocating a buffer in the kernel and queueing it for a program, in ns, by message size."""
        self.genl_dispatch = costs.genl_dispatch
        self.genl_reply = costs.genl_reply

    def compute(self, name: str, size: int) -> int:
        """Compute a cost that the table `name` lacks, and cache it. If the cost model has an `on_copy`
        function, do not cache the cost, so that the function is called for each copy.
        """
        costs = self._costs
        cost = FIXED_COSTS[name](costs, size) + costs.copy(size)
        table: dict[int, int] = getattr(self, name)
        if costs.on_copy is None and len(table) < MAX_CACHED:
            table[size] = cost
        return cost


class FaultyMessageCosts(MessageCosts):
    """Message costs with the fault point `skb.alloc`. It caches no costs, so that every message reaches the
    fault point.

    The cost of a message is charged where its buffer is allocated, so one fault point here covers all
    messages.
    """

    __slots__ = ("_faults", "_user_costs")

    def __init__(self, costs: CostModel, faults: Armed) -> None:
        super().__init__(costs)
        self._faults = faults
        self._user_costs = attrs.evolve(costs, on_copy=faults.copying(costs.on_copy))

    def compute(self, name: str, size: int) -> int:
        """Return the cost of a message. Raise an error if the fault point `skb.alloc` makes the allocation of
        the message fail.

        The error is ENOBUFS for a sending program (`netlink_sendmsg()`) and ENOMEM for a driver
        (`nlmsg_new()`).
        """
        if name != "receive" and self._faults.hit("skb.alloc"):
            raise os_error(ENOBUFS if name == "send" else ENOMEM)
        costs = self._user_costs if name in ("send", "receive") else self._costs
        return FIXED_COSTS[name](costs, size) + costs.copy(size)
