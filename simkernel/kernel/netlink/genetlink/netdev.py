"""netdev, the family of network devices (net/core/netdev-genl.c), for a machine that has lo alone.

lo has one queue each way which is only there while it is up, no NAPI instance, no page pool and no
statistics by queue; so there is little to tell, and much to refuse.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from simkernel.kernel.netlink.genetlink.call import Call, Handlers
from simkernel.kernel.netlink.genetlink.declare import declare
from simkernel.uapi.errno import EINVAL, ENODEV, ENOENT, EOPNOTSUPP
from simkernel.uapi.ynl import Spec, parse

if TYPE_CHECKING:
    from simkernel.kernel.net.device import NetDevice
    from simkernel.kernel.netlink.genetlink.genetlink import GenericNetlink

BEFORE: Final = {"ids": 1, "groups": 2}
"""What `thermal` takes on the recorded kernel, which registers first and is not modelled: so netdev
has the number 20, and the groups 4 and 5."""


@cache
def spec() -> Spec:
    """netdev's specification."""
    text = resources.files(__package__).joinpath("netdev.yaml").read_text(encoding="utf-8")
    return parse(text, "netdev.yaml")


def register(genetlink: GenericNetlink) -> None:
    """Let the family be there, as it is from boot on."""
    genetlink.registry.reserve(**BEFORE)
    genetlink.register(declare(spec(), HANDLERS, parallel=True))


def _require(call: Call, *names: str) -> None:
    """EINVAL for the first attribute that is missing (GENL_REQ_ATTR_CHECK())."""
    for name in names:
        if name not in call.attributes:
            call.fail(EINVAL, missing=name)


def _device(call: Call, fault: str | None = None) -> NetDevice:
    """The device that a request names.  ENODEV, the attribute `fault` being at fault."""
    device = call.net.devices.get(call.attributes["ifindex"])
    if device is None:
        call.fail(ENODEV, attribute=fault)
    return device


def _describe(device: NetDevice) -> dict[str, Any]:
    """`netdev_nl_dev_fill()`: lo has no XDP."""
    return {
        "ifindex": device.index,
        "xdp-features": 0,
        "xdp-rx-metadata-features": 0,
        "xsk-features": 0,
    }


def _get_device(call: Call) -> dict[str, Any]:
    _require(call, "ifindex")
    return _describe(_device(call))


def _dump_devices(call: Call) -> Iterator[dict[str, Any]]:
    for _, device in sorted(call.net.devices.items()):
        yield _describe(device)


def _get_page_pool(call: Call) -> None:
    _require(call, "id")
    call.fail(ENOENT)


def _get_queue(call: Call) -> None:
    _require(call, "id", "type", "ifindex")
    _device(call)
    call.fail(ENOENT)


def _get_napi(call: Call) -> None:
    _require(call, "id")
    call.fail(ENOENT, attribute="id")


def _dump_of_device(call: Call) -> Iterator[dict[str, Any]]:
    """Of one device or all there is nothing to tell."""
    if "ifindex" in call.attributes:
        _device(call)
    yield from ()


def _dump_statistics(call: Call) -> Iterator[dict[str, Any]]:
    if "ifindex" in call.attributes:
        _device(call, fault="ifindex")
        call.fail(EOPNOTSUPP, attribute="ifindex")
    yield from ()


def _bind_receive(call: Call) -> None:
    _require(call, "ifindex", "fd", "queues")
    _device(call)
    call.fail(EOPNOTSUPP, attribute="ifindex")


def _bind_transmit(call: Call) -> None:
    _require(call, "ifindex", "fd")
    _device(call)
    call.fail(EOPNOTSUPP, "driver does not support netmem TX")


HANDLERS: Final = {
    "dev-get": Handlers(do=_get_device, dump=_dump_devices, dump_flags=0),
    "page-pool-get": Handlers(do=_get_page_pool, dump=lambda call: ()),
    "queue-get": Handlers(do=_get_queue, dump=_dump_of_device),
    "napi-get": Handlers(do=_get_napi, dump=_dump_of_device),
    "qstats-get": Handlers(dump=_dump_statistics),
    "bind-rx": Handlers(do=_bind_receive),
    "napi-set": Handlers(do=_get_napi),
    "bind-tx": Handlers(do=_bind_transmit),
}
"""dev-get's dump lacks NLM_F_MULTI on Linux too (recorded)."""
