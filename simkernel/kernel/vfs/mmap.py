"""mmap(2) and munmap(2) (mm/mmap.c)."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from typing import Any, Final

from simkernel.kernel.lib.unmodelled import Unmodelled
from simkernel.kernel.mm.address_space import AddressSpace, private_memory
from simkernel.kernel.mm.vma import VmArea
from simkernel.kernel.vfs.file import OpenFile
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import mman
from simkernel.uapi.errno import EACCES, EINVAL, ENOMEM, EOVERFLOW, EPERM, os_error

TYPES: Final = (mman.MAP_SHARED, mman.MAP_PRIVATE, mman.MAP_SHARED_VALIDATE)
TASK_SIZE: Final = 1 << 47
"""Size of a program's address space in bytes."""
SUPPORTED_FLAGS: Final = (
    mman.MAP_TYPE | mman.MAP_ANONYMOUS | mman.MAP_POPULATE | mman.MAP_NORESERVE | mman.MAP_LOCKED
    | mman.MAP_DENYWRITE
)  # fmt: skip
"""The flags of mmap(2) that are modelled or have no visible effect here."""


class Mapped(int):
    """The address of a mapping. `memory` is the mapped memory; the program reads and writes it directly."""

    memory: memoryview

    def __new__(cls, address: int, memory: memoryview) -> Mapped:
        mapped = super().__new__(cls, address)
        mapped.memory = memory
        return mapped


def map_area(
    unmodelled: Unmodelled, task: Task, length: int, prot: int, flags: int, file: OpenFile | None, offset: int
) -> Mapped | Coroutine[Any, Any, Mapped]:
    """Map a file or anonymous memory (`do_mmap()`).

    Raises EINVAL, EACCES, ENODEV, ENOMEM, EOVERFLOW and the errors of the file's mmap.
    """
    space = address_space(task)
    if length <= 0:
        raise os_error(EINVAL if length == 0 else ENOMEM)
    if mman.page_align(length) > TASK_SIZE:
        raise os_error(ENOMEM)
    if (
        not 0 <= offset <= (1 << 63) - length
    ):  # a negative offset is a huge unsigned long in C (`file_mmap_ok()`)
        raise os_error(EOVERFLOW)
    if flags & ~SUPPORTED_FLAGS:
        raise unmodelled(f"mmap flags {flags & ~SUPPORTED_FLAGS:#x} are not modelled", EINVAL)
    if flags & mman.MAP_TYPE not in TYPES:
        raise os_error(EINVAL)
    area = VmArea(length, prot, flags, file, offset)
    if file is None:
        area.map(private_memory(mman.page_align(length)))
        return _insert(space, area)
    if not file.readable or (area.shared and area.writable and not file.writable):
        raise os_error(EACCES)
    pending = file.object.mmap(task, file, area)
    return _insert(space, area) if pending is None else _insert_later(space, area, pending)


async def _insert_later(space: AddressSpace, area: VmArea, pending: Awaitable[None]) -> Mapped:
    await pending
    return _insert(space, area)


def _insert(space: AddressSpace, area: VmArea) -> Mapped:
    if area.memory is None:
        raise os_error(EINVAL)
    try:
        address = space.insert(area)
    except OSError:
        if area.closed is not None:
            area.closed(area)
        raise
    if area.file is not None:
        area.file.get()
    memory = area.memory[: area.length]
    return Mapped(address, memory if area.writable else memory.toreadonly())


def unmap(unmodelled: Unmodelled, task: Task, address: int, length: int) -> None:
    """Unmap whole areas (munmap(2)).  Raise EINVAL if the range is invalid or not page-aligned."""
    space = address_space(task)
    if address % mman.PAGE_SIZE or length <= 0 or address + length > TASK_SIZE:
        raise os_error(EINVAL)
    end = address + mman.page_align(length)
    hit = [area for area in space.areas if area.start < end and address < area.end]
    if any(area.start < address or area.end > end for area in hit):
        raise unmodelled("unmapping a part of a mapping is not modelled", EINVAL)
    for area in hit:
        space.remove(area)


def address_space(task: Task) -> AddressSpace:
    """Return the address space of `task`. Raise EPERM if the task has none, because the memory of its program
    is outside of the simulation.
    """
    if not isinstance(task.mm, AddressSpace):
        raise os_error(EPERM)
    return task.mm
