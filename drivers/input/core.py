"""The input core: registration of input devices and of handlers (drivers/input/input.c)."""

from __future__ import annotations

from itertools import chain, count
from typing import Final

from simkernel.driverapi.device import (
    Device,
    class_register,
    class_unregister,
    device_create,
    device_unregister,
)
from simkernel.driverapi.fs import register_chrdev_region, unregister_chrdev_region
from simkernel.driverapi.module import ThisModule
from simkernel.driverapi.mutex import mutex_init
from simkernel.driverapi.printk import pr_err, pr_info
from simkernel.driverapi.spinlock import spin_lock_init
from simkernel.driverapi.unmodelled import unmodelled
from simkernel.uapi.errno import EINVAL, ENODEV, ENOSPC, os_error
from simkernel.uapi.input_event_codes import EV_KEY, EV_SYN, KEY_RESERVED, MAX_CODE, SYN_REPORT, TYPE_NAMES

from .attributes import ATTRIBUTES
from .bits import codes
from .device import InputDev, estimate_events_per_packet, uevent_variables
from .events import DISPOSITIONS, input_event, release_keys
from .handle import InputHandler

NAME: Final = "input"
INPUT_MAJOR: Final = 13
INPUT_MAX_CHAR_DEVICES: Final = 1024
INPUT_FIRST_DYNAMIC_DEV: Final = 256
NUMBERS: Final = (INPUT_MAJOR, 0)
"""The first device number of the input subsystem.

Each handler has its own range of minor numbers. If its own range is full, the handler uses a range that all
handlers share.
"""


class InputCore:
    """The state of the loaded module.  Drivers import the methods whose names begin with `input_`."""

    def __init__(self, this: ThisModule) -> None:
        """Register the class `input`, and the range of device numbers for event devices (`input_init()`)."""
        self.this = this
        self.kind = class_register(this, NAME)
        self.devices: list[InputDev] = []
        self.handlers: list[InputHandler] = []
        self.mutex = mutex_init(this, "input_mutex")
        """The mutex that protects `devices` and `handlers`. The core also holds it while a handler connects
        to a device or disconnects from it.
        """
        self.minors: set[int] = set()
        self.numbers = count()
        """Numbers for the names of new devices, such as input0. A number is never reused."""
        self.lock = spin_lock_init(this, "input minors")
        try:
            register_chrdev_region(this, NUMBERS, INPUT_MAX_CHAR_DEVICES, NAME)
        except OSError:
            pr_err(this, f"unable to register char major {INPUT_MAJOR}")
            class_unregister(self.kind)
            raise

    def stop(self) -> None:
        """Release the device numbers of the input subsystem, and unregister the class `input`.

        The modules that import from this one are already unloaded.
        """
        unregister_chrdev_region(self.this, NUMBERS, INPUT_MAX_CHAR_DEVICES)
        class_unregister(self.kind)

    # -- devices --------------------------------------------------------------------

    def input_allocate_device(self, owner: ThisModule, parent: Device | None = None) -> InputDev:
        """Return a new input device below `parent`, owned by the module `owner`.

        The driver sets its attributes, then registers it.
        """
        number = next(self.numbers)
        lock, mutex = spin_lock_init(owner, f"events of input{number}"), mutex_init(owner, f"input{number}")
        return InputDev(owner, parent, lock, mutex, number)

    def input_set_capability(self, dev: InputDev, type: int, code: int) -> None:
        """Declare that the device reports events of a type and code.

        An unknown type or code is logged and ignored.
        """
        if type not in MAX_CODE:
            pr_err(self.this, f"input_set_capability: unknown type {type} (code {code})")
        elif code > MAX_CODE[type]:
            pr_err(self.this, f"input_set_capability: invalid code {code} for type {type}")
        else:
            dev.bits[type] = dev.bits.get(type, 0) | 1 << code
            dev.evbit |= 1 << type

    async def input_register_device(self, dev: InputDev) -> None:
        """Register a device and connect all handlers to it.  Raise EEXIST if the name is taken."""
        for type in codes(dev.evbit):
            if type not in DISPOSITIONS:
                what = TYPE_NAMES.get(type, f"type {type:#x}")
                raise unmodelled(self.this, f"an input device with {what} is not modelled", EINVAL)
        dev.evbit |= 1 << EV_SYN
        dev.bits = {type: bits for type, bits in dev.bits.items() if dev.evbit >> type & 1}
        dev.bits[EV_KEY] = dev.bits.get(EV_KEY, 0) & ~(1 << KEY_RESERVED)
        dev.hint_events_per_packet = max(dev.hint_events_per_packet, estimate_events_per_packet(dev))
        dev.max_values = max(dev.max_values, dev.hint_events_per_packet + 2)
        dev.device = device_create(
            dev.owner, self.kind, dev.parent, dev.label,
            data=dev, environment=uevent_variables(dev), attributes=ATTRIBUTES,
        )  # fmt: skip
        pr_info(self.this, f"{dev.name or 'Unspecified device'} as {dev.device.devpath}")
        async with self.mutex:
            self.devices.append(dev)
            for handler in self.handlers:
                await self._attach(dev, handler)

    async def input_unregister_device(self, dev: InputDev) -> None:
        """Unregister a device: report that held keys are released, then disconnect the handlers.

        Do nothing if the device is not registered.
        """
        if dev not in self.devices:
            return
        async with dev.mutex:
            dev.going_away = True
        with dev.lock:
            release_keys(dev)
            for handle in dev.handles:
                handle.open = 0
        async with self.mutex:
            for handle in dev.handles:
                await handle.handler.disconnect(handle)
            self.devices.remove(dev)
        if dev.device is not None:
            device_unregister(dev.device)

    # -- events ---------------------------------------------------------------------

    def input_event(self, dev: InputDev, type: int, code: int, value: int) -> None:
        """Report an event.  Interrupt handlers may call this."""
        input_event(dev, type, code, value)

    def input_sync(self, dev: InputDev) -> None:
        """Report EV_SYN/SYN_REPORT, which ends a packet of events."""
        input_event(dev, EV_SYN, SYN_REPORT, 0)

    def input_set_timestamp(self, dev: InputDev, time: int) -> None:
        """Set the time of the next packet, in ns of the machine's clock. A driver calls this if its hardware
        supplies the time.
        """
        dev.timestamp = time

    # -- handlers -------------------------------------------------------------------

    async def input_register_handler(self, handler: InputHandler) -> None:
        """Register a handler. Connect it to the devices that are registered now and to those that are
        registered later.
        """
        async with self.mutex:
            self.handlers.append(handler)
            for dev in self.devices:
                await self._attach(dev, handler)

    async def input_unregister_handler(self, handler: InputHandler) -> None:
        """Disconnect a handler from its devices and unregister it."""
        async with self.mutex:
            for handle in tuple(handler.handles):
                await handler.disconnect(handle)
            self.handlers.remove(handler)

    async def _attach(self, dev: InputDev, handler: InputHandler) -> None:
        """Connect a handler to a device (`input_attach_handler()`).

        A handler that does not support the device raises ENODEV, which is not logged.
        """
        try:
            await handler.connect(handler, dev)
        except OSError as error:
            if error.errno != ENODEV:
                pr_err(
                    self.this,
                    f"failed to attach handler {handler.name} to device {dev.label}, error: -{error.errno}",
                )

    def input_get_new_minor(self, legacy_base: int, legacy_count: int) -> int:
        """Reserve and return the lowest free minor number in the handler's own range, or in the shared range
        if the own range is full.

        Raise ENOSPC if both ranges are used up.
        """
        own = range(legacy_base, legacy_base + legacy_count)
        with self.lock:
            for minor in chain(own, range(INPUT_FIRST_DYNAMIC_DEV, INPUT_MAX_CHAR_DEVICES)):
                if minor not in self.minors:
                    self.minors.add(minor)
                    return minor
        raise os_error(ENOSPC)

    def input_free_minor(self, minor: int) -> None:
        """Release a minor number."""
        self.minors.discard(minor)
