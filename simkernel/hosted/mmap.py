"""The `mmap` module of a hosted program, for the machine's files and devices (Modules/mmapmodule.c)."""

from __future__ import annotations

import ctypes
import mmap as real
from types import ModuleType
from typing import Any

from simkernel.application.mapping import ACCESS_DEFAULT, READ_WRITE, map_memory
from simkernel.blocking.mapping import BlockingMapping
from simkernel.blocking.process import Blocking
from simkernel.hosted.calls import ProcessCalls, module
from simkernel.uapi.mman import MAP_SHARED


class HostedMapping(BlockingMapping):
    """The class `mmap.mmap` of a hosted program: a mapping of a file or device of the machine, or of
    anonymous memory.

    Writable memory has an address of the host, which ioctl structures can contain.  Such a mapping is also
    a ctypes array, because a class written in Python cannot export a buffer before Python 3.12 (PEP 688).
    """

    _process: Blocking

    def __new__(
        cls,
        fileno: int,
        length: int,
        flags: int = MAP_SHARED,
        prot: int = READ_WRITE,
        access: int = ACCESS_DEFAULT,
        offset: int = 0,
    ) -> HostedMapping:
        """Map `length` bytes of a file from `offset`, or anonymous memory if `fileno` is -1."""
        process = cls._process
        wrapped = process.run(map_memory(process.app, fileno, length, flags, prot, access, offset))
        view = wrapped.memory
        if view.readonly or not len(view):
            made: Any = super().__new__(cls)
        else:
            array = ctypes.c_char * len(view)
            kind: Any = type(cls.__name__, (cls, array), {"__module__": cls.__module__})
            made = kind.from_buffer(view)
        BlockingMapping.__init__(made, process.run, wrapped)
        mapping: HostedMapping = made
        return mapping

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        """Do nothing, because `__new__` has made the mapping.  The `__init__` of a ctypes array would take
        the arguments as its items.
        """

    def __repr__(self) -> str:
        return repr(self.wrapped)

    def close(self) -> None:
        """Unmap the memory.  The call has no effect if the memory is already unmapped or the process has
        ended.
        """
        if self._process.task.alive:
            super().close()


def mmap_module(call: ProcessCalls) -> ModuleType:
    """Return the `mmap` module of one process."""
    kind = type("mmap", (HostedMapping,), {"__module__": "mmap", "_process": call.process})
    return module(real, None, mmap=kind, error=OSError)
