"""A program uses the rtnetlink client: links, routes, dumps, events of groups, and errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel import Machine, SimulationError
from simkernel.application.rtnetlink import KINDS, OPERATIONS
from simkernel.uapi.if_link import IFF_UP
from simkernel.uapi.rtnetlink import RT_SCOPE_LINK, RT_TABLE_MAIN, RTN_UNICAST
from simkernel.uapi.socket import AF_INET

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
MAC = st.binary(min_size=6, max_size=6).map(lambda data: data.hex(":"))
INET = st.ip_addresses().map(str)
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    "ifname": TEXT, "ifalias": TEXT, "label": TEXT, "linkinfo": st.fixed_dictionaries(
        {}, optional={"kind": TEXT, "slave-kind": TEXT, "data": st.binary(), "slave-data": st.binary()}
    ),
    ("link", "address"): MAC, ("link", "broadcast"): MAC,
    "address": INET, "local": INET, "broadcast": INET,
    "dst": INET, "src": INET, "gateway": INET, "prefsrc": INET,
}  # fmt: skip
"""Hypothesis strategies for the values of rtnetlink attributes, by attribute name or by (message kind,
attribute name). The value of an attribute that is missing here is a number.
"""


@pytest.fixture
def route() -> Iterator[Any]:
    with Machine(udev=False) as machine:
        yield machine.blocking().rtnetlink()


@pytest.mark.parametrize("name", KINDS)
@given(data=st.data())
def test_decoding_reverses_encoding(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    known = {
        key: VALUES.get((name, key), VALUES.get(key, st.integers(0, 127))) for key in kind.attributes.by_name
    }
    values = data.draw(st.fixed_dictionaries({}, optional=known))
    fields = data.draw(st.fixed_dictionaries({field: st.integers(0, 127) for field in kind.fields.by_name}))
    payload = kind.encode(fields | values)
    assert kind.decode(payload, 0, len(payload)) == fields | values


def test_a_link_is_made_changed_and_deleted(route: Any) -> None:
    assert route.do("newlink", ifname="d0", linkinfo={"kind": "dummy"}) is None
    index = route.do("getlink", ifname="d0")["ifi-index"]
    route.do("setlink", ifi_index=index, ifi_flags=IFF_UP, ifi_change=IFF_UP, mtu=1400)
    link = route.do("getlink", ifi_index=index)
    assert (link["ifname"], link["mtu"], link["ifi-flags"] & IFF_UP) == ("d0", 1400, IFF_UP)
    assert link["linkinfo"] == {"kind": "dummy"}
    route.do("dellink", ifi_index=index)
    with pytest.raises(OSError, match=r"\[Errno 19\] rtnetlink getlink: No such device"):
        route.do("getlink", ifi_index=index)


def test_a_new_link_must_not_exist(route: Any) -> None:
    with pytest.raises(FileExistsError):
        route.do("newlink", ifname="lo")


def test_an_error_has_the_text_and_the_attribute_of_the_kernel(route: Any) -> None:
    with pytest.raises(OSError, match="rtnetlink newlink: Operation not supported: Unknown device type"):
        route.do("newlink", linkinfo={"kind": "nosuch"})
    with pytest.raises(OSError, match="attribute 'ifname'"):
        route.do("newlink", mtu=1400, ifname="a name that is too long", linkinfo={"kind": "dummy"})


def test_events_of_the_joined_groups_arrive_in_order(route: Any) -> None:
    route.join("rtnlgrp-link", "rtnlgrp-ipv4-ifaddr")
    route.do("newlink", ifname="d0", linkinfo={"kind": "dummy"})
    route.do("setlink", ifi_index=route.do("getlink", ifname="d0")["ifi-index"], ifname="d1")
    route.do("dellink", ifname="d1")
    events = route.events("newlink", "dellink")
    seen = [(event.name, event["ifname"]) for event in (next(events) for _ in range(4))]
    assert seen == [("newlink", "dummy0"), ("newlink", "d0"), ("newlink", "d1"), ("dellink", "d1")]


def test_a_dump_returns_all_links(route: Any) -> None:
    names = {f"d{number}" for number in range(30)}
    for name in names:
        route.do("newlink", ifname=name, linkinfo={"kind": "dummy"})
    links = route.dump("getlink")
    assert {link["ifname"] for link in links} == names | {"lo", "dummy0"}
    assert [link["ifi-index"] for link in links] == sorted(link["ifi-index"] for link in links)


def test_a_dump_is_checked_strictly_and_filtered(route: Any) -> None:
    for number, name in enumerate(("d0", "d1")):
        route.do("newlink", ifname=name, linkinfo={"kind": "dummy"})
        index = route.do("getlink", ifname=name)["ifi-index"]
        address = {"ifa_family": AF_INET, "ifa_prefixlen": 24, "ifa_index": index}
        route.do("newaddr", **address, local=f"10.0.{number}.1", label=f"{name}:x")
    (found,) = route.dump("getaddr", ifa_family=AF_INET, ifa_index=index)
    assert (found["local"], found["label"], found["ifa-prefixlen"]) == ("10.0.1.1", "d1:x", 24)
    with pytest.raises(OSError, match="Invalid argument"):
        route.dump("getaddr", ifa_prefixlen=1)


def test_routes_come_and_go(route: Any) -> None:
    route.do("newlink", ifname="d0", linkinfo={"kind": "dummy"}, ifi_flags=IFF_UP, ifi_change=IFF_UP)
    route.join("rtnlgrp-ipv4-route")
    index = route.do("getlink", ifname="d0")["ifi-index"]
    new = {"rtm_family": AF_INET, "rtm_dst_len": 16, "dst": "10.1.0.0", "rtm_table": RT_TABLE_MAIN}
    route.do("newroute", **new, rtm_scope=RT_SCOPE_LINK, rtm_type=RTN_UNICAST, oif=index)
    event = next(route.events("newroute"))
    assert (event["dst"], event["rtm-dst-len"], event["oif"]) == ("10.1.0.0", 16, index)
    assert "10.1.0.0" in [each.get("dst") for each in route.dump("getroute", rtm_family=AF_INET)]
    route.do("delroute", **new, rtm_scope=RT_SCOPE_LINK)
    assert next(route.events("delroute"))["dst"] == "10.1.0.0"


# -- wrong arguments ----------------------------------------------------------------------

LINK_NAMES = "ifi-family, ifi-type, ifi-index, ifi-flags, ifi-change, ifname, "


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (lambda route: route.do("newlnk"), "unknown operation 'newlnk'; did you mean newlink"),
        (lambda route: route.do("RTM_NEWLINK"), "unknown operation 'RTM_NEWLINK'; expected one of newlink, "),
        (lambda route: route.do(["newlink"]), r"unknown operation \['newlink'\]"),
        (lambda route: route.dump("dellink"), "unknown operation to dump 'dellink'; did you mean getlink?"),
        (
            lambda route: route.do("setlink", index=3),
            "unknown field or attribute 'index'; did you mean ifi-index",
        ),
        (
            lambda route: route.do("setlink", up=True),
            f"attribute 'up'; expected one of {LINK_NAMES}.*linkinfo$",
        ),
        (
            lambda route: route.do("newlink", linkinfo={"typ": "x"}),
            "attribute 'linkinfo.typ': .* one of kind, ",
        ),
        (lambda route: route.join("nosuch"), "unknown group 'nosuch'; expected one of rtnlgrp-link, "),
        (lambda route: route.join(["rtnlgrp-link"]), "unknown group .* did you mean rtnlgrp-link"),
        (
            lambda route: route.events("getlink"),
            r"unknown event 'getlink'; did you mean newlink or dellink\?$",
        ),
        (lambda route: route.events("setroute"), r"unknown event .* did you mean newroute or delroute\?$"),
        (
            lambda route: route.events(16),
            "event 16; expected one of newlink, dellink, newaddr, .*, delroute$",
        ),
    ],
)
def test_an_unknown_name_is_an_error_with_the_known_ones(route: Any, act: Any, text: str) -> None:
    route.join("rtnlgrp-link")
    with pytest.raises(SimulationError, match=text):
        act(route)


@pytest.mark.parametrize(
    ("operation", "name", "value", "text"),
    [
        ("newlink", "ifname", 5, "expected text, found 5"),
        ("newlink", "ifname", b"d0", "expected text, found b'd0'"),
        ("newlink", "ifalias", "x" * 70_000, "expected at most 65531 bytes, found 70001"),
        ("newlink", "mtu", "1500", "expected an integer from 0 to 4294967295, found '1500'"),
        ("newlink", "operstate", 256, "expected an integer from 0 to 255, found 256"),
        ("newlink", "ifi-flags", None, "expected an integer from 0 to 4294967295, found None"),
        (
            "newlink",
            "ifi-index",
            1 << 31,
            "expected an integer from -2147483648 to 2147483647, found 2147483648",
        ),
        ("newlink", "linkinfo", "dummy", "expected a mapping of attributes to values, found 'dummy'"),
        ("newlink", "address", "zz:11", "expected hexadecimal bytes with ':' between them, found 'zz:11'"),
        (
            "newlink",
            "address",
            "001122334455",
            "expected hexadecimal bytes with ':' between them, found '0011",
        ),
        ("newaddr", "local", "10.0.0.1/8", "expected an IPv4 or IPv6 address, found '10.0.0.1/8'"),
        ("newaddr", "local", 5, "expected an IPv4 or IPv6 address, found 5"),
        ("newroute", "oif", "lo", "expected an integer from 0 to 4294967295, found 'lo'"),
    ],
)
def test_an_impossible_value_is_an_error_with_its_attribute(
    route: Any, operation: str, name: str, value: Any, text: str
) -> None:
    with pytest.raises(SimulationError) as raised:
        route.do(operation, **{name: value})
    assert str(raised.value).startswith(f"rtnetlink {operation}: attribute {name!r}: {text}")


def test_data_of_a_kind_is_bytes(route: Any) -> None:
    """The client refuses an int as the value of a bytes attribute, because bytes(3) would be three zero
    bytes.
    """
    with pytest.raises(SimulationError, match=r"attribute 'linkinfo.data': expected bytes, found 3"):
        route.do("newlink", linkinfo={"kind": "dummy", "data": 3})


WRONG = (
    None, 1.5, "x", b"x", "\ud800", "", (), [], [None], {"a": 1}, {None: 1}, {"kind": []}, object(), -1,
    1 << 70, True,
)  # fmt: skip


@pytest.mark.parametrize("operation", OPERATIONS)
def test_wrong_arguments_raise_only_errors_of_the_api_or_of_the_kernel(route: Any, operation: str) -> None:
    kind = OPERATIONS[operation][1]
    for name in [*kind.fields.by_name, *kind.attributes.by_name]:
        for wrong in WRONG:
            for call in (route.do, route.dump):
                with suppress(SimulationError, OSError):
                    call(operation, **{name: wrong})
    for wrong in WRONG:
        for call in (route.do, route.dump, route.join, route.leave, route.events):
            with pytest.raises(SimulationError):
                call(wrong)
    assert route.do("getlink", ifname="lo")["ifi-index"] == 1


def test_a_name_that_is_no_utf8_survives(route: Any) -> None:
    name = "d\udcff"
    route.do("newlink", ifname=name, linkinfo={"kind": "dummy"})
    assert name in [link["ifname"] for link in route.dump("getlink")]
