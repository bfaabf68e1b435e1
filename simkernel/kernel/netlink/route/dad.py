"""Duplicate address detection of IPv6 (addrconf_dad_work() of net/ipv6/addrconf.c).

PREDAD --work item--> DAD --random delay, one probe, one second--> POSTDAD. While a device is not ready,
its addresses stay tentative in state DAD; `run` continues the detection. simkernel models no packets, so
no other node answers a probe.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simkernel.engine import Engine
from simkernel.kernel.netlink.route.inet import (
    ACCEPT_DAD,
    IF_READY,
    IPV6_CONF,
    Address6,
    Inet6Device,
    inet6_device,
)
from simkernel.kernel.workqueue import Work, WorkQueue
from simkernel.uapi import if_addr as ia
from simkernel.uapi.if_link import IFF_LOOPBACK, IFF_NOARP

PREDAD, DAD, POSTDAD, DEAD = range(4)
"""States of an IPv6 address in duplicate address detection (INET6_IFADDR_STATE_*)."""

RTR_SOLICIT_DELAY: Final = 1_000_000_000
RETRANS_TIME: Final = 1_000_000_000
"""Times in ns. RTR_SOLICIT_DELAY is the upper limit of the random delay before the first probe. RETRANS_TIME
is the waiting time after a probe.
"""
DAD_TRANSMITS: Final = 1


class DuplicateDetection:
    """Duplicate address detection for all addresses of a machine. `completed` is called with each unique
    address.
    """

    def __init__(self, engine: Engine, queue: WorkQueue, completed: Callable[[Address6], None]) -> None:
        self._engine = engine
        self._queue = queue
        self._completed = completed
        self.max_delay = RTR_SOLICIT_DELAY

    def start(self, address: Address6) -> None:
        """Schedule duplicate address detection for an address (`addrconf_dad_start()`)."""
        address.state = PREDAD
        self._schedule(address, 0)

    def stop(self, address: Address6) -> None:
        """Cancel duplicate address detection for an address (`addrconf_del_dad_work()`)."""
        if address.dad is not None:
            self._queue.cancel(address.dad)
            address.dad = None

    def run(self, data: Inet6Device, *, restart: bool = False) -> None:
        """Continue duplicate address detection for the tentative addresses of a device
        (`addrconf_dad_run()`).

        If `restart`, begin it again for all addresses of the device.
        """
        for address in data.addresses:
            if restart:
                address.state = PREDAD
            if restart or (address.flags & ia.IFA_F_TENTATIVE and address.state == DAD):
                self._kick(address)

    def _kick(self, address: Address6) -> None:
        address.probes = DAD_TRANSMITS
        self._schedule(address, self._engine.rng("ipv6.dad").randrange(self.max_delay))

    def _schedule(self, address: Address6, delay: int) -> None:
        self.stop(address)
        address.dad = Work(None, "addrconf_dad_work", lambda work: self._work(address))
        self._queue.add_delayed(address.dad, delay)

    def _work(self, address: Address6) -> None:
        address.dad = None
        data = inet6_device(address.device)
        # A device without IPv6 data has no addresses, and no work item of duplicate address detection.
        assert data is not None
        if address.state == PREDAD:
            address.state = DAD
            self._begin(address, data)
        elif address.probes:
            address.probes -= 1
            self._schedule(address, RETRANS_TIME)
        else:
            self._complete(address)

    def _begin(self, address: Address6, data: Inet6Device) -> None:
        """Begin duplicate detection for an address, or complete it if the address needs no detection
        (`addrconf_dad_begin()`).
        """
        if (
            address.device.flags & (IFF_NOARP | IFF_LOOPBACK)
            or (IPV6_CONF | data.conf)[ACCEPT_DAD] < 1
            or not address.flags & ia.IFA_F_TENTATIVE
            or address.flags & ia.IFA_F_NODAD
        ):
            self._complete(address)
        elif data.flags & IF_READY:
            self._kick(address)

    def _complete(self, address: Address6) -> None:
        address.state = POSTDAD
        address.flags &= ~(ia.IFA_F_TENTATIVE | ia.IFA_F_DADFAILED)
        self._completed(address)
