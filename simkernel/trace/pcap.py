"""A capture file of every netlink message, as from an nlmon device.

Sources: the pcap file format (draft-ietf-opsawg-pcap) and LINKTYPE_NETLINK of the tcpdump group for
the bytes, __netlink_deliver_tap_skb() for what is seen.  nlmon offers a message for transmission, and
dev_queue_xmit_nit() marks all that is transmitted PACKET_OUTGOING, whichever way it went.
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
    """Writes the netlink_deliver_tap records; times count from the start of the simulation.

    Records of tasks that run at the same time can run ahead of each other.  A `clock`, which no later
    record is before, lets them be written in the order of their times; without one it is theirs.
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
        """Write the packets whose time is before `until`."""
        while self._ahead and (until is None or self._ahead[0][0] < until):
            self._file.write(heappop(self._ahead)[2])
