"""Flags of finit_module(2).  Source: include/uapi/linux/module.h."""

from __future__ import annotations

from typing import Final

MODULE_INIT_IGNORE_MODVERSIONS: Final = 1
MODULE_INIT_IGNORE_VERMAGIC: Final = 2
MODULE_INIT_COMPRESSED_FILE: Final = 4
