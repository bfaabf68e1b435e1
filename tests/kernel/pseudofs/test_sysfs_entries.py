"""Single files and links of sysfs: modes of attributes, and relative targets of links (fs/sysfs)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from simkernel import Machine, millis
from simkernel.hardware import Camera, Mouse
from simkernel.kernel.pseudofs.sysfs.entry import Attribute, SysLink


@pytest.mark.parametrize(("show", "store", "mode"), [(1, 1, 0o644), (1, 0, 0o444), (0, 1, 0o200), (0, 0, 0)])
def test_mode_of_an_attribute(show: int, store: int, mode: int) -> None:
    attribute = Attribute((lambda: "x") if show else None, (lambda data: None) if store else None)
    assert attribute.mode == mode
    assert Attribute(lambda: "x", mode=0o400).mode == 0o400


LINKS = [
    # path of a link, path of its target, relative path that readlink(2) returns
    ("/class/net/lo", "/devices/virtual/net/lo", "../../devices/virtual/net/lo"),
    ("/devices/a/b/subsystem", "/class/b", "../../../class/b"),
    ("/devices/a/driver", "/devices/a", "../a"),
    ("/devices/a/self", "/devices/a/b", "b"),
    ("/devices/a/up", "/devices", "../../devices"),
    ("/devices/a/x", "/devices/b", "../b"),
    ("/devices/a/b/c/x", "/devices/a/b", "../../b"),
    ("/x", "/y", "y"),
    ("/a/x", "/y", "../y"),
    ("/a/x", "/a/b/c", "b/c"),
    ("/ab/x", "/a/b", "../a/b"),
]


@pytest.mark.parametrize(("path", "target", "expected"), LINKS)
def test_target_of_a_link(path: str, target: str, expected: str) -> None:
    """The relative path leads up to the last directory that the path of the link and the path of its target
    have in common. From there it leads down to the target (`sysfs_get_target_path()`). The target itself does
    not count as a common directory.
    """
    with Machine(udev=False) as machine:
        init = machine.kernel.processes.init
        sysfs: Any = machine.kernel.fs.lookup(init, "/sys").inode.superblock
        link = SysLink(sysfs, path, target)
        assert link.readlink(init) == expected


@pytest.fixture(scope="module")
def app() -> Iterator[Any]:
    with Machine() as machine:
        for device in (Camera(), Mouse()):
            machine.plug(device)
        machine.run(until=millis(20))
        yield machine.blocking()


def test_each_link_leads_to_a_directory(app: Any) -> None:
    def walk(path: str) -> Iterator[str]:
        for name in app.listdir(path):
            child = f"{path}/{name}"
            kind = app.lstat(child).st_mode & 0o170000
            if kind == 0o120000:
                yield child
            elif kind == 0o040000:
                yield from walk(child)

    links = list(walk("/sys"))
    assert len(links) > 20
    for link in links:
        target = os.path.normpath(os.path.join(os.path.dirname(link), app.readlink(link)))
        assert app.stat(link).st_ino == app.stat(target).st_ino
        assert app.stat(link).st_mode & 0o170000 == 0o040000


def test_a_module_links_to_its_own_drivers() -> None:
    with Machine() as machine:
        machine.plug(Camera())
        machine.plug(Mouse())
        machine.run(until=millis(100))
        root = machine.blocking()
        for name in ("camera", "mouse"):
            assert root.listdir(f"/sys/module/{name}/drivers") == [f"simbus:{name}"]
