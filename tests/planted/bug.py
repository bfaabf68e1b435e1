"""A planted bug: a story that a faulty client or driver fails under some schedules, and its fix under none.

    async def body(app: App, sim: Sim, sound: bool) -> None: ...
    BUG = Bug(body, sound=("adder",), faulty=("adder sound=0",))

A body ends on quiescence and asserts what a user of the client or driver expects.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import attrs

from simkernel.testing.sim import Body

HERE: Final = Path(__file__).parent
DRIVERS: Final = HERE / "drivers"


@attrs.frozen
class Bug:
    """A body and its machine.

    body           its argument `sound` selects the fix of a client
    sound, faulty  modules to load before, with their parameters, of the fix and of the bug
    devices        devices that are plugged in before
    options        keywords of Machine
    """

    body: Callable[[Any, Any, bool], Awaitable[None]]
    sound: tuple[str, ...] = ()
    faulty: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    options: Mapping[str, Any] = attrs.field(factory=dict)

    def target(self, sound: bool) -> Body:
        """Return the fix or the bug as a target of the explorer."""
        return Body(
            self.body,
            {"app": None, "sim": None, "sound": sound},
            devices=self.devices,
            modules=self.sound if sound else self.faulty,
            options={"module_path": (DRIVERS,), **self.options},
        )


def bugs() -> dict[str, Bug]:
    """Return all stories by the names of their files."""
    names = sorted(path.stem for path in (HERE / "bugs").glob("[a-z]*.py"))
    return {name: import_module(f"tests.planted.bugs.{name}").BUG for name in names}
