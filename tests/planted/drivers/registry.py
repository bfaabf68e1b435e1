"""A generic netlink family with a table of entries. A dump stores its position as an index into the table, as
`genl_dumpit` callbacks do.

If an entry before the index is removed, the next entry moves to an index that the dump has passed. The
dump declares the table's generation, so the reader gets NLM_F_DUMP_INTR.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from simkernel.driverapi.genetlink import (
    GenlFamily,
    GenlInfo,
    Reply,
    genl_register_family,
    genl_unregister_family,
)
from simkernel.driverapi.module import Module, ThisModule
from simkernel.driverapi.spinlock import spin_lock_init
from simkernel.uapi.errno import ENOENT

MODULE = Module(license="GPL", aliases=("net-pf-16-proto-16-family-registry",))

ENTRIES: Final = 12
TEXT: Final = "x" * 900


class Registry:
    """State of the loaded module. `lock` protects the table and its generation."""

    def __init__(self, this: ThisModule) -> None:
        self.lock = spin_lock_init(this, "registry")
        self.numbers = list(range(ENTRIES))
        self.generation = 1
        self.family: GenlFamily = genl_register_family(
            this, do={"remove": self.remove, "count": self.count}, dump={"entry": self.dump}
        )

    def dump(self, info: GenlInfo) -> Iterator[Reply]:
        """Dump the entries of the table by index. If an entry is removed during the dump, the dump may skip
        another entry.
        """
        index = 0
        while True:
            with self.lock:
                info.generation = self.generation
                if index >= len(self.numbers):
                    return
                number = self.numbers[index]
            yield {"number": number, "text": TEXT}
            index += 1

    def remove(self, info: GenlInfo) -> None:
        """Remove an entry. Raise ENOENT if it does not exist."""
        number = info.required("number")
        with self.lock:
            if known := number in self.numbers:
                self.numbers.remove(number)
                self.generation += 1
        if not known:
            info.fail(ENOENT)

    def count(self, info: GenlInfo) -> Reply:
        """Return the number of entries."""
        return {"number": len(self.numbers)}


def init(this: ThisModule) -> Registry:
    """Register the generic netlink family."""
    return Registry(this)


def exit(this: ThisModule, registry: Registry) -> None:
    """Unregister the generic netlink family."""
    genl_unregister_family(registry.family)
