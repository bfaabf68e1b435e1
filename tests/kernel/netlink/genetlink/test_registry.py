"""Ids and group numbers of families."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.kernel.netlink.genetlink.family import (
    DONT_VALIDATE_STRICT,
    Command,
    Family,
    Group,
    Operation,
)
from simkernel.kernel.netlink.genetlink.registry import RESERVED_GROUPS, Registry
from simkernel.uapi.errno import EEXIST, EINVAL, ENOENT
from simkernel.uapi.genetlink import GENL_CMD_CAP_DO, GENL_START_ALLOC


def family(name: str, groups: int = 0, **more: object) -> Family:
    return Family(name, groups=tuple(Group(f"g{number}") for number in range(groups)), **more)  # type: ignore[arg-type]


def test_ids_are_given_out_in_turn() -> None:
    """A freed id is reused only after all higher ids were used (`idr_alloc_cyclic()`)."""
    registry = Registry()
    first, second = family("a"), family("b")
    registry.add(first)
    registry.remove(first)
    registry.add(second)
    assert (first.id, second.id) == (GENL_START_ALLOC, GENL_START_ALLOC + 1)


def test_ids_begin_again_at_the_end() -> None:
    registry = Registry()
    registry.reserve(ids=1023 - GENL_START_ALLOC, groups=0)
    families = [family(name) for name in "abc"]
    for each in families:
        registry.add(each)
    assert [each.id for each in families] == [1023, 19, 20]


def test_old_families_keep_their_numbers() -> None:
    registry = Registry()
    old = family("VFS_DQUOT", groups=1)
    registry.add(old)
    assert (old.id, old.first_group) == (17, 17)


def test_group_numbers_are_the_lowest_in_a_row() -> None:
    """The registry never assigns the groups 1, 16, 17 and 18."""
    registry = Registry()
    wide, narrow, late = family("wide", 13), family("narrow", 2), family("late", 2)
    for each in (narrow, wide, late):
        registry.add(each)
    assert [each.first_group for each in (narrow, wide, late)] == [2, 19, 4]
    registry.remove(narrow)
    again = family("again", 1)
    registry.add(again)
    assert again.first_group == 2


@pytest.mark.parametrize(
    ("count", "total"), [(0, 64), (1, 64), (45, 64), (46, 128), (60, 128), (64, 128), (65, 192), (129, 256)]
)
def test_the_number_of_groups_grows_by_words(count: int, total: int) -> None:
    """The bitmap of groups grows by whole words of 64 bits (`genl_allocate_reserve_groups()`)."""
    registry = Registry()
    registry.add(family("many", count))
    assert registry.group_count == total


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (family("a" * 16), EINVAL),
        (family(""), EINVAL),
        (family("there"), EEXIST),
        (family("a", commands=(Command(1),)), EINVAL),
        (
            family(
                "a",
                commands=(
                    Command(1, Operation(1, "x", GENL_CMD_CAP_DO, None, validate=DONT_VALIDATE_STRICT)),
                ),
            ),
            EINVAL,
        ),
    ],
)
def test_refused(bad: Family, error: int) -> None:
    registry = Registry()
    registry.add(family("there"))
    with pytest.raises(OSError) as refused:
        registry.add(bad)
    assert refused.value.errno == error


def test_removing_an_absent_entry() -> None:
    with pytest.raises(OSError) as refused:
        Registry().remove(family("a"))
    assert refused.value.errno == ENOENT


@given(st.lists(st.one_of(st.integers(0, 20), st.none()), max_size=40))
def test_families_share_no_group(changes: list[int | None]) -> None:
    """No two families share a group number. An int in `changes` registers a family with this number of
    groups. None unregisters the oldest family.
    """
    registry = Registry()
    there: list[Family] = []
    for number, count in enumerate(changes):
        if count is None:
            if there:
                registry.remove(there.pop(0))
        else:
            there.append(family(f"f{number}", count))
            registry.add(there[-1])
    taken = [each.first_group + index for each in there for index in range(len(each.groups))]
    assert len(taken) == len(set(taken))
    assert not any(RESERVED_GROUPS >> group & 1 for group in taken)
    assert all(group < registry.group_count for group in taken)
    assert sorted(each.id for each in registry) == [each.id for each in registry]
