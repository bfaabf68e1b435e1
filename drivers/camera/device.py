"""The state of one camera, and access to its registers."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import TYPE_CHECKING, Final

import attrs

from simkernel.driverapi.device import Device
from simkernel.driverapi.genetlink import GenlFamily
from simkernel.driverapi.io import ALL_ONES, IoMemory, readl, writel
from simkernel.driverapi.iopoll import readl_poll_timeout
from simkernel.driverapi.module import ThisModule
from simkernel.driverapi.mutex import Mutex
from simkernel.driverapi.simbus import SimbusDevice, simbus_dev_is_disconnected
from simkernel.driverapi.spinlock import SpinLock
from simkernel.driverapi.workqueue import Work
from simkernel.hardware.camera import registers as hw
from simkernel.uapi.errno import ENODEV, os_error

from .ring import Descriptors, Frame

if TYPE_CHECKING:
    from ..video import Videodev
    from ..video.controls import Control
    from ..video.device import VideoDevice

POLL_US: Final = 100
TIMEOUT_US: Final = 50_000
"""Interval and timeout in µs for polling the status register. A working camera is ready after a tenth of the
timeout.
"""


@attrs.define
class Totals:
    """Counters of frames since the driver was bound.

    `produced`, `lost` and `overwritten` count finished streams only: the device and the ring count the
    current stream.
    """

    produced: int = 0
    lost: int = 0
    overwritten: int = 0
    discarded: int = 0
    delivered: int = 0
    bytes_delivered: int = 0
    interrupts: int = 0


@attrs.define(eq=False)
class Camera:
    """A camera that is bound to the driver.

    `mutex` protects the settings and the start and stop of streams.  Its holder can sleep, so a task that
    has locked it must check `gone`.  `lock` protects the data that interrupt handlers use, too: the ring,
    the totals, the users and the frames that are not announced yet.
    """

    this: ThisModule
    family: GenlFamily
    device: SimbusDevice
    io: IoMemory
    mutex: Mutex
    lock: SpinLock
    buffers: int
    stop_work: Work = attrs.field(init=False)
    """Work item that stops an unused stream, for callers that must not sleep."""
    node: Device = attrs.field(init=False)
    """The class device, such as camera0.  Programs use its name."""
    video: VideoDevice = attrs.field(init=False)
    """The video device, whose node is /dev/videoN."""
    controls: dict[str, Control] = attrs.field(factory=dict)
    """The V4L2 controls, by their netlink names."""
    gone: bool = False
    users: set[Hashable] = attrs.field(factory=set)
    """The netlink sockets that use the stream."""
    ring: Descriptors | None = None
    """The DMA descriptors of the current stream, of netlink (ring.py) or V4L2 (capture.py). None if no stream
    runs.
    """
    unannounced: deque[Frame] = attrs.field(factory=deque)
    """Frames that have arrived, and that the driver has not yet announced over netlink."""
    overrun: bool = False
    """True if the device has lost frames and the driver has not yet sent the netlink event about it."""
    totals: Totals = attrs.field(factory=Totals)

    @property
    def videodev(self) -> Videodev:
        """The functions that the driver imports from the video subsystem."""
        videodev: Videodev = self.this.symbols
        return videodev

    @property
    def name(self) -> str:
        """The name that programs use, such as camera0."""
        return self.node.name

    def read(self, register: int) -> int:
        """Read a register of the camera and return its value, an unsigned 32-bit number.

        Raise ENODEV if the camera is unplugged or unbound, in which case its registers are not mapped.
        """
        with self.lock:
            self.check_present()
            value = readl(self.io, register)
        if self.is_absent(value):
            raise os_error(ENODEV)
        return value

    def is_absent(self, value: int) -> bool:
        """Return True if `value`, the result of a register read, is invalid because the camera is unplugged.

        An empty slot reads as ones.  But another camera can be plugged into the slot, so check the device,
        too.
        """
        return value == ALL_ONES or simbus_dev_is_disconnected(self.device)

    def write(self, value: int, register: int) -> None:
        """Write a register.  If the camera is unplugged, the write has no effect."""
        writel(value, self.io, register)

    async def wait_status(self, bits: int, wanted: int) -> None:
        """Sleep until the bits `bits` of the status register have the value `wanted`.

        Raise ENODEV if the camera is unplugged, ETIMEDOUT after TIMEOUT_US.
        """

        def is_decided(status: int) -> bool:
            return self.is_absent(status) or status & bits == wanted

        status = await readl_poll_timeout(self.this, self.io, hw.STATUS, is_decided, POLL_US, TIMEOUT_US)
        if self.is_absent(status):
            raise os_error(ENODEV)

    def check_present(self) -> None:
        """Raise ENODEV if the camera is unplugged. Call this each time after locking `mutex` or `lock`."""
        if self.gone:
            raise os_error(ENODEV)
