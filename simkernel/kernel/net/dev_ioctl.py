"""ioctl(2) requests on network devices by `struct ifreq`, on a socket of any family (net/core/dev_ioctl.c).

kernel/lib/ioctls.txt lists the requests: those in `GETTERS` and `SETTERS`, those that fail for every
device, and those that are not modelled.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from struct import Struct
from typing import Any, Final

from simkernel.kernel.lib.known import known_ioctls, refusal
from simkernel.kernel.net.device import Event, Net, NetDevice
from simkernel.kernel.net.devices import NetDevices
from simkernel.kernel.net.namespace import PernetSlot
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.capability import CAP_NET_ADMIN, CAP_SYS_MODULE
from simkernel.uapi.errno import EINVAL, ENODEV, ENOTTY, EOPNOTSUPP, EPERM, os_error
from simkernel.uapi.ioctl import _IOC_TYPE
from simkernel.uapi.structure import S16, S32, U16, U32

IFNAMSIZ: Final = 16
IFREQ_SIZE: Final = 40
"""Size of `struct ifreq` in bytes: IFNAMSIZ bytes for the device name and its NUL, then a union of 24
bytes.
"""
IFCONF: Final = Struct("<i4xQ")
SOCK_IOC_TYPE: Final = 0x89

GETTERS: Final[Mapping[str, Callable[[NetDevice], tuple[int, bytes]]]] = {
    "SIOCGIFNAME": lambda device: (0, device.name.encode("utf-8", "surrogateescape") + b"\0"),
    "SIOCGIFFLAGS": lambda device: (IFNAMSIZ, U16.pack(device.shown_flags & 0xFFFF)),
    "SIOCGIFMETRIC": lambda device: (IFNAMSIZ, S32.pack(0)),
    "SIOCGIFMTU": lambda device: (IFNAMSIZ, S32.pack(device.mtu)),
    "SIOCGIFHWADDR": lambda device: (IFNAMSIZ, U16.pack(device.type) + device.address),
    "SIOCGIFINDEX": lambda device: (IFNAMSIZ, S32.pack(device.index)),
    "SIOCGIFTXQLEN": lambda device: (IFNAMSIZ, U32.pack(device.tx_queue_len)),
    # Linux writes the fields of `struct ifmap`, which are all 0, but not its padding
    "SIOCGIFMAP": lambda device: (IFNAMSIZ, bytes(21)),
}
"""Handlers of ioctl(2) requests that read a setting of a device, by the request's name. Each returns an
offset in `struct ifreq` and the bytes to write at that offset.
"""


Setter = Callable[[NetDevices, NetDevice, bytes], None]


def _set_address(devices: NetDevices, device: NetDevice, sockaddr: bytes) -> None:
    """Set the hardware address. Raises EOPNOTSUPP if the driver cannot change the address
    (`dev_set_mac_address()`).
    """
    if device.ops.set_mac_address is None:
        raise os_error(EOPNOTSUPP)
    devices.set_address(device, _address(device, sockaddr))


def _set_broadcast(devices: NetDevices, device: NetDevice, sockaddr: bytes) -> None:
    device.broadcast = _address(device, sockaddr)
    devices.notify(Event.CHANGEADDR, device)


def _address(device: NetDevice, sockaddr: bytes) -> bytes:
    """Extract the hardware address from a packed `struct sockaddr`. Raises EINVAL if its hardware type
    differs from that of the device.
    """
    if U16.unpack_from(sockaddr)[0] != device.type:
        raise os_error(EINVAL)
    return sockaddr[U16.size :][: len(device.address)]


def _set_queue_length(devices: NetDevices, device: NetDevice, data: bytes) -> None:
    length = S32.unpack_from(data)[0]
    if length < 0:
        raise os_error(EINVAL)
    devices.set_tx_queue_len(device, length)


SETTERS: Final[Mapping[str, Setter]] = {
    "SIOCSIFFLAGS": lambda devices, device, data: devices.change_flags(
        device, S16.unpack_from(data)[0] & 0xFFFFFFFF
    ),
    "SIOCSIFMTU": lambda devices, device, data: devices.set_mtu(device, S32.unpack_from(data)[0]),
    "SIOCSIFNAME": lambda devices, device, data: devices.rename(device, _name(data[: IFNAMSIZ - 1])),
    "SIOCSIFHWADDR": _set_address,
    "SIOCSIFHWBROADCAST": _set_broadcast,
    "SIOCSIFTXQLEN": _set_queue_length,
}
"""Handlers of ioctl(2) requests that change a device, by the request's name. The last argument of each
handler is the union in `struct ifreq`.
"""


class DeviceIoctl:
    """Executes the ioctl(2) requests on network devices in all namespaces of a machine."""

    def __init__(
        self,
        devices: NetDevices,
        request_module: Callable[[str], Awaitable[int]],
        ifconf: Callable[[Net], list[bytes]],
    ) -> None:
        self.devices = devices
        self.ifconf = ifconf
        """Function that returns a `struct ifreq` for each IPv4 address of a namespace."""
        self._request_module = request_module
        devices.namespaces.register_pernet(lambda net: DEVICE_IOCTL.put(net, self), lambda net: None)

    async def load(self, task: Task, net: Net, name: str) -> NetDevice | None:
        """Request the modules that can provide the device `name`. Return the device, or None if it is still
        missing (`dev_load()`).
        """
        missing: object = True
        if task.credentials.capable(CAP_NET_ADMIN):
            missing = await self._request_module(f"netdev-{name}")
        if missing and task.credentials.capable(CAP_SYS_MODULE):
            await self._request_module(name)
        return net.device_named(name)


DEVICE_IOCTL: Final[PernetSlot[DeviceIoctl]] = PernetSlot()


def sock_ioctl(table: str, net: Net, task: Task, request: int, argument: int) -> int | Awaitable[int]:
    """Execute an ioctl(2) request that the socket's protocol does not handle (`sock_ioctl()`, `dev_ioctl()`).

    If the device name is unknown, its modules are requested first. Raises ENOTTY for a request that is not
    modelled or not for sockets, EFAULT, EPERM, ENODEV, and the error that ioctls.txt lists.
    """
    name, *words = known_ioctls(table).get(request, ("",))
    if name == "SIOCGIFCONF":
        return _ifconf(net, task, argument)
    plain = "plain" in words or _IOC_TYPE(request) != SOCK_IOC_TYPE
    ifreq = bytearray(b"" if plain else task.mm.read(argument, IFREQ_SIZE))
    if "CAP_NET_ADMIN" in words and not task.credentials.capable(CAP_NET_ADMIN):
        raise os_error(EPERM)
    if plain or not name:
        raise os_error(refusal(words) or ENOTTY)
    ifreq[IFNAMSIZ - 1] = 0
    execute = partial(_execute, net, task, name, words, argument, ifreq)
    if name == "SIOCGIFNAME":
        return execute(net.devices.get(S32.unpack_from(ifreq, IFNAMSIZ)[0]))
    wanted = _name(bytes(ifreq[:IFNAMSIZ]).split(b":")[0])
    device = net.device_named(wanted)
    if device is None and not task.credentials.capabilities.isdisjoint((CAP_NET_ADMIN, CAP_SYS_MODULE)):
        return _execute_later(DEVICE_IOCTL.of(net).load(task, net, wanted), execute)
    return execute(device)


def _ifconf(net: Net, task: Task, argument: int) -> int:
    """Write the IPv4 addresses into the buffer of a `struct ifconf` (`dev_ifconf()`).

    If it has no buffer, write only the size of the addresses.
    """
    length, buffer = IFCONF.unpack(task.mm.read(argument, IFCONF.size))
    entries = DEVICE_IOCTL.of(net).ifconf(net)
    if buffer:
        entries = entries[: max(length, 0) // IFREQ_SIZE]
        task.mm.write(buffer, b"".join(entries))
    task.mm.write(argument, S32.pack(len(entries) * IFREQ_SIZE))
    return 0


async def _execute_later(loading: Awaitable[NetDevice | None], execute: Callable[[Any], int]) -> int:
    return execute(await loading)


def _execute(
    net: Net,
    task: Task,
    request: str,
    words: list[str],
    argument: int,
    ifreq: bytearray,
    device: NetDevice | None,
) -> int:
    if device is None:
        raise os_error(ENODEV)
    if request == "SIOCSIFNAME":  # Linux writes a NUL after the new name, which changes the caller's buffer
        ifreq[2 * IFNAMSIZ - 1] = 0
        task.mm.write(argument, bytes(ifreq))
    if request in SETTERS:
        SETTERS[request](DEVICE_IOCTL.of(net).devices, device, bytes(ifreq[IFNAMSIZ:]))
    elif request in GETTERS:
        start, field = GETTERS[request](device)
        ifreq[start : start + len(field)] = field
        task.mm.write(argument, bytes(ifreq))
    else:
        raise os_error(refusal(words) or ENOTTY)
    return 0


def _name(data: bytes) -> str:
    return data.split(b"\0")[0].decode("utf-8", "surrogateescape")
