"""orphan: a module that imports a symbol which no module exports."""

from __future__ import annotations

from simkernel.driverapi.module import Module

MODULE = Module(
    license="GPL", description="Needs a symbol that does not exist", imports=("symbol_of_nobody",)
)
