"""Hypothesis strategies for the structures and messages of simkernel.uapi."""

from __future__ import annotations

import re

import attrs
from hypothesis import strategies as st

from simkernel.uapi import fib_rules, genetlink, if_link, input, neighbour, netlink, rtnetlink, socket
from simkernel.uapi.structure import Structure

STRUCTURES = (
    netlink.SockaddrNl,
    netlink.NlPktinfo,
    netlink.NlMsgHdr,
    netlink.NlMsgErr,
    netlink.NlAttr,
    netlink.NlaBitfield32,
    genetlink.GenlMsgHdr,
    rtnetlink.RtGenMsg,
    rtnetlink.IfInfoMsg,
    rtnetlink.IfAddrMsg,
    rtnetlink.RtMsg,
    neighbour.NdMsg,
    if_link.IfStatsMsg,
    fib_rules.FibRuleHdr,
    socket.Ucred,
    socket.CmsgHdr,
    input.InputEvent,
    input.InputId,
    input.InputAbsinfo,
    input.InputMask,
    input.InputKeymapEntry,
)

BITS = {"B": 8, "H": 16, "I": 32, "Q": 64}

# Kinds of bytes-like objects that a codec accepts.
KINDS = (bytes, bytearray, memoryview)

u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
payloads = st.binary(max_size=40)


def structures(cls: type[Structure]) -> st.SearchStrategy[Structure]:
    """Return a strategy for objects of `cls` with all valid field values."""
    codes = re.findall(r"(\d*)([^<x\d])", cls.LAYOUT.format)
    return st.builds(
        cls,
        *[
            st.binary(min_size=int(count), max_size=int(count)) if code == "s" else _integers(code)
            for count, code in codes
        ],
    )


def texts(without: str) -> st.SearchStrategy[str]:
    """Return a strategy for texts that contain no NUL, no surrogate and no character in `without`."""
    return st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0" + without), max_size=12)


def field_names(cls: type[Structure]) -> list[str]:
    """Return the names of a structure's fields."""
    return [field.name for field in attrs.fields(cls)]


def _integers(code: str) -> st.SearchStrategy[int]:
    bits = BITS[code.upper()]
    least = -(1 << bits - 1) if code.islower() else 0
    return st.integers(least, least + (1 << bits) - 1)
