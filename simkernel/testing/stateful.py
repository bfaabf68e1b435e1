"""A hypothesis state machine whose rules act on a simulated machine.

    class MouseMachine(SimStateMachine):
        devices = {"mouse0": Mouse}

        def __init__(self):
            super().__init__()
            self.user = self.machine.blocking(uid=1000)

        @precondition(lambda self: self.plugged("mouse0"))
        @rule(rate=st.sampled_from([125, 1000]))
        def set_rate(self, rate):
            self.user.genetlink("mouse").do("set-rate", rate=rate)

    TestMouse = MouseMachine.TestCase

hypothesis prints a failing run as a program that calls the rules.  Pasted below the class, it fails again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar, Final

from hypothesis import currently_in_test_context, settings
from hypothesis import strategies as st
from hypothesis.control import cleanup
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from hypothesis.strategies import SearchStrategy

from simkernel.engine import MILLISECOND, KernelBug
from simkernel.hardware import Device, Mouse
from simkernel.hardware.mouse.registers import BUTTON_ALL
from simkernel.kernel.lib.log import Level
from simkernel.kernel.lib.taint import Taint
from simkernel.kernel.loader.path import unchanged_files
from simkernel.machine import Machine
from simkernel.testing.sim import CHECKED
from simkernel.testing.strategies.devices import STEPS, WAITS

LENGTH: Final = 16
"""Default of hypothesis' `stateful_step_count`: the maximum number of rules in a run."""
CHANCES: Final = st.integers(0, 7)

_sampled = cache(st.sampled_from)


def _device(plugged: bool, kind: type[Device] = Device) -> SearchStrategy[str]:
    """Return a strategy for the name of a plugged device of class `kind`, or of any unplugged device if
    `plugged` is False.
    """
    return st.runner().flatmap(lambda state: _sampled(state.names(plugged, kind)))


class _Enabled:
    """The rules that a run of the state machine may use. At each step, hypothesis' `RuleStrategy` asks this
    object if a rule is enabled.
    """

    def __init__(self, disabled: frozenset[str]) -> None:
        self._disabled = disabled

    def is_enabled(self, name: str) -> bool:
        return name not in self._disabled


@st.composite
def _enabled(draw: st.DrawFn, names: list[str]) -> _Enabled:
    """Return a strategy for the set of enabled rules, which hypothesis draws once per run.

    hypothesis' own strategy (FeatureFlags) also draws at each step, which makes its shrinker delete few
    steps: of 60 failures of planted bugs, 32 kept needless steps.
    """
    chance = draw(CHANCES)
    return _Enabled(frozenset(name for name in names if chance and draw(CHANCES) < chance))


class SimStateMachine(RuleBasedStateMachine):
    """A state machine over a new `Machine`, with rules that plug devices in, unplug them, move mice and let
    time pass.

    options   keywords of `Machine`
    devices   the devices: by name, a function without arguments that makes one
    settle    simulated ns that pass after a device is plugged in or unplugged, so that a driver binds

    All checkers but "races" are on. After each rule, `check` raises if the kernel reports a bug or a program
    fails. At the end of a run the devices are unplugged and the programs end. Leak is raised if a resource is
    still held.
    """

    options: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    devices: ClassVar[Mapping[str, Callable[[], Device]]] = MappingProxyType({})
    settle: ClassVar[int] = 10 * MILLISECOND
    _files: ClassVar[dict[Any, Any]] = {}
    """Cache for the files and directories from which kernel modules are loaded. All runs of a state machine
    class share this cache.
    """

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls._files = {}
        cls.TestCase.settings = settings(cls.TestCase.settings, stateful_step_count=LENGTH)

    def __init__(self) -> None:
        super().__init__()
        names = [rule.function.__name__ for rule in self.rules if rule.function.__name__ != "wait"]
        rules: Any = st.shared(_enabled(names), key=self)
        self._rules_strategy.enabled_rules_strategy = rules
        self._raised_before = sys.exception()
        if currently_in_test_context():
            reading = ExitStack()
            reading.enter_context(unchanged_files(self._files))
            cleanup(reading.close)
        self.machine = Machine(**{**CHECKED, **self.options})
        self.made: dict[str, Device] = {}
        """Devices that were plugged in at least once, by name."""

    # -- rules ----------------------------------------------------------------

    @precondition(lambda self: self.names(False))
    @rule(device=_device(False))
    def plug(self, device: str) -> None:
        """Plug a device in, and let time pass until a driver is bound."""
        if device not in self.made:
            self.made[device] = made = self.devices[device]()
            made.name = made.name or device
        self.machine.plug(self.made[device])
        self._pass(self.settle)

    @precondition(lambda self: self.names(True))
    @rule(device=_device(True))
    def unplug(self, device: str) -> None:
        """Unplug a device, and let time pass until its driver is unbound."""
        self.machine.unplug(self.made[device])
        self._pass(self.settle)

    @precondition(lambda self: self.names(True, Mouse))
    @rule(device=_device(True, Mouse), dx=STEPS, dy=STEPS, buttons=st.integers(0, BUTTON_ALL))
    def move(self, device: str, dx: int, dy: int, buttons: int) -> None:
        """Move a mouse while the buttons in the bit mask `buttons` are pressed."""
        mouse = self.made[device]
        assert isinstance(mouse, Mouse)
        mouse.move(dx, dy, buttons=buttons)

    @rule(ns=WAITS)
    def wait(self, ns: int) -> None:
        """Advance the simulated time by `ns` nanoseconds."""
        self._pass(ns)

    # -- the state of devices ---------------------------------------------------

    def plugged(self, device: str) -> bool:
        """Return True if the device with this name is plugged in."""
        return device in self.made and self.made[device].plugged

    def names(self, plugged: bool, kind: type[Device] = Device) -> tuple[str, ...]:
        """Return names of devices. If `plugged` is True, they are the plugged devices of the class `kind`,
        otherwise all devices that are not plugged.
        """
        return tuple(
            name
            for name in self.devices
            if self.plugged(name) is plugged and (not plugged or isinstance(self.made[name], kind))
        )

    # -- invariants -------------------------------------------------------------

    def check(self) -> None:
        """Raise the exception of a failed program, or KernelBug for an oops, a BUG or a report of a
        checker.
        """
        self.machine.raise_failures()
        if bugs := self._bugs():
            oopses = [oops.error for oops in self.machine.kernel.oopses.reports]
            raise KernelBug(bugs) from (oopses[0] if oopses else None)

    def _bugs(self) -> str:
        """Return the errors in the kernel log if a bug has tainted the kernel, else an empty string."""
        taints = self.machine.kernel.taints
        if Taint.DIE in taints or Taint.WARN in taints:
            return "\n".join(["the kernel has found a bug:", *self.machine.log.lines(Level.ERR)])
        return ""

    def check_invariants(self, *arguments: Any) -> None:
        """Call `check` after each rule.

        It is not a rule, so hypothesis does not print it in a failing program.
        """
        self.check()
        super().check_invariants(*arguments)

    def teardown(self) -> None:
        """Unplug the devices, end the programs and close the machine.

        If a rule has raised, close the machine immediately.  The error gets a note if the kernel has found
        a bug.
        """
        error = sys.exception()
        if (
            error is not None and error is not self._raised_before
        ):  # hypothesis calls teardown() in a `finally` block after a rule or a check has raised `error`
            if (bugs := self._bugs()) and bugs not in str(error):
                error.add_note(bugs)
            self.machine.__exit__(type(error), error, None)
            return
        with self.machine:
            self.check()
            for device in self.names(True):
                self.machine.unplug(self.made[device])
            self._pass(self.settle)
        self.check()

    def _pass(self, ns: int) -> None:
        self.machine.run(until=self.machine.now + ns)
