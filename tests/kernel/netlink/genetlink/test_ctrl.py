"""nlctrl: its replies, and its notifications when families are registered and unregistered."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest

from simkernel.kernel.netlink.genetlink import netdev
from simkernel.kernel.netlink.genetlink.declare import own_spec
from simkernel.kernel.netlink.genetlink.family import Command, Dumper, Family, Group, Operation
from simkernel.uapi import genetlink as genl
from simkernel.uapi import netlink as nl
from simkernel.ynl.codec import codec
from simkernel.ynl.policy import AttributePolicy, NlaType, PolicyTable
from tests.kernel.netlink.stack import Sock, Stack

A = 0x4B000001
INNER = PolicyTable("inner", (AttributePolicy(), AttributePolicy(NlaType.U8)))
OUTER = PolicyTable("outer", (AttributePolicy(), AttributePolicy(NlaType.NESTED, nested=INNER)))


def toy(name: str = "toy", groups: tuple[str, ...] = ("one", "two"), **more: Any) -> Family:
    do = Operation(5, "get", genl.GENL_CMD_CAP_DO | genl.GENL_ADMIN_PERM, OUTER, do=lambda info: None)
    dump = Operation(6, "list", genl.GENL_CMD_CAP_DUMP, None, dump=Dumper(lambda writer, info: False))
    return Family(
        name, (Command(5, do), Command(6, dump=dump)), tuple(Group(each) for each in groups), **more
    )


def ask(
    sock: Sock, name: str = "", *, dump: bool = False, command: int = genl.CTRL_CMD_GETFAMILY
) -> list[Any]:
    """Ask nlctrl about a family, and return the decoded replies."""
    attributes = nl.attribute(genl.CTRL_ATTR_FAMILY_NAME, name.encode() + b"\0") if name else b""
    flags = nl.NLM_F_REQUEST | (nl.NLM_F_DUMP if dump else 0)
    answers = sock.ask(
        nl.message(genl.GENL_ID_CTRL, genl.GenlMsgHdr(command).pack() + attributes, flags=flags)
    )
    operation = "getfamily" if command == genl.CTRL_CMD_GETFAMILY else "getpolicy"
    mode = "dump" if dump else "do"
    reader = codec(own_spec("nlctrl"), operation, mode, "reply")
    return [reader.decode(payload[4:]) for header, payload in answers if header.type == genl.GENL_ID_CTRL]


def events(sock: Sock) -> list[tuple[int, str]]:
    """Return command and family of each received notification."""
    heard = []
    for datagram in sock.drain():
        for _, payload in nl.iterate_messages(datagram):
            values = codec(own_spec("nlctrl"), "getfamily", "do", "reply").decode(payload[4:])
            heard.append((payload[0], values["family-name"]))
    return heard


def test_a_family_in_full(stack: Stack) -> None:
    family = toy(version=3, header_size=4, maxattr=9)
    stack.genetlink.register(family)
    [told] = ask(stack.open(nl.NETLINK_GENERIC, A), "toy")
    assert told["family-id"] == family.id
    assert (told["version"], told["hdrsize"], told["maxattr"]) == (3, 4, 9)
    assert [each["flags"] for each in told["ops"]] == [
        ("admin-perm", "cmd-cap-do", "cmd-cap-haspol"),
        ("cmd-cap-dump", "cmd-cap-haspol"),
    ]
    assert [(each["name"], each["id"]) for each in told["mcast-groups"]] == [
        ("one", family.first_group),
        ("two", family.first_group + 1),
    ]


def test_all_families_in_the_order_of_their_ids(stack: Stack) -> None:
    for name in ("b", "a"):
        stack.genetlink.register(toy(name))
    sock = stack.open(nl.NETLINK_GENERIC, A)
    assert [each["family-name"] for each in ask(sock, dump=True)] == ["nlctrl", "b", "a"]


def test_many_families_take_several_datagrams(stack: Stack) -> None:
    names = [f"family{number}" for number in range(60)]
    for name in names:
        stack.genetlink.register(toy(name))
    sock = stack.open(nl.NETLINK_GENERIC, A)
    assert [each["family-name"] for each in ask(sock, dump=True)] == ["nlctrl", *names]


def test_policies_are_numbered(stack: Stack) -> None:
    """In the reply to CTRL_CMD_GETPOLICY, the policy of the operation `get` has id 0, and its nested policy
    has id 1. The operation `list` has no policy. Its entry in the reply has the unused policy id 2.
    """
    stack.genetlink.register(toy())
    told = ask(stack.open(nl.NETLINK_GENERIC, A), "toy", dump=True, command=genl.CTRL_CMD_GETPOLICY)
    assert [each["op-policy"] for each in told if "op-policy" in each] == [
        {"operation-id": 5, "do": 0},
        {"operation-id": 0, "dump": 2},
    ]
    assert [each["policy"] for each in told if "policy" in each] == [
        {"policy-id": 0, "attribute-id": 1, "policy-idx": 1, "policy-maxtype": 1, "type": "nested"},
        {"policy-id": 1, "attribute-id": 1, "min-value-u": 0, "max-value-u": 255, "type": "u8"},
    ]


def test_a_listener_is_notified_of_families_and_groups(stack: Stack) -> None:
    sock = stack.open(nl.NETLINK_GENERIC, A).join(genl.GENL_ID_CTRL)
    family = toy()
    stack.genetlink.register(family)
    assert events(sock) == [
        (genl.CTRL_CMD_NEWFAMILY, "toy"),
        (genl.CTRL_CMD_NEWMCAST_GRP, "toy"),
        (genl.CTRL_CMD_NEWMCAST_GRP, "toy"),
    ]
    stack.genetlink.unregister(family)
    assert events(sock) == [
        (genl.CTRL_CMD_DELMCAST_GRP, "toy"),
        (genl.CTRL_CMD_DELMCAST_GRP, "toy"),
        (genl.CTRL_CMD_DELFAMILY, "toy"),
    ]


def test_an_overrun_listener_does_not_keep_a_family(stack: Stack) -> None:
    """`genl_ctrl_event()` ignores the result of its multicast, even if a listener has set
    NETLINK_BROADCAST_ERROR.
    """
    sock = stack.open(nl.NETLINK_GENERIC, A).join(genl.GENL_ID_CTRL)
    sock.set(nl.NETLINK_BROADCAST_ERROR)
    for number in range(500):
        family = toy(f"toy{number}")
        stack.genetlink.register(family)
        stack.genetlink.unregister(family)
    assert sock.it.drops > 0
    assert [family.name for family in stack.genetlink.registry] == ["nlctrl"]


def test_a_family_of_the_initial_namespace_is_not_notified_in_others(stack: Stack) -> None:
    here, far = (
        stack.open(nl.NETLINK_GENERIC, A, net=net).join(16)
        for net in (stack.namespaces.init, stack.namespaces.create())
    )
    stack.genetlink.register(toy(netnsok=False))
    assert (len(here.drain()), far.drain()) == (3, [])
    assert ask(far, "toy") == []


def test_an_unknown_name_is_requested_as_a_module(stack: Stack) -> None:
    asked: list[str] = []

    def load(name: str) -> None:
        asked.append(name)
        stack.genetlink.register(toy("late"))

    stack.request_module = load
    [told] = ask(stack.open(nl.NETLINK_GENERIC, A), "late")
    assert told["family-name"] == "late"
    assert asked == ["net-pf-16-proto-16-family-late"]


def test_other_requests_proceed_while_loading_sleeps(stack: Stack) -> None:
    async def load(name: str) -> None:
        assert ask(other, "nlctrl")
        stack.genetlink.register(toy("late"))

    stack.request_module = load
    sock, other = (stack.open(nl.NETLINK_GENERIC, portid) for portid in (A, A + 1))
    name = nl.attribute(genl.CTRL_ATTR_FAMILY_NAME, b"late\0")
    request = nl.message(
        genl.GENL_ID_CTRL, genl.GenlMsgHdr(genl.CTRL_CMD_GETFAMILY).pack() + name, flags=nl.NLM_F_REQUEST
    )
    asking = sock.it.sendmsg(sock.task, request, (0, 0))
    assert isinstance(asking, Coroutine)
    with pytest.raises(StopIteration):
        asking.send(None)
    assert len(sock.drain()) == 1
    assert ask(other, "late")


def test_netdev_describes_lo(stack: Stack) -> None:
    netdev.register(stack.genetlink)
    sock = stack.open(nl.NETLINK_GENERIC, A)
    [told] = ask(sock, "netdev")
    assert (told["family-id"], told["mcast-groups"][0]["id"]) == (20, 4)
    request = nl.message(20, genl.GenlMsgHdr(1).pack(), flags=nl.NLM_F_REQUEST | nl.NLM_F_DUMP)
    (header, payload), _ = sock.ask(request)
    assert header.flags == 0
    assert codec(own_spec("netdev"), "dev-get", "dump", "reply").decode(payload[4:])["ifindex"] == 1


def test_an_answer_is_kept_only_as_long_as_its_family(stack: Stack) -> None:
    first = toy()
    stack.genetlink.register(first)
    stack.genetlink.unregister(first)
    stack.genetlink.register(toy(version=9))
    [told] = ask(stack.open(nl.NETLINK_GENERIC, A), "toy")
    assert (told["version"], told["family-id"]) == (9, first.id + 1)
