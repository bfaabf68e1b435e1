"""A hypothesis strategy for lists that are longer than those that `st.lists` draws."""

from __future__ import annotations

from itertools import chain
from typing import Final, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")

PARTS: Final = 4


def sequences(each: SearchStrategy[T], max_size: int) -> SearchStrategy[list[T]]:
    """Return a strategy for lists of up to `max_size` elements (rounded up to a multiple of 4). If `max_size`
    is at most 40, the average length of a list is half of this maximum.

    `st.lists` draws five elements on average, regardless of its `max_size`.
    """
    parts = st.tuples(*[st.lists(each, max_size=-(-max_size // PARTS))] * PARTS)
    return parts.map(lambda lists: list(chain(*lists)))
