"""Loading and hot-plugging in random order, compared with a simple model."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path
from typing import Any

import attrs
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from simkernel import millis
from simkernel.hardware.bus import Device as Hardware
from simkernel.kernel.module.module import ModuleState
from tests.examples import examples
from tests.kernel.conftest import Bench

IMPORTS: dict[str, tuple[str, ...]] = {
    "base": (),
    "user": ("base",),
    "lamp": ("base",),
    "broken": (),
    "orphan": ("nobody",),
}
SLOTS = (1, 2, 3)

PLAIN = """
def init(this): return 0
def exit(this, state): pass
def {name}_symbol(state): return state
"""
BROKEN = """
def init(this):
    mod_timer(timer_setup(this, exit), 10**15)
    raise os_error(ENODEV)
def exit(this, state): pass
def broken_symbol(state): pass
"""
LAMP = """
async def init(this):
    async def probe(device):
        dmam_alloc_coherent(device, 64)
        devm_request_irq(device, device.irq, lambda irq, cookie: IRQ_NONE, 0, "lamp", device)
        await msleep(this, 1)
    return await simbus_register_driver(this, (SimbusDeviceId(0x51B5, 0x1A3B),), probe)
async def exit(this, driver):
    await simbus_unregister_driver(driver)
def lamp_symbol(state): pass
"""


class Lamp(Hardware):
    vendor_id, device_id = 0x51B5, 0x1A3B


@attrs.define
class Model:
    """A model of the loaded modules, their references, the plugged devices and the number of leaks."""

    loaded: list[str] = attrs.field(factory=list)
    held: dict[str, int] = attrs.field(factory=dict)
    plugged: dict[int, Lamp] = attrs.field(factory=dict)
    leaks: int = 0

    def users(self, name: str) -> list[str]:
        return [each for each in self.loaded if name in IMPORTS[each]]

    def insmod(self, name: str) -> int:
        if name in self.loaded:
            return errno.EEXIST
        if any(needed not in self.loaded for needed in IMPORTS[name]):
            return errno.ENOENT
        if name == "broken":
            self.leaks += 1
            return errno.ENODEV
        self.loaded.append(name)
        return 0

    def modprobe(self, name: str) -> int:
        for needed in IMPORTS[name]:
            if needed in IMPORTS:
                self.insmod(needed)
        number = self.insmod(name)
        return 0 if number == errno.EEXIST else number

    def rmmod(self, name: str) -> int:
        if name not in self.loaded:
            return errno.ENOENT
        if self.users(name) or self.held.get(name):
            return errno.EAGAIN
        self.loaded.remove(name)
        return 0


names = st.sampled_from(sorted(IMPORTS))


class ModulesAndHotplug(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.bench = Bench(Path(self.folder.name))
        bodies = {"broken": BROKEN, "lamp": LAMP}
        for name, imports in IMPORTS.items():
            self.bench.module(
                name,
                bodies.get(name, PLAIN.format(name=name)),
                imports=tuple(f"{each}_symbol" for each in imports),
                exports=(f"{name}_symbol",),
            )
        self.root = self.bench.root
        self.model = Model()
        self.bench.pass_time(millis(1))
        self.at_rest = len(self.bench.machine.kernel.resources)

    def outcome(self, call: Any, *arguments: Any) -> int:
        try:
            call(*arguments)
        except OSError as error:
            return error.errno or 0
        return 0

    def settle(self) -> None:
        self.bench.pass_time(millis(20))

    @rule(name=names)
    def insmod(self, name: str) -> None:
        assert self.outcome(self.root.insmod, name) == self.model.insmod(name)
        self.settle()

    @rule(name=names)
    def modprobe(self, name: str) -> None:
        assert self.outcome(self.root.modprobe, name) == self.model.modprobe(name)
        self.settle()

    @rule(name=names)
    def delete_module(self, name: str) -> None:
        assert self.outcome(self.bench.delete_module, name) == self.model.rmmod(name)

    @precondition(lambda self: self.model.loaded)
    @rule(data=st.data())
    def hold(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.model.loaded))
        module = self.bench.machine.kernel.modules.find(name)
        assert module is not None
        assert module.try_get()
        self.model.held[name] = self.model.held.get(name, 0) + 1

    @precondition(lambda self: any(self.model.held.values()))
    @rule(data=st.data())
    def put(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(name for name, held in self.model.held.items() if held)))
        module = self.bench.machine.kernel.modules.find(name)
        assert module is not None
        module.put()
        self.model.held[name] -= 1

    @rule(slot=st.sampled_from(SLOTS), settle=st.booleans())
    def plug_or_unplug(self, slot: int, settle: bool) -> None:
        if slot in self.model.plugged:
            self.bench.machine.unplug(self.model.plugged.pop(slot))
        else:
            self.model.plugged[slot] = Lamp()
            self.bench.machine.plug(self.model.plugged[slot], slot=slot)
        if settle:
            self.settle()

    @invariant()
    def modules_agree(self) -> None:
        modules = list(self.bench.machine.kernel.modules)
        assert [module.name for module in modules] == self.model.loaded[::-1]
        for module in modules:
            assert module.state is ModuleState.LIVE
            assert [user.name for user in module.users] == self.model.users(module.name)[::-1]
            assert module.references == len(module.users) + self.model.held.get(module.name, 0)

    @invariant()
    def devices_agree(self) -> None:
        self.settle()
        kernel = self.bench.machine.kernel
        bound = {device.slot: device.driver is not None for device in kernel.simbus.type.devices}
        driven = "lamp" in self.model.loaded
        assert bound == dict.fromkeys(sorted(self.model.plugged), driven) or bound == dict.fromkeys(
            self.model.plugged, driven
        )
        lamps = len(self.model.plugged) if driven else 0
        assert kernel.dma.allotted == 64 * lamps
        assert len(kernel.resources) == self.at_rest + driven + 2 * lamps

    @invariant()
    def nothing_goes_wrong(self) -> None:
        kernel = self.bench.machine.kernel
        assert kernel.modules.leaks == self.model.leaks
        assert kernel.oopses.count == 0
        assert kernel.preempt.bugs == 0

    def teardown(self) -> None:
        for name in reversed(tuple(self.model.loaded)):
            for _ in range(self.model.held.get(name, 0)):
                module = self.bench.machine.kernel.modules.find(name)
                assert module is not None
                module.put()
            self.root.rmmod(name)
        assert self.bench.states() == {}
        assert len(self.bench.machine.kernel.resources) == self.at_rest
        self.bench.close()
        self.folder.cleanup()


TestModulesAndHotplug = ModulesAndHotplug.TestCase
TestModulesAndHotplug.settings = settings(
    max_examples=examples(25),
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
