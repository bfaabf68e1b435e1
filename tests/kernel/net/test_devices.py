"""Network devices: the events, messages and fields of each operation (net/core/dev.c, link_watch.c).

The messages of real links are compared with Linux in tests/conformance. This file also covers operations that
no link of the tree needs.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simkernel import Machine, millis, seconds
from simkernel.kernel.net.device import AddressOrigin, Event, Net, NetDevice, NetDeviceOps, eth_mac_addr
from simkernel.uapi import if_link as il
from simkernel.uapi.errno import error_name
from simkernel.uapi.rtnetlink import RTM_DELLINK

ALL = 2**32 - 1


class Text:
    """An extended ACK that holds the text of an error."""

    message = ""


class Recorder:
    """The notifier chain, the messages to programs and the uevents of a machine, in one list."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.devices = machine.kernel.net_devices
        self.net: Net = machine.kernel.net
        self.seen: list[Any] = []
        self.devices._messages = self  # type: ignore[assignment]
        kobjects = self.devices.kobjects
        for name in ("add", "remove", "rename", "uevent"):
            setattr(
                kobjects,
                name,
                lambda *arguments, name=name: self.seen.append((name, *map(str, arguments[:1]))),
            )
        self.devices.subscribe(self.event)

    def event(self, event: Event, device: NetDevice, info: Any) -> None:
        shown = info.name if isinstance(info, NetDevice) else info
        self.seen.append(event.name if info is None else (event.name, shown))

    def prepare(self, type: int, device: NetDevice, change: int, **more: Any) -> Callable[[], None]:
        assert type == RTM_DELLINK
        index = more.get("new_index", 0)
        return lambda: self.seen.append(("DELLINK", change, index))

    def changed(self, device: NetDevice, change: int = 0, request: Any = None) -> None:
        self.seen.append(("NEWLINK", change))

    def take(self) -> list[Any]:
        taken, self.seen = self.seen, []
        return taken

    def new(self, name: str = "net%d", **fields: Any) -> NetDevice:
        """Register a device. By default it has a carrier."""
        ops = fields.pop("ops", NetDeviceOps(set_mac_address=eth_mac_addr))
        device = NetDevice(fields.pop("net", self.net), name, ops, **fields)
        self.devices.register(device)
        self.take()
        return device


@pytest.fixture
def net() -> Iterator[Recorder]:
    with Machine(udev=False) as machine:
        yield Recorder(machine)


def refused(call: Callable[..., object], *arguments: Any) -> str:
    with pytest.raises(OSError) as raised:
        call(*arguments)
    return error_name(raised.value.errno or 0)


# -- register and unregister ----------------------------------------------------------------


def test_a_device_is_registered_and_unregistered(net: Recorder) -> None:
    device = NetDevice(net.net, "net%d", address=bytes([2, 0, 0, 0, 0, 1]))
    net.devices.register(device)
    assert net.take() == ["POST_INIT", ("add", str(device)), "REGISTER", ("NEWLINK", ALL)]
    assert (device.name, device.index, device.registered) == ("net0", 2, True)
    assert device.perm_address == bytes([2, 0, 0, 0, 0, 1])
    assert net.net.devices == {1: net.net.devices[1], 2: device}
    net.devices.open(device)
    assert net.take() == ["PRE_UP", ("NEWLINK", il.IFF_UP | il.IFF_RUNNING), "UP"]
    assert (device.running, device.transmits, device.qdisc) == (True, True, "noqueue")
    net.devices.open(device)
    assert net.take() == []
    net.devices.close(device)
    assert net.take() == ["GOING_DOWN", ("NEWLINK", il.IFF_UP | il.IFF_RUNNING), "DOWN"]
    assert (device.running, device.transmits, device.is_up) == (False, False, False)
    net.devices.close(device)
    assert net.take() == []
    net.devices.open(device)
    device.altnames.append("other")
    net.take()
    net.devices.unregister([device])
    assert net.take() == [
        "GOING_DOWN", ("NEWLINK", il.IFF_UP | il.IFF_RUNNING), "DOWN", "UNREGISTER", "PRE_UNINIT",
        ("DELLINK", ALL, 0), ("remove", str(device)),
    ]  # fmt: skip
    assert (device.registered, device.qdisc, device.altnames, list(net.net.devices)) == (
        False,
        "noop",
        [],
        [1],
    )


def test_a_random_address_is_not_permanent(net: Recorder) -> None:
    device = net.new(address=bytes([2, 0, 0, 0, 0, 1]), address_origin=AddressOrigin.RANDOM)
    assert device.perm_address == bytes(6)


def test_an_operation_that_fails_leaves_the_device_as_it_was(net: Recorder) -> None:
    calls: list[str] = []

    def fail(device: NetDevice) -> None:
        raise OSError(errno.EIO, "no")

    uninit = lambda device: calls.append("uninit")  # noqa: E731
    ops = NetDeviceOps(open=fail, uninit=uninit, stop=lambda device: calls.append("stop"))
    device = net.new(ops=ops)
    assert refused(net.devices.open, device) == "EIO"
    assert (net.take(), device.running, device.is_up) == (["PRE_UP"], False, False)
    other = NetDevice(net.net, "twin", ops, index=device.index)
    assert refused(net.devices.register, other) == "EBUSY"
    assert (calls, net.take(), other.registered) == (["uninit"], [], False)
    broken = NetDevice(net.net, "broken", NetDeviceOps(init=fail, uninit=uninit))
    assert refused(net.devices.register, broken) == "EIO"
    assert (calls, net.net.device_named("broken")) == (["uninit"], None)


# -- move --------------------------------------------------------------------------------------


def test_a_device_moves_to_another_namespace(net: Recorder) -> None:
    target = net.machine.kernel.namespaces.create()
    device = net.new("mover")
    net.devices.open(device)
    sequences = net.net.dev_base_seq, target.dev_base_seq
    net.take()
    net.devices.move(device, target)
    assert net.take() == [
        "GOING_DOWN", ("NEWLINK", il.IFF_UP | il.IFF_RUNNING), "DOWN", "UNREGISTER", ("DELLINK", ALL, 2),
        ("uevent", "remove"), ("uevent", "add"), "REGISTER", ("NEWLINK", ALL),
    ]  # fmt: skip
    assert (device.net, device.index, device.qdisc, target.devices[2]) == (target, 2, "noop", device)
    assert (net.net.dev_base_seq, target.dev_base_seq) == (sequences[0] + 1, sequences[1] + 1)
    net.devices.move(device, target)
    assert net.take() == []


def test_a_move_needs_a_free_name_and_index(net: Recorder) -> None:
    target = net.machine.kernel.namespaces.create()
    taken = net.new("same", net=target, index=7)
    taken.altnames.append("alias")
    text = Text()

    def move(name: str, *arguments: Any, altname: str = "") -> Any:
        device = net.new(name)
        device.altnames += [altname] if altname else []
        result = refused(net.devices.move, device, target, *arguments, text)
        assert (device.net, net.take()) == (net.net, [])
        net.devices.unregister([device])
        net.take()
        return result, text.message

    assert move("same", "", 0) == ("EEXIST", "An interface with the same name exists in the target netns")
    assert move("alias", "", 0) == ("EEXIST", "An interface with the same name exists in the target netns")
    wrong = "Unable to use '{}' for the new interface name in the target netns"
    assert move("same", "lo", 0) == ("EEXIST", wrong.format("lo"))
    assert move("same", "a/b", 0) == ("EINVAL", wrong.format("a/b"))
    busy = "The ifindex {} is not available in the target netns"
    assert move("free", "", 7) == ("EBUSY", busy.format(7))
    assert move("free", "", 1) == ("EBUSY", busy.format(1))
    assert move("free", "", 0, altname="same") == (
        "EEXIST", "An interface with the altname same exists in the target netns",
    )  # fmt: skip
    loopback = net.net.devices[1]
    assert refused(net.devices.move, loopback, target, "", 0, text) == "EINVAL"
    assert text.message == "The interface netns is immutable"


@pytest.mark.parametrize(
    ("name", "wanted", "index", "expected"),
    [("same", "new", 0, ("new", 3)), ("same", "same%d", 9, ("same0", 9)), ("free", "new", 0, ("free", 3)),
     ("free", "", 9, ("free", 9))],
)  # fmt: skip
def test_a_moved_device_keeps_its_name_if_it_is_free(
    net: Recorder, name: str, wanted: str, index: int, expected: tuple[str, int]
) -> None:
    """The device gets the name `wanted` only if its old name is in use in the target namespace. If `index` is
    not 0, the device gets this index. If it is 0, the device keeps its old index if this one is free in the
    target namespace, and otherwise gets the next free index.
    """
    target = net.machine.kernel.namespaces.create()
    net.new("same", net=target)
    assert target.reserve_index(0) == 3
    target._last_index = 2
    device = net.new(name)
    assert device.index == 2
    net.devices.move(device, target, wanted, index)
    assert (device.name, device.index) == expected


# -- flags ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("up", [False, True])
def test_counts_of_promiscuity_and_allmulti(net: Recorder, up: bool) -> None:
    """The flag IFF_PROMISC or IFF_ALLMULTI adds 1 to its counter, even if programs set it several times. A
    change of IFF_PROMISC is always reported to programs.
    """
    device = net.new("net0")
    if up:
        net.devices.open(device)
    log = net.machine.log
    net.take()
    both = il.IFF_PROMISC | il.IFF_ALLMULTI
    base = device.flags
    steps: list[tuple[Callable[[], None], tuple[int, int], list[Any]]] = [
        (lambda: net.devices.set_promiscuity(device, 1), (1, 0), [("NEWLINK", il.IFF_PROMISC)]),
        (lambda: net.devices.change_flags(device, base | both), (2, 1), [("NEWLINK", both)]),
        (lambda: net.devices.change_flags(device, base | both), (2, 1), []),
        (lambda: net.devices.set_allmulti(device, 1), (2, 2), []),
        (lambda: net.devices.change_flags(device, 0, both), (1, 1), [("NEWLINK", both)]),
        (lambda: net.devices.set_promiscuity(device, -1), (0, 1), [("NEWLINK", il.IFF_PROMISC)]),
        (lambda: net.devices.set_allmulti(device, -1), (0, 0), []),
    ]
    for step, counts, messages in steps:
        step()
        assert (device.promiscuity, device.allmulti) == counts
        assert bool(device.flags & il.IFF_PROMISC) == bool(counts[0])
        assert bool(device.flags & il.IFF_ALLMULTI) == bool(counts[1])
        assert net.take() == messages
    assert [record.text for record in log.records] == [
        "net0: entered promiscuous mode", "net0: entered allmulticast mode", "net0: left promiscuous mode",
        "net0: left allmulticast mode",
    ]  # fmt: skip


def test_flags_are_set_in_the_mask(net: Recorder) -> None:
    device = net.new("net0", flags=il.IFF_BROADCAST | il.IFF_MULTICAST)
    steps: list[tuple[tuple[int, int], int, list[Any]]] = [
        ((il.IFF_UP | il.IFF_NOARP, il.IFF_NOARP), il.IFF_NOARP, [("NEWLINK", il.IFF_NOARP)]),
        ((il.IFF_UP, il.IFF_UP), il.IFF_UP, ["PRE_UP", ("NEWLINK", il.IFF_UP), "UP"]),
        ((il.IFF_DEBUG, il.IFF_DEBUG), il.IFF_DEBUG, [("NEWLINK", il.IFF_DEBUG), ("CHANGE", il.IFF_DEBUG)]),
        ((il.IFF_BROADCAST, il.IFF_BROADCAST), 0, []),
        ((0, il.IFF_UP), il.IFF_UP, ["GOING_DOWN", ("NEWLINK", il.IFF_UP), "DOWN"]),
    ]
    for (flags, mask), changed, seen in steps:
        before = device.flags
        net.devices.change_flags(device, flags, mask)
        assert (before ^ device.flags, net.take()) == (changed, seen)


# -- attributes ------------------------------------------------------------------------------------


def test_changes_of_attributes_notify(net: Recorder) -> None:
    device = net.new("net0", min_mtu=68, max_mtu=1500, mtu=1000)
    address = bytes([2, 0, 0, 0, 0, 9])
    for call, value, seen in (
        (net.devices.set_mtu, 1000, []), (net.devices.set_mtu, 68, ["PRECHANGEMTU", "CHANGEMTU"]),
        (net.devices.set_mtu, 1500, ["PRECHANGEMTU", "CHANGEMTU"]), (net.devices.set_tx_queue_len, 1000, []),
        (net.devices.set_tx_queue_len, 2**32 - 1, ["CHANGE_TX_QUEUE_LEN"]),
        (net.devices.set_address, address, [("PRE_CHANGEADDR", address), "CHANGEADDR"]),
        (net.devices.set_address, address, [("PRE_CHANGEADDR", address), "CHANGEADDR"]),
        (net.devices.rename, "net0", []),
        (net.devices.rename, "x%d", [("rename", str(device)), "CHANGENAME"]),
    ):  # fmt: skip
        change: Callable[[NetDevice, Any], None] = call
        change(device, value)
        found = net.take()
        assert [each for each in found if each[0] != "rename"] == [
            each for each in seen if each[0] != "rename"
        ]
        assert len(found) == len(seen)
    assert (device.mtu, device.tx_queue_len, device.name, device.address) == (1500, 2**32 - 1, "x0", address)
    assert (device.address_origin, device.name_origin.name) == (AddressOrigin.SET, "RENAMED")
    text = Text()
    for mtu, message in (
        (67, "mtu less than device minimum"), (-1, "mtu less than device minimum"),
        (1501, "mtu greater than device maximum"), (2**31, "mtu less than device minimum"),
        (2**31 - 1, "mtu greater than device maximum"),
    ):  # fmt: skip
        assert refused(net.devices.set_mtu, device, mtu, text) == "EINVAL"
        assert text.message == message
    assert refused(net.devices.set_mtu, device, 0) == "EINVAL"
    assert net.machine.log.records[-1].text == "x0: mtu less than device minimum"
    device.max_mtu = 0
    net.devices.set_mtu(device, 2**31 - 1)
    assert refused(net.devices.set_tx_queue_len, device, 2**32) == "ERANGE"
    assert refused(net.devices.set_address, device, b"\1" + bytes(5)) == "EADDRNOTAVAIL"
    device.ops = NetDeviceOps()
    assert refused(net.devices.set_address, device, address) == "EOPNOTSUPP"


def test_ports_of_a_master(net: Recorder) -> None:
    calls: list[Any] = []
    ops = NetDeviceOps(
        add_slave=lambda master, port, extack: net.devices.link_master(port, master),
        del_slave=lambda master, port: net.devices.unlink_master(port),
    )
    master, port, plain = net.new("master", ops=ops), net.new("port"), net.new("plain")
    other = net.new("other", ops=ops)
    text = Text()
    net.devices.set_master(port, master.index, text)
    assert net.take() == [("PRECHANGEUPPER", "master"), ("CHANGEUPPER", "master")]
    assert (port.master, master.lowers) == (master, [port])
    net.devices.set_master(port, master.index, text)
    assert net.take() == []
    net.devices.set_master(port, other.index, text)
    assert net.take() == [
        "PRECHANGEUPPER",
        "CHANGEUPPER",
        ("PRECHANGEUPPER", "other"),
        ("CHANGEUPPER", "other"),
    ]
    assert (master.lowers, other.lowers) == ([], [port])
    net.devices.set_master(port, 0, text)
    assert (net.take(), port.master, other.lowers) == (["PRECHANGEUPPER", "CHANGEUPPER"], None, [])
    assert refused(net.devices.set_master, port, plain.index, text) == "EOPNOTSUPP"
    assert refused(net.devices.set_master, port, 99, text) == "EINVAL"
    net.devices.link_master(port, plain)
    assert refused(net.devices.set_master, port, 0, text) == "EOPNOTSUPP"
    assert calls == []


def test_subscribers_have_priorities_until_they_unsubscribe(net: Recorder) -> None:
    seen: list[int] = []
    callbacks = [lambda *_, number=number: seen.append(number) for number in range(4)]
    for callback, priority in zip(callbacks, (0, 5, -1, 5), strict=True):
        net.devices.subscribe(callback, priority)
    net.devices.notify(Event.CHANGE, net.net.devices[1])
    assert seen == [1, 3, 0, 2]
    del seen[:]
    net.devices.unsubscribe(callbacks[3])
    net.devices.notify(Event.CHANGE, net.net.devices[1])
    assert seen == [1, 0, 2]


# -- carrier ----------------------------------------------------------------------------------------


def test_the_operational_state_follows_the_carrier(net: Recorder) -> None:
    """The kernel handles a gained carrier at once, and the loss of a carrier at most once a second. The
    device's counters carrier_up_count and carrier_down_count count each change, even if the kernel handles
    several changes with one event.
    """
    device = net.new("net0")
    net.devices.open(device)
    net.machine.run(until=seconds(5))
    net.take()
    begun = net.machine.now
    times: list[tuple[int, int, bool]] = []
    net.devices.subscribe(
        lambda *_: times.append(((net.machine.now - begun) // millis(1), device.operstate, device.transmits))
    )
    net.devices.set_carrier(device, False)
    net.devices.set_carrier(device, False)
    net.machine.run(until=begun + millis(100))
    assert (times, net.take()) == ([(0, il.IF_OPER_DOWN, False)], ["CHANGE", ("NEWLINK", 0)])
    net.devices.set_carrier(device, True)
    net.machine.run(until=begun + millis(200))
    assert times[1:] == [(100, il.IF_OPER_UP, True)], "a carrier is urgent"
    for on in (False, True, False):
        net.devices.set_carrier(device, on)
    net.machine.run(until=begun + seconds(3))
    assert times[2:] in ([(200, il.IF_OPER_DOWN, False)], [(1000, il.IF_OPER_DOWN, False)])
    assert (device.carrier_up_count, device.carrier_down_count) == (2, 3)


@pytest.mark.parametrize(
    ("mode", "carrier", "state"),
    [(0, True, il.IF_OPER_UP), (1, True, il.IF_OPER_DORMANT), (2, True, il.IF_OPER_TESTING),
     (0, False, il.IF_OPER_DOWN), (1, False, il.IF_OPER_DOWN), (2, False, il.IF_OPER_DOWN)],
)  # fmt: skip
def test_states_of_link_modes(net: Recorder, mode: int, carrier: bool, state: int) -> None:
    """The link mode affects the operational state only if the device has a carrier (`rfc2863_policy()`)."""
    device = net.new("net0", link_mode=mode, carrier=not carrier)
    net.devices.open(device)
    net.devices.set_carrier(device, carrier)
    net.machine.run(until=net.machine.now + seconds(2))
    assert device.operstate == state
    fresh = net.new("net1", link_mode=mode, carrier=carrier)
    assert fresh.operstate == (il.IF_OPER_DOWN if not carrier else il.IF_OPER_UNKNOWN)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("", "EINVAL"), ("a" * 15, "a" * 15), ("a" * 16, "EINVAL"), (".", "EINVAL"), ("..", "EINVAL"),
        ("...", "..."), ("a/b", "EINVAL"), ("a:b", "EINVAL"), ("a b", "EINVAL"), ("a\tb", "EINVAL"),
        ("lo", "EEXIST"), ("x%d", "x1"), ("x%dy", "x0y"), ("z%d", "z0"), ("x%s", "EINVAL"),
        ("x%d%d", "EINVAL"),
    ],
)  # fmt: skip
def test_names_of_devices(net: Recorder, name: str, found: str) -> None:
    """`dev_valid_name()` checks a name. `__dev_alloc_name()` replaces `%d` by the lowest free number."""
    for taken in ("x0", "x2"):
        net.new(taken)
    if found.isupper():
        assert refused(net.new, name) == found
    else:
        assert net.new(name).name == found


@pytest.mark.parametrize(
    ("no_queue", "length", "qdisc"),
    [(True, 1000, "noqueue"), (False, 0, "noqueue"), (False, 1, "pfifo_fast")],
)
def test_queueing_disciplines(net: Recorder, no_queue: bool, length: int, qdisc: str) -> None:
    device = net.new("net0", no_queue=no_queue, tx_queue_len=length)
    assert device.qdisc == "noop"
    net.devices.open(device)
    assert device.qdisc == qdisc


@pytest.mark.parametrize("up", [False, True])
def test_a_rename_is_logged(net: Recorder, up: bool) -> None:
    device = net.new("net0")
    if up:
        net.devices.open(device)
    net.devices.rename(device, "other")
    assert net.machine.log.records[-1].text == f"other: renamed from net0{' (while UP)' if up else ''}"


def test_indexes_of_devices(net: Recorder) -> None:
    """A new device gets the next free index after the last index that the kernel chose. After 2^31 - 1, the
    kernel continues with the lowest free index. Requested indexes do not change this order.
    """
    net.net._last_index = 2**31 - 2
    assert [net.new().index for _ in range(3)] == [2**31 - 1, 2, 3]
    assert net.new(index=2**31 - 1 - 5).index == 2**31 - 6
    assert net.new().index == 4
