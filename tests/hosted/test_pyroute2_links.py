"""pyroute2 changes links, addresses and routes on a machine: with IPRoute, NDB, IPBatch and namespaces."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from simkernel import Blocking, Machine
from simkernel.hosted import hosted

if sys.platform != "linux":
    pytest.skip("hosted programs need Python on Linux", allow_module_level=True)
pytest.importorskip("pyroute2", reason="pyroute2 is not installed: it runs on Linux only")


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A machine without udevd."""
    with Machine(seed=7, udev=False) as machine:
        yield machine


def described(message: Any) -> str:
    """Return the event type of a message, and the name or the address in the message."""
    names = (message.get(name) for name in ("ifname", "local", "address", "dst"))
    return f"{message['event']} {next(filter(None, names), None)}"


def monitor(app: Blocking, log: list[str], last: str) -> None:
    """Log the notifications that IPRoute receives, up to the notification `last`."""
    with hosted(app, "pyroute2"):
        from pyroute2 import IPRoute

        with IPRoute() as route:
            route.bind()
            while not log or log[-1] != last:
                log.extend(described(message) for message in route.get())


def changer(app: Blocking) -> None:
    """Create a link with an address and a route, and delete the link."""
    with hosted(app, "pyroute2") as host:
        from pyroute2 import IPRoute

        host.time.sleep(0.1)
        with IPRoute() as route:
            route.link("add", ifname="d0", kind="dummy")
            (index,) = route.link_lookup(ifname="d0")
            route.link("set", index=index, state="up")
            route.addr("add", index=index, address="10.0.0.1", prefixlen=24)
            route.route("add", dst="10.1.0.0/16", gateway="10.0.0.2")
            route.link("set", index=index, ifname="d1")
            route.link("del", index=index)


def test_a_monitor_follows_a_changer(machine: Machine) -> None:
    """The notifications equal those of Linux 6.12, recorded with the same calls."""
    log: list[str] = []
    machine.spawn(monitor, log, "RTM_DELLINK d1")
    machine.spawn(changer)
    machine.run()
    assert [each for each in log if "dummy0" not in each and "fe80" not in each and "ff00" not in each] == [
        "RTM_NEWLINK d0",  # created
        "RTM_NEWLINK d0",  # up
        "RTM_NEWADDR 10.0.0.1",
        "RTM_NEWROUTE 10.0.0.1",
        "RTM_NEWROUTE 10.0.0.0",
        "RTM_NEWROUTE 10.0.0.255",
        "RTM_NEWROUTE 10.1.0.0",
        "RTM_NEWLINK d1",
        "RTM_NEWADDR 10.0.0.1",  # The address has a new label.
        "RTM_NEWLINK d1",  # The link goes down, and its routes are deleted.
        "RTM_DELADDR 10.0.0.1",
        "RTM_DELROUTE 10.0.0.1",
        "RTM_DELLINK d1",
    ]


def database(app: Blocking, seen: list[tuple[list[str], list[str]]]) -> None:
    """Log the links and IPv4 addresses in NDB each time they change."""
    with hosted(app, "pyroute2") as host:
        from pyroute2 import NDB

        with NDB() as ndb:
            while len(seen) < 2 or seen[-1] != seen[0]:
                links = [each.ifname for each in ndb.interfaces.dump() if each.ifname[0] == "d"]
                addresses = [each.address for each in ndb.addresses.dump() if each.address.startswith("10.")]
                if (links, addresses) not in seen[-1:]:
                    seen.append((links, addresses))
                host.time.sleep(0.1)


def slow_changer(app: Blocking) -> None:
    """Change a link and its address once per second."""
    with hosted(app, "pyroute2") as host:
        from pyroute2 import IPRoute

        with IPRoute() as route:
            route.link("add", ifname="d0", kind="dummy", state="up")
            (index,) = route.link_lookup(ifname="d0")
            route.link("del", ifname="dummy0")
            for change in (
                lambda: route.addr("add", index=index, address="10.0.0.1", prefixlen=24),
                lambda: route.link("set", index=index, ifname="d1"),
                lambda: route.link("del", index=index),
            ):
                host.time.sleep(1)
                change()


def test_ndb_follows_the_changes_of_another_program(machine: Machine) -> None:
    seen: list[tuple[list[str], list[str]]] = []
    machine.spawn(slow_changer)
    machine.spawn(database, seen)
    machine.run()
    assert seen[0] == ([], [])
    assert seen[1:] == [(["d0"], []), (["d0"], ["10.0.0.1"]), (["d1"], ["10.0.0.1"]), ([], [])]


def test_a_program_manages_a_namespace_by_its_name(machine: Machine) -> None:
    with hosted(machine, "pyroute2"):
        from pyroute2 import IPRoute, netns

        netns.create("blue")
        with IPRoute() as here, IPRoute(netns="blue") as there:
            here.link("add", ifname="v0", kind="veth", peer={"ifname": "v1", "net_ns_fd": "blue"})
            assert [link.get("ifname") for link in here.get_links()] == ["lo", "v0"]
            assert [link.get("ifname") for link in there.get_links()] == ["lo", "v1"]
        netns.remove("blue")
        assert netns.listnetns() == []


def test_batch_is_sent_as_one_message(machine: Machine) -> None:
    with hosted(machine, "pyroute2"):
        from pyroute2 import IPBatch, IPRoute

        batch = IPBatch()
        for name in ("d0", "d1", "d2"):
            batch.link("add", ifname=name, kind="dummy")
        data = batch.batch
        batch.close()
        with IPRoute() as sender, IPRoute() as route:
            sender.sendto(data, (0, 0))
            assert [link.get("ifname") for link in route.get_links()] == ["lo", "dummy0", "d0", "d1", "d2"]


def test_settings_of_a_bridge_port_are_those_of_linux(machine: Machine) -> None:
    """The expected errors, port costs and proxy_arp flags were recorded on Linux 6.18 with the same calls."""
    seen = []
    with hosted(machine, "pyroute2"):
        from pyroute2 import IPRoute, NetlinkError

        with IPRoute() as route:
            route.link("add", ifname="b0", kind="bridge")
            route.link("add", ifname="v0", kind="veth", peer="v1")
            (bridge,), (port,) = (route.link_lookup(ifname=name) for name in ("b0", "v0"))
            route.link("set", index=port, master=bridge)
            for settings in (
                {"cost": 0},
                {"cost": 200, "proxyarp": 1},
                {"cost": 65536, "proxyarp": 0},
                {"cost": 65535},
            ):
                try:
                    route.brport("set", index=port, **settings)
                    error = 0
                except NetlinkError as raised:
                    error = raised.code
                (info,) = (each for each in route.brport("dump") if each["index"] == port)
                found = info.get_attr("IFLA_PROTINFO")
                cost, proxy_arp = (found.get_attr(f"IFLA_BRPORT_{name}") for name in ("COST", "PROXYARP"))
                seen.append((error, cost, proxy_arp))
    assert seen == [(34, 2, 0), (0, 200, 1), (34, 200, 0), (0, 65535, 0)]


def test_settings_of_a_bridge_are_those_of_linux(machine: Machine) -> None:
    """The expected values and errors were recorded on Linux 6.18 (CONFIG_HZ=250) with the same calls."""
    seen = []
    with hosted(machine, "pyroute2"):
        from pyroute2 import IPRoute, NetlinkError

        with IPRoute() as route:
            for number, (name, value) in enumerate([
                ("hello_time", 101),
                ("mcast_query_intvl", 5),
                ("mcast_query_intvl", 10**12),
                ("mcast_startup_query_intvl", 101),
                ("group_addr", "01:80:c2:00:00:05"),
                ("group_addr", "01:80:c2:00:00:01"),
                ("root_port", 3),
            ]):  # fmt: skip
                try:
                    route.link("add", ifname=f"b{number}", kind="bridge", **{f"br_{name}": value})
                except NetlinkError as error:
                    seen.append((name, error.code))
                    continue
                (link,) = route.link("get", ifname=f"b{number}")
                data = link.get_attr("IFLA_LINKINFO").get_attr("IFLA_INFO_DATA")
                seen.append((name, data.get_attr(f"IFLA_BR_{name.upper()}")))
    assert seen == [
        ("hello_time", 100),
        ("mcast_query_intvl", 100),
        ("mcast_query_intvl", 8_640_000),
        ("mcast_startup_query_intvl", 100),
        ("group_addr", "01:80:c2:00:00:05"),
        ("group_addr", 22),
        ("root_port", 0),
    ]


def test_ndb_restores_a_bridge_with_its_ports(machine: Machine) -> None:
    with hosted(machine, "pyroute2"):
        from pyroute2 import NDB

        with NDB() as ndb:
            ndb.interfaces.create(ifname="d0", kind="dummy", state="up").commit()
            bridge = ndb.interfaces.create(ifname="br0", kind="bridge", state="up")
            bridge.add_port("d0").add_ip(address="10.0.0.1", prefixlen=24).commit()
            removed = ndb.interfaces["br0"].remove().commit()
            assert "br0" not in [each.ifname for each in ndb.interfaces.dump()]
            removed.rollback()
            assert ndb.interfaces["d0"]["master"] == ndb.interfaces["br0"]["index"]
            assert "10.0.0.1" in [each.address for each in ndb.addresses.dump()]
