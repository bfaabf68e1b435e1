"""tmpfs: holes, sizes, names, links, rename.  The expected values are those of Linux 6.18."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from simkernel import Machine
from simkernel.kernel.vfs.tmpfs import Tmpfs
from tests.kernel.refused import refused

PAGE = 4096
DATA, HOLE = os.SEEK_DATA, os.SEEK_HOLE
LAST = (1 << 63) - 1


@pytest.fixture
def app(machine: Machine) -> Any:
    app = machine.blocking()
    app.mkdir("/tmp/t")
    app.chdir("/tmp/t")
    return app


def make(app: Any, path: str, data: bytes = b"") -> int:
    """Make a file, and return a descriptor of it."""
    fd: int = app.open(path, os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o644)
    app.write(fd, data)
    return fd


# -- bytes ------------------------------------------------------------------------------

WRITES = [
    # offset and length of each write; size of the file; its blocks of 512 bytes
    ([], 0, 0),
    ([(0, 1)], 1, 8),
    ([(0, PAGE)], PAGE, 8),
    ([(0, PAGE + 1)], PAGE + 1, 16),
    ([(PAGE - 1, 2)], PAGE + 1, 16),
    ([(PAGE, 1)], PAGE + 1, 8),
    ([(10 * PAGE, 1), (0, 1)], 10 * PAGE + 1, 16),
    ([(0, 1), (1, 1)], 2, 8),
    ([(3 * PAGE, PAGE), (0, 2 * PAGE), (PAGE, 2 * PAGE)], 4 * PAGE, 32),
]


@pytest.mark.parametrize(("writes", "size", "blocks"), WRITES)
def test_only_pages_that_were_written_are_allocated(
    app: Any, writes: list[tuple[int, int]], size: int, blocks: int
) -> None:
    fd = make(app, "f")
    expected = bytearray(size)
    for number, (offset, length) in enumerate(writes):
        data = bytes([65 + number]) * length
        assert app.pwrite(fd, data, offset) == length
        expected[offset : offset + length] = data
    status = app.fstat(fd)
    assert (status.st_size, status.st_blocks, status.st_blksize) == (size, blocks, PAGE)
    assert app.pread(fd, size + 10, 0) == bytes(expected)
    assert app.pread(fd, 10, size) == b""


SEEKS = [
    # pages that have data; length of the file in bytes; offset, whence and result of each lseek(2)
    ([], 0, [(0, DATA, "ENXIO"), (0, HOLE, "ENXIO")]),
    ([], 5, [(0, DATA, "ENXIO"), (0, HOLE, 0), (4, HOLE, 4), (5, HOLE, "ENXIO"), (-1, DATA, "ENXIO")]),
    ([0], 5, [(0, DATA, 0), (4, DATA, 4), (0, HOLE, 5), (5, DATA, "ENXIO")]),
    ([1], 3 * PAGE, [(0, DATA, PAGE), (0, HOLE, 0), (PAGE, HOLE, 2 * PAGE), (2 * PAGE, DATA, "ENXIO")]),
    ([0, 2], 3 * PAGE, [(1, HOLE, PAGE), (1, DATA, 1), (PAGE, DATA, 2 * PAGE), (2 * PAGE, HOLE, 3 * PAGE)]),
    ([0, 1, 3], 5 * PAGE, [(0, HOLE, 2 * PAGE), (2 * PAGE + 1, DATA, 3 * PAGE), (4 * PAGE, HOLE, 4 * PAGE)]),
]


@pytest.mark.parametrize(("pages", "length", "seeks"), SEEKS)
def test_seek_finds_data_and_holes(app: Any, pages: list[int], length: int, seeks: list[Any]) -> None:
    """The expected positions follow `shmem_file_llseek()`."""
    fd = make(app, "f")
    for page in pages:
        app.pwrite(fd, b"x", page * PAGE)
    app.ftruncate(fd, length)
    for offset, whence, expected in seeks:
        if isinstance(expected, str):
            assert refused(lambda: app.lseek(fd, offset, whence)) == expected  # noqa: B023
        else:
            assert app.lseek(fd, offset, whence) == expected
            assert app.lseek(fd, 0, os.SEEK_CUR) == expected


TRUNCATES = [
    # size of a file without holes; each new size, with the number of blocks that the file then has
    (10, [(5, 8), (10, 8), (0, 0)]),
    (3 * PAGE, [(2 * PAGE + 1, 24), (2 * PAGE, 16), (1, 8), (9 * PAGE, 8), (0, 0)]),
]


@pytest.mark.parametrize(("size", "steps"), TRUNCATES)
def test_bytes_beyond_the_end_are_gone(app: Any, size: int, steps: list[tuple[int, int]]) -> None:
    """A file is truncated and then extended. Bytes beyond its shortest size read as zeros."""
    fd = make(app, "f", b"x" * size)
    kept = size
    for length, blocks in steps:
        app.truncate("f", length)
        kept = min(kept, length)
        status = app.fstat(fd)
        assert (status.st_size, status.st_blocks) == (length, blocks)
        assert app.pread(fd, size + 10 * PAGE, 0) == b"x" * kept + bytes(length - kept)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda app, fd: app.truncate("f", -1), "EINVAL"),
        (lambda app, fd: app.ftruncate(fd, -1), "EINVAL"),
        (lambda app, fd: app.truncate("d", 0), "EISDIR"),
        (lambda app, fd: app.truncate("p", 0), "EINVAL"),
        (lambda app, fd: app.truncate("missing", 0), "ENOENT"),
        (lambda app, fd: app.ftruncate(app.open("f", os.O_RDONLY), 0), "EINVAL"),
        (lambda app, fd: app.lseek(fd, -1, os.SEEK_SET), "EINVAL"),
        (lambda app, fd: app.lseek(fd, -4, os.SEEK_END), "EINVAL"),
        (lambda app, fd: app.lseek(fd, 0, 5), "EINVAL"),
        (lambda app, fd: app.pread(fd, 1, -1), "EINVAL"),
        (lambda app, fd: app.pwrite(fd, b"x", LAST), "EINVAL"),
        (lambda app, fd: app.write(app.open("d", os.O_RDONLY), b"x"), "EBADF"),
        (lambda app, fd: app.read(app.open("d", os.O_RDONLY), 1), "EISDIR"),
        (lambda app, fd: app.open("d", os.O_WRONLY), "EISDIR"),
    ],
)
def test_refused_sizes_and_positions(app: Any, call: Callable[[Any, int], object], expected: str) -> None:
    fd = make(app, "f", b"123")
    app.mkdir("d")
    app.mkfifo("p")
    assert refused(lambda: call(app, fd)) == expected
    assert app.fstat(fd).st_size == 3


def test_positions_beyond_the_end(app: Any) -> None:
    fd = make(app, "f", b"123")
    assert app.lseek(fd, -2, os.SEEK_END) == 1
    assert app.read(fd, 9) == b"23"
    assert app.lseek(fd, 10, os.SEEK_CUR) == 13
    assert app.read(fd, 9) == b""
    app.write(fd, b"4")
    assert app.pread(fd, 99, 0) == b"123" + bytes(10) + b"4"


def test_o_append_writes_at_the_end(app: Any) -> None:
    make(app, "f", b"123")
    fd = app.open("f", os.O_RDWR | os.O_APPEND)
    app.write(fd, b"4")
    app.lseek(fd, 0, os.SEEK_SET)
    app.write(fd, b"5")
    assert app.lseek(fd, 0, os.SEEK_CUR) == 5
    app.pwrite(fd, b"6", 0)
    assert app.lseek(fd, 0, os.SEEK_CUR) == 5
    assert app.pread(fd, 9, 0) == b"123456"


def test_a_file_without_a_name_lives_until_it_is_closed(app: Any) -> None:
    fd = make(app, "f", b"123")
    other = app.open("f", os.O_RDONLY)
    app.unlink("f")
    assert refused(lambda: app.stat("f")) == "ENOENT"
    app.write(fd, b"4")
    assert app.read(other, 9) == b"1234"
    assert app.fstat(fd).st_nlink == 0
    assert refused(lambda: app.link(f"/proc/self/fd/{fd}", "g")) in ("EXDEV", "ENOENT")


def test_space_is_given_back(machine: Machine, app: Any) -> None:
    """A write beyond the size of the file system fails with ENOSPC. A truncate, or the last close after an
    unlink, frees pages.
    """
    fd = make(app, "f")
    app.ftruncate(fd, 1 << 40)
    assert app.fstat(fd).st_blocks == 0
    tmpfs = machine.kernel.fs.walk(app.task, "/tmp", -100).lookup("/tmp").inode.superblock
    assert isinstance(tmpfs, Tmpfs)
    space = tmpfs.space
    used = space.used
    app.pwrite(fd, bytes(3 * PAGE), 0)
    assert space.used - used == 3 * PAGE
    assert space.limit == 256 << 20
    limit, space.limit = space.limit, space.used + PAGE
    assert app.pwrite(fd, bytes(PAGE), 5 * PAGE) == PAGE
    assert refused(lambda: app.pwrite(fd, b"x", 7 * PAGE)) == "ENOSPC"
    assert app.pwrite(fd, b"x", 5 * PAGE) == 1
    space.limit = limit
    app.ftruncate(fd, PAGE)
    assert space.used - used == PAGE
    app.unlink("f")
    assert space.used - used == PAGE
    app.close(fd)
    assert space.used == used


# -- names ------------------------------------------------------------------------------


def tree(app: Any) -> None:
    """Make files, directories, symbolic links and a FIFO. One file has two names."""
    app.close(make(app, "f", b"f"))
    app.close(make(app, "g", b"g"))
    app.link("f", "f2")
    app.mkdir("d")
    app.close(make(app, "d/x"))
    app.mkdir("empty")
    app.mkdir("empty2")
    app.symlink("f", "s")
    app.symlink("missing", "dangling")
    app.mkfifo("p")


NAMES: list[tuple[str, Callable[[Any], object], str]] = [
    ("mkdir of a file", lambda app: app.mkdir("f"), "EEXIST"),
    ("mkdir of a dangling link", lambda app: app.mkdir("dangling"), "EEXIST"),
    ("mkdir with a slash", lambda app: app.mkdir("new/"), "ok"),
    ("mkdir below a file", lambda app: app.mkdir("f/new"), "ENOTDIR"),
    ("mkdir below nothing", lambda app: app.mkdir("no/new"), "ENOENT"),
    ("mkdir of .", lambda app: app.mkdir("."), "EEXIST"),
    ("mkdir of /", lambda app: app.mkdir("/"), "EEXIST"),
    ("mknod with a slash", lambda app: app.mknod("new/", 0o100644), "ENOENT"),
    ("symlink of a name", lambda app: app.symlink("x", "f"), "EEXIST"),
    ("symlink to nothing", lambda app: app.symlink("", "new"), "ENOENT"),
    ("link of a directory", lambda app: app.link("d", "new"), "EPERM"),
    ("link of a link", lambda app: app.link("s", "new"), "ok"),
    ("link to a name", lambda app: app.link("f", "g"), "EEXIST"),
    ("link across file systems", lambda app: app.link("f", "/dev/new"), "EXDEV"),
    ("unlink of a directory", lambda app: app.unlink("d"), "EISDIR"),
    ("unlink of a directory with a slash", lambda app: app.unlink("d/"), "EISDIR"),
    ("unlink of a file with a slash", lambda app: app.unlink("f/"), "ENOTDIR"),
    ("unlink of nothing", lambda app: app.unlink("no"), "ENOENT"),
    ("unlink of ..", lambda app: app.unlink("d/.."), "EISDIR"),
    ("unlink of a dangling link", lambda app: app.unlink("dangling"), "ok"),
    ("rmdir of a file", lambda app: app.rmdir("f"), "ENOTDIR"),
    ("rmdir of a directory in use", lambda app: app.rmdir("d"), "ENOTEMPTY"),
    ("rmdir of an empty one", lambda app: app.rmdir("empty"), "ok"),
    ("rmdir of nothing", lambda app: app.rmdir("no"), "ENOENT"),
    ("rmdir of .", lambda app: app.rmdir("empty/."), "EINVAL"),
    ("rmdir of ..", lambda app: app.rmdir("d/.."), "ENOTEMPTY"),
    ("rmdir of /", lambda app: app.rmdir("/"), "EBUSY"),
    ("open of a dangling link", lambda app: app.open("dangling", os.O_RDONLY), "ENOENT"),
    ("create through a dangling link", lambda app: app.open("dangling", os.O_CREAT | os.O_RDWR), "ok"),
    ("exclusive create at a link", lambda app: app.open("dangling", os.O_CREAT | os.O_EXCL), "EEXIST"),
    ("open of a link without following", lambda app: app.open("s", os.O_RDONLY | os.O_NOFOLLOW), "ELOOP"),
    ("open of a file as a directory", lambda app: app.open("f", os.O_RDONLY | os.O_DIRECTORY), "ENOTDIR"),
    ("create with a slash", lambda app: app.open("new/", os.O_CREAT | os.O_RDWR), "EISDIR"),
    ("a name of 255 bytes", lambda app: app.mkdir("n" * 255), "ok"),
    ("a name of 256 bytes", lambda app: app.mkdir("n" * 256), "ENAMETOOLONG"),
    ("255 bytes of two each", lambda app: app.mkdir("é" * 127 + "n"), "ok"),
    ("256 bytes of two each", lambda app: app.mkdir("é" * 128), "ENAMETOOLONG"),
    ("a path of 4095 bytes", lambda app: app.stat("./" * 2046 + "./f"), "ok"),
    ("a path of 4096 bytes", lambda app: app.stat("./" * 2047 + ".f"), "ENAMETOOLONG"),
    ("readlink of a file", lambda app: app.readlink("f"), "EINVAL"),
    ("rename of nothing", lambda app: app.rename("no", "new"), "ENOENT"),
    ("rename of a file over a directory", lambda app: app.rename("f", "empty"), "EISDIR"),
    ("rename of a directory over a file", lambda app: app.rename("empty", "f"), "ENOTDIR"),
    ("rename over an empty directory", lambda app: app.rename("d", "empty"), "ok"),
    ("rename over a directory in use", lambda app: app.rename("empty", "d"), "ENOTEMPTY"),
    ("rename below itself", lambda app: app.rename("d", "d/y"), "EINVAL"),
    ("rename over the parent", lambda app: app.rename("d/x", "d"), "ENOTEMPTY"),
    ("rename of .", lambda app: app.rename(".", "new"), "EBUSY"),
    ("rename to ..", lambda app: app.rename("empty", "d/.."), "EBUSY"),
    ("rename of a file with a slash", lambda app: app.rename("f/", "new"), "ENOTDIR"),
    ("rename of a file to a slash", lambda app: app.rename("f", "new/"), "ENOTDIR"),
    ("rename of a directory with slashes", lambda app: app.rename("d/", "new/"), "ok"),
    ("rename across file systems", lambda app: app.rename("f", "/dev/new"), "EXDEV"),
    ("rename of a link", lambda app: app.rename("s", "new"), "ok"),
    ("rename over a link", lambda app: app.rename("g", "s"), "ok"),
]


@pytest.mark.parametrize(("call", "expected"), [row[1:] for row in NAMES], ids=[row[0] for row in NAMES])
def test_outcome_of_calls_with_names(app: Any, call: Callable[[Any], object], expected: str) -> None:
    """The expected results follow the functions from do_mknodat() to do_renameat2() in fs/namei.c."""
    tree(app)
    if expected == "ok":
        call(app)
    else:
        before = sorted(app.listdir("."))
        assert refused(lambda: call(app)) == expected
        assert sorted(app.listdir(".")) == before


NOREPLACE: list[tuple[str, str, str]] = [
    ("f", "new", "ok"),
    ("f", "g", "EEXIST"),
    ("f", "f2", "EEXIST"),
    ("d", "empty", "EEXIST"),
    ("f", "d/..", "EEXIST"),
    ("f", "dangling", "EEXIST"),
]


@pytest.mark.parametrize(("old", "new", "expected"), NOREPLACE)
def test_rename_noreplace(app: Any, old: str, new: str, expected: str) -> None:
    tree(app)
    if expected == "ok":
        app.rename_noreplace(old, new)
    else:
        assert refused(lambda: app.rename_noreplace(old, new)) == expected


def test_a_link_shares_the_inode(app: Any) -> None:
    tree(app)
    one, other = app.stat("f"), app.stat("f2")
    assert (one.st_ino, one.st_nlink) == (other.st_ino, other.st_nlink) == (one.st_ino, 2)
    app.truncate("f2", 0)
    assert app.stat("f").st_size == 0
    app.unlink("f")
    assert app.stat("f2").st_nlink == 1
    app.rename("f2", "g")
    assert app.stat("g").st_ino == one.st_ino


def test_rename_replaces_the_file(app: Any) -> None:
    tree(app)
    fd = app.open("g", os.O_RDONLY)
    app.rename("f", "g")
    assert app.read_file("g") == b"f"
    assert app.read(fd, 9) == b"g"
    assert app.fstat(fd).st_nlink == 0
    assert app.stat("g").st_nlink == 2
    assert refused(lambda: app.stat("f")) == "ENOENT"


def test_rename_over_another_name_of_the_file_does_nothing(app: Any) -> None:
    """If both names are links to the same file, a rename has no effect, as POSIX requires. `vfs_rename()`
    returns before any other check.
    """
    tree(app)
    app.rename("f", "f2")
    assert app.stat("f").st_nlink == 2


def links(app: Any, *paths: str) -> list[int]:
    return [app.stat(path).st_nlink for path in paths]


def test_links_of_directories_count_their_subdirectories(app: Any) -> None:
    tree(app)
    assert links(app, ".", "d", "empty") == [5, 2, 2]
    app.mkdir("d/sub")
    assert links(app, ".", "d") == [5, 3]
    app.rename("d/sub", "empty/sub")
    assert links(app, ".", "d", "empty") == [5, 2, 3]
    app.rename("empty/sub", "sub")
    assert links(app, ".", "empty") == [6, 2]
    app.rename("sub", "empty2")
    assert links(app, ".", "empty2") == [5, 2]
    fd = app.open("empty", os.O_RDONLY)
    app.rmdir("empty")
    assert links(app, ".") == [4]
    assert app.fstat(fd).st_nlink == 0


def test_sizes_of_directories_and_links(app: Any) -> None:
    """Each entry of a directory counts 20 bytes (BOGO_DIRENT_SIZE), also `.` and `..`. A symbolic link has
    the length of its target.
    """
    tree(app)
    assert [app.stat(path).st_size for path in ("empty", "d")] == [40, 60]
    assert [app.lstat(path).st_size for path in ("s", "dangling")] == [1, 7]
    app.rename("d/x", "empty/x")
    assert [app.stat(path).st_size for path in ("empty", "d")] == [60, 40]
    app.unlink("empty/x")
    assert app.stat("empty").st_size == 40
    app.symlink("é", "wide")
    assert app.lstat("wide").st_size == 2


def test_a_directory_lists_the_latest_name_first(app: Any) -> None:
    for name in ("a", "b", "c"):
        app.mkdir(name)
    assert app.listdir(".") == ["c", "b", "a"]
    app.rename("a", "d")
    app.rmdir("b")
    assert app.listdir(".") == ["d", "c"]


def test_a_removed_directory_takes_no_names(app: Any) -> None:
    app.mkdir("d")
    app.chdir("d")
    app.rmdir("/tmp/t/d")
    assert refused(lambda: app.mkdir("new")) == "ENOENT"
    assert refused(lambda: app.open("new", os.O_CREAT | os.O_RDWR)) == "ENOENT"
    assert app.listdir(".") == [], "glibc's readdir() takes ENOENT for the end"
    assert refused(lambda: app.getcwd()) == "ENOENT"
    assert app.stat("..").st_ino == app.stat("/tmp/t").st_ino


@pytest.mark.parametrize(("links", "expected"), [(40, "ok"), (41, "ELOOP")])
def test_forty_links_are_followed(app: Any, links: int, expected: str) -> None:
    """The limit of 40 symbolic links is MAXSYMLINKS (`pick_link()`)."""
    app.close(make(app, "0"))
    for number in range(links):
        app.symlink(str(number), str(number + 1))
    if expected == "ok":
        assert app.stat(str(links)).st_ino == app.stat("0").st_ino
    else:
        assert refused(lambda: app.stat(str(links))) == expected
    assert app.readlink(str(links)) == str(links - 1)


def test_a_link_is_relative_to_its_directory(app: Any) -> None:
    tree(app)
    app.symlink("x", "d/s")
    app.symlink("d/s", "far")
    app.symlink("/tmp/t/d", "absolute")
    app.symlink("d/", "slash")
    app.symlink("f/", "wrong")
    assert app.stat("far").st_ino == app.stat("absolute/x").st_ino == app.stat("d/x").st_ino
    assert app.stat("slash/../f").st_ino == app.stat("f").st_ino
    assert refused(lambda: app.stat("wrong")) == "ENOTDIR"
    assert refused(lambda: app.stat("s/")) == "ENOTDIR"
    assert app.lstat("slash/").st_ino == app.stat("d").st_ino
    assert app.lstat("slash").st_ino != app.stat("d").st_ino
