"""Helpers for the handlers of NETLINK_ROUTE: errors, headers, attributes, namespaces."""

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
    """Return a policy that checks only the minimum length of a payload."""
    return AttributePolicy(length=length)


def refuse(request: Request, error: int, text: str) -> OSError:
    """Return an OSError for a request, and set the text of its extended ACK."""
    request.extack.message = text
    return os_error(error)


def refuse_attribute(request: Request, start: int, text: str) -> OSError:
    """Return an OSError with EINVAL, and set the text and the attribute's offset in the extended ACK. `start`
    is the offset of the attribute's payload.
    """
    request.extack.attribute(start - NLA_HDRLEN - request.start, text)
    return os_error(EINVAL)


def has_header(request: Request, header: type[Structure]) -> bool:
    """Return True if the request is long enough for the header of its message type (`nlmsg_payload()`)."""
    return request.length >= NLMSG_HDRLEN + header.SIZE


def attributes(request: Request, header_size: int, table: PolicyTable, validate: int) -> Found:
    """Validate the attributes after the header and return their offsets (`__nlmsg_parse()`).

    Raises EINVAL or ERANGE if an attribute is invalid.
    """
    if request.length < NLMSG_HDRLEN + header_size:
        raise refuse(request, EINVAL, "Invalid header length")
    start = request.start + NLMSG_HDRLEN + align4(header_size)
    return validator(table, validate).parse(request, start, request.end)


def number(request: Request, found: Found, type: int) -> int:
    """Return the value of a 32-bit attribute, or 0 if the request lacks it."""
    place = found.get(type)
    value: int = U32.unpack_from(request.data, place[0])[0] if place else 0
    return value


def payload(request: Request, found: Found, type: int) -> bytes:
    """Return the payload of an attribute, or no bytes if the request lacks it."""
    place = found.get(type)
    return request.data[slice(*place)] if place else b""


def signed(request: Request, found: Found, type: int) -> int:
    """Return the value of a signed 32-bit attribute, which the request must contain."""
    value: int = S32.unpack_from(request.data, found[type][0])[0]
    return value


def namespace(request: Request, number: int) -> Net:
    """Return the namespace with the id `number` in the sender's namespace (`rtnl_get_net_ns_capable()`).

    Raises EINVAL for an unknown id, EACCES if the sender lacks CAP_NET_ADMIN.
    """
    net = request.net.net_by_id(number)
    if net is None:
        raise os_error(EINVAL)
    opener, caller = request.sender.opener, request.task.credentials
    if not (opener.capable(CAP_NET_ADMIN) and caller.capable(CAP_NET_ADMIN)):
        raise os_error(EACCES)
    return net
