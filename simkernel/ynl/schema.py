"""The schema of YNL specifications as a table of their keys and valid values.

Sources: Documentation/netlink/{genetlink,genetlink-c,genetlink-legacy,netlink-raw}.yaml of Linux 6.12 and
6.17; the table has the keys of all four levels.  The third argument of a key or word names a feature that
simkernel does not support.
"""

from __future__ import annotations

from collections.abc import Iterable

from simkernel.ynl.shapes import (
    COUNT,
    INTEGER,
    NUMBER,
    TEXT,
    TEXT_OR_NOTHING,
    TRUTH,
    Key,
    Level,
    ListOf,
    NameOr,
    OneOf,
    Plain,
    Shape,
    Table,
    Word,
)

_C = Level.GENETLINK_C
_LEGACY = Level.GENETLINK_LEGACY
_RAW = Level.NETLINK_RAW

FIXED_HEADER = "a fixed header after the generic netlink header"
STRUCT = "a C structure as payload"
SUB_MESSAGE = "sub-messages, whose content depends on another attribute"
RAW_PROTOCOL = "a protocol other than generic netlink"


def _key(shape: Shape, level: Level = Level.GENETLINK, unsupported: str = "") -> Key:
    return Key(shape, level=level, unsupported=unsupported)


def _need(shape: Shape) -> Key:
    return Key(shape, required=True)


def _words(names: Iterable[str], level: Level = Level.GENETLINK, unsupported: str = "") -> dict[str, Word]:
    return {name: Word(level, unsupported) for name in names}


UNSIGNED = ("u8", "u16", "u32", "u64", "uint")
SIGNED = ("s8", "s16", "s32", "s64", "sint")
SCALARS = UNSIGNED + SIGNED
_BITS = {"uint": 64, "sint": 64} | {name: int(name[1:]) for name in SCALARS if name[1:].isdigit()}


def type_range(name: str) -> tuple[int, int]:
    """Return the smallest and the largest value of an integer type."""
    bits = _BITS[name]
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if name in SIGNED else (0, 2**bits - 1)


_ATTRIBUTE_TYPES = OneOf(
    _words(
        ("unused", "pad", "flag", "binary", *SCALARS, "string", "nest", "indexed-array", "nest-type-value")
    )
    | _words(("bitfield32",), _C)
    | _words(("sub-message",), _RAW, SUB_MESSAGE)
)
_BYTE_ORDERS = OneOf(_words(("little-endian", "big-endian")))
_DISPLAY_HINTS = OneOf(_words(("hex", "mac", "fddi", "ipv4", "ipv6", "ipv4-or-v6", "uuid")))
_PERMISSIONS = ListOf(OneOf(_words(("admin-perm",)) | _words(("uns-admin-perm",), _LEGACY)))

_ENTRY = Table({"name": _need(TEXT), "value": _key(INTEGER), "doc": _key(TEXT)})

_MEMBER = Table(
    {
        "name": _need(TEXT),
        "type": _need(OneOf(_words((*SCALARS, "string", "binary", "pad", "bitfield32"), _LEGACY))),
        "len": _key(NUMBER),
        "byte-order": _key(_BYTE_ORDERS),
        "doc": _key(TEXT),
        "enum": _key(TEXT),
        "enum-as-flags": _key(TRUTH),
        "display-hint": _key(_DISPLAY_HINTS),
        "struct": _key(TEXT),
    }
)

_DEFINITION = Table(
    {
        "name": _need(TEXT),
        "type": _need(OneOf(_words(("const", "enum", "flags")) | _words(("struct",), _LEGACY))),
        "header": _key(TEXT),
        "scope": _key(OneOf(_words(("uapi", "kernel", "user")))),
        "doc": _key(TEXT),
        "value": _key(NUMBER),
        "value-start": _key(NUMBER),
        "entries": _key(ListOf(NameOr(_ENTRY))),
        "render-max": _key(TRUTH),
        "enum-name": _key(TEXT_OR_NOTHING, _C),
        "enum-cnt-name": _key(TEXT, _C),
        "name-prefix": _key(TEXT, _C),
        "members": _key(ListOf(_MEMBER), _LEGACY),
    }
)

_CHECKS = Table(
    {
        "flags-mask": _key(TEXT),
        "min": _key(NUMBER),
        "max": _key(NUMBER),
        "min-len": _key(NUMBER),
        "max-len": _key(NUMBER),
        "exact-len": _key(NUMBER),
        "unterminated-ok": _key(TRUTH, _C),
    }
)

_ATTRIBUTE = Table(
    {
        "name": _need(TEXT),
        "type": _key(_ATTRIBUTE_TYPES),
        "doc": _key(TEXT),
        "value": _key(COUNT),
        "type-value": _key(ListOf(TEXT)),
        "byte-order": _key(_BYTE_ORDERS),
        "multi-attr": _key(TRUTH),
        "nested-attributes": _key(TEXT),
        "enum": _key(TEXT),
        "enum-as-flags": _key(TRUTH),
        "checks": _key(_CHECKS),
        "sub-type": _key(_ATTRIBUTE_TYPES),
        "display-hint": _key(_DISPLAY_HINTS),
        "name-prefix": _key(TEXT, _C),
        "struct": _key(TEXT, _LEGACY, STRUCT),
        "sub-message": _key(TEXT, _RAW),
        "selector": _key(TEXT, _RAW),
    }
)

_ATTRIBUTE_SET = Table(
    {
        "name": _need(TEXT),
        "attributes": _need(ListOf(_ATTRIBUTE)),
        "doc": _key(TEXT),
        "subset-of": _key(TEXT),
        "name-prefix": _key(TEXT),
        "enum-name": _key(TEXT_OR_NOTHING),
        "attr-cnt-name": _key(TEXT, _C),
        "attr-max-name": _key(TEXT, _C),
        "header": _key(TEXT, _C),
    }
)

_SUB_MESSAGES = Table(
    {
        "name": _need(TEXT),
        "formats": _need(
            ListOf(
                Table({"value": _need(TEXT), "fixed-header": _key(TEXT), "attribute-set": _key(TEXT)}),
            )
        ),
    }
)

_MESSAGE = Table({"attributes": _key(ListOf(TEXT)), "value": _key(COUNT, _LEGACY)})
_MODE = Table({"request": _key(_MESSAGE), "reply": _key(_MESSAGE), "pre": _key(TEXT), "post": _key(TEXT)})

_OPERATION = Table(
    {
        "name": _need(TEXT),
        "doc": _need(TEXT),
        "value": _key(COUNT),
        "attribute-set": _key(TEXT),
        "flags": _key(_PERMISSIONS),
        "dont-validate": _key(ListOf(OneOf(_words(("strict", "dump", "dump-strict"))))),
        "config-cond": _key(TEXT),
        "fixed-header": _key(TEXT, _LEGACY, FIXED_HEADER),
        "do": _key(_MODE),
        "dump": _key(_MODE),
        "notify": _key(TEXT),
        "event": _key(Table({"attributes": _key(ListOf(TEXT))})),
        "mcgrp": _key(TEXT),
    }
)

_OPERATIONS = Table(
    {
        "list": _need(ListOf(_OPERATION)),
        "enum-model": _key(OneOf(_words(("unified",)) | _words(("directional",), _LEGACY))),
        "name-prefix": _key(TEXT),
        "enum-name": _key(TEXT_OR_NOTHING),
        "async-prefix": _key(TEXT),
        "async-enum": _key(TEXT_OR_NOTHING),
        "fixed-header": _key(TEXT, _LEGACY, FIXED_HEADER),
    }
)

_GROUP = Table(
    {
        "name": _need(TEXT),
        "flags": _key(_PERMISSIONS),
        "c-define-name": _key(TEXT, _C),
        "value": _key(INTEGER, _RAW),
    }
)

PROTOCOLS = OneOf(
    _words(level.protocol for level in Level if level is not _RAW)
    | _words((_RAW.protocol,), unsupported=RAW_PROTOCOL)
)

SPECIFICATION = Table(
    {
        "name": _need(TEXT),
        "doc": _need(TEXT),
        "protocol": _key(PROTOCOLS),
        "protonum": _key(INTEGER, _RAW),
        "uapi-header": _key(TEXT),
        "c-family-name": _key(TEXT, _C),
        "c-version-name": _key(TEXT, _C),
        "max-by-define": _key(TRUTH, _C),
        "cmd-max-name": _key(TEXT, _C),
        "cmd-cnt-name": _key(TEXT, _C),
        "kernel-policy": _key(OneOf(_words(("split", "per-op", "global"))), _LEGACY),
        "version": _key(Plain((int,), "an integer of at least 1", minimum=1), _LEGACY),
        "definitions": _key(ListOf(_DEFINITION)),
        "attribute-sets": _need(ListOf(_ATTRIBUTE_SET)),
        "sub-messages": _key(ListOf(_SUB_MESSAGES), _RAW),
        "operations": _need(_OPERATIONS),
        "mcast-groups": _key(Table({"list": _need(ListOf(_GROUP))})),
        "kernel-family": _key(Table({"headers": _key(ListOf(TEXT)), "sock-priv": _key(TEXT)})),
    }
)

SUPPLEMENT = Table(
    {
        "resv-start-op": _key(Plain((int,), "an integer of at least 0", minimum=0)),
        "shared-policy": _key(ListOf(TEXT)),
    }
)
"""The keys of a supplement NAME.simkernel.yaml.  They are not part of YNL."""
