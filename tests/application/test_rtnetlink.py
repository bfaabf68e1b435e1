"""The client of rtnetlink."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel import Machine, SimulationError
from simkernel.application.rtnetlink import INET, KINDS, MAC, RAW, TEXT
from simkernel.uapi.if_link import IFF_UP
from simkernel.uapi.rtnetlink import RT_SCOPE_LINK, RT_TABLE_MAIN, RTN_UNICAST
from simkernel.uapi.socket import AF_INET

ADDRESSES = st.ip_addresses().map(str)
VALUES: dict[int, st.SearchStrategy[Any]] = {
    id(TEXT): st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    id(MAC): st.binary(min_size=6, max_size=6).map(lambda data: data.hex(":")),
    id(INET): ADDRESSES,
    id(RAW): st.binary(),
}


@pytest.fixture
def route() -> Iterator[Any]:
    with Machine(udev=False) as machine:
        yield machine.blocking().rtnetlink()


@pytest.mark.parametrize("name", KINDS)
@given(data=st.data())
def test_decoding_reverses_encoding(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    known = {key: VALUES.get(id(codec), st.integers(0, 127)) for key, (_, codec) in kind.attributes.items()}
    known["linkinfo"] = st.fixed_dictionaries({}, optional={"kind": VALUES[id(TEXT)], "data": st.binary()})
    known = {key: value for key, value in known.items() if key in kind.attributes}
    values = data.draw(st.fixed_dictionaries({}, optional=known))
    fields = data.draw(st.fixed_dictionaries({field: st.integers(0, 127) for field in kind.fields}))
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


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (lambda route: route.do("newlnk"), "no operation 'newlnk'; there are: newlink"),
        (lambda route: route.do("newlink", name="x"), "no attribute 'name'; there are: ifname"),
        (lambda route: route.do("newlink", linkinfo={"type": "x"}), "no attribute 'type'; there are: kind"),
        (lambda route: route.join("link"), "no group 'link'; there are: rtnlgrp-link"),
        (lambda route: route.events("new"), "no event 'new'"),
    ],
)
def test_an_unknown_name_is_an_error_with_the_known_ones(route: Any, act: Any, text: str) -> None:
    route.join("rtnlgrp-link")
    with pytest.raises(SimulationError, match=text):
        act(route)
