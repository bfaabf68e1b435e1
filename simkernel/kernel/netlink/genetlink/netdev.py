"""netdev, the family of network devices (net/core/netdev-genl.c), for a machine that has only lo.

lo has one receive and one transmit queue while it is up. It has no NAPI instance, page pool or per-queue
statistics. Therefore most requests fail.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

import attrs

from simkernel.kernel.net.device import NetDevice
from simkernel.kernel.netlink.genetlink.declare import declare, own_spec
from simkernel.kernel.netlink.genetlink.family import DoIt, Dumper, Family, Info
from simkernel.kernel.netlink.genetlink.genetlink import GenericNetlink
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.uapi import netdev as nd
from simkernel.uapi.errno import EINVAL, ENODEV, ENOENT, EOPNOTSUPP, os_error
from simkernel.uapi.netlink import attribute
from simkernel.uapi.structure import U32, U64

RESERVED_FOR_THERMAL: Final = {"ids": 1, "groups": 2}
"""Number of family ids and of group numbers to reserve for the family `thermal`, which simkernel does not
model.

The Linux machine on which the results of the conformance tests were recorded has this family. With the
reservation, the family netdev gets the same id (20) and group numbers (4 and 5) as on that machine.
"""


@cache
def _declared() -> Family:
    """Return the family netdev before its registration. The object is created once, and each machine
    registers a copy.
    """
    return declare(own_spec("netdev"), DO, DUMP, parallel=True)


def register(genetlink: GenericNetlink) -> None:
    """Register the netdev family at boot."""
    genetlink.registry.reserve(**RESERVED_FOR_THERMAL)
    genetlink.register(attrs.evolve(_declared()))


def _require(info: Info, *types: int) -> None:
    """Raise EINVAL for the first attribute that the request lacks (GENL_REQ_ATTR_CHECK())."""
    for type in types:
        if type not in info.found:
            info.fail(EINVAL, missing=type)


def _device(info: Info, type: int, *, in_extack: bool = False) -> NetDevice:
    """Return the device whose index is in the attribute with the type number `type`. Raise ENODEV if the
    device does not exist.

    If `in_extack`, the extended ACK contains the offset of that attribute.
    """
    payload = info.payload(type)
    assert payload is not None
    device = info.net.devices.get(U32.unpack_from(payload)[0])
    if device is None:
        info.fail(ENODEV, attribute=type if in_extack else None)
    return device


# -- dev-get ----------------------------------------------------------------


def _describe(device: NetDevice) -> bytes:
    """Return the attributes of a device (`netdev_nl_dev_fill()`). The XDP attributes are 0, because lo does
    not support XDP.
    """
    return attribute(nd.NETDEV_A_DEV_IFINDEX, U32.pack(device.index)) + b"".join(
        attribute(each, U64.pack(0))
        for each in (
            nd.NETDEV_A_DEV_XDP_FEATURES,
            nd.NETDEV_A_DEV_XDP_RX_METADATA_FEATURES,
            nd.NETDEV_A_DEV_XSK_FEATURES,
        )
    )


def _get_device(info: Info) -> None:
    _require(info, nd.NETDEV_A_DEV_IFINDEX)
    info.reply(nd.NETDEV_CMD_DEV_GET, _describe(_device(info, nd.NETDEV_A_DEV_IFINDEX)))


def _dump_devices(writer: MessageWriter, info: Info) -> bool:
    """Dump all devices. Like Linux, send the messages without NLM_F_MULTI."""
    last = info.state or 0
    for index, device in sorted(info.net.devices.items()):
        if index > last:
            writer.append(info.message(nd.NETDEV_CMD_DEV_GET, _describe(device)))
            info.state = index
    return False


# -- queues, NAPI and page pools, which lo lacks -----------------------------


def _get_page_pool(info: Info) -> None:
    _require(info, nd.NETDEV_A_PAGE_POOL_ID)
    raise os_error(ENOENT)


def _get_queue(info: Info) -> None:
    _require(info, nd.NETDEV_A_QUEUE_ID, nd.NETDEV_A_QUEUE_TYPE, nd.NETDEV_A_QUEUE_IFINDEX)
    _device(info, nd.NETDEV_A_QUEUE_IFINDEX)
    raise os_error(ENOENT)


def _get_napi(info: Info) -> None:
    _require(info, nd.NETDEV_A_NAPI_ID)
    info.fail(ENOENT, attribute=nd.NETDEV_A_NAPI_ID)


def _dump_empty(writer: MessageWriter, info: Info) -> bool:
    return False


def _dump_empty_of(type: int) -> Callable[[MessageWriter, Info], bool]:
    """Return a dump function that writes no message. The function raises ENODEV if the request's attribute
    with the type number `type` contains the index of an unknown device.
    """

    def step(writer: MessageWriter, info: Info) -> bool:
        if type in info.found:
            _device(info, type)
        return False

    return step


def _dump_statistics(writer: MessageWriter, info: Info) -> bool:
    if nd.NETDEV_A_QSTATS_IFINDEX in info.found:
        _device(info, nd.NETDEV_A_QSTATS_IFINDEX, in_extack=True)
        info.fail(EOPNOTSUPP, attribute=nd.NETDEV_A_QSTATS_IFINDEX)
    return False


def _bind_receive(info: Info) -> None:
    _require(info, nd.NETDEV_A_DMABUF_IFINDEX, nd.NETDEV_A_DMABUF_FD, nd.NETDEV_A_DMABUF_QUEUES)
    _device(info, nd.NETDEV_A_DMABUF_IFINDEX)
    info.fail(EOPNOTSUPP, attribute=nd.NETDEV_A_DMABUF_IFINDEX)


def _bind_transmit(info: Info) -> None:
    _require(info, nd.NETDEV_A_DMABUF_IFINDEX, nd.NETDEV_A_DMABUF_FD)
    _device(info, nd.NETDEV_A_DMABUF_IFINDEX)
    info.fail(EOPNOTSUPP, "Driver does not support netmem TX")


DO: Final[dict[str, DoIt]] = {
    "dev-get": _get_device,
    "page-pool-get": _get_page_pool,
    "queue-get": _get_queue,
    "napi-get": _get_napi,
    "bind-rx": _bind_receive,
    "napi-set": _get_napi,
    "bind-tx": _bind_transmit,
}
DUMP: Final = {
    "dev-get": Dumper(_dump_devices),
    "page-pool-get": Dumper(_dump_empty),
    "queue-get": Dumper(_dump_empty_of(nd.NETDEV_A_QUEUE_IFINDEX)),
    "napi-get": Dumper(_dump_empty_of(nd.NETDEV_A_NAPI_IFINDEX)),
    "qstats-get": Dumper(_dump_statistics),
}
