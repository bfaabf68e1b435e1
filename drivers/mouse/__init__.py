"""mouse: the driver of the virtual mouse.

Read the files in this order:

    __init__.py   the module, the devices that it binds, probe and remove
    device.py     the state of a mouse, its interrupt handler and its reports
    pointer.py    the reports as input events, for /dev/input/event0
    commands.py   the commands of the netlink family
    mouse.yaml    the specification of the netlink family

The driver knows the hardware only by its data sheet, simkernel/hardware/mouse/registers.py.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from simkernel.driverapi.dev_printk import dev_info
from simkernel.driverapi.device import dev_get_drvdata, dev_set_drvdata, devm_add_action
from simkernel.driverapi.genetlink import genl_unregister_family, genlmsg_multicast
from simkernel.driverapi.interrupt import IRQF_SHARED, devm_request_irq
from simkernel.driverapi.io import devm_ioremap, writel
from simkernel.driverapi.module import Module, ModuleParameter, ThisModule
from simkernel.driverapi.printk import pr_err
from simkernel.driverapi.simbus import SimbusDevice, SimbusDeviceId, Undo, module_simbus_driver
from simkernel.driverapi.spinlock import spin_lock_init
from simkernel.driverapi.workqueue import Work, cancel_work_sync, init_work
from simkernel.hardware.mouse import registers as hw
from simkernel.uapi.errno import EINVAL, os_error

from .commands import describe, register_family
from .device import Mouse, interrupt, send
from .pointer import Pointer

if TYPE_CHECKING:
    from ..devclass import DeviceClasses

DEVICES = (SimbusDeviceId(hw.VENDOR, hw.DEVICE),)

MODULE = Module(
    license="GPL",
    version="1.0",
    author="The simkernel authors",
    description="Driver of the virtual mouse",
    parameters=(
        ModuleParameter(
            "rate",
            int,
            hw.RATE_DEFAULT,
            minimum=min(hw.RATES),
            maximum=max(hw.RATES),
            description="maximum number of reports per second of a mouse when it is plugged in",
        ),
    ),
    devices=DEVICES,
    aliases=("net-pf-16-proto-16-family-mouse",),
    imports=(
        "devclass_register",
        "devclass_unregister",
        "devclass_add",
        "devclass_del",
        "devclass_find",
        "devclass_devices",
        "input_allocate_device",
        "input_set_capability",
        "input_register_device",
        "input_unregister_device",
        "input_set_timestamp",
        "input_event",
        "input_sync",
    ),
)


class MouseDriver:
    """The mouse driver while its module is loaded: its device class and its netlink family."""

    def __init__(self, this: ThisModule, undo: Undo) -> None:
        if this.parameters["rate"] not in hw.RATES:
            pr_err(this, f"rate={this.parameters['rate']}: the rates are {', '.join(map(str, hw.RATES))}")
            raise os_error(EINVAL)
        self.this = this
        self.classes: DeviceClasses = this.symbols
        self.kind = self.classes.devclass_register(this, "mouse")
        undo.callback(self.classes.devclass_unregister, self.kind)
        find = partial(self.classes.devclass_find, self.kind)
        self.family = register_family(this, find, partial(self.classes.devclass_devices, self.kind))
        undo.callback(genl_unregister_family, self.family)

    async def probe(self, device: SimbusDevice) -> None:
        """Bind the driver to a mouse, register its input device and its class device, and enable its reports.

        The `devm_` functions release their resources when the device is unbound or when this method fails.
        """
        lock = spin_lock_init(self.this, f"mouse {device.name}")
        mouse = Mouse(self.family, device, devm_ioremap(device), lock, Pointer(self.this, device))
        mouse.stop()

        def send_reports(work: Work) -> None:
            send(mouse)

        mouse.send_work = init_work(self.this, send_reports)
        # devm cancels the work item after it has freed the interrupt, so no handler can queue the item again.
        devm_add_action(device, cancel_work_sync, mouse.send_work)
        devm_request_irq(device, device.irq, interrupt, IRQF_SHARED, "mouse", mouse)
        dev_set_drvdata(device, mouse)
        await mouse.pointer.register()
        devm_add_action(device, mouse.pointer.unregister)
        mouse.node = self.classes.devclass_add(self.kind, device, mouse)
        devm_add_action(device, self.classes.devclass_del, mouse.node)
        dev_info(device, f"{mouse.name}, revision {device.revision}, serial {device.serial}")
        writel(self.this.parameters["rate"], mouse.io, hw.RATE)
        genlmsg_multicast(self.family, "device-added", describe(mouse))
        mouse.start()

    async def remove(self, device: SimbusDevice) -> None:
        """Unbind the driver from a mouse. The mouse can already be unplugged."""
        mouse: Mouse = dev_get_drvdata(device)
        self.classes.devclass_del(mouse.node)
        with mouse.lock:
            mouse.gone = True
        mouse.stop()
        await mouse.pointer.unregister()
        await cancel_work_sync(mouse.send_work)
        genlmsg_multicast(self.family, "device-removed", {"device": mouse.name})


init, exit = module_simbus_driver(DEVICES, MouseDriver)
