"""Video devices: what a driver registers, and who may do what with it (v4l2-dev.c).

A device and its numbers live until the last open file of it is closed, though its node is gone and every
request gets ENODEV: a camera that is plugged in again meanwhile becomes the next one.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from simkernel.driverapi.device import Class, Device, dev_get_drvdata, device_create, device_unregister
from simkernel.driverapi.fs import Cdev, FileOperations, cdev_add, cdev_del, cdev_init
from simkernel.driverapi.module import ThisModule
from simkernel.driverapi.mutex import Mutex
from simkernel.driverapi.spinlock import SpinLock
from simkernel.driverapi.sysfs import DeviceAttribute
from simkernel.driverapi.wait import wake_up_all
from simkernel.uapi.errno import EBUSY, EINVAL, ENFILE, os_error
from simkernel.uapi.video import videodev2 as v4l2

from .controls import ControlHandler
from .events import FileHandle
from .queue import Queue

NAME: Final = "video4linux"
ATTRIBUTES: Final = (
    DeviceAttribute("name", lambda node: f"{dev_get_drvdata(node).name}\n"),
    DeviceAttribute("index", lambda node: f"{dev_get_drvdata(node).index}\n"),
)
"""Files below /sys (`video_device_attrs`); `dev_debug` is missing, as nothing would come of it."""
VIDEO_MAJOR: Final = 81
VIDEO_NUM_DEVICES: Final = 256


@attrs.define(eq=False)
class VideoDevice:
    """A capture device (`struct video_device`).

    `owner` is its driver's module, whose `ops` answer the requests: which it has says what can be done
    (`determine_valid_ioctls()`).  `lock` is held for each request.  `bus_info` says where it is.
    """

    owner: ThisModule
    parent: Device
    name: str
    bus_info: str
    capabilities: int
    ops: Any
    controls: ControlHandler
    queue: Queue
    lock: Mutex
    fh_lock: SpinLock
    """Protects the list of files, and the events of each."""
    minor: int = -1
    number: int = -1
    index: int = 0
    registered: bool = False
    files: list[FileHandle] = attrs.field(factory=list)
    node: Device = attrs.field(init=False)
    cdev: Cdev = attrs.field(init=False)

    # -- priorities -----------------------------------------------------------

    @property
    def priority(self) -> int:
        """The highest of all open files (`v4l2_prio_max()`)."""
        return max((fh.priority for fh in self.files), default=v4l2.V4L2_PRIORITY_UNSET)

    def check_priority(self, fh: FileHandle) -> None:
        """EBUSY if another file has a higher one (`v4l2_prio_check()`)."""
        if fh.priority < self.priority:
            raise os_error(EBUSY)

    def change_priority(self, fh: FileHandle, priority: int) -> None:
        """EINVAL for one that there is not (`v4l2_prio_change()`)."""
        if not v4l2.V4L2_PRIORITY_BACKGROUND <= priority <= v4l2.V4L2_PRIORITY_RECORD:
            raise os_error(EINVAL)
        fh.priority = priority

    # -- open files -----------------------------------------------------------

    def add(self, fh: FileHandle) -> None:
        """One more open file (`v4l2_fh_add()`)."""
        fh.priority = v4l2.V4L2_PRIORITY_DEFAULT
        with self.fh_lock:
            self.files.append(fh)

    def remove(self, fh: FileHandle) -> None:
        """It is closed (`v4l2_fh_del()`)."""
        for subscription in fh.subscribed:
            self.controls.find(subscription.id).unsubscribe(subscription)
        with self.fh_lock:
            self.files.remove(fh)


@attrs.define(eq=False)
class VideoCore:
    """One load of the module: the class of its devices, and those by minor number."""

    this: ThisModule
    kind: Class
    lock: SpinLock
    """Protects the devices, and whether each is registered (videodev_lock)."""
    devices: dict[int, VideoDevice] = attrs.field(factory=dict)


def register(core: VideoCore, device: VideoDevice, operations: FileOperations) -> None:
    """Let programs open it (`__video_register_device()`).  ENFILE if there are too many; EEXIST."""
    with core.lock:
        _number(core, device)
        device.registered = True
    node = f"video{device.number}"
    number = (VIDEO_MAJOR, device.minor)
    device.cdev = cdev_init(device.owner, operations, device)
    try:
        cdev_add(device.cdev, number)
        try:
            device.node = device_create(
                device.owner, core.kind, device.parent, node, data=device, node=node, number=number
            )
        except OSError:
            cdev_del(device.cdev)
            raise
    except OSError:
        with core.lock:
            device.registered = False
        put(core, device)
        raise


def _number(core: VideoCore, device: VideoDevice) -> None:
    """Give a device the lowest numbers that are free, and its place among those of its parent.  ENFILE."""
    taken = {other.number for other in core.devices.values()}
    free = (number for number in range(VIDEO_NUM_DEVICES) if number not in core.devices)
    device.minor = next(free, -1)
    device.number = next((number for number in range(VIDEO_NUM_DEVICES) if number not in taken), -1)
    if device.minor < 0 or device.number < 0:
        raise os_error(ENFILE)
    indexes = {other.index for other in core.devices.values() if other.parent is device.parent}
    device.index = next(index for index in range(VIDEO_NUM_DEVICES) if index not in indexes)
    core.devices[device.minor] = device


async def unregister(core: VideoCore, device: VideoDevice) -> None:
    """It is gone, though files of it may be open (`vb2_video_unregister_device()`).

    Requests get ENODEV from now on; who sleeps is woken; the driver has none of its buffers afterwards.
    """
    with core.lock:
        registered, device.registered = device.registered, False
    if not registered:
        return
    with device.fh_lock:
        for fh in device.files:
            wake_up_all(fh.wait)
    device_unregister(device.node)
    async with device.lock:
        await device.queue.cancel()
        async with device.queue.mmap_lock:
            device.queue.release()
        device.queue.free_orphans()
    cdev_del(device.cdev)
    put(core, device)


def put(core: VideoCore, device: VideoDevice) -> None:
    """If nobody has it any more its numbers are free (`v4l2_device_release()`)."""
    with core.lock:
        if not device.registered and not device.files and core.devices.get(device.minor) is device:
            del core.devices[device.minor]
