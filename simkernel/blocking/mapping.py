"""A blocking version of `mmap.mmap`, for memory inside the simulated machine."""

from __future__ import annotations

from typing import Self

from simkernel.application.mapping import Mapping, Memory
from simkernel.blocking.methods import Run, blocking


class BlockingMapping(Memory):
    """A blocking version of `mmap.mmap`: memory that is mapped into a simulated process."""

    def __init__(self, run: Run, wrapped: Mapping) -> None:
        self.run = run
        self.wrapped = wrapped
        self._position = 0

    @property
    def _view(self) -> memoryview | None:  # type: ignore[override]
        return self.wrapped._view

    @property
    def address(self) -> int:
        """Address of the mapping in the process's memory."""
        return self.wrapped.address

    size = blocking(Mapping.size)
    flush = blocking(Mapping.flush)
    close = blocking(Mapping.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
