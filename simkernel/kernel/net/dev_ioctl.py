"""ioctl(2) of network devices by `struct ifreq`, on a socket of any family (net/core/dev_ioctl.c).

kernel/lib/ioctls.txt lists all requests: those in `GETTERS`, those that `lo` refuses, and those that are not
modelled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from simkernel.kernel.lib.known import known_ioctls, refusal
from simkernel.kernel.net.device import Net, NetDevice
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.capability import CAP_NET_ADMIN
from simkernel.uapi.errno import ENODEV, ENOTTY, EPERM, os_error
from simkernel.uapi.ioctl import _IOC_TYPE
from simkernel.uapi.structure import S32, U16

IFNAMSIZ: Final = 16
IFREQ_SIZE: Final = 40
"""A name of IFNAMSIZ bytes, NUL included, and a union of 24 bytes."""
IFCONF_SIZE: Final = 16
SOCK_IOC_TYPE: Final = 0x89

GETTERS: Final[Mapping[str, Callable[[NetDevice], tuple[int, bytes]]]] = {
    "SIOCGIFNAME": lambda device: (0, device.name.encode() + b"\0"),
    "SIOCGIFFLAGS": lambda device: (IFNAMSIZ, U16.pack(device.flags & 0xFFFF)),
    "SIOCGIFMETRIC": lambda device: (IFNAMSIZ, S32.pack(0)),
    "SIOCGIFMTU": lambda device: (IFNAMSIZ, S32.pack(device.mtu)),
    "SIOCGIFHWADDR": lambda device: (IFNAMSIZ, U16.pack(device.type) + device.address),
    "SIOCGIFINDEX": lambda device: (IFNAMSIZ, S32.pack(device.index)),
    "SIOCGIFTXQLEN": lambda device: (IFNAMSIZ, S32.pack(device.tx_queue_len)),
    "SIOCGIFMAP": lambda device: (IFNAMSIZ, bytes(21)),  # all 0 for `lo`; without the padding
}
"""Offset and new bytes that a request writes into `struct ifreq`."""


def sock_ioctl(table: str, net: Net, task: Task, request: int, argument: int) -> int:
    """Execute a request that the protocol does not handle (`sock_ioctl()`, `dev_ioctl()`).

    ENOTTY for a request that is not modelled or not one of sockets.  EFAULT, EPERM, ENODEV, and the error
    with which `lo` refuses a request.  An unknown name loads no module (`dev_load()`), since no module has a
    network device.
    """
    name, *words = known_ioctls(table).get(request, ("",))
    if name == "SIOCGIFCONF":
        task.mm.read(argument, IFCONF_SIZE)
        task.mm.write(argument, S32.pack(0))  # no device has an IPv4 address (`inet_gifconf()`)
        return 0
    plain = "plain" in words or _IOC_TYPE(request) != SOCK_IOC_TYPE
    ifreq = bytearray(b"" if plain else task.mm.read(argument, IFREQ_SIZE))
    if "CAP_NET_ADMIN" in words and not task.credentials.capable(CAP_NET_ADMIN):
        raise os_error(EPERM)
    if plain or not name:
        raise os_error(refusal(words) or ENOTTY)
    ifreq[IFNAMSIZ - 1] = 0
    device = _device(net, name, bytes(ifreq))
    if device is None:
        raise os_error(ENODEV)
    if name not in GETTERS:
        raise os_error(refusal(words) or ENOTTY)
    start, field = GETTERS[name](device)
    ifreq[start : start + len(field)] = field
    task.mm.write(argument, bytes(ifreq))
    return 0


def _device(net: Net, request: str, ifreq: bytes) -> NetDevice | None:
    """Return the device that a request names: by index for SIOCGIFNAME, else by name or alias (`lo:1`)."""
    if request == "SIOCGIFNAME":
        return net.devices.get(S32.unpack_from(ifreq, IFNAMSIZ)[0])
    name = ifreq[:IFNAMSIZ].split(b"\0")[0].split(b":")[0]
    return net.device_named(name.decode("utf-8", "surrogateescape"))
