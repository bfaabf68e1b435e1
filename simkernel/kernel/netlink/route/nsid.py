"""RTM_NEWNSID and RTM_GETNSID: ids of network namespaces (net/core/net_namespace.c)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from simkernel.kernel.net.namespace import Net
from simkernel.kernel.net.nsfs import net_by_fd
from simkernel.kernel.netlink.dump import DumpCallback
from simkernel.kernel.netlink.kernel_socket import KERNEL_SOCKETS
from simkernel.kernel.netlink.message import Request
from simkernel.kernel.netlink.policy import DEPRECATED_STRICT, LIBERAL, Found
from simkernel.kernel.netlink.route.parse import (
    S32_POLICY,
    U32_POLICY,
    attributes,
    namespace,
    number,
    refuse,
    signed,
)
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.uapi import net_namespace as ns
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.errno import EEXIST, EINVAL, ENOENT, ENOMEM, os_error
from simkernel.uapi.netlink import (
    NETLINK_ROUTE,
    NLA_HDRLEN,
    NLM_F_ECHO,
    NLM_F_MULTI,
    align4,
    attribute,
    message,
)
from simkernel.uapi.structure import S32
from simkernel.ynl.policy import AttributePolicy, PolicyTable

NSID_POLICY: Final = PolicyTable(
    "nsid",
    (
        AttributePolicy(),
        S32_POLICY,  # NETNSA_NSID
        U32_POLICY,  # NETNSA_PID
        U32_POLICY,  # NETNSA_FD
        S32_POLICY,  # NETNSA_TARGET_NSID
        AttributePolicy(),  # NETNSA_CURRENT_NSID
    ),
)
"""Policy of the attributes of requests about namespace ids (rtnl_net_policy)."""

HEADER: Final = rt.RtGenMsg().pack().ljust(align4(rt.RtGenMsg.SIZE), b"\0")
REPLY_SIZE: Final = len(HEADER) + 2 * (NLA_HDRLEN + S32.size)
"""Size of a reply that contains a namespace id, in bytes (`rtnl_net_get_size()`)."""


def _refuse_attribute(request: Request, found: Found, type: int, error: int, text: str) -> OSError:
    """Return an OSError for the attribute `type`, and set the text and the attribute's offset in the extended
    ACK.
    """
    request.extack.attribute(found[type][0] - NLA_HDRLEN - request.start, text)
    return os_error(error)


def _body(number: int, current: int | None) -> bytes:
    """Return the payload of a message about a namespace id: its header and attributes.

    `current` is the id in the sender's namespace if the message is about another namespace's ids, else
    None.
    """
    here = b"" if current is None else attribute(ns.NETNSA_CURRENT_NSID, S32.pack(current))
    return HEADER + attribute(ns.NETNSA_NSID, S32.pack(number)) + here


def _id(net: Net, peer: Net) -> int:
    found = net.id_of(peer)
    return ns.NETNSA_NSID_NOT_ASSIGNED if found is None else found


def notify(net: Net, type: int, number: int, request: Request | None = None) -> None:
    """Notify RTNLGRP_NSID that an id was assigned or freed in `net` (`rtnl_net_notifyid()`)."""
    sock = KERNEL_SOCKETS.of(net)[NETLINK_ROUTE]
    seq, portid, flags = (request.seq, request.portid, request.flags) if request else (0, 0, 0)
    try:
        skb = sock.skb(message(type, _body(number, None), seq=seq, pid=portid), REPLY_SIZE)
    except OSError as error:
        # If no socket buffer can be allocated, only the group members get the error (rtnl_set_sk_err()).
        for member in sock.entry.members.get(rt.RTNLGRP_NSID, ()):
            member.report_error(error.errno or ENOMEM)
        return
    # rtnl_notify() is a void function, so a failed notification is not an error of the request
    with suppress(OSError):
        sock.notify(skb, portid, rt.RTNLGRP_NSID, report=bool(flags & NLM_F_ECHO))


def peer_id(net: Net, peer: Net) -> int:
    """Return the id of `peer` in `net`. If `peer` has no id there, assign one (`peernet2id_alloc()`)."""
    number = net.id_of(peer)
    if number is None:
        number = net.assign_id(peer)
        notify(net, rt.RTM_NEWNSID, number)
    return number


class NamespaceIds:
    """Handlers of RTM_NEWNSID and RTM_GETNSID."""

    def new(self, request: Request) -> None:
        """Assign an id to a namespace and notify RTNLGRP_NSID (`rtnl_net_newid()`).

        Raises EINVAL, ESRCH or EBADF for a namespace that does not exist. Raises EEXIST if the namespace
        already has an id or the id is in use.
        """
        found = attributes(request, rt.RtGenMsg.SIZE, NSID_POLICY, LIBERAL)
        if ns.NETNSA_NSID not in found:
            raise refuse(request, EINVAL, "nsid is missing")
        peer, type = self._peer(request, found, by_number=False)
        wanted = signed(request, found, ns.NETNSA_NSID)
        if request.net.id_of(peer) is not None:
            raise _refuse_attribute(request, found, type, EEXIST, "Peer netns already has a nsid assigned")
        try:
            given = request.net.assign_id(peer, wanted)
        except OSError:
            text = "The specified nsid is already used"
            raise _refuse_attribute(request, found, ns.NETNSA_NSID, EEXIST, text) from None
        notify(request.net, rt.RTM_NEWNSID, given, request)

    def get(self, request: Request) -> None:
        """Answer a request with the id that a namespace has in the sender's namespace or in a target
        namespace (`rtnl_net_getid()`).

        Raises EINVAL, ESRCH, EBADF or ENOENT for a namespace that does not exist, EACCES for a forbidden
        target.
        """
        found = self._parse_get(request)
        peer, _ = self._peer(request, found, by_number=True)
        target, here = request.net, None
        if ns.NETNSA_TARGET_NSID in found:
            try:
                target = namespace(request, signed(request, found, ns.NETNSA_TARGET_NSID))
            except OSError as error:
                text, errno = "Target netns reference is invalid", error.errno or EINVAL
                raise _refuse_attribute(request, found, ns.NETNSA_TARGET_NSID, errno, text) from None
            here = _id(request.net, peer)
        body = _body(_id(target, peer), here)
        data = message(rt.RTM_NEWNSID, body, seq=request.seq, pid=request.portid)
        request.sock.send(data, request.portid, REPLY_SIZE)

    def _parse_get(self, request: Request) -> Found:
        """Parse a request for a namespace id (`rtnl_net_valid_getid_req()`). Raise EINVAL or ERANGE if the
        request is invalid.
        """
        validate = DEPRECATED_STRICT if request.strict else LIBERAL
        found = attributes(request, rt.RtGenMsg.SIZE, NSID_POLICY, validate)
        if request.strict and ns.NETNSA_CURRENT_NSID in found:
            raise refuse(request, EINVAL, "Unsupported attribute in peer netns getid request")
        return found

    def _peer(self, request: Request, found: Found, *, by_number: bool) -> tuple[Net, int]:
        """Return the peer namespace of a request, and the type of the attribute that names it."""
        finders: dict[int, Callable[[Request, int], Net]] = {
            ns.NETNSA_PID: lambda request, pid: request.net.namespaces.by_pid(pid),
            ns.NETNSA_FD: lambda request, fd: net_by_fd(request.task, fd),
        }
        if by_number:
            finders[ns.NETNSA_NSID] = self._of_number
        type = next((each for each in finders if each in found), None)
        if type is None:
            raise refuse(request, EINVAL, "Peer netns reference is missing")
        try:
            return finders[type](request, number(request, found, type)), type
        except OSError as error:
            errno = error.errno or EINVAL
            raise _refuse_attribute(request, found, type, errno, "Peer netns reference is invalid") from None

    @staticmethod
    def _of_number(request: Request, unsigned: int) -> Net:
        """Return the namespace that has a given id in the sender's namespace (`get_net_ns_by_id()`). The id
        is a signed 32-bit number. `unsigned` is the unsigned number with the same bits. Raise ENOENT if no
        namespace has the id.
        """
        net = request.net.net_by_id(S32.unpack(unsigned.to_bytes(4, "little"))[0])
        if net is None:
            raise os_error(ENOENT)
        return net


def dump(writer: MessageWriter, callback: DumpCallback) -> bool:
    """Dump the namespace ids of the sender's namespace or of a target namespace (`rtnl_net_dumpid()`)."""
    request = callback.request
    net, elsewhere = request.net, False
    if callback.strict:
        found = attributes(request, rt.RtGenMsg.SIZE, NSID_POLICY, DEPRECATED_STRICT)
        for type in sorted(found):
            if type != ns.NETNSA_TARGET_NSID:
                raise _refuse_attribute(request, found, type, EINVAL, "Unsupported attribute in dump request")
            try:
                net, elsewhere = namespace(request, signed(request, found, type)), True
            except OSError as error:
                text, errno = "Invalid target network namespace id", error.errno or EINVAL
                raise _refuse_attribute(request, found, type, errno, text) from None
    first = callback.context or 0
    for place, (each, peer) in enumerate(net.net_ids):
        if place >= first:
            body = _body(each, _id(request.net, peer) if elsewhere else None)
            flags = NLM_F_MULTI
            data = message(rt.RTM_NEWNSID, body, flags=flags, seq=request.seq, pid=request.portid)
            writer.append(data)
            callback.context = place + 1
    return False
