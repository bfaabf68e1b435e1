"""Structures and constants of calls on files: layouts and numbers of the real headers.

dirent64 and the mode bits come from the C library, because Linux's headers lack them.
"""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path

import pytest

from simkernel.uapi import dirent, eventfd, eventpoll, fcntl, filter, ioctls, mman, poll, seek, stat, un
from tests.uapi.layouts import Header, numbers_of, ours, recorded, theirs

FILES = Header(
    "files",
    [
        *("stddef.h", "dirent.h", "sys/socket.h", "sys/stat.h", "sys/sysmacros.h", "asm/ioctls.h"),
        *("linux/eventfd.h", "linux/eventpoll.h", "linux/fcntl.h", "linux/filter.h", "linux/fs.h"),
        *("linux/memfd.h", "linux/mman.h", "linux/poll.h", "linux/sockios.h", "linux/un.h"),
    ],
    {
        "epoll_event": (eventpoll.EpollEvent, ["events", "data"]),
        "sock_filter": (filter.SockFilter, ["code", "jt", "jf", "k"]),
    },
    numbers_of(
        *(eventfd, eventpoll, fcntl, filter, ioctls, mman, poll, seek, stat, un),
        without={"O_ASYNC", "PAGE_SHIFT", "PAGE_SIZE", "PERMISSIONS", "SOCKADDR_UN_SIZE"},
    )
    | {
        "FASYNC": fcntl.O_ASYNC,
        "makedev(0xabcde, 0xfedcb)": stat.makedev(0xABCDE, 0xFEDCB),
        "sizeof(struct sockaddr_un)": un.SOCKADDR_UN_SIZE,
        "offsetof(struct sockaddr_un, sun_path)": 2,
        "offsetof(struct dirent64, d_ino)": 0,
        "offsetof(struct dirent64, d_off)": 8,
        "offsetof(struct dirent64, d_reclen)": 16,
        "offsetof(struct dirent64, d_type)": 18,
        "offsetof(struct dirent64, d_name)": 19,
    },
)


def test_the_layout_is_the_recorded_one() -> None:
    assert ours(FILES) == recorded(FILES)


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64" or shutil.which("cc") is None,
    reason="needs Linux on x86-64 and a C compiler",
)
def test_the_contract_is_that_of_the_headers(tmp_path: Path) -> None:
    real, mine = theirs(FILES, tmp_path), ours(FILES)
    assert real["structures"] == mine["structures"]
    assert {name: mine["numbers"][name] for name in real["numbers"]} == real["numbers"]
    assert len(real["numbers"]) > len(mine["numbers"]) * 0.9


def test_an_entry_of_a_directory() -> None:
    """A directory entry contains inode number, offset of the next entry, length, type and name, at the
    offsets that `FILES` gives for struct dirent64.
    """
    buffer = dirent.DirentBuffer(64)
    assert buffer.add(0x0102030405060708, 0x1112131415161718, stat.S_IFDIR, "bus")
    assert buffer.data.hex(" ") == "08 07 06 05 04 03 02 01 18 17 16 15 14 13 12 11 18 00 04 62 75 73 00 00"


def test_an_address_of_a_unix_socket() -> None:
    assert un.encode_sockaddr_un(b"/run/it") == b"\1\0/run/it\0"
    assert un.encode_sockaddr_un(b"\0it") == b"\1\0\0it"
