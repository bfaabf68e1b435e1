"""include/linux/printk.h: kernel log lines with the module's name as prefix."""

from __future__ import annotations

from simkernel.driverapi.context import kernel_of
from simkernel.kernel.lib.log import Level
from simkernel.kernel.module.module import ThisModule


def pr_crit(this: ThisModule, text: str) -> None:
    """Log a line with level CRIT, for a critical failure."""
    _print(this, Level.CRIT, text)


def pr_err(this: ThisModule, text: str) -> None:
    """Log a line with level ERR."""
    _print(this, Level.ERR, text)


def pr_warn(this: ThisModule, text: str) -> None:
    """Log a line with level WARNING."""
    _print(this, Level.WARNING, text)


def pr_notice(this: ThisModule, text: str) -> None:
    """Log a line with level NOTICE, for a normal but significant event."""
    _print(this, Level.NOTICE, text)


def pr_info(this: ThisModule, text: str) -> None:
    """Log a line with level INFO."""
    _print(this, Level.INFO, text)


def pr_debug(this: ThisModule, text: str) -> None:
    """Log a line with level DEBUG."""
    _print(this, Level.DEBUG, text)


def _print(this: ThisModule, level: Level, text: str) -> None:
    kernel_of(this).log.printk(level, f"{this.name}: {text}")
