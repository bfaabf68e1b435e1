"""On simkernel, the results of each random program of `pinned.py` still have the recorded digest."""

from __future__ import annotations

import pytest

from tests.conformance import pinned

PROGRAMS = [(kind, number) for kind, count in pinned.COUNTS.items() for number in range(count)]


@pytest.mark.parametrize(("kind", "number"), PROGRAMS)
def test_a_random_program_has_the_pinned_results(kind: str, number: int) -> None:
    assert pinned.run(kind, number) == pinned.pinned()[kind][number], pinned.__doc__


def test_each_program_is_pinned() -> None:
    assert {kind: len(digests) for kind, digests in pinned.pinned().items()} == pinned.COUNTS
