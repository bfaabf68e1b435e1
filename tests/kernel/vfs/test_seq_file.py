"""Files that list records: reads of any size and position return parts of the same text (fs/seq_file.c)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from simkernel import Machine
from tests.kernel.refused import refused

PATHS = ("/proc/filesystems", "/proc/devices", "/proc/mounts", "/proc/misc", "/proc/modules")


@pytest.fixture(scope="module")
def app() -> Iterator[Any]:
    with Machine(udev=False) as machine:
        app = machine.blocking()
        app.modprobe("veth")
        yield app


def whole(app: Any, path: str) -> bytes:
    text: bytes = app.read_file(path)
    return text


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest, app: Any) -> str:
    try:
        if len(whole(app, request.param)) < 20:
            pytest.skip("the file is short")
    except OSError:
        pytest.skip("there is no such file")
    return str(request.param)


@pytest.mark.parametrize("size", [1, 3, 7, 64])
def test_small_reads_return_the_whole_text(app: Any, path: str, size: int) -> None:
    fd = app.open(path, os.O_RDONLY)
    text = b""
    while part := app.read(fd, size):
        assert len(part) <= size
        text += part
    assert text == whole(app, path)


def test_pread_at_any_position(app: Any, path: str) -> None:
    text = whole(app, path)
    fd = app.open(path, os.O_RDONLY)
    for position in (5, 0, len(text) - 3, 1, len(text) // 2, len(text), len(text) + 9):
        assert app.pread(fd, 4, position) == text[position : position + 4]
    assert app.read(fd, 6) == text[:6]


def test_a_read_after_a_seek(app: Any, path: str) -> None:
    text = whole(app, path)
    fd = app.open(path, os.O_RDONLY)
    for position in (text.index(b"\n"), text.index(b"\n") + 1, 2):
        assert app.lseek(fd, position, os.SEEK_SET) == position
        assert app.read(fd, 9) == text[position : position + 9]
    assert app.lseek(fd, -3, os.SEEK_CUR) == 8
    assert app.read(fd, 3) == text[8:11]


def test_the_end_is_unknown(app: Any, path: str) -> None:
    """`seq_lseek()` does not support SEEK_END."""
    fd = app.open(path, os.O_RDONLY)
    assert refused(lambda: app.lseek(fd, 0, os.SEEK_END)) == "EINVAL"
    assert refused(lambda: app.lseek(fd, -1, os.SEEK_SET)) == "EINVAL"
