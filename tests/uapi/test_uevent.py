"""The payload of a kobject uevent: encoding, decoding, and malformed bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.uapi.structure import Malformed
from simkernel.uapi.uevent import Uevent
from tests.uapi.strategies import KINDS, texts

# enum kobject_action.
ACTIONS = ("add", "remove", "change", "move", "online", "offline", "bind", "unbind")

keys = texts("=").filter(bool)
events = st.builds(
    Uevent,
    action=st.sampled_from(ACTIONS) | texts("@"),
    devpath=texts(""),
    variables=st.dictionaries(keys, texts(""), max_size=5),
).filter(lambda event: not event.pack().startswith(b"libudev\0"))

# The uevent of Linux 6.18 after "add" was written to /sys/class/net/lo/uevent.
LOOPBACK = (
    b"add@/devices/virtual/net/lo\0ACTION=add\0DEVPATH=/devices/virtual/net/lo\0SUBSYSTEM=net\0"
    b"SYNTH_UUID=0\0INTERFACE=lo\0IFINDEX=1\0SEQNUM=2638\0"
)


@given(events, st.sampled_from(KINDS))
def test_an_event_comes_back(event, kind):
    again = Uevent.unpack(kind(event.pack()))
    assert again == event
    assert list(again.variables.items()) == list(event.variables.items())


def test_an_event_of_linux_is_read_and_written_byte_for_byte():
    event = Uevent.unpack(LOOPBACK)
    assert (event.action, event.devpath) == ("add", "/devices/virtual/net/lo")
    assert list(event.variables) == [
        "ACTION",
        "DEVPATH",
        "SUBSYSTEM",
        "SYNTH_UUID",
        "INTERFACE",
        "IFINDEX",
        "SEQNUM",
    ]
    assert event.variables["IFINDEX"] == "1"
    assert event.pack() == LOOPBACK


@given(
    st.binary(max_size=60) | st.lists(st.sampled_from([b"add@/x", b"\0", b"A=", b"=", b"@"])).map(b"".join)
)
def test_garbage_raises_malformed_only(data):
    try:
        event = Uevent.unpack(data)
    except Malformed as error:
        assert "offset" in str(error)
    else:
        assert Uevent.unpack(event.pack()) == event


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "offset 0: expected a NUL, found the end"),
        (b"add@/devices/x", "offset 14: expected a NUL, found the end"),
        (b"add\0ACTION=add\0", "offset 0: expected ACTION@DEVPATH, found 'add'"),
        (b"add@/x\0A=1\0PATH\0", "offset 11: expected KEY=VALUE, found 'PATH'"),
        (b"add@/x\0=1\0", "offset 7: expected KEY=VALUE, found '=1'"),
        (b"libudev\0\xfe\xed\xca\xfe\x28\0\0\0", "expected ACTION@DEVPATH, found udev's own format"),
    ],
)
def test_an_error_names_the_place_and_the_cause(data, text):
    with pytest.raises(Malformed, match=text):
        Uevent.unpack(data)


def test_bytes_that_are_no_text_come_back_as_they_were():
    data = b"add@/x\0NAME=\xff\xfe\0"
    assert Uevent.unpack(data).pack() == data


def test_of_a_key_that_stands_twice_the_last_counts():
    assert Uevent.unpack(b"add@/x\0A=1\0A=2\0").variables == {"A": "2"}


@pytest.mark.parametrize(
    ("action", "devpath", "variables"),
    [
        ("a@b", "/x", {}),
        ("a\0b", "/x", {}),
        ("add", "/x\0", {}),
        ("add", "/x", {"": "1"}),
        ("add", "/x", {"A=B": "1"}),
        ("add", "/x", {"A\0": "1"}),
        ("add", "/x", {"A": "1\0"}),
    ],
)
def test_an_event_that_would_not_come_back_cannot_be_made(action, devpath, variables):
    with pytest.raises(ValueError, match="of a uevent"):
        Uevent(action, devpath, variables)
