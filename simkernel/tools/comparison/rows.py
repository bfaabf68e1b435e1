"""The rows of the comparison: the command of each approach, and its requirements."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

Command = tuple[str, ...]

EXPERIMENT = Path(__file__).with_name("experiment.py")
NINEP = "/lib/modules/*/kernel/fs/9p/9p.ko*"
DUMMY = "/usr/lib/uml/modules/*/kernel/drivers/net/dummy.ko"
TYPELIB = "/usr/lib/*/girepository-1.0/UMockdev-1.0.typelib"
UML_INIT = """#!/bin/sh
mount -t sysfs sysfs /sys
insmod /usr/lib/uml/modules/$(uname -r)/kernel/drivers/net/dummy.ko
exec {}
"""


@frozen
class Row:
    """An approach to testing, shown as a row of the comparison. The function `once` takes the path of an
    empty directory and returns the command that runs the test once.

    answers   description of the code behind the netlink sockets and the device
    unplugs   description of the devices that can be unplugged
    many      command that counts runs, to which seconds are appended; empty if each run needs a command
    version   command that prints a version in its last line
    install   how to install what `requires` lists
    requires  patterns of paths, each of which must match
    timeout   maximum duration of a run in seconds
    """

    name: str
    answers: str
    unplugs: str
    once: Callable[[Path], Command]
    many: Command = ()
    version: str = ""
    install: str = ""
    requires: str = ""
    timeout: float = 60


def experiment(approach: str, python: str = sys.executable) -> Command:
    """Return the command that runs experiment.py with one approach."""
    return (python, "-W", "ignore", str(EXPERIMENT), approach)


NETWORK, MOCKED = experiment("network"), experiment("mocked")
UMOCKDEV = (
    "umockdev-wrapper",
    *experiment("umockdev", "/usr/bin/python3"),
)  # only the system's Python has bindings of umockdev
SIMULATED = (sys.executable, "-m", "simkernel.tools.comparison.simulated")


def uml(folder: Path) -> Command:
    """Return a command that boots a kernel as a process, with the host's files as its read-only root."""
    init = folder / "init"
    init.write_text(UML_INIT.format(shlex.join(NETWORK)))
    init.chmod(0o755)
    root = f"root=/dev/root rootfstype=hostfs rootflags=/ ro init={init}"
    return ("linux.uml", *f"mem=256M uml_dir={folder} {root} con=null con0=null,fd:1 quiet".split())


def has_kvm() -> bool:
    """Return True if the CPU supports virtualization and this user may use KVM."""
    flags = Path("/proc/cpuinfo").read_text().split() if sys.platform == "linux" else []
    return ("vmx" in flags or "svm" in flags) and os.access("/dev/kvm", os.R_OK | os.W_OK)


def virtme(folder: Path) -> Command:
    """Return a command that boots an installed kernel with 9p in QEMU, with the host's files as its read-only
    root.
    """
    release = max(path.parts[3] for path in Path("/").glob(NINEP[1:]))
    options = "--force-9p --no-virtme-ng-init --user root --memory 512M" + " --disable-kvm" * (not has_kvm())
    return ("vng", "-r", f"/boot/vmlinuz-{release}", *options.split(), "--", shlex.join(NETWORK))


# fmt: off
_ROWS = (
    Row("unittest.mock", "the author of the test", "what the author expects", lambda _: MOCKED, MOCKED),
    Row("unshare -rn", "this host's kernel", "network devices",
        lambda _: ("unshare", "-rn", *NETWORK), experiment("namespace"),
        "unshare --version", "util-linux, on Linux", "/usr/bin/unshare"),
    Row("umockdev", "a preloaded library for sysfs and uevents, this host's kernel for the rest",
        "entries of sysfs, without a driver", lambda _: UMOCKDEV, UMOCKDEV, "umockdev-run --version",
        "apt install umockdev gir1.2-umockdev-1.0 python3-gi", f"/usr/bin/umockdev-wrapper {TYPELIB}"),
    Row("user-mode-linux", "a separate Linux kernel", "network devices, and what its modules make", uml,
        (), "linux.uml --version", "apt install user-mode-linux kmod", f"/usr/bin/linux.uml {DUMMY}"),
    Row("virtme-ng", "a separate Linux kernel", "network devices; others by QEMU's device_del", virtme,
        (), "vng --version", "apt install virtme-ng qemu-system-x86 busybox-static linux-image-amd64",
        f"/usr/bin/vng /usr/bin/qemu-system-x86_64 /usr/bin/busybox {NINEP}", timeout=300),
    Row("simkernel", "a model of Linux, compared with Linux", "any device on the bus, at any nanosecond",
        lambda _: SIMULATED, SIMULATED),
)
# fmt: on
ROWS = {row.name: row for row in _ROWS}
