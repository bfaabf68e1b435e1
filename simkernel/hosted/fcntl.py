"""`fcntl` of a hosted program (Modules/fcntlmodule.c)."""

from __future__ import annotations

import fcntl as real
from types import ModuleType

from simkernel.hosted.calls import SystemCalls, module


def fcntl_module(call: SystemCalls) -> ModuleType:
    """`fcntl` for one process."""
    return module(real, None, fcntl=call.function("fcntl"), ioctl=call.function("ioctl"))
