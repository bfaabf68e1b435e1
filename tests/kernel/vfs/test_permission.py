"""Permissions as tables: mode bits, owners, groups, capabilities, sticky directories, set-ID bits.

The expected values are those of Linux 6.18; each table names the function that decides.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from simkernel import Machine
from simkernel.kernel.sched.credentials import Credentials
from simkernel.kernel.vfs.inode import Inode
from simkernel.kernel.vfs.permission import permitted
from simkernel.kernel.vfs.superblock import SuperBlock
from simkernel.uapi.capability import (
    CAP_CHOWN,
    CAP_DAC_OVERRIDE,
    CAP_DAC_READ_SEARCH,
    CAP_FOWNER,
    CAP_FSETID,
    CAP_MKNOD,
)
from simkernel.uapi.stat import S_IFDIR, S_IFREG
from tests.kernel.refused import refused

OWNER, GROUP, OTHER = 1000, 100, 1001
READ, WRITE, EXEC = 4, 2, 1
NOBODY: frozenset[int] = frozenset()


def inode(mode: int, uid: int = OWNER, gid: int = GROUP) -> Inode:
    return Inode(SuperBlock("test", 1, lambda: 0), 1, mode, uid, gid)


def user(uid: int, gid: int, *groups: int, has: Iterable[int] = ()) -> Credentials:
    return Credentials(uid, gid, frozenset(has), frozenset(groups))


CLASSES = {
    "owner": (user(OWNER, OTHER), 6),
    "owner in the group": (user(OWNER, GROUP), 6),
    "group": (user(OTHER, GROUP), 3),
    "further group": (user(OTHER, OTHER, 5, GROUP), 3),
    "other": (user(OTHER, OTHER, 5), 0),
    "root without capabilities": (user(0, 0), 0),
}


@pytest.mark.parametrize("kind", [S_IFREG, S_IFDIR], ids=["file", "directory"])
@pytest.mark.parametrize("name", CLASSES)
def test_only_the_bits_of_the_callers_class_count(name: str, kind: int) -> None:
    """`acl_permission_check()` uses only the first class that matches the caller, even if a later class would
    allow more.
    """
    credentials, shift = CLASSES[name]
    for bits, wanted in itertools.product(range(8), repeat=2):
        others = 0o777 & ~(0o7 << shift)
        allowed = wanted & ~bits == 0
        for mode in (bits << shift, bits << shift | others):
            assert permitted(credentials, inode(kind | mode), wanted) is allowed, (oct(mode), wanted)


CAPABLE = [
    # capability; type and mode of the file; accesses that are allowed
    (CAP_DAC_READ_SEARCH, S_IFREG, 0o000, {READ}),
    (CAP_DAC_READ_SEARCH, S_IFREG, 0o001, {READ, EXEC}),
    (CAP_DAC_READ_SEARCH, S_IFREG, 0o002, {READ, WRITE}),
    (CAP_DAC_READ_SEARCH, S_IFDIR, 0o000, {READ, EXEC, READ | EXEC}),
    (CAP_DAC_OVERRIDE, S_IFREG, 0o000, {READ, WRITE, READ | WRITE}),
    (CAP_DAC_OVERRIDE, S_IFREG, 0o100, set(range(1, 8))),
    (CAP_DAC_OVERRIDE, S_IFREG, 0o010, set(range(1, 8))),
    (CAP_DAC_OVERRIDE, S_IFREG, 0o001, set(range(1, 8))),
    (CAP_DAC_OVERRIDE, S_IFDIR, 0o000, set(range(1, 8))),
    (CAP_FOWNER, S_IFREG, 0o000, set()),
    (CAP_FOWNER, S_IFDIR, 0o000, set()),
]


@pytest.mark.parametrize(("capability", "kind", "mode", "allowed"), CAPABLE)
def test_capabilities_override_the_mode(capability: int, kind: int, mode: int, allowed: set[int]) -> None:
    """The expected results follow `generic_permission()`."""
    credentials = user(OTHER, OTHER, has=[capability])
    found = {wanted for wanted in range(1, 8) if permitted(credentials, inode(kind | mode), wanted)}
    assert found == allowed


def outcome(call: Callable[[], object]) -> str:
    """Return the name of the call's error, or "ok"."""
    try:
        call()
    except OSError:
        return refused(call)
    return "ok"


def make(root: Any, path: str, uid: int, gid: int, mode: int) -> None:
    """Create a file if it does not exist, and set its owner, group and mode."""
    root.close(root.open(path, os.O_CREAT | os.O_WRONLY))
    root.chown(path, uid, gid)
    root.chmod(path, mode)


PATHS: dict[str, tuple[int, int, str]] = {
    # mode of the directory; mode of the file; outcome if the caller owns neither and is in neither group
    "search and read": (0o711, 0o604, "ok"),
    "no search": (0o766, 0o606, "EACCES"),
    "no read": (0o711, 0o772, "EACCES"),
}


@pytest.mark.parametrize("name", PATHS)
def test_a_path_is_searched_and_the_file_read(machine: Machine, name: str) -> None:
    root, other = machine.blocking(), machine.blocking(uid=OTHER)
    directory, file, expected = PATHS[name]
    root.mkdir("/tmp/d")
    make(root, "/tmp/d/f", 0, 0, file)
    root.chmod("/tmp/d", directory)
    assert outcome(lambda: other.open("/tmp/d/f", os.O_RDONLY)) == expected
    assert outcome(lambda: root.open("/tmp/d/f", os.O_RDONLY)) == "ok"


CHANGING: dict[str, Callable[[Any], object]] = {
    "create": lambda app: app.open("/tmp/d/new", os.O_CREAT | os.O_WRONLY),
    "mkdir": lambda app: app.mkdir("/tmp/d/new"),
    "mkfifo": lambda app: app.mkfifo("/tmp/d/new"),
    "symlink": lambda app: app.symlink("f", "/tmp/d/new"),
    "link": lambda app: app.link("/tmp/mine", "/tmp/d/new"),
    "unlink": lambda app: app.unlink("/tmp/d/f"),
    "rmdir": lambda app: app.rmdir("/tmp/d/e"),
    "rename out of it": lambda app: app.rename("/tmp/d/f", "/tmp/open/f"),
    "rename into it": lambda app: app.rename("/tmp/open/mine", "/tmp/d/new"),
}


@pytest.mark.parametrize("name", CHANGING)
@pytest.mark.parametrize(("bits", "expected"), [(0o7, "ok"), (0o3, "ok"), (0o5, "EACCES"), (0o6, "EACCES")])
def test_names_change_only_with_write_and_search_permission(
    machine: Machine, name: str, bits: int, expected: str
) -> None:
    """`may_create()` and `may_delete()` check MAY_WRITE | MAY_EXEC of the directory."""
    root, other = machine.blocking(), machine.blocking(uid=OTHER)
    for path in ("/tmp/d", "/tmp/d/e", "/tmp/open"):
        root.mkdir(path)
    make(root, "/tmp/d/f", 0, 0, 0o600)
    for path in ("/tmp/mine", "/tmp/open/mine"):
        make(root, path, OTHER, OTHER, 0o600)
    root.chmod("/tmp/open", 0o777)
    root.chmod("/tmp/d", 0o700 | bits)
    assert outcome(lambda: CHANGING[name](other)) == expected


STICKY = [
    # owner of the directory, owner of the file, uid of the caller, its capabilities, outcome
    (0, OWNER, OWNER, NOBODY, "ok"),
    (OWNER, 0, OWNER, NOBODY, "ok"),
    (OWNER, OTHER, OWNER, NOBODY, "ok"),
    (OWNER, OWNER, OTHER, NOBODY, "EPERM"),
    (0, OWNER, OTHER, NOBODY, "EPERM"),
    (0, 0, OTHER, NOBODY, "EPERM"),
    (0, OWNER, OTHER, {CAP_FOWNER}, "ok"),
    (0, OWNER, OTHER, {CAP_DAC_OVERRIDE, CAP_FSETID, CAP_CHOWN}, "EPERM"),
    (OWNER, OWNER, 0, NOBODY, "EPERM"),
]
REMOVALS: dict[str, Callable[[Any], object]] = {
    "unlink": lambda app: app.unlink("/tmp/d/f"),
    "rmdir": lambda app: app.rmdir("/tmp/d/e"),
    "rename away": lambda app: app.rename("/tmp/d/f", "/tmp/open/f"),
    "rename in place": lambda app: app.rename("/tmp/d/f", "/tmp/d/g"),
    "rename over it": lambda app: app.rename("/tmp/open/mine", "/tmp/d/f"),
}


@pytest.mark.parametrize("name", REMOVALS)
@pytest.mark.parametrize(("directory", "file", "uid", "capabilities", "expected"), STICKY)
def test_a_sticky_directory(
    machine: Machine,
    name: str,
    directory: int,
    file: int,
    uid: int,
    capabilities: Iterable[int],
    expected: str,
) -> None:
    """The owner of the file, the owner of the directory and a process with CAP_FOWNER may remove the file
    (`__check_sticky()`).
    """
    root, app = machine.blocking(), machine.blocking(uid=uid, gid=OTHER, capabilities=capabilities)
    for path in ("/tmp/d", "/tmp/d/e", "/tmp/open"):
        root.mkdir(path)
    make(root, "/tmp/d/f", file, GROUP, 0o666)
    make(root, "/tmp/open/mine", uid, OTHER, 0o666)
    root.chown("/tmp/d/e", file, GROUP)
    root.chown("/tmp/d", directory, GROUP)
    root.chmod("/tmp/open", 0o777)
    root.chmod("/tmp/d", 0o1777)
    assert outcome(lambda: REMOVALS[name](app)) == expected
    root.chmod("/tmp/d", 0o777)
    if expected != "ok":
        assert outcome(lambda: REMOVALS[name](app)) == "ok", "without the sticky bit"


CHMOD = [
    # caller, mode that the caller sets, outcome, mode of the file afterwards; the file belongs to 1000:100
    (user(OWNER, OWNER), 0o640, "ok", 0o640),
    # the caller is not in the file's group, so S_ISGID is cleared
    (user(OWNER, OWNER), 0o6755, "ok", 0o4755),
    (user(OWNER, GROUP), 0o6755, "ok", 0o6755),
    (user(OWNER, OWNER, GROUP), 0o2644, "ok", 0o2644),
    (user(OWNER, OWNER, has=[CAP_FSETID]), 0o2644, "ok", 0o2644),
    (user(OWNER, OWNER), 0o1777, "ok", 0o1777),
    (user(OWNER, OWNER), 0o107777, "ok", 0o5777),
    (user(OTHER, GROUP), 0o640, "EPERM", 0o600),
    (user(OTHER, OTHER, has=[CAP_DAC_OVERRIDE]), 0o640, "EPERM", 0o600),
    (user(OTHER, OTHER, has=[CAP_FOWNER]), 0o2640, "ok", 0o640),
    (user(OTHER, OTHER, has=[CAP_FOWNER, CAP_FSETID]), 0o2640, "ok", 0o2640),
]


def process(machine: Machine, credentials: Credentials) -> Any:
    """Return a process that has `credentials`."""
    app = machine.blocking(uid=credentials.uid, gid=credentials.gid, capabilities=credentials.capabilities)
    app.task.credentials = credentials
    return app


@pytest.mark.parametrize(("credentials", "mode", "expected", "left"), CHMOD)
def test_chmod(machine: Machine, credentials: Credentials, mode: int, expected: str, left: int) -> None:
    """Only the owner or a process with CAP_FOWNER may change the mode. S_ISGID needs membership in the file's
    group or CAP_FSETID (`setattr_prepare()`).
    """
    root, app = machine.blocking(), process(machine, credentials)
    make(root, "/tmp/f", OWNER, GROUP, 0o600)
    assert outcome(lambda: app.chmod("/tmp/f", mode)) == expected
    assert root.stat("/tmp/f").st_mode == S_IFREG | left


CHOWN = [
    # caller, uid and gid that the caller sets, outcome; the file belongs to 1000:100
    (user(OWNER, OWNER), (-1, -1), "ok"),
    (user(OWNER, OWNER), (OWNER, -1), "ok"),
    (user(OWNER, OWNER), (OTHER, -1), "EPERM"),
    (user(OWNER, OWNER), (-1, OWNER), "ok"),
    (user(OWNER, OWNER), (-1, GROUP), "ok"),
    (user(OWNER, OWNER), (-1, 7), "EPERM"),
    (user(OWNER, OWNER, 7), (-1, 7), "ok"),
    (user(OWNER, OWNER, 7), (OWNER, 7), "ok"),
    (user(OWNER, OWNER, 7), (OTHER, 7), "EPERM"),
    (user(OTHER, GROUP), (-1, -1), "ok"),
    (user(OTHER, GROUP), (-1, GROUP), "EPERM"),
    (user(OTHER, GROUP), (OWNER, -1), "EPERM"),
    (user(OTHER, OTHER, has=[CAP_CHOWN]), (OTHER, 7), "ok"),
    (user(OTHER, OTHER, has=[CAP_FOWNER, CAP_DAC_OVERRIDE]), (OTHER, -1), "EPERM"),
    (user(OWNER, OWNER, has=[CAP_CHOWN]), (0, 0), "ok"),
]


@pytest.mark.parametrize(("credentials", "ids", "expected"), CHOWN)
def test_chown(machine: Machine, credentials: Credentials, ids: tuple[int, int], expected: str) -> None:
    """The expected results follow `chown_ok()` and `chgrp_ok()`."""
    root, app = machine.blocking(), process(machine, credentials)
    make(root, "/tmp/f", OWNER, GROUP, 0o600)
    assert outcome(lambda: app.chown("/tmp/f", *ids)) == expected
    uid, gid = (
        new if new != -1 and expected == "ok" else old for new, old in zip(ids, (OWNER, GROUP), strict=True)
    )
    status = root.stat("/tmp/f")
    assert (status.st_uid, status.st_gid) == (uid, gid)


SET_ID = [
    # mode of the file, caller, mode after a write, mode after chown(-1, -1); the file belongs to 1000:100
    (0o6777, user(OTHER, OTHER), 0o777, "EPERM"),
    (0o6777, user(OWNER, OTHER), 0o777, 0o777),
    (0o2767, user(OTHER, GROUP), 0o2767, 0o2767),  # S_ISGID without S_IXGRP once meant mandatory locking
    (0o2767, user(OTHER, OTHER), 0o767, "EPERM"),
    (0o2777, user(OTHER, GROUP), 0o777, "EPERM"),
    (0o4777, user(OTHER, GROUP), 0o777, "EPERM"),
    (0o6777, user(OTHER, OTHER, has=[CAP_FSETID]), 0o6777, "EPERM"),
    (0o6777, user(OTHER, OTHER, has=[CAP_FSETID, CAP_FOWNER]), 0o6777, 0o777),
    (0o6767, user(OTHER, OTHER, has=[CAP_FSETID, CAP_FOWNER]), 0o6767, 0o2767),
    (0o1777, user(OTHER, OTHER), 0o1777, 0o1777),
]


@pytest.mark.parametrize(("mode", "credentials", "written", "owned"), SET_ID)
def test_set_id_bits_are_cleared_by_changes(
    machine: Machine, mode: int, credentials: Credentials, written: int, owned: int | str
) -> None:
    """The expected results follow `file_remove_privs()`, `setattr_should_drop_suidgid()` and
    `chown_common()`.
    """
    root, app = machine.blocking(), process(machine, credentials)
    for call in (
        lambda: app.write(app.open("/tmp/f", os.O_WRONLY), b"x"),
        lambda: app.truncate("/tmp/f", 0),
        lambda: app.ftruncate(app.open("/tmp/f", os.O_WRONLY), 1),
        lambda: app.open("/tmp/f", os.O_WRONLY | os.O_TRUNC),
    ):
        make(root, "/tmp/f", OWNER, GROUP, mode)
        call()
        assert root.stat("/tmp/f").st_mode == S_IFREG | written
    make(root, "/tmp/f", OWNER, GROUP, mode)
    app.write(app.open("/tmp/f", os.O_WRONLY), b"")
    assert root.stat("/tmp/f").st_mode == S_IFREG | mode
    if isinstance(owned, str):
        assert refused(lambda: app.chown("/tmp/f", -1, -1)) == owned
    else:
        app.chown("/tmp/f", -1, -1)
        assert root.stat("/tmp/f").st_mode == S_IFREG | owned


def test_chown_of_a_directory_keeps_its_set_id_bits(machine: Machine) -> None:
    root = machine.blocking()
    root.mkdir("/tmp/d")
    root.chmod("/tmp/d", 0o6777)
    root.chown("/tmp/d", OWNER, GROUP)
    assert root.stat("/tmp/d").st_mode == S_IFDIR | 0o6777


NEW = [
    # Mode of the parent directory, which belongs to 0:100. Caller, its umask, and the mode that it requests.
    # Expected: owner and group of a new file or directory, mode of the new file, mode of the new directory.
    (0o777, user(OWNER, OTHER), 0o22, 0o666, (OWNER, OTHER, 0o644, 0o644)),
    (0o777, user(OWNER, OTHER), 0, 0o7777, (OWNER, OTHER, 0o7777, 0o1777)),
    (0o777, user(OWNER, OTHER), 0o777, 0o666, (OWNER, OTHER, 0, 0)),
    (0o2777, user(OWNER, OTHER), 0, 0o2666, (OWNER, GROUP, 0o2666, 0o2666)),
    (0o2777, user(OWNER, OTHER), 0, 0o2777, (OWNER, GROUP, 0o777, 0o2777)),
    (0o2777, user(OWNER, OTHER, GROUP), 0, 0o2777, (OWNER, GROUP, 0o2777, 0o2777)),
    (0o2777, user(OWNER, OTHER, has=[CAP_FSETID]), 0, 0o2777, (OWNER, GROUP, 0o2777, 0o2777)),
    (0o2777, user(OWNER, OTHER), 0o10, 0o2777, (OWNER, GROUP, 0o767, 0o2767)),
]


@pytest.mark.parametrize(("directory", "credentials", "umask", "mode", "expected"), NEW)
def test_owner_and_mode_of_a_new_file(
    machine: Machine, directory: int, credentials: Credentials, umask: int, mode: int, expected: Any
) -> None:
    """A file that is created in a set-group-ID directory gets the group of this directory
    (`inode_init_owner()`, `mode_strip_sgid()`).
    """
    root, app = machine.blocking(), process(machine, credentials)
    root.mkdir("/tmp/d")
    root.chown("/tmp/d", 0, GROUP)
    root.chmod("/tmp/d", directory)
    app.umask(umask)
    app.close(app.open("/tmp/d/f", os.O_CREAT | os.O_WRONLY, mode))
    app.mkdir("/tmp/d/d", mode)
    file, new = root.stat("/tmp/d/f"), root.stat("/tmp/d/d")
    assert (file.st_uid, file.st_gid, file.st_mode & 0o7777, new.st_mode & 0o7777) == expected
    assert (new.st_uid, new.st_gid) == expected[:2]


LINKS = [
    # mode of the file, which belongs to 1000:100; caller; outcome with fs.protected_hardlinks=1
    (0o600, user(OWNER, OTHER), "ok"),
    (0o606, user(OTHER, OTHER), "ok"),
    (0o604, user(OTHER, OTHER), "EPERM"),
    (0o602, user(OTHER, OTHER), "EPERM"),
    (0o660, user(OTHER, GROUP), "ok"),
    (0o4606, user(OTHER, OTHER), "EPERM"),
    (0o2606, user(OTHER, OTHER), "ok"),
    (0o2616, user(OTHER, OTHER), "EPERM"),
    (0o4600, user(OWNER, OTHER), "ok"),
    (0o6600, user(OTHER, OTHER, has=[CAP_FOWNER]), "ok"),
    (0o600, user(OTHER, OTHER, has=[CAP_DAC_OVERRIDE]), "ok"),
    (0o600, user(OTHER, OTHER, has=[CAP_DAC_READ_SEARCH]), "EPERM"),
]


@pytest.mark.parametrize(("mode", "credentials", "expected"), LINKS)
def test_hard_links_are_protected(
    machine: Machine, mode: int, credentials: Credentials, expected: str
) -> None:
    """The expected results follow `may_linkat()` and `safe_hardlink_source()`."""
    root, app = machine.blocking(), process(machine, credentials)
    make(root, "/tmp/f", OWNER, GROUP, mode)
    assert outcome(lambda: app.link("/tmp/f", "/tmp/new")) == expected


def test_a_link_to_another_users_fifo_is_refused(machine: Machine) -> None:
    root, other = machine.blocking(), machine.blocking(uid=OTHER)
    root.mkfifo("/tmp/p", 0o666)
    root.chmod("/tmp/p", 0o666)
    assert outcome(lambda: other.link("/tmp/p", "/tmp/new")) == "EPERM"


UTIME = [
    # mode of a file of 1000:100; caller; outcome of setting the current time; outcome of setting another time
    (0o400, user(OWNER, OTHER), "ok", "ok"),
    (0o606, user(OTHER, OTHER), "ok", "EPERM"),
    (0o604, user(OTHER, OTHER), "EACCES", "EPERM"),
    (0o620, user(OTHER, GROUP), "ok", "EPERM"),
    (0o400, user(OTHER, OTHER, has=[CAP_FOWNER]), "ok", "ok"),
    (0o400, user(OTHER, OTHER, has=[CAP_DAC_OVERRIDE]), "ok", "EPERM"),
]


@pytest.mark.parametrize(("mode", "credentials", "now", "given"), UTIME)
def test_utime(machine: Machine, mode: int, credentials: Credentials, now: str, given: str) -> None:
    """If a process has write permission for a file, owns it or has CAP_FOWNER, the process can set the
    current time. Another time needs ownership or CAP_FOWNER (`vfs_utimes()`).
    """
    root, app = machine.blocking(), process(machine, credentials)
    make(root, "/tmp/f", OWNER, GROUP, mode)
    assert outcome(lambda: app.utime("/tmp/f")) == now
    assert outcome(lambda: app.utime("/tmp/f", ns=(5, 6))) == given
    if given == "ok":
        assert (root.stat("/tmp/f").st_atime_ns, root.stat("/tmp/f").st_mtime_ns) == (5, 6)


@pytest.mark.parametrize(
    ("kind", "capabilities", "expected"),
    [
        (0o020000, [CAP_MKNOD], "ok"),
        (0o060000, [CAP_MKNOD], "ok"),
        (0o020000, [CAP_DAC_OVERRIDE], "EPERM"),
        (0o060000, [], "EPERM"),
        (0o010000, [], "ok"),
        (0o140000, [], "ok"),
        (0o100000, [], "ok"),
        (0, [], "ok"),
        (0o040000, [CAP_MKNOD], "EPERM"),
        (0o120000, [CAP_MKNOD], "EINVAL"),
    ],
)
def test_mknod(machine: Machine, kind: int, capabilities: list[int], expected: str) -> None:
    """The expected results follow `may_mknod()` and `vfs_mknod()`."""
    app = machine.blocking(uid=OTHER, capabilities=capabilities)
    assert outcome(lambda: app.mknod("/tmp/new", kind | 0o600, 0x102)) == expected
