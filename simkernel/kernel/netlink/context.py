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
    """Netlink counters of a machine. `sockets` is the number of open sockets. The other counters count
    datagrams.
    """

    sockets: int = 0
    requests: int = 0
    """Datagrams that programs sent to the kernel."""
    delivered: int = 0
    """Datagrams queued at programs' sockets. A multicast counts once per receiver."""
    received: int = 0
    """Datagrams that programs received."""
    multicasts: int = 0
    """Datagrams sent to a group. Each counts once, regardless of the number of members."""
    overruns: int = 0
    """Datagrams lost because a receive queue was full."""


class NetlinkContext:
    """Clock, costs, counters and log of one machine's netlink.

    `pid_exists` checks the pid in credentials that a program passes (SCM_CREDENTIALS).
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
        """Log that a request ends with bytes that do not form an attribute."""
        text = f"netlink: {count} bytes leftover after parsing attributes in process `{comm}'."
        self._leftover.warn(text, self.engine.time())

    def warn_length(self, type: int, comm: str) -> None:
        """Log that the length of an attribute does not match its type."""
        text = f"netlink: '{comm}': attribute type {type} has an invalid length."
        self._wrong_length.warn(text, self.engine.time())
