"""poll, select and epoll on every kind of file, with valid and invalid events: the results are those of this
host.
"""

from __future__ import annotations

import errno
import os
import select
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simkernel import Machine

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(os, "eventfd"), reason="wants a Linux to compare with"
)

MEMORY = Path("/dev/shm")
EVENTS = (1, 0, 1 | 1 << 28, 1 << 30, 1 << 28 | 1 << 30, 4 | 1 << 31)


class Answers(list[tuple[str, object]]):
    """The result or the error of each call, with the name of the call."""

    def ask(self, name: str, call: Callable[..., object], *arguments: object) -> None:
        try:
            self.append((name, _shown(call(*arguments))))
        except OSError as error:
            self.append((name, errno.errorcode.get(error.errno or 0)))
        except ValueError as error:
            self.append((name, str(error)))


def _shown(result: Any) -> object:
    """Return the result of poll without descriptor numbers: a list of events, or the length of each list from
    select().
    """
    if isinstance(result, tuple):
        return [len(each) for each in result]
    return [mask for _, mask in result] if isinstance(result, list) else result


def story(o: Any, poll: Any, select_: Any, epoll: Any) -> Answers:
    told = Answers()
    reading, writing = o.pipe()
    files = {
        "reading": reading, "writing": writing, "file": o.open("file", os.O_CREAT | os.O_RDWR),
        "folder": o.open(".", os.O_RDONLY), "zero": o.open("/dev/zero", os.O_RDWR),
        "null": o.open("/dev/null", os.O_RDWR), "eventfd": o.eventfd(0),
    }  # fmt: skip
    for name, fd in files.items():
        for events in (0, 1, 4, 0x2045):
            told.ask(f"poll {name} {events}", poll, fd, events)
        told.ask(f"select {name}", select_, [fd], [fd], [fd], 0)
        watch = epoll()
        for events in EVENTS:
            label = f"{name} {events:#x}"
            told.ask(f"register {label}", watch.register, fd, events)
            told.ask(f"register again {label}", watch.register, fd, events)
            told.ask(f"modify {label}", watch.modify, fd, 4)
            told.ask(f"wait {label}", watch.poll, 0, 5)
            told.ask(f"modify to alone {label}", watch.modify, fd, 1 | 1 << 28)
            told.ask(f"unregister {label}", watch.unregister, fd)
            told.ask(f"unregister again {label}", watch.unregister, fd)
        told.ask("wait for none", watch.poll, 0, 0)
        told.ask("watch itself", watch.register, watch.fileno(), 1)
        watch.close()
        told.ask("wait when closed", watch.poll, 0)
    o.close(reading)
    told.ask("nobody reads", poll, writing, 4)
    told.ask("select then", select_, [writing], [writing], [writing], 0)
    told.ask("before the first", select_, [-1], [], [], 0)
    told.ask("beyond the last", select_, [5000], [], [], 0)
    told.ask("less than no time", select_, [], [], [], -1)
    for fd in (writing, *list(files.values())[2:]):
        o.close(fd)
    return told


def _poll(fd: int, events: int) -> Any:
    poller = select.poll()
    poller.register(fd, events)
    return poller.poll(0)


def test_the_answers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    place = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as folder, monkeypatch.context() as patched:
        patched.chdir(folder)
        there = story(os, _poll, select.select, select.epoll)
    with Machine(udev=False, unmodelled="raise") as machine:
        process = machine.blocking()
        process.chdir("/tmp")
        here = story(
            process, lambda fd, events: process.poll([(fd, events)], 0), process.select, process.epoll
        )
    assert len(here) > 300
    for mine, theirs in zip(here, there, strict=True):
        assert mine == theirs
