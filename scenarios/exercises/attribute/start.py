from simkernel.driverapi.device import (
    class_register,
    class_unregister,
    device_create,
    device_unregister,
)
from simkernel.driverapi.module import Module
from simkernel.driverapi.spinlock import spin_lock_init
from simkernel.driverapi.sysfs import DeviceAttribute
from simkernel.uapi.errno import EINVAL, os_error

MODULE = Module(license="GPL", description="A lamp")


class Lamp:
    def __init__(self, this):
        self.lock = spin_lock_init(this, "lamp")
        self.brightness = 0
        self.changes = 0


def show_brightness(device):
    # `dev_get_drvdata` of simkernel.driverapi.device returns the lamp.
    return "?\n"


def set_brightness(device, data):
    raise os_error(EINVAL)


def show_changes(device):
    return "?\n"


BRIGHTNESS = DeviceAttribute("brightness", show=show_brightness, store=set_brightness)
CHANGES = DeviceAttribute("changes", show=show_changes)


def init(this):
    kind = class_register(this, "lamp")
    device = device_create(this, kind, None, "lamp0", data=Lamp(this), attributes=(BRIGHTNESS, CHANGES))
    return kind, device


def exit(this, state):
    kind, device = state
    device_unregister(device)
    class_unregister(kind)
