"""A capture file of all netlink messages, as captured on an nlmon device.

Sources: the pcap file format (draft-ietf-opsawg-pcap), LINKTYPE_NETLINK of the tcpdump group, and
__netlink_deliver_tap_skb().  nlmon transmits each message, and dev_queue_xmit_nit() marks transmitted
packets as PACKET_OUTGOING.  So all messages are outgoing, whether the kernel or a program has sent them.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from struct import Struct
from typing import BinaryIO, Final

from simkernel.engine import SECOND, Record
from simkernel.trace.exporter import Exporter

MAGIC_NANOSECONDS: Final = 0xA1B23C4D
VERSION: Final = (2, 4)
SNAPSHOT_LENGTH: Final = 262144
LINKTYPE_NETLINK: Final = 253
PACKET_OUTGOING: Final = 4
ARPHRD_NETLINK: Final = 824

_FILE = Struct("<IHHiIII")
_PACKET = Struct("<IIII")
_COOKED = Struct(">HH10xH")


class Pcap(Exporter):
    """An exporter that writes the netlink_deliver_tap records.  Times count from the start of the simulation.

    Tasks that run at the same simulated time can emit records out of order.  With a `clock`, which returns
    a lower bound of the times of later records, packets are sorted by time.  Otherwise they are written in
    the order of the records.
    """

    def __init__(self, file: BinaryIO, clock: Callable[[], int] | None = None) -> None:
        self._file = file
        self.clock = clock
        self._count = 0
        self._ahead: list[tuple[int, int, bytes]] = []
        file.write(_FILE.pack(MAGIC_NANOSECONDS, *VERSION, 0, 0, SNAPSHOT_LENGTH, LINKTYPE_NETLINK))

    def record(self, record: Record) -> None:
        if record.name != "netlink_deliver_tap":
            return
        fields = record.fields
        packet = _COOKED.pack(PACKET_OUTGOING, ARPHRD_NETLINK, fields["protocol"]) + fields["data"]
        kept = packet[:SNAPSHOT_LENGTH]
        header = _PACKET.pack(*divmod(record.time, SECOND), len(kept), len(packet))
        if self.clock is None:
            self._file.write(header + kept)
            return
        self._write(until=self.clock())
        self._count += 1
        heappush(self._ahead, (record.time, self._count, header + kept))

    def finish(self) -> None:
        self._write(until=None)

    def _write(self, until: int | None) -> None:
        """Write the delayed packets with a time before `until`, or all delayed packets if `until` is None."""
        while self._ahead and (until is None or self._ahead[0][0] < until):
            self._file.write(heappop(self._ahead)[2])
