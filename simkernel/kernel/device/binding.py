"""Binding of drivers to devices (drivers/base/dd.c).

If a probe fails with EPROBE_DEFER, it is retried whenever another device has been bound, because that
device may provide what the driver needs.
"""

from __future__ import annotations

import attrs

from simkernel.engine import Engine
from simkernel.kernel.device.device import Device, DeviceDriver
from simkernel.kernel.device.uevent import Uevents
from simkernel.kernel.lib.fault import Armed, check_fault
from simkernel.kernel.lib.layers import KERNEL
from simkernel.kernel.lib.log import Log
from simkernel.kernel.module.awaiting import run
from simkernel.kernel.oops import Oopses
from simkernel.kernel.workqueue import Work, WorkQueue
from simkernel.uapi.errno import EAGAIN, EBUSY, EIO, ENODEV, ENXIO, EPROBE_DEFER, os_error

REJECTS = (ENODEV, ENXIO)
"""Errors with which a probe rejects a device that the driver does not support.  The kernel does not log
them.
"""


@attrs.define(eq=False, repr=False)
class Binding:
    """Binds drivers to devices in one machine, unbinds them, and retries deferred probes."""

    _engine: Engine
    _log: Log
    _oopses: Oopses
    _uevents: Uevents
    _queue: WorkQueue
    _faults: Armed | None = None
    _pending: list[Device] = attrs.field(factory=list)
    _active: list[Device] = attrs.field(factory=list)
    _triggers: int = 0
    _retry: Work = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._retry = Work(None, "deferred_probe_work_func", self._retry_deferred)

    @property
    def deferred(self) -> tuple[Device, ...]:
        """Devices with a deferred probe (devices_deferred in debugfs)."""
        return (*self._active, *self._pending)

    async def attach_device(self, device: Device) -> None:
        """Probe `device` with each matching driver, in the order of registration, until one driver binds to
        it.

        `device_attach()`.
        """
        if device.bus is None:
            return
        async with device.lock:
            for driver in tuple(device.bus.drivers):
                if device.driver is not None or device.dead:
                    return
                if driver in device.bus.drivers and device.bus.match(device, driver):
                    await self._probe(device, driver)

    async def attach_driver(self, driver: DeviceDriver) -> None:
        """Probe with `driver` each unbound device on the driver's bus that matches the driver
        (`driver_attach()`).
        """
        for device in tuple(driver.bus.devices):
            if driver.bus.match(device, driver):
                async with device.lock:
                    if device.driver is None and not device.dead and driver in driver.bus.drivers:
                        await self._probe(device, driver)

    async def attach(self, device: Device, driver: DeviceDriver) -> None:
        """Bind `device` to `driver` on a user's request (`bind_store()`, `device_driver_attach()`).

        Raises ENODEV if the driver does not match or the device is being removed, EBUSY if the device is
        bound, and the error of the probe.
        """
        if not driver.bus.match(device, driver):
            raise os_error(ENODEV)
        async with device.lock:
            if device.dead or driver not in driver.bus.drivers:
                raise os_error(ENODEV)
            if device.driver is not None:
                raise os_error(EBUSY)
            error = await self._probe(device, driver)
        if error:
            raise os_error(EAGAIN if error == EPROBE_DEFER else error)

    async def release(self, device: Device, driver: DeviceDriver | None = None) -> None:
        """Unbind `device` if it is bound.  If `driver` is given, unbind it only from that driver.

        `device_release_driver()`.
        """
        async with device.lock:
            bound = device.driver
            if bound is None or (driver is not None and bound is not driver):
                return
            self._trace("remove", device, bound)
            if bound.remove is not None:
                with self._oopses.contain(bound.module, f"remove of {device.name}"):
                    await run(bound.module, bound.remove, device)
            await self._cleanup(device)
            bound.devices.remove(device)
            self.send("unbind", device)

    def forget(self, device: Device) -> None:
        """Drop `device` from the list of deferred probes (`driver_deferred_probe_del()`)."""
        for waiting in (self._pending, self._active):
            if device in waiting:
                waiting.remove(device)

    def send(self, action: str, device: Device, extra: dict[str, str] | None = None) -> None:
        """Send a uevent of `device`, if it has a bus or a class (`dev_uevent_filter()`)."""
        if not device.subsystem:
            return
        module = device.kind.module if device.kind is not None else None
        with self._oopses.contain(module, f"uevent of {device.name}"):
            variables = (extra or {}) | device.uevent_environment()
            if action == "unbind":
                # Omit MODALIAS, as zap_modalias_env() does: udev must not load a driver for the device.
                variables.pop("MODALIAS", None)
            self._uevents.send(action, device.devpath, device.subsystem, variables)

    async def _probe(self, device: Device, driver: DeviceDriver) -> int:
        """Probe `device` with `driver`, and return 0 or an errno.  The caller holds the device's lock.

        `driver_probe_device()` and `really_probe()`.
        """
        triggers = self._triggers
        device.driver = driver
        self._trace("probe", device, driver)
        try:
            with self._oopses.guard(driver.module, f"probe of {device.name}"):
                module = driver.module and driver.module.name
                check_fault(self._faults, "probe", device=device.name, module=module)
                await run(driver.module, driver.probe, device)
        except OSError as error:
            if error.errno not in (*REJECTS, EPROBE_DEFER):
                self._log.err(
                    f"{device.label}: probe with driver {driver.name} failed with error -{error.errno}"
                )
            await self._cleanup(device)
            if error.errno == EPROBE_DEFER:
                self._defer(device, triggered=triggers != self._triggers)
            return error.errno or EIO
        except BaseException:
            # The task was killed, or the simulated device's own code has a bug: keep the driver's resources.
            device.driver = None
            raise
        driver.devices.append(device)
        self.forget(device)
        self._trigger()
        self.send("bind", device)
        return 0

    async def _cleanup(self, device: Device) -> None:
        """Release the managed resources of a device that is not bound any more
        (`device_unbind_cleanup()`).
        """
        await device.devres.release_all()
        device.driver = None
        device.data = None

    def _defer(self, device: Device, triggered: bool) -> None:
        """Add a device to the list of deferred probes (`driver_deferred_probe_add()`).

        Retry now if another device was bound during the probe.
        """
        if device not in self.deferred:
            self._pending.append(device)
        if triggered:
            self._trigger()

    def _trigger(self) -> None:
        """Schedule a retry of all deferred probes (`driver_deferred_probe_trigger()`)."""
        self._triggers += 1
        self._active += self._pending
        self._pending.clear()
        if self._active:
            self._queue.add(self._retry)

    async def _retry_deferred(self, _: Work) -> None:
        """Retry the deferred probes, in a work item (`deferred_probe_work_func()`)."""
        while self._active:
            device = self._active.pop(0)
            if device.bus is not None and device.bus.autoprobe:
                await self.attach_device(device)

    def _trace(self, event: str, device: Device, driver: DeviceDriver) -> None:
        if (emit := self._engine.trace.emit) is not None:
            emit(event, KERNEL, "device core", device=device.name, driver=driver.name)
