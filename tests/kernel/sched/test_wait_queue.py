"""Wait queues: the entries that a wake-up reaches, their order, and the entries that it leaves in the queue.

Sources: `__wake_up_common()`, `add_wait_queue()`, `add_wait_queue_exclusive()`,
`autoremove_wake_function()`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from simkernel.kernel.sched.wait import FifoQueue, Sleep, WaitQueue


class Entry:
    """A wait queue entry that records its wake-ups. A wake-up removes the entry from the queue, unless
    `stays` is True.
    """

    def __init__(
        self, queue: WaitQueue, name: str, woken: list[str], events: int = 0, stays: bool = False
    ) -> None:
        self.queue = queue
        self.name = name
        self.exclusive = name.isupper()
        self.woken = woken
        self.events = events
        self.stays = stays

    def wake(self, woken: bool) -> None:
        assert woken
        if not self.stays:
            self.queue.discard(self)
        self.woken.append(self.name)

    def wake_for(self, queue: WaitQueue, events: int) -> bool:
        assert queue is self.queue
        if events and self.events and not events & self.events:
            return False
        self.wake(True)
        return True


def fill(queue: WaitQueue, names: str, stays: str = "") -> tuple[dict[str, Entry], list[str]]:
    """Add an entry for each letter of `names`. A capital letter stands for an exclusive entry."""
    woken: list[str] = []
    entries = {name: Entry(queue, name, woken, stays=name in stays) for name in names}
    for entry in entries.values():
        queue.add(entry)
    return entries, woken


WAKES = [
    # entries in the order in which they are added; entries in queue order; entries woken by each wake_up()
    ("", "", ["", "", ""]),
    ("a", "a", ["a", "", ""]),
    ("A", "A", ["A", "", ""]),
    ("abc", "cba", ["cba", "", ""]),
    ("ABC", "ABC", ["A", "B", "C"]),
    ("aA", "aA", ["aA", "", ""]),
    ("Aa", "aA", ["aA", "", ""]),
    ("AaB", "aAB", ["aA", "B", ""]),
    ("aAbBc", "cbaAB", ["cbaA", "B", ""]),
    ("ABab", "baAB", ["baA", "B", ""]),
]


@pytest.mark.parametrize(("names", "order", "woken"), WAKES)
def test_wake_up_wakes_all_others_and_one_exclusive(names: str, order: str, woken: list[str]) -> None:
    """In the queue, non-exclusive entries come before exclusive ones. A new non-exclusive entry is inserted
    at the head.
    """
    queue = WaitQueue()
    _, seen = fill(queue, names)
    assert "".join(entry.name for entry in queue._waiters()) == order  # type: ignore[attr-defined]
    assert len(queue) == len(names)
    for expected in woken:
        queue.wake_up()
        assert "".join(seen) == expected
        seen.clear()
    assert len(queue) == len(names) - len("".join(woken))


@pytest.mark.parametrize(("names", "order", "woken"), WAKES)
def test_wake_up_all_wakes_in_the_order_of_the_queue(names: str, order: str, woken: list[str]) -> None:
    queue = WaitQueue()
    _, seen = fill(queue, names)
    queue.wake_up_all()
    assert "".join(seen) == order
    assert not queue
    assert len(queue) == 0


@pytest.mark.parametrize(("names", "order", "woken"), WAKES)
def test_a_fifo_queue_keeps_the_order_of_the_calls(names: str, order: str, woken: list[str]) -> None:
    """`wait_event_interruptible_locked()` adds an entry at the tail. A wake-up still stops after the first
    exclusive entry.
    """
    queue = FifoQueue()
    _, seen = fill(queue, names)
    queue.wake_up()
    first = next((place for place, name in enumerate(names, 1) if name.isupper()), len(names))
    assert "".join(seen) == names[:first]


@pytest.mark.parametrize(
    ("names", "added", "order"), [("", "x", "x"), ("A", "X", "XA"), ("aA", "X", "XaA"), ("abA", "x", "xbaA")]
)
def test_add_first_stands_before_all(names: str, added: str, order: str) -> None:
    queue = WaitQueue()
    _, seen = fill(queue, names)
    queue.add_first(Entry(queue, added, seen))
    assert "".join(entry.name for entry in queue._waiters()) == order  # type: ignore[attr-defined]


@pytest.mark.parametrize("gone", "abAB")
def test_discard_removes_one_entry_and_keeps_the_order(gone: str) -> None:
    queue = WaitQueue()
    entries, seen = fill(queue, "abAB")
    queue.discard(entries[gone])
    queue.discard(entries[gone])
    queue.wake_up_all()
    assert "".join(seen) == "baAB".replace(gone, "")


def test_an_entry_that_stays_is_woken_each_time() -> None:
    """Only `autoremove_wake_function()` removes an entry. The entry of an epoll stays."""
    queue = WaitQueue()
    entries, seen = fill(queue, "abA", stays="a")
    queue.wake_up()
    queue.wake_up()
    assert "".join(seen) == "baAa"
    assert queue._waiters() == (entries["a"],)


def test_an_exclusive_entry_that_stays_ends_each_wake_up() -> None:
    queue = WaitQueue()
    _, seen = fill(queue, "AB", stays="A")
    queue.wake_up()
    queue.wake_up()
    assert "".join(seen) == "AA"


POLLS = [
    # events that the entries a, b, A and B wait for; events of the wake-up; entries that are woken
    ((0, 0, 0, 0), 1, "baA"),
    ((1, 2, 1, 2), 1, "aA"),
    ((1, 2, 1, 2), 2, "bB"),  # the wake-up skips A, and still reaches B
    ((1, 2, 1, 2), 3, "baA"),
    ((1, 1, 1, 1), 2, ""),
    ((1, 2, 1, 2), 0, "baA"),
]


@pytest.mark.parametrize(("wanted", "events", "expected"), POLLS)
def test_a_wake_up_with_events_skips_other_pollers(
    wanted: tuple[int, ...], events: int, expected: str
) -> None:
    """`pollwake()` skips an entry that does not wait for any of the events."""
    queue = WaitQueue()
    entries, seen = fill(queue, "abAB")
    for entry, mask in zip(entries.values(), wanted, strict=True):
        entry.events = mask
    queue.wake_up_poll(events)
    assert "".join(seen) == expected


def test_an_entry_added_during_a_wake_up_waits_for_the_next() -> None:
    queue = WaitQueue()
    _, seen = fill(queue, "ab")

    class Adder(Entry):
        def wake(self, woken: bool) -> None:
            super().wake(woken)
            queue.add(Entry(queue, "n", self.woken))

    queue.add(Adder(queue, "x", seen))
    queue.wake_up_all()
    assert "".join(seen) == "xba"
    assert len(queue) == 1


class Sleeper:
    """A task that records the end of its sleep."""

    def __init__(self) -> None:
        self.ends: list[bool] = []

    @property
    def on_wake(self) -> Callable[[object, bool, BaseException | None], None]:
        return lambda sleeper, woken, error: self.ends.append(woken)


def asleep(*queues: WaitQueue, exclusive: bool = False) -> tuple[Sleep, Sleeper]:
    """Create a task that sleeps in `queues`. Return its `Sleep` object and the task."""
    sleep, sleeper = Sleep(queues, exclusive=exclusive), Sleeper()
    sleep.sleeper = sleeper
    sleep.enqueue()
    return sleep, sleeper


@pytest.mark.parametrize("which", [0, 1])
def test_a_sleep_in_two_queues_leaves_both(which: int) -> None:
    queues = WaitQueue("one"), WaitQueue("two")
    sleep, sleeper = asleep(*queues)
    _, other = asleep(queues[1])
    assert sleep.where == "one, two"
    queues[which].wake_up()
    assert sleeper.ends == [True]
    assert len(queues[0]) == 0
    assert len(queues[1]) == (1 if which == 0 else 0)
    assert other.ends == ([] if which == 0 else [True])


def test_a_sleep_ends_once() -> None:
    queue = WaitQueue()
    sleep, sleeper = asleep(queue)
    sleep.wake(False)
    sleep.wake(True)
    queue.wake_up()
    assert sleeper.ends == [False]
    assert not queue


def test_exclusive_sleeps_are_woken_one_by_one() -> None:
    queue = WaitQueue()
    sleepers = [asleep(queue, exclusive=True)[1] for _ in range(3)]
    for count in (1, 2, 3):
        queue.wake_up()
        assert [len(sleeper.ends) for sleeper in sleepers] == [1] * count + [0] * (3 - count)
