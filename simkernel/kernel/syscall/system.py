"""Calls about the whole system (kernel/sys.c): uname."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simkernel.uapi.utsname import Utsname
from simkernel.uapi.version import UTS_RELEASE, UTS_VERSION

if TYPE_CHECKING:
    from simkernel.kernel.parts import KernelParts
    from simkernel.kernel.vfs.task import Task

NODENAME: Final = "simkernel"
"""Each machine's, as nothing sets it."""
UTSNAME: Final = Utsname("Linux", NODENAME, UTS_RELEASE, UTS_VERSION, "x86_64")
"""init_uts_ns: there are no other namespaces of names."""


class SystemCalls:
    """What is the same for all who ask."""

    def __init__(self, kernel: KernelParts) -> None:
        """There is nothing to know of the kernel."""

    def uname(self, task: Task) -> Utsname:
        """uname(2)."""
        return UTSNAME
