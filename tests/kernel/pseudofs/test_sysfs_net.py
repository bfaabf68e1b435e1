"""/sys/class/net: `lo` as on Linux 6.18, and in agreement with netlink and ioctl(2)."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simkernel import Machine
from simkernel.blocking.process import Blocking
from simkernel.uapi import if_link as il
from simkernel.uapi.netlink import NETLINK_ROUTE, NLM_F_REQUEST, iterate_attributes, message
from simkernel.uapi.rtnetlink import RTM_GETLINK, IfInfoMsg
from simkernel.uapi.sched import CLONE_NEWNET
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW

RECORDED = Path(__file__).with_name("linux-6.18-lo.json")
LO = "/sys/class/net/lo"


def tree(world: Any, top: str) -> dict[str, list[object]]:
    """Return the mode, uid and gid of each file below a directory. A link also has its target. A regular file
    also has its size, and its text or errno.
    """
    found: dict[str, list[object]] = {}

    def look(path: str) -> None:
        for name in sorted(world.listdir(path)):
            file = f"{path}/{name}"
            status = world.lstat(file)
            entry: list[object] = [oct(status.st_mode), status.st_uid, status.st_gid]
            if status.st_mode & 0o170000 == 0o120000:
                entry.append(world.readlink(file))
            elif status.st_mode & 0o170000 == 0o040000:
                look(file)
            else:
                try:
                    entry += [status.st_size, world.read_file(file).decode()]
                except OSError as error:
                    entry += [status.st_size, error.errno]
            found[file.removeprefix(top).removeprefix("/")] = entry

    look(top)
    return found


class Host:
    """The host's functions, under the names of the methods of simkernel's class `Blocking`. `tree` can
    therefore read the files of simkernel and of the host.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def read_file(self, path: str) -> bytes:
        return Path(path).read_bytes()


def host_tree() -> dict[str, list[object]]:
    """Return the host's sysfs files of `lo`, read in a new network namespace with a new mount of /sys."""
    program = "from tests.kernel.pseudofs.test_sysfs_net import *; print(json.dumps(tree(Host(), LO)))"
    command = ["unshare", "--net", "--mount", "sh", "-c", 'mount -t sysfs none /sys && exec "$0" -c "$1"']
    done = subprocess.run([*command, sys.executable, program], capture_output=True, text=True, timeout=60)
    if done.returncode:
        pytest.skip(f"no namespace with /sys of its own: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout)


def lacking(path: str) -> bool:
    """Return True for the directory `power` and the files below it, which simkernel does not model."""
    return path.split("/")[0] == "power"


@pytest.fixture
def root() -> Iterator[Blocking]:
    with Machine(udev=False) as machine:
        yield machine.blocking(uid=0)


def test_every_file_is_as_recorded(root: Blocking) -> None:
    recorded = json.loads(RECORDED.read_text())
    assert tree(root, LO) == {path: entry for path, entry in recorded.items() if not lacking(path)}


@pytest.mark.skipif(not platform.release().startswith("6.18"), reason="the recording is of Linux 6.18")
def test_the_recording_is_of_this_host() -> None:
    assert host_tree() == json.loads(RECORDED.read_text())


def test_a_device_in_sys_class_net_is_a_link(root: Blocking) -> None:
    assert root.listdir("/sys/class/net") == ["lo"]
    assert root.readlink(LO) == "../../devices/virtual/net/lo"


def test_sysfs_netlink_and_ioctl_agree(root: Blocking) -> None:
    with root.socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) as sock:
        sock.send(message(RTM_GETLINK, IfInfoMsg(index=1).pack(), flags=NLM_F_REQUEST))
        answer = sock.recv(65536)
        requests = (0x8913, 0x8921, 0x8927, 0x8933, 0x8942)
        ifreq = {request: root.ioctl(sock, request, b"lo".ljust(40, b"\0"))[16:] for request in requests}
    header = IfInfoMsg.unpack(answer, 16)
    values = dict(iterate_attributes(answer[32:]))

    def text(name: str) -> str:
        return root.read_file(f"{LO}/{name}").decode().strip()

    def number(data: bytes, size: int = 4) -> int:
        return int.from_bytes(data[:size], "little")

    assert int(text("flags"), 16) == header.flags == number(ifreq[0x8913], 2)
    assert int(text("type")) == header.type == number(ifreq[0x8927], 2)
    assert int(text("ifindex")) == header.index == number(ifreq[0x8933])
    assert int(text("mtu")) == number(values[il.IFLA_MTU]) == number(ifreq[0x8921])
    assert int(text("tx_queue_len")) == number(values[il.IFLA_TXQLEN]) == number(ifreq[0x8942])
    assert bytes.fromhex(text("address").replace(":", "")) == values[il.IFLA_ADDRESS] == ifreq[0x8927][2:8]


def test_a_setting_of_the_receive_path_is_not_modelled(root: Blocking) -> None:
    for name in ("gro_flush_timeout", "queues/rx-0/rps_cpus"):
        fd = root.open(f"{LO}/{name}", os.O_WRONLY)
        with pytest.raises(OSError, match="Operation not supported"):
            root.write(fd, b"1")


def test_sysfs_shows_the_devices_of_the_namespace_that_mounted_it(root: Blocking) -> None:
    root.unshare(CLONE_NEWNET)
    assert root.listdir("/sys/class/net") == ["lo"]
    assert root.read_file("/proc/net/dev").decode().splitlines()[2].startswith("    lo:")
