"""The pages of a file in memory, compared with a model: contents, allocated pages, holes, mapped memory."""

from __future__ import annotations

from random import Random

import pytest

from simkernel.kernel.mm.shmem import MAX_LFS_FILESIZE, MAX_MAPPED_IN_FULL, Pages, Space
from simkernel.uapi.mman import PAGE_SIZE, page_align

PAGE = PAGE_SIZE
LENGTH = 12 * PAGE


class Model:
    """A model of a file: its bytes, and the indexes of its allocated pages."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.pages: set[int] = set()

    def write(self, position: int, data: bytes) -> None:
        end = position + len(data)
        self.data.extend(bytes(max(end - len(self.data), 0)))
        self.data[position:end] = data
        self.pages.update(range(position // PAGE, page_align(end) // PAGE))

    def truncate(self, size: int) -> None:
        self.data = self.data[:size] + bytearray(max(size - len(self.data), 0))
        self.pages = {page for page in self.pages if page * PAGE < size}

    def seek(self, position: int, data: bool) -> int | None:
        """Return the offset that lseek(2) finds from `position` on: with SEEK_DATA if `data` is True, with
        SEEK_HOLE if it is False.
        """
        for page in range(position // PAGE, page_align(len(self.data)) // PAGE):
            if (page in self.pages) == data:
                return max(position, page * PAGE)
        return None if data else len(self.data)


def spans(random: Random) -> tuple[int, int]:
    """Return a position and a size, often at the borders of pages."""
    position = random.choice((random.randrange(LENGTH), random.randrange(12) * PAGE))
    size = random.choice((1, PAGE - 1, PAGE, PAGE + 1, random.randrange(1, 4 * PAGE), LENGTH))
    return position, size


@pytest.mark.parametrize("seed", range(8))
def test_random_calls_agree_with_the_model(seed: int) -> None:
    random = Random(seed)
    space = Space(limit=1 << 30)
    pages, model = Pages(space), Model()
    for number in range(40):
        position, size = spans(random)
        if random.random() < 0.6:
            data = bytes([number + 1]) * size
            pages.write(position, data)
            model.write(position, data)
        else:
            pages.truncate(position)
            model.truncate(position)
        assert pages.size == len(model.data)
        assert pages.allotted == space.used == len(model.pages) * PAGE
        for _ in range(4):
            position, size = spans(random)
            assert pages.read(position, size) == bytes(model.data[position : position + size])
        position = random.choice((0, position, max(len(model.data) - 1, 0)))
        if position < len(model.data):
            assert pages.data_from(position) == model.seek(position, True)
            assert pages.hole_from(position) == model.seek(position, False)
    pages.free()
    assert (pages.allotted, space.used) == (0, 0)


@pytest.mark.parametrize("seed", range(8))
def test_views_share_the_memory_of_the_file(seed: int) -> None:
    """Each view shows later writes, and the file shows what is stored in a view."""
    random = Random(seed)
    pages, model = Pages(Space(limit=1 << 30)), Model()
    for _ in range(5):
        position, size = spans(random)
        pages.write(position, b"a" * size)
        model.write(position, b"a" * size)
    views = []
    for _ in range(4):
        position, size = random.randrange(12) * PAGE, random.choice((1, PAGE, 2 * PAGE + 5))
        size = max(min(size, len(model.data) - position), 1)
        views.append((position, size, pages.view(position, size, AssertionError)))
        if position + size > len(model.data):
            continue
        views[-1][2][size // 2] = 7
        model.data[position + size // 2] = 7
        position, size = spans(random)
        size = min(size, max(len(model.data) - position, 1))
        pages.write(position, b"b" * size)
        model.write(position, b"b" * size)
        assert pages.read(0, 2 * LENGTH) == bytes(model.data)
        for first, length, view in views:
            assert len(view) == length
            shown = bytes(model.data[first : first + length])
            assert bytes(view[: len(shown)]) == shown
            assert not any(view[len(shown) :])


def test_the_first_view_allocates_a_small_file() -> None:
    """The first mapping of a file of at most 16 MiB allocates all pages of the file. A later mapping
    allocates only its own pages.
    """
    full = MAX_MAPPED_IN_FULL
    for size, mapped in ((3 * PAGE + 1, 4 * PAGE), (full, full), (full + 1, PAGE)):
        space = Space(limit=1 << 30)
        pages = Pages(space)
        pages.truncate(size)
        pages.view(PAGE, 10, AssertionError)
        assert space.used == pages.allotted == mapped
        pages.truncate(2 * full)
        pages.view(full + 4 * PAGE, PAGE + 1, AssertionError)
        assert space.used == mapped + 2 * PAGE


def test_mapped_pages_stay_allocated_and_are_zeroed() -> None:
    space = Space(limit=1 << 30)
    pages = Pages(space)
    pages.write(0, b"x" * 3 * PAGE)
    view = pages.view(0, 3 * PAGE, AssertionError)
    pages.truncate(PAGE + 5)
    assert (space.used, pages.allotted) == (3 * PAGE, 3 * PAGE)
    assert bytes(view) == b"x" * (PAGE + 5) + bytes(2 * PAGE - 5)
    pages.truncate(3 * PAGE)
    assert pages.read(0, 9 * PAGE) == bytes(view)


def test_a_mapping_across_separately_mapped_pages_is_not_modelled() -> None:
    pages = Pages(Space(limit=1 << 30))
    pages.truncate(PAGE)
    pages.view(0, PAGE, AssertionError)
    pages.truncate(3 * PAGE)
    pages.view(2 * PAGE, PAGE, AssertionError)
    with pytest.raises(AssertionError, match="mmap of file pages that were allocated"):
        pages.view(0, 3 * PAGE, AssertionError)


def test_space_is_taken_up_to_the_limit() -> None:
    space = Space(limit=2 * PAGE)
    pages = Pages(space)
    pages.write(0, b"x")
    pages.write(5 * PAGE, b"x")
    with pytest.raises(OSError, match="No space"):
        pages.write(PAGE, b"x")
    assert (space.used, pages.allotted, pages.size) == (2 * PAGE, 2 * PAGE, 5 * PAGE + 1)
    pages.write(PAGE - 1, b"y")
    pages.truncate(5 * PAGE)
    pages.write(PAGE, b"x")
    assert pages.read(MAX_LFS_FILESIZE - 5, 5) == b""
