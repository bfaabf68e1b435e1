"""Video devices: registration, device numbers, and priorities of open files (v4l2-dev.c).

After a device is unregistered, its node is gone and each ioctl raises ENODEV.  The device and its numbers
stay in use until the last open file is closed, so a camera that is plugged in meanwhile gets the next
number.
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
"""The sysfs attributes of a video device (`video_device_attrs`). Linux's `dev_debug` is omitted, because it
would have no effect here.
"""
VIDEO_MAJOR: Final = 81
VIDEO_NUM_DEVICES: Final = 256


@attrs.define(eq=False)
class VideoDevice:
    """A capture device (`struct video_device`).

    `owner` is the module of its driver.  `ops` has the driver's operations: an ioctl without its operation
    is not supported (`determine_valid_ioctls()`).  Each ioctl holds `lock`.  `bus_info` is the device's
    location, such as platform:0:1.
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
    """Protects the list of open files and the events of each file."""
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
        """The highest priority of all open files (`v4l2_prio_max()`)."""
        return max((fh.priority for fh in self.files), default=v4l2.V4L2_PRIORITY_UNSET)

    def check_priority(self, fh: FileHandle) -> None:
        """Raise EBUSY if another file has a higher priority (`v4l2_prio_check()`)."""
        if fh.priority < self.priority:
            raise os_error(EBUSY)

    def change_priority(self, fh: FileHandle, priority: int) -> None:
        """Set the priority of a file (`v4l2_prio_change()`).  Raise EINVAL if the priority does not exist."""
        if not v4l2.V4L2_PRIORITY_BACKGROUND <= priority <= v4l2.V4L2_PRIORITY_RECORD:
            raise os_error(EINVAL)
        fh.priority = priority

    # -- open files -----------------------------------------------------------

    def add(self, fh: FileHandle) -> None:
        """Add an open file to the device's files, with the default priority (`v4l2_fh_add()`)."""
        fh.priority = v4l2.V4L2_PRIORITY_DEFAULT
        with self.fh_lock:
            self.files.append(fh)

    def remove(self, fh: FileHandle) -> None:
        """Remove a closed file from the device's files, and end the file's event subscriptions
        (`v4l2_fh_del()`).
        """
        for subscription in fh.subscribed:
            self.controls.find(subscription.id).unsubscribe(subscription)
        with self.fh_lock:
            self.files.remove(fh)


@attrs.define(eq=False)
class VideoCore:
    """The state of the loaded module: its class, and its devices by minor number."""

    this: ThisModule
    kind: Class
    lock: SpinLock
    """Protects `devices`, and the attribute `registered` of each device (videodev_lock)."""
    devices: dict[int, VideoDevice] = attrs.field(factory=dict)


def register(core: VideoCore, device: VideoDevice, operations: FileOperations) -> None:
    """Register a device and make its node (`__video_register_device()`).

    Raise ENFILE if all numbers are in use, EEXIST if the node exists.
    """
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
    """Assign the lowest free device numbers, and the lowest index that no other device of the same parent
    has.

    Raise ENFILE if all numbers are in use.
    """
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
    """Unregister a device. Programs can still have files of the device open
    (`vb2_video_unregister_device()`).

    From now on ioctls raise ENODEV.  Blocked tasks are woken, and the driver owns no buffers afterwards.
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
    """Free the device numbers and the index of a device if it is unregistered and has no open file
    (`v4l2_device_release()`).
    """
    with core.lock:
        if not device.registered and not device.files and core.devices.get(device.minor) is device:
            del core.devices[device.minor]
