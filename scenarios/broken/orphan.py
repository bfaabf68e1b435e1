"""orphan: imports a symbol that no module exports."""

from __future__ import annotations

from simkernel.driverapi.module import Module

MODULE = Module(license="GPL", description="Needs what is not there", imports=("symbol_of_nobody",))
