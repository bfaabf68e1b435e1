"""include/linux/printk.h: lines in the kernel log that begin with the module's name."""

from __future__ import annotations

from simkernel.driverapi.context import kernel_of
from simkernel.kernel.lib.log import Level
from simkernel.kernel.module.module import ThisModule


def pr_crit(this: ThisModule, text: str) -> None:
    """Something critical has failed."""
    _print(this, Level.CRIT, text)


def pr_err(this: ThisModule, text: str) -> None:
    """An error."""
    _print(this, Level.ERR, text)


def pr_warn(this: ThisModule, text: str) -> None:
    """Something may be wrong."""
    _print(this, Level.WARNING, text)


def pr_notice(this: ThisModule, text: str) -> None:
    """Normal, but worth seeing."""
    _print(this, Level.NOTICE, text)


def pr_info(this: ThisModule, text: str) -> None:
    """Information."""
    _print(this, Level.INFO, text)


def pr_debug(this: ThisModule, text: str) -> None:
    """For whoever looks for a fault."""
    _print(this, Level.DEBUG, text)


def _print(this: ThisModule, level: Level, text: str) -> None:
    kernel_of(this).log.printk(level, f"{this.name}: {text}")
