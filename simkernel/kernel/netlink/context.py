"""State that all netlink sockets and messages of one machine share."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from simkernel.engine import Engine
from simkernel.kernel.lib.costs import CostModel
from simkernel.kernel.lib.fault import Armed
from simkernel.kernel.lib.log import Log
from simkernel.kernel.lib.ratelimit import Ratelimited
from simkernel.kernel.netlink.costs import FaultyMessageCosts, MessageCosts


@attrs.define
class NetlinkStatistics:
    """Counters of a machine's netlink: datagrams, except for `sockets`, which are open now."""

    sockets: int = 0
    requests: int = 0
    """Sent by programs to the kernel."""
    delivered: int = 0
    """Queued for a program, counted once per receiver."""
    received: int = 0
    """Taken by a program."""
    multicasts: int = 0
    """Sent to a group, however many members it has."""
    overruns: int = 0
    """Lost because a receive queue was full."""


class NetlinkContext:
    """Clock, costs, counters and log of one machine's netlink.

    `pid_exists` checks the process of claimed credentials.
    """

    def __init__(
        self,
        engine: Engine,
        costs: CostModel,
        log: Log,
        pid_exists: Callable[[int], bool],
        faults: Armed | None = None,
    ) -> None:
        self.engine = engine
        self.trace = engine.trace
        self.costs = costs
        self.faults = faults
        self.message_costs = MessageCosts(costs) if faults is None else FaultyMessageCosts(costs, faults)
        self.log = log
        self.pid_exists = pid_exists
        self.random = engine.rng("netlink")
        self.statistics = NetlinkStatistics()
        self._leftover = Ratelimited(log, "netlink leftover")
        self._wrong_length = Ratelimited(log, "netlink length")

    def warn_leftover(self, count: int, comm: str) -> None:
        """Log that a request ended with bytes that are no attribute."""
        text = f"netlink: {count} bytes leftover after parsing attributes in process `{comm}'."
        self._leftover.warn(text, self.engine.time())

    def warn_length(self, type: int, comm: str) -> None:
        """Log that an attribute is longer or shorter than its type."""
        text = f"netlink: '{comm}': attribute type {type} has an invalid length."
        self._wrong_length.warn(text, self.engine.time())
