"""Which families there are, and how ids and group numbers are given out (genetlink.c)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from simkernel.kernel.netlink.genetlink.family import Family
from simkernel.uapi.errno import EEXIST, EINVAL, ENOENT, ENOSPC, os_error
from simkernel.uapi.genetlink import (
    GENL_ID_CTRL,
    GENL_ID_PMCRAID,
    GENL_ID_VFS_DQUOT,
    GENL_MAX_ID,
    GENL_NAMSIZ,
    GENL_START_ALLOC,
)

FIXED_IDS: Final = {"nlctrl": GENL_ID_CTRL, "pmcraid": GENL_ID_PMCRAID, "VFS_DQUOT": GENL_ID_VFS_DQUOT}
"""Families whose id, and whose one group, never change."""
FIXED_GROUPS: Final = {**FIXED_IDS, "NET_DM": 1}

RESERVED_GROUPS: Final = 0b11 | 1 << GENL_ID_CTRL | 1 << GENL_ID_VFS_DQUOT | 1 << GENL_ID_PMCRAID
"""Group numbers that are not given out, as a mask (mc_group_start)."""
WORD: Final = 64
"""Room for groups grows by words of so many."""


class Registry:
    """The families that there are, by number and by name.

    Ids are given out in turn, and again only after all others were (`idr_alloc_cyclic()`); group
    numbers are the lowest that are free.
    """

    def __init__(self) -> None:
        self.by_id: dict[int, Family] = {}
        self.by_name: dict[bytes, Family] = {}
        self._next_id = 0
        self._groups = RESERVED_GROUPS
        self.group_count = WORD
        """How many groups the protocol has to have."""

    def __iter__(self) -> Iterator[Family]:
        """All families in the order of their ids."""
        return iter([family for _, family in sorted(self.by_id.items())])

    def __len__(self) -> int:
        return len(self.by_id)

    def find_group(self, group: int) -> tuple[Family, int] | None:
        """The family that a group number belongs to, and which of its groups it is."""
        for family in self:
            index = group - family.first_group
            if 0 <= index < len(family.groups):
                return family, index
        return None

    def reserve(self, ids: int, groups: int) -> None:
        """Pass over so many ids and group numbers, as if families had taken them."""
        self._next_id = max(self._next_id, GENL_START_ALLOC) + ids
        self._take_groups(groups)

    def add(self, family: Family) -> None:
        """Give a family its id and group numbers (`genl_register_family()`).

        EINVAL for a family that cannot be, EEXIST for a name that is there, ENOSPC if no id is free.
        """
        _check(family)
        name = family.name.encode()
        if name in self.by_name:
            raise os_error(EEXIST)
        family.id = self._free_id(family)
        self.by_id[family.id] = self.by_name[name] = family
        self._next_id = family.id + 1
        if family.groups:
            family.first_group = FIXED_GROUPS.get(family.name) or self._take_groups(len(family.groups))

    def remove(self, family: Family) -> None:
        """Forget a family; its group numbers are free again.  ENOENT if it is not there."""
        if self.by_id.get(family.id) is not family:
            raise os_error(ENOENT)
        del self.by_id[family.id], self.by_name[family.name.encode()]
        if family.first_group != FIXED_GROUPS["NET_DM"]:
            self._groups &= ~(((1 << len(family.groups)) - 1) << family.first_group)

    def _free_id(self, family: Family) -> int:
        fixed = FIXED_IDS.get(family.name)
        candidates = [fixed] if fixed is not None else self._candidates()
        for id in candidates:
            if id not in self.by_id:
                return id
        raise os_error(ENOSPC)

    def _candidates(self) -> Iterator[int]:
        begin = max(self._next_id, GENL_START_ALLOC)
        yield from range(begin, GENL_MAX_ID + 1)
        yield from range(GENL_START_ALLOC, begin)

    def _take_groups(self, count: int) -> int:
        """The first of `count` free numbers in a row (`genl_allocate_reserve_groups()`)."""
        first = 0
        wanted = (1 << count) - 1
        while self._groups >> first & wanted or self._groups >> first & 1:
            first += 1
        while first + count > self.group_count:
            self.group_count += -(-count // WORD) * WORD
        self._groups |= wanted << first
        return first


def _check(family: Family) -> None:
    """`genl_validate_ops()`, and the names of the groups."""
    numbers = [command.number for command in family.commands]
    well_formed = (
        0 < len(family.name.encode()) < GENL_NAMSIZ
        and len(set(numbers)) == len(numbers)
        and all(command.operations for command in family.commands)
        and all(0 < len(group.name.encode()) < GENL_NAMSIZ for group in family.groups)
    )
    lenient = any(
        operation.validate
        for command in family.commands
        if command.number >= family.strict_from
        for operation in command.operations
    )
    if not well_formed or lenient:
        raise os_error(EINVAL)
