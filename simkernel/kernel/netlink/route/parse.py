"""What handlers of requests to NETLINK_ROUTE have in common: refusing, attributes, whose namespace."""

from __future__ import annotations

from simkernel.kernel.net.namespace import Net
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.policy import Found, validator
from simkernel.uapi.capability import CAP_NET_ADMIN
from simkernel.uapi.errno import EACCES, EINVAL, os_error
from simkernel.uapi.netlink import NLA_HDRLEN, NLMSG_HDRLEN, align4
from simkernel.uapi.structure import S32, U32, Structure
from simkernel.ynl.policy import AttributePolicy, NlaType, PolicyTable

U8_POLICY = AttributePolicy(NlaType.U8)
U16_POLICY = AttributePolicy(NlaType.U16)
U32_POLICY = AttributePolicy(NlaType.U32)
S32_POLICY = AttributePolicy(NlaType.S32)
NESTED_POLICY = AttributePolicy(NlaType.NESTED)


def at_least(length: int) -> AttributePolicy:
    """An attribute of which only the least length is known."""
    return AttributePolicy(length=length)


def refuse(request: Request, error: int, text: str) -> OSError:
    """The error of a request, which says why in its extended ACK."""
    request.extack.message = text
    return os_error(error)


def refuse_attribute(request: Request, start: int, text: str) -> OSError:
    """Return EINVAL for the attribute whose payload begins at `start`, and set its text and offset."""
    request.extack.attribute(start - NLA_HDRLEN - request.start, text)
    return os_error(EINVAL)


def has_header(request: Request, header: type[Structure]) -> bool:
    """Whether the family's own header is there (nlmsg_payload())."""
    return request.length >= NLMSG_HDRLEN + header.SIZE


def attributes(request: Request, header_size: int, table: PolicyTable, validate: int) -> Found:
    """The attributes after the family's own header, checked (__nlmsg_parse()).  EINVAL, ERANGE."""
    if request.length < NLMSG_HDRLEN + header_size:
        raise refuse(request, EINVAL, "Invalid header length")
    start = request.start + NLMSG_HDRLEN + align4(header_size)
    return validator(table, validate).parse(request, start, request.end)


def number(request: Request, found: Found, type: int) -> int:
    """The value of a 32-bit attribute, 0 if it is not there."""
    place = found.get(type)
    value: int = U32.unpack_from(request.data, place[0])[0] if place else 0
    return value


def signed(request: Request, found: Found, type: int) -> int:
    """The value of a signed 32-bit attribute that is there."""
    value: int = S32.unpack_from(request.data, found[type][0])[0]
    return value


def namespace(request: Request, number: int) -> Net:
    """The namespace that has a number in the sender's (`rtnl_get_net_ns_capable()`).

    EINVAL for a number that stands for none, EACCES.
    """
    net = request.net.known_as(number)
    if net is None:
        raise os_error(EINVAL)
    opener, caller = request.sender.opener, request.task.credentials
    if not (opener.capable(CAP_NET_ADMIN) and caller.capable(CAP_NET_ADMIN)):
        raise os_error(EACCES)
    return net
