"""uname(2): all interfaces of a machine report the same release of Linux."""

from __future__ import annotations

import re

from simkernel import Machine
from simkernel.uapi.version import LINUX_VERSION_CODE, UTS_RELEASE


def test_uname() -> None:
    with Machine() as machine:
        told = machine.blocking().uname()
    assert told.sysname == "Linux"
    assert told.nodename == "simkernel"
    assert told.release == UTS_RELEASE
    assert told.machine == "x86_64"


def test_the_release_is_the_same_everywhere() -> None:
    """The release is in uname(2), in LINUX_VERSION_CODE, and at the beginning of /proc/version."""
    with Machine() as machine:
        process = machine.blocking()
        release = process.uname().release
        banner = process.read_file("/proc/version").decode()
        version = process.uname().version
    assert banner == f"Linux version {release} (simkernel@simkernel) {version}\n"
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", release)
    assert found is not None
    major, patch, sub = map(int, found.groups())
    assert major << 16 | patch << 8 | sub == LINUX_VERSION_CODE
