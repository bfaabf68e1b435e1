"""A program resolves the name of a link to an index. Later it configures the link that has this index."""

from __future__ import annotations

from typing import Any

import pytest

from simkernel import Machine, SimulationError, seconds
from simkernel.testing.situations import link_index_reused


def configure(app: Any, *, subscribes: bool) -> None:
    route = app.rtnetlink()
    route.join("rtnlgrp-link")
    index = route.do("getlink", ifname="wan")["ifi-index"]
    app.sleep(1)  # until the lease arrives
    route.event_socket.settimeout(0)
    try:
        while subscribes:
            event = next(route.events())
            if event.name == "dellink" and event["ifi-index"] == index:
                return
    except BlockingIOError:
        pass
    route.do("setlink", ifi_index=index, mtu=1400)


@pytest.mark.parametrize(("subscribes", "mtu"), [(True, 1500), (False, 1400)])
def test_only_a_subscriber_leaves_the_other_link_alone(subscribes: bool, mtu: int) -> None:
    with Machine(check_leaks=True) as machine:
        route = machine.blocking().rtnetlink()
        route.do("newlink", ifname="wan", linkinfo={"kind": "dummy"})
        machine.spawn(configure, subscribes=subscribes)
        machine.run(until=machine.now + seconds(0.5))
        with link_index_reused(machine, "wan", "lan"):
            machine.run()
        assert route.do("getlink", ifname="lan")["mtu"] == mtu


def test_the_new_link_has_the_kind_of_the_old_one() -> None:
    with Machine() as machine:
        route = machine.blocking().rtnetlink()
        route.do("newlink", ifname="br0", linkinfo={"kind": "bridge"})
        before = route.do("getlink", ifname="br0")
        with link_index_reused(machine, "br0", "br1"):
            after = route.do("getlink", ifname="br1")
        assert after["ifi-index"] == before["ifi-index"]
        assert after["linkinfo"]["kind"] == "bridge"


@pytest.mark.parametrize(
    ("link", "text"), [("lo", "'lo' has no kind, so no program can delete it"), ("x", "the links are: lo")]
)
def test_a_link_that_cannot_be_deleted_is_an_error(link: str, text: str) -> None:
    with Machine() as machine, pytest.raises(SimulationError, match=text):
        link_index_reused(machine, link, "lan")
