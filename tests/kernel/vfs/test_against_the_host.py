"""The same calls with paths on this host's kernel and on the simulated one: the same answers."""

from __future__ import annotations

import os
import sys
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kernel.vfs.path_calls import MEMBER, NOBODY, real, simulated

SETTINGS = {"protected_hardlinks": "1", "protected_symlinks": "0"}
"""What a host may have set otherwise (sysctl fs), and what simkernel's kernel goes by."""


def host_setting(name: str) -> str:
    try:
        return Path("/proc/sys/fs", name).read_text(encoding="ascii").strip()
    except OSError as error:
        return str(error)


pytestmark = [
    pytest.mark.skipif(
        sys.platform != "linux" or not hasattr(os, "geteuid") or os.geteuid() != 0,
        reason="wants a Linux, and chroot",
    ),
    *(
        pytest.mark.skipif(
            (setting := host_setting(name)) != value,
            reason=f"wants a host with fs.{name}={value}, and here is {setting}",
        )
        for name, value in SETTINGS.items()
    ),
]

names = st.sampled_from(["a", "b", "c", "a", "b", ".", "..", "n" * 255, "n" * 256])
paths = st.builds(
    lambda lead, parts, tail: lead + "/".join(parts) + tail,
    st.sampled_from(["", "", "/", "//"]),
    st.lists(names, min_size=1, max_size=3),
    st.sampled_from(["", "", "", "/", "//"]),
) | st.sampled_from(["", "/", ".", "..", "a", "b", "a", "b", "a/b", "b/a", "x" * 4095, "x/" * 2048])
modes = st.sampled_from([0o777, 0o755, 0o700, 0o644, 0o555, 0o000, 0o1777, 0o2775, 0o4711, 0o070, 0o640])
accesses = st.sampled_from([os.O_RDONLY, os.O_WRONLY, os.O_RDWR])
extras = st.lists(
    st.sampled_from([
        os.O_CREAT, os.O_CREAT, os.O_EXCL, os.O_TRUNC, os.O_APPEND, os.O_DIRECTORY, os.O_NOFOLLOW,
        os.O_NOATIME, os.O_NONBLOCK, os.O_ASYNC, os.O_DIRECT,
    ]),
    max_size=3,
)  # fmt: skip
flags = st.builds(lambda access, more: access | sum(set(more)), accesses, extras)
targets = paths | st.sampled_from(["a", "b", "../a", "/b", "a/b", "c/"])
sizes = st.sampled_from([0, 1, 5, 4095, 4096, 5000, 100_000])

call = st.one_of(
    st.tuples(st.just("open"), paths, flags, modes),
    st.tuples(st.just("store"), paths, flags, st.sampled_from([b"", b"x", b"hello" * 100]), sizes),
    st.tuples(st.just("load"), paths, sizes, sizes),
    st.tuples(st.just("seek"), paths, st.sampled_from([-1, 0, 1, 4096, 5000]), st.integers(0, 4)),
    st.tuples(st.sampled_from(["stat", "lstat", "listdir", "readlink", "rmdir", "unlink", "chdir"]), paths),
    st.tuples(st.just("mkdir"), paths, modes),
    st.tuples(st.just("mkdir"), st.sampled_from(["a", "b", "a/b", "c"]), modes),
    st.tuples(st.just("symlink"), targets, paths),
    st.tuples(st.sampled_from(["link", "rename", "rename"]), paths, paths),
    st.tuples(st.just("chmod"), paths, modes),
    st.tuples(
        st.just("chown"),
        paths,
        st.sampled_from([-1, 0, NOBODY, MEMBER]),
        st.sampled_from([-1, 0, NOBODY, MEMBER]),
    ),
    st.tuples(st.just("truncate"), paths, st.sampled_from([-1, 0, 3, 5000])),
    st.tuples(st.just("access"), paths, st.integers(0, 7)),
    st.tuples(st.just("getcwd")),
)
users = st.sampled_from([0, NOBODY, MEMBER])
stories = st.lists(st.builds(lambda user, what: (user, *what), users, call), min_size=5, max_size=25)


@settings(max_examples=150, deadline=None)
@given(stories)
def test_any_calls_have_the_same_answers(calls: list[tuple]) -> None:
    compare(calls)


def compare(calls: list[tuple]) -> None:
    """Both make the calls; the first that differs is told."""
    for number, asked, here, there in zip(count(), calls, simulated(calls), real(calls), strict=False):
        assert here == there, f"call {number}, {str(asked)[:200]}: simulated {here}, real {there}"


def long_story() -> list[tuple]:
    """What random calls seldom reach."""
    loop = [(0, "symlink", "l1", "l0"), *((0, "symlink", f"l{n - 1}", f"l{n}") for n in range(2, 45))]
    return [
        (0, "store", "l0file", os.O_CREAT | os.O_RDWR, b"data", 0),
        (0, "symlink", "l0file", "l1"),
        *((0, "symlink", f"l{n - 1}", f"l{n}") for n in range(2, 45)),
        *((0, "stat", f"l{n}") for n in (1, 39, 40, 41, 44)),
        *loop,
        (0, "mkdir", "sticky", 0o1777), (0, "chmod", "sticky", 0o1777),
        (0, "open", "sticky/root", os.O_CREAT, 0o666),
        (NOBODY, "unlink", "sticky/root"), (NOBODY, "rename", "sticky/root", "sticky/mine"),
        (NOBODY, "mkdir", "sticky/mine", 0o755), (0, "rmdir", "sticky/mine"),
        (0, "chmod", "sticky", 0o777), (0, "open", "theirs", os.O_CREAT, 0o644),
        *(step for mode in (0o666, 0o644, 0o4666, 0o2676, 0o2666) for step in (
          (0, "chmod", "theirs", mode), (NOBODY, "link", "theirs", f"sticky/{mode}"))),
        (NOBODY, "link", "group", "sticky/group"), (NOBODY, "link", "l1", "sticky/l1"),
        (NOBODY, "link", "l0file", "root/of/nobody"), (0, "listdir", "sticky"),
        (0, "mkdir", "group", 0o2777), (0, "chmod", "group", 0o2777), (0, "chown", "group", -1, NOBODY),
        (0, "stat", "group"), (0, "mkdir", "group/in", 0o755), (0, "stat", "group/in"),
        (0, "open", "group/file", os.O_CREAT, 0o2755), (0, "stat", "group/file"),
        (NOBODY, "open", "suid", os.O_CREAT, 0o755), (NOBODY, "chmod", "suid", 0o6755), (0, "stat", "suid"),
        (0, "chown", "suid", 0, 0), (0, "stat", "suid"),
        (0, "mkdir", "d", 0o755), (0, "mkdir", "d/e", 0o755), (0, "rename", "d", "d/e/f"),
        (0, "rename", "d/e", "d"), (0, "rename", "d/e/", "moved/"), (0, "listdir", "d"), (0, "stat", "d"),
        (0, "chdir", "moved"), (0, "rename", "/moved", "/again"), (0, "getcwd"),
        (0, "rmdir", "/again"), (0, "getcwd"), (0, "open", "new", os.O_CREAT, 0o644), (0, "listdir", "."),
        (0, "stat", "."), (0, "chdir", ".."), (0, "getcwd"),
        (0, "symlink", "nowhere", "dangling"), (0, "open", "dangling", os.O_CREAT | os.O_EXCL, 0o644),
        (0, "open", "dangling", os.O_CREAT | os.O_NOFOLLOW, 0o644),
        (0, "open", "dangling", os.O_CREAT, 0o644), (0, "lstat", "nowhere"),
        (0, "mkdir", "dangling", 0o755), (0, "rmdir", "dangling"), (0, "unlink", "dangling/"),
        (0, "truncate", "sparse", 100_000), (0, "open", "sparse", os.O_CREAT | os.O_RDWR, 0o644),
        (0, "truncate", "sparse", 100_000), (0, "store", "sparse", os.O_RDWR, b"x", 50_000),
        *((0, "seek", "sparse", offset, whence) for offset in (0, 48_000, 49_152,
          50_001, 53_248, 99_999, 100_000) for whence in (os.SEEK_DATA, os.SEEK_HOLE)),
        (0, "truncate", "sparse", 50_000), (0, "truncate", "sparse", 60_000),
        (0, "load", "sparse", 20, 49_990),
    ]  # fmt: skip


def test_what_random_calls_seldom_reach() -> None:
    compare(long_story())
