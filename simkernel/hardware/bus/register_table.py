"""The register table of a device class.  It is compiled once for each class."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any, Final

import attrs

from simkernel.engine import SimulationError
from simkernel.hardware.bus import registers as sheet

RO: Final = "ro"  # writes are ignored
RW: Final = "rw"
WO: Final = "wo"  # reads as zero
W1C: Final = "w1c"  # write 1 to clear: the device sets bits, and a driver clears a bit by writing 1 to it

ReadHook = Callable[[Any], int]
WriteHook = Callable[[Any, int], None]


@attrs.frozen
class Register:
    """A register: its name, its offset in the window, the allowed accesses, its value after reset.

    `writable` is a mask of the bits that a write can change.  `values` are the valid values, or None if
    all values are valid.  A write of an invalid value is ignored.
    """

    name: str
    offset: int
    access: str = attrs.field(default=RO, validator=attrs.validators.in_((RO, RW, WO, W1C)))
    reset: int = 0
    writable: int = sheet.ALL_ONES
    values: Container[int] | None = None


@attrs.frozen
class Port:
    """A register, and the methods of the device class that handle a read and a write of this register."""

    register: Register
    read: ReadHook | None = attrs.field(repr=False)
    write: WriteHook | None = attrs.field(repr=False)


HEADER: Final = (
    Register("ID", sheet.ID),
    Register("CLASS", sheet.CLASS),
    Register("INTERRUPT", sheet.INTERRUPT),
    Register("SERIAL", sheet.SERIAL),
)


def compile_table(owner: str, table: Iterable[Register], namespace: Mapping[str, Any]) -> dict[int, Port]:
    """Return a dict that maps the offset of each register of a device class to its `Port`.

    `namespace` maps the names of the class's methods to them.  `read_NAME` and `write_NAME`, in lower
    case, are the hooks of register NAME.  Raise SimulationError if the table has a mistake, or if a hook
    has no register.
    """
    ports: dict[int, Port] = {}
    names: set[str] = set()
    for register in (*HEADER, *table):
        if register.offset % 4 or not 0 <= register.offset < sheet.WINDOW_SIZE:
            raise SimulationError(
                f"{owner}: register {register.name} at {register.offset:#x}: use a multiple of 4 "
                f"below {sheet.WINDOW_SIZE:#x}"
            )
        if (taken := ports.get(register.offset)) is not None:
            raise SimulationError(
                f"{owner}: {taken.register.name} and {register.name} are both at {register.offset:#x}"
            )
        if register.name in names:
            raise SimulationError(f"{owner}: two registers are called {register.name}")
        names.add(register.name)
        hook = register.name.lower()
        ports[register.offset] = Port(register, namespace.get(f"read_{hook}"), namespace.get(f"write_{hook}"))
    hooks = {f"{verb}_{name.lower()}" for verb in ("read", "write") for name in names}
    for name in namespace:
        if name.startswith(("read_", "write_")) and name not in hooks:
            raise SimulationError(
                f"{owner}.{name}() handles no register of the device: the registers are {_listed(ports)}"
            )
    return ports


def _listed(ports: dict[int, Port]) -> str:
    return ", ".join(port.register.name for port in ports.values())
