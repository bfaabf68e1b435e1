"""A planted bug: a client or driver with a bug that only some schedules show, and a fixed version that never
fails.

    async def body(app: App, sim: Sim, sound: bool) -> None: ...
    BUG = Bug(body, sound=("adder",), faulty=("adder sound=0",))

A body ends when the machine is quiescent, and asserts what a user of the client or driver expects.
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
    """A planted bug: a test function (`body`), and the machine on which the function runs.

    body           its argument `sound` selects the fix of a client
    sound, faulty  modules to load, with their parameters, for the fix and for the bug
    devices        devices that are plugged in at the start
    options        keyword arguments of Machine
    """

    body: Callable[[Any, Any, bool], Awaitable[None]]
    sound: tuple[str, ...] = ()
    faulty: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    options: Mapping[str, Any] = attrs.field(factory=dict)

    def target(self, sound: bool) -> Body:
        """Return a target for the explorer. If `sound` is true, the target is the fixed version, otherwise
        the faulty one.
        """
        return Body(
            self.body,
            {"app": None, "sim": None, "sound": sound},
            devices=self.devices,
            modules=self.sound if sound else self.faulty,
            options={"module_path": (DRIVERS,), **self.options},
        )


def bugs() -> dict[str, Bug]:
    """Return all planted bugs by name."""
    names = sorted(path.stem for path in (HERE / "bugs").glob("[a-z]*.py"))
    return {name: import_module(f"tests.planted.bugs.{name}").BUG for name in names}
