"""One camera: what the driver keeps for it, and how its registers are reached."""

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
"""How often and how long the status is looked at; a camera that is well needs a tenth of it."""


@attrs.define
class Totals:
    """What became of frames since the driver was bound.

    The first three are of streams that have ended; what the present one has is in the device and the ring.
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
    """A camera that the driver is bound to.

    `mutex` protects the settings, and the beginning and end of streams.  Its holder may sleep, so
    whoever has waited for it looks whether the camera is `gone`.  `lock` protects what interrupt handlers and
    others who cannot sleep work on: the ring, the totals, the users, what is to be announced.
    """

    this: ThisModule
    family: GenlFamily
    device: SimbusDevice
    io: IoMemory
    mutex: Mutex
    lock: SpinLock
    buffers: int
    stop_work: Work = attrs.field(init=False)
    """Ends a stream that nobody wants, from where one cannot sleep."""
    node: Device = attrs.field(init=False)
    """The device of class camera; its name is what programs call the camera."""
    video: VideoDevice = attrs.field(init=False)
    """The video device: /dev/videoN."""
    controls: dict[str, Control] = attrs.field(factory=dict)
    """The video subsystem's controls, by their names over netlink."""
    gone: bool = False
    users: set[Hashable] = attrs.field(factory=set)
    """The sockets that want frames."""
    ring: Descriptors | None = None
    """There while a stream runs, for netlink (ring.py) or for V4L2 (capture.py)."""
    unannounced: deque[Frame] = attrs.field(factory=deque)
    """Frames that have come and are not announced yet."""
    overrun: bool = False
    """The device has lost frames, and that is not announced yet."""
    totals: Totals = attrs.field(factory=Totals)

    @property
    def videodev(self) -> Videodev:
        """What the driver imports from the video subsystem."""
        videodev: Videodev = self.this.symbols
        return videodev

    @property
    def name(self) -> str:
        """What programs call it."""
        return self.node.name

    def read(self, register: int) -> int:
        """A register.  ENODEV if the camera has been torn out, or is unbound: then nothing is mapped."""
        with self.lock:
            self.check_present()
            value = readl(self.io, register)
        if self.is_absent(value):
            raise os_error(ENODEV)
        return value

    def is_absent(self, value: int) -> bool:
        """Whether `value` came from no camera: it reads as all ones, until another is plugged in there."""
        return value == ALL_ONES or simbus_dev_is_disconnected(self.device)

    def write(self, value: int, register: int) -> None:
        """Set a register.  If the camera has been torn out, nothing happens."""
        writel(value, self.io, register)

    async def wait_status(self, bits: int, wanted: int) -> None:
        """Wait until `bits` of the status are as `wanted`.  ENODEV if it is torn out, ETIMEDOUT."""

        def is_decided(status: int) -> bool:
            return self.is_absent(status) or status & bits == wanted

        status = await readl_poll_timeout(self.this, self.io, hw.STATUS, is_decided, POLL_US, TIMEOUT_US)
        if self.is_absent(status):
            raise os_error(ENODEV)

    def check_present(self) -> None:
        """ENODEV if the camera is gone; to be asked whenever `mutex` or `lock` was taken."""
        if self.gone:
            raise os_error(ENODEV)
