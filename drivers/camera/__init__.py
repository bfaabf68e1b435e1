"""camera: the driver of the virtual camera.

Read the files in this order:

    __init__.py   the module, the devices that it binds, probe and remove
    device.py     the state of a camera, and access to its registers
    stream.py     power, streaming and interrupts
    ring.py       the descriptor ring and the frame buffers of netlink streams
    controls.py   exposure, gain and test pattern
    commands.py   the commands of the netlink family
    camera.yaml   the specification of the netlink family
    video.py      the V4L2 operations behind /dev/videoN, which drivers/video calls
    capture.py    V4L2 streams into buffers that programs map

The driver knows the hardware only by its data sheet, simkernel/hardware/camera/registers.py.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from simkernel.driverapi.dev_printk import dev_info
from simkernel.driverapi.device import dev_get_drvdata, dev_set_drvdata, devm_add_action
from simkernel.driverapi.genetlink import genl_unregister_family, genlmsg_multicast
from simkernel.driverapi.interrupt import IRQF_SHARED, devm_request_threaded_irq
from simkernel.driverapi.io import devm_ioremap
from simkernel.driverapi.module import Module, ModuleParameter, ThisModule
from simkernel.driverapi.mutex import mutex_init
from simkernel.driverapi.simbus import SimbusDevice, SimbusDeviceId, Undo, module_simbus_driver
from simkernel.driverapi.spinlock import spin_lock_init
from simkernel.driverapi.workqueue import Work, cancel_work_sync, init_work
from simkernel.hardware.camera import registers as hw

from .commands import Commands, describe
from .device import Camera
from .ring import DEVICE_SHARE
from .stream import announce, interrupt, shut_down, stop_if_idle
from .video import register_video, unregister_video

if TYPE_CHECKING:
    from ..devclass import DeviceClasses

DEVICES = (SimbusDeviceId(hw.VENDOR, hw.DEVICE),)

MODULE = Module(
    license="GPL",
    version="1.0",
    author="The simkernel authors",
    description="Driver of the virtual camera",
    parameters=(
        ModuleParameter(
            "buffers",
            int,
            4,
            minimum=DEVICE_SHARE + 1,
            maximum=hw.RING_SIZE_MAX,
            description="number of frame buffers of a stream; all but two of them keep finished frames",
        ),
    ),
    devices=DEVICES,
    aliases=("net-pf-16-proto-16-family-camera",),
    imports=(
        "devclass_register",
        "devclass_unregister",
        "devclass_add",
        "devclass_del",
        "devclass_find",
        "devclass_devices",
        "video_register_device",
        "video_unregister_device",
        "v4l2_ctrl_handler_init",
        "v4l2_ctrl_handler_setup",
        "v4l2_ctrl_new_std",
        "v4l2_ctrl_new_std_menu_items",
        "v4l2_ctrl_s_ctrl",
        "vb2_queue_init",
        "vb2_buffer_done",
    ),
)


class CameraDriver:
    """The camera driver while its module is loaded: its device class and its netlink family."""

    def __init__(self, this: ThisModule, undo: Undo) -> None:
        self.this = this
        self.classes: DeviceClasses = this.symbols
        self.kind = self.classes.devclass_register(this, "camera")
        undo.callback(self.classes.devclass_unregister, self.kind)
        commands = Commands(
            partial(self.classes.devclass_find, self.kind), partial(self.classes.devclass_devices, self.kind)
        )
        self.family = commands.register(this)
        undo.callback(genl_unregister_family, self.family)

    async def probe(self, device: SimbusDevice) -> None:
        """Bind the driver to a camera, and register its class device and its video device.

        The `devm_` functions release their resources when the device is unbound or when this method fails.
        Programs find the class device before the video device exists, so the mutex blocks their requests
        until both are registered.
        """
        io, label = devm_ioremap(device), f"camera {device.name}"
        mutex, lock = mutex_init(self.this, label), spin_lock_init(self.this, label)
        camera = Camera(self.this, self.family, device, io, mutex, lock, self.this.parameters["buffers"])
        camera.write(0, hw.CONTROL)
        devm_request_threaded_irq(device, device.irq, interrupt, announce, IRQF_SHARED, "camera", camera)

        async def end_stream(work: Work) -> None:
            await stop_if_idle(camera)

        camera.stop_work = init_work(self.this, end_stream)
        dev_set_drvdata(device, camera)
        async with mutex:
            camera.node = self.classes.devclass_add(self.kind, device, camera)
            devm_add_action(device, self.classes.devclass_del, camera.node)
            register_video(camera)
        dev_info(device, f"{camera.name}, revision {device.revision}, serial {device.serial}")
        genlmsg_multicast(self.family, "device-added", describe(camera))

    async def remove(self, device: SimbusDevice) -> None:
        """Unbind the driver from a camera, even if the camera is unplugged or in use by programs.

        First unregister the class device, so that no new program finds the camera.  Then disconnect its
        users.
        """
        camera: Camera = dev_get_drvdata(device)
        self.classes.devclass_del(camera.node)
        await unregister_video(camera)
        await shut_down(camera)
        await cancel_work_sync(camera.stop_work)
        genlmsg_multicast(self.family, "device-removed", {"device": camera.name})


init, exit = module_simbus_driver(DEVICES, CameraDriver)
