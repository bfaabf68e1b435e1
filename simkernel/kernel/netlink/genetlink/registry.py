"""Registry of families, which assigns family ids and group numbers (genetlink.c)."""

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
"""Ids of the families whose id is fixed, by family name. Each of these families has one multicast group. The
group's number is equal to the family's id.
"""
FIXED_GROUPS: Final = {**FIXED_IDS, "NET_DM": 1}

RESERVED_GROUPS: Final = 0b11 | 1 << GENL_ID_CTRL | 1 << GENL_ID_VFS_DQUOT | 1 << GENL_ID_PMCRAID
"""Bit mask of the reserved group numbers. Only families with a fixed group number can have them
(mc_group_start).
"""
WORD: Final = 64
"""Number of bits in a word. The mask of group numbers grows by whole words."""


class Registry:
    """The registered families, by id and by name.

    Ids are assigned in ascending order, and reused only after the highest id (`idr_alloc_cyclic()`). Group
    numbers are the lowest that are free.
    """

    def __init__(self) -> None:
        self.by_id: dict[int, Family] = {}
        self.by_name: dict[bytes, Family] = {}
        self._next_id = 0
        self._groups = RESERVED_GROUPS
        self.group_count = WORD
        """Upper limit of NETLINK_GENERIC's group numbers. All assigned group numbers are lower."""

    def __iter__(self) -> Iterator[Family]:
        """Return an iterator over all families, ordered by id."""
        return iter([family for _, family in sorted(self.by_id.items())])

    def __len__(self) -> int:
        return len(self.by_id)

    def find_group(self, group: int) -> tuple[Family, int] | None:
        """Return the family to which a group number belongs, and the index of the group in the family. Return
        None if no family has the group.
        """
        for family in self:
            index = group - family.first_group
            if 0 <= index < len(family.groups):
                return family, index
        return None

    def reserve(self, ids: int, groups: int) -> None:
        """Reserve the next family ids and group numbers, as if other families had them. The parameter `ids`
        is the number of ids to reserve, `groups` is the number of group numbers.
        """
        self._next_id = max(self._next_id, GENL_START_ALLOC) + ids
        self._take_groups(groups)

    def add(self, family: Family) -> None:
        """Assign an id and group numbers to a family (`genl_register_family()`).

        Raise EINVAL if the family is invalid, EEXIST if its name is in use, ENOSPC if no id is free.
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
        """Remove a family and free its group numbers. Raise ENOENT if it is not registered."""
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
        """Reserve `count` consecutive free group numbers, and return the first of them
        (`genl_allocate_reserve_groups()`).
        """
        first = 0
        wanted = (1 << count) - 1
        while self._groups >> first & wanted or self._groups >> first & 1:
            first += 1
        while first + count > self.group_count:
            self.group_count += -(-count // WORD) * WORD
        self._groups |= wanted << first
        return first


def _check(family: Family) -> None:
    """Raise EINVAL if a family's commands or group names are invalid (`genl_validate_ops()`)."""
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
        if command.number >= family.resv_start_op
        for operation in command.operations
    )
    if not well_formed or lenient:
        raise os_error(EINVAL)
