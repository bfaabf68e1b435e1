"""The declaration of a module: the MODULE_*, module_param and EXPORT_SYMBOL lines of a C driver.

A declaration is immutable: a module's file is executed once per process and shared by all machines.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol

import attrs

from simkernel.engine import SimulationError

GPL_COMPATIBLE = frozenset(
    {"GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"}
)
"""Licences that do not taint the kernel (`license_is_gpl_compatible()`, include/linux/license.h)."""


class DeviceId(Protocol):
    """An entry in a driver's table of supported devices."""

    @property
    def alias(self) -> str:
        """The pattern that a device's MODALIAS must match. On Linux, file2alias makes the pattern from the
        table entry.
        """


@attrs.frozen
class ModuleParameter:
    """A parameter of a module (`module_param()`).

    `type` is bool, int or str.  An int has 32 bits and must be in the range from `minimum` to `maximum`,
    if they are given.  With `array`, the parameter is a comma-separated list of at most that many values,
    and its value is a tuple. `perm` is the mode of its file in sysfs; 0 means no file.
    """

    name: str
    type: type[bool] | type[int] | type[str]
    default: Any
    minimum: int | None = attrs.field(default=None, kw_only=True)
    maximum: int | None = attrs.field(default=None, kw_only=True)
    array: int = attrs.field(default=0, kw_only=True)
    perm: int = attrs.field(default=0o444, kw_only=True, validator=attrs.validators.in_((0o444, 0o400, 0)))
    description: str = attrs.field(default="", kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.type not in (bool, int, str):
            raise SimulationError(
                f"parameter {self.name!r}: its type must be bool, int or str, not {self.type!r}"
            )
        if self.type is not int and (self.minimum is not None or self.maximum is not None):
            raise SimulationError(f"parameter {self.name!r}: only an int has a minimum and a maximum")
        values = self.default if self.array else (self.default,)
        if not isinstance(values, tuple) or not all(type(value) is self.type for value in values):
            wanted = f"a tuple of {self.type.__name__}" if self.array else f"of type {self.type.__name__}"
            raise SimulationError(
                f"parameter {self.name!r}: its default must be {wanted}, not {self.default!r}"
            )
        if not all(self.in_range(value) for value in values):
            raise SimulationError(f"parameter {self.name!r}: its default {self.default!r} is out of range")

    def in_range(self, value: Any) -> bool:
        """Return True if the value is at least `minimum` and at most `maximum`. A bound that is None is not
        checked.
        """
        return (self.minimum is None or value >= self.minimum) and (
            self.maximum is None or value <= self.maximum
        )

    @property
    def expected(self) -> str:
        """A text that describes the allowed values."""
        text = {bool: "y or n", int: "an int", str: "a string"}[self.type]
        if self.minimum is not None:
            text += f" from {self.minimum}" if self.maximum is not None else f" of at least {self.minimum}"
        if self.maximum is not None:
            text += f" to {self.maximum}" if self.minimum is not None else f" of at most {self.maximum}"
        return f"up to {self.array} of: {text}" if self.array else text


_TUPLE = attrs.validators.instance_of(tuple)  # ("name") without a comma is a string, a common mistake
_TEXT = attrs.validators.instance_of(str)
_TEXTS = attrs.validators.deep_iterable(_TEXT, _TUPLE)
_PARAMETERS = attrs.validators.deep_iterable(attrs.validators.instance_of(ModuleParameter), _TUPLE)


@attrs.frozen(kw_only=True)
class Module:
    """The declaration of a module: the object `MODULE` in the module's file. The module has the name of the
    file (KBUILD_MODNAME).

    `exports` and `exports_gpl` are functions, usually methods of the class of the object that `init`
    returns. Their first argument is this object; an importer does not pass it.  `imports` are the names of
    functions of other modules.  `aliases` are further names by which modprobe finds the module.  A
    `staging` module taints the kernel with C.
    """

    license: str = attrs.field(validator=_TEXT)
    staging: bool = False
    version: str = attrs.field(default="", validator=_TEXT)
    author: str = attrs.field(default="", validator=_TEXT)
    description: str = attrs.field(default="", validator=_TEXT)
    parameters: tuple[ModuleParameter, ...] = attrs.field(default=(), validator=_PARAMETERS)
    aliases: tuple[str, ...] = attrs.field(default=(), validator=_TEXTS)
    devices: tuple[DeviceId, ...] = attrs.field(default=(), validator=_TUPLE)
    exports: tuple[Callable[..., Any], ...] = attrs.field(default=(), validator=_TUPLE)
    exports_gpl: tuple[Callable[..., Any], ...] = attrs.field(default=(), validator=_TUPLE)
    imports: tuple[str, ...] = attrs.field(default=(), validator=_TEXTS)

    @cached_property
    def exported(self) -> dict[str, Callable[..., Any]]:
        """The exported functions, by name."""
        return {function.__name__: function for function in (*self.exports, *self.exports_gpl)}

    @property
    def gpl_compatible(self) -> bool:
        """True if the module may use symbols that are exported only to GPL modules."""
        return self.license in GPL_COMPATIBLE

    @property
    def all_aliases(self) -> tuple[str, ...]:
        """The aliases from the module's device table, followed by its other aliases."""
        return tuple(device.alias for device in self.devices) + self.aliases
