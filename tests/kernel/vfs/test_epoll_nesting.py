"""An epoll that watches another epoll: limits of the nesting, and the effect of an event on the inner epoll.

Sources: `ep_loop_check()`, `reverse_path_check()` and `path_limits` of fs/eventpoll.c.  The expected
values are those of Linux 6.18.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from simkernel import Machine
from tests.kernel.refused import refused

IN = select.EPOLLIN
World = tuple[Callable[[], Any], Callable[[], tuple[int, int]], Callable[[int, bytes], int]]


@pytest.fixture
def world() -> Iterator[World]:
    with Machine(udev=False) as machine:
        app = machine.blocking()
        yield app.epoll, app.pipe, app.write


def chain(make: Callable[[], Any], length: int) -> list[Any]:
    """Return a list of epolls. Each epoll except the first watches its predecessor in the list."""
    epolls = [make() for _ in range(length)]
    for inner, outer in pairwise(epolls):
        outer.register(inner.fileno(), IN)
    return epolls


@pytest.mark.parametrize("length", [2, 3, 4, 5])
def test_an_event_reaches_the_outermost_epoll(world: World, length: int) -> None:
    make, pipe, write = world
    reading, writing = pipe()
    epolls = chain(make, length)
    epolls[0].register(reading, IN)
    assert epolls[-1].poll(0) == []
    write(writing, b"x")
    assert epolls[-1].poll(0) == [(epolls[-2].fileno(), IN)]
    assert epolls[0].poll(0) == [(reading, IN)]


def test_five_epolls_may_be_nested(world: World) -> None:
    """EP_MAX_NESTS is 4. Adding a sixth epoll to the chain fails with ELOOP."""
    make, *_ = world
    epolls = chain(make, 5)
    sixth = make()
    assert refused(lambda: sixth.register(epolls[-1].fileno(), IN)) == "ELOOP"
    assert refused(lambda: epolls[0].register(sixth.fileno(), IN)) == "ELOOP"


def test_two_chains_are_joined_up_to_the_limit(world: World) -> None:
    make, *_ = world
    one, other = chain(make, 3), chain(make, 2)
    other[0].register(one[-1].fileno(), IN)
    three, four = chain(make, 3), chain(make, 3)
    assert refused(lambda: four[0].register(three[-1].fileno(), IN)) == "ELOOP"


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_a_loop_is_refused(world: World, length: int) -> None:
    """An epoll cannot be added to itself: the error is EINVAL. For a loop of several epolls, the error is
    ELOOP.
    """
    make, *_ = world
    epolls = chain(make, length)
    expected = "EINVAL" if length == 1 else "ELOOP"
    assert refused(lambda: epolls[0].register(epolls[-1].fileno(), IN)) == expected


LIMITS = [
    # number of epolls between the file and an outermost epoll; maximum number of outermost epolls
    (1, 500),
    (2, 100),
    (3, 50),
    (4, 10),
]


@pytest.mark.parametrize(("length", "limit"), LIMITS)
def test_paths_to_a_file_are_limited(world: World, length: int, limit: int) -> None:
    """The kernel limits the number of paths from a file to outermost epolls, for each length of a path
    (`path_limits`). One path more fails with EINVAL.
    """
    make, pipe, _ = world
    reading, _ = pipe()
    inner = chain(make, length)
    inner[0].register(reading, IN)
    outer = [make() for _ in range(limit)]
    for each in outer:
        each.register(inner[-1].fileno(), IN)
    assert refused(lambda: make().register(inner[-1].fileno(), IN)) == "EINVAL"


@pytest.mark.parametrize("excess", [0, 1])
def test_a_file_is_refused_below_too_many_epolls(world: World, excess: int) -> None:
    """Any number of epolls can watch an inner epoll that watches no file. If more than 500 do, a file can no
    longer be added to the inner epoll (EINVAL).
    """
    make, pipe, _ = world
    inner, outer = make(), [make() for _ in range(500 + excess)]
    for each in outer:
        each.register(inner.fileno(), IN)
    reading, _ = pipe()
    if excess:
        assert refused(lambda: inner.register(reading, IN)) == "EINVAL"
        assert inner.poll(0) == []
        assert refused(lambda: inner.unregister(reading)) == "ENOENT"
    else:
        inner.register(reading, IN)


def test_an_epoll_that_is_removed_leaves_the_chain(world: World) -> None:
    make, *_ = world
    epolls = chain(make, 5)
    epolls[1].unregister(epolls[0].fileno())
    outermost = make()
    outermost.register(epolls[-1].fileno(), IN)
    epolls[0].register(epolls[-1].fileno(), IN)
