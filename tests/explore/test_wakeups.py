"""A pause in a driver's poll function or wait condition loses no wake-up, because Linux queues the task
before it checks the condition.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simkernel import millis
from simkernel.explore.explorer import Explorer, Held
from simkernel.testing.sim import Body
from simkernel.uapi.eventpoll import EPOLLIN
from simkernel.uapi.fcntl import O_RDONLY
from simkernel.uapi.poll import POLLIN

MODULES = Path(__file__).parent / "modules"


def by_read(app: Any, fd: int) -> None:
    app.read(fd, 1)


def by_poll(app: Any, fd: int) -> None:
    app.poll([(fd, POLLIN)])


def by_epoll(app: Any, fd: int) -> None:
    with app.epoll() as epoll:
        epoll.register(fd, EPOLLIN)
        epoll.poll()


@pytest.mark.parametrize("wait", [by_read, by_poll, by_epoll])
def test_a_pause_before_a_sleep_loses_no_wake_up(wait: Callable[[Any, int], None]) -> None:
    """A task enters the wait queue before the condition is checked: by `prepare_to_wait()` in a read, and by
    `poll_wait()` in a poll.
    """

    def body(app: Any, sim: Any) -> None:
        app.modprobe("bell")
        fd = app.open("/dev/bell", O_RDONLY)
        wait(app, fd)
        app.close(fd)

    story = Body(body, options={"module_path": [MODULES]})
    assert isinstance(Explorer(story).sweep_pauses(millis(5), lambda place: "bell" in place), Held)
