"""include/linux/printk.h: lines in the kernel log that begin with the module's name."""

from __future__ import annotations

from simkernel.kernel.lib.log import Level
from simkernel.kernel.module.module import LoadedModule

__all__ = ["pr_crit", "pr_debug", "pr_err", "pr_info", "pr_notice", "pr_warn"]


def pr_crit(this: LoadedModule, text: str) -> None:
    """Something critical has failed."""
    _print(this, Level.CRIT, text)


def pr_err(this: LoadedModule, text: str) -> None:
    """An error."""
    _print(this, Level.ERR, text)


def pr_warn(this: LoadedModule, text: str) -> None:
    """Something may be wrong."""
    _print(this, Level.WARNING, text)


def pr_notice(this: LoadedModule, text: str) -> None:
    """Normal, but worth seeing."""
    _print(this, Level.NOTICE, text)


def pr_info(this: LoadedModule, text: str) -> None:
    """Information."""
    _print(this, Level.INFO, text)


def pr_debug(this: LoadedModule, text: str) -> None:
    """For whoever looks for a fault."""
    _print(this, Level.DEBUG, text)


def _print(this: LoadedModule, level: Level, text: str) -> None:
    this.kernel.log.printk(level, f"{this.name}: {text}")
