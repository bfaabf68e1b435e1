"""A daemon follows a link that moves to another network namespace."""

from __future__ import annotations

import pytest

from simkernel import Machine, SimulationError
from simkernel.testing.situations import link_moved
from simkernel.uapi.errno import ENODEV


def test_the_old_namespace_receives_the_new_index() -> None:
    with Machine(check_leaks=True) as machine:
        route = machine.blocking().rtnetlink()
        route.do("newlink", ifname="wan", linkinfo={"kind": "dummy"})
        index = route.do("getlink", ifname="wan")["ifi-index"]
        route.join("rtnlgrp-link")
        with link_moved(machine, "wan"):
            event = next(route.events())
        assert (event.name, event["ifname"], event["new-ifindex"]) == ("dellink", "wan", index)
        assert event["new-netnsid"] >= 0
        with pytest.raises(OSError, match="No such device") as error:
            route.do("setlink", ifi_index=index, mtu=1400)
        assert error.value.errno == ENODEV


def test_the_ends_of_a_veth_are_then_in_two_namespaces() -> None:
    with Machine() as machine:
        route = machine.blocking().rtnetlink()
        route.do("newlink", ifname="v0", linkinfo={"kind": "veth"})
        assert "link-netnsid" not in route.do("getlink", ifname="v0")
        with link_moved(machine, "veth0"):
            assert route.do("getlink", ifname="v0")["link-netnsid"] >= 0


def test_lo_stays() -> None:
    with Machine() as machine, pytest.raises(OSError, match="Invalid argument"):
        link_moved(machine, "lo")
    with Machine() as machine, pytest.raises(SimulationError, match="unknown link 'x'; the links are: lo"):
        link_moved(machine, "x")
