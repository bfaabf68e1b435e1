"""Specifications of netlink families that the tests read."""

from __future__ import annotations

from pathlib import Path

from simkernel.kernel.loader.path import read_specification
from simkernel.ynl import Spec, parse

LENS = """\
name: lens
doc: A family with one of everything.

definitions:
  - {name: longest-name, type: const, value: 24}
  - name: mode
    type: enum
    doc: What the lens does.
    entries: [manual, {name: auto, doc: By itself.}, {name: macro, value: 5}]
  - {name: quality, type: enum, entries: [low, middle, high]}
  - {name: feature, type: flags, entries: [zoom, focus, flash]}

attribute-sets:
  - name: point
    attributes:
      - {name: x, type: u32}
      - {name: y, type: s32}
      - {name: deeper, type: nest, nested-attributes: point}
  - name: lens
    doc: What a lens has.
    attributes:
      - {name: device, type: string, checks: {max-len: longest-name}}
      - {name: zoom, type: u8, checks: {min: 1, max: 40}}
      - {name: port, type: u16, byte-order: big-endian}
      - {name: sequence, type: u32}
      - {name: time, type: u64}
      - {name: offset, type: s16}
      - {name: wide, type: uint}
      - {name: shift, type: sint}
      - {name: mode, type: u32, enum: mode}
      - {name: quality, type: u8, enum: quality}
      - {name: features, type: u32, enum: feature}
      - {name: qualities, type: u32, enum: quality, enum-as-flags: true}
      - {name: ready, type: flag}
      - {name: serial, type: binary, checks: {exact-len: 8}}
      - {name: samples, type: binary, sub-type: u16}
      - {name: centre, type: nest, nested-attributes: point}
      - {name: corners, type: nest, nested-attributes: point, multi-attr: true}
      - {name: steps, type: u32, multi-attr: true}
      - {name: aliases, type: string, multi-attr: true}
      - {name: grid, type: indexed-array, sub-type: nest, nested-attributes: point}
      - {name: levels, type: indexed-array, sub-type: u32}
      - {name: cell, type: nest-type-value, type-value: [row, column], nested-attributes: point}
      - {name: gap, type: pad}
      - {name: old, type: unused}
      - {name: last, type: u32, value: 40}
  - name: identity
    subset-of: lens
    attributes:
      - {name: device}
      - {name: last, doc: The last of all., checks: {max: 9}}

operations:
  list:
    - name: get
      doc: One lens, or all.
      attribute-set: lens
      do:
        request: {attributes: [device]}
        reply: &all
          attributes: [device, zoom, port, sequence, time, offset, wide, shift, mode, quality, features,
            qualities, ready, serial, samples, centre, corners, steps, aliases, grid, levels, cell, last]
      dump:
        request: *all
        reply: *all
    - name: set
      doc: Change a lens.
      attribute-set: lens
      flags: [admin-perm]
      do: {request: {attributes: [device, zoom, mode]}}
    - name: changed
      doc: A lens has been changed.
      notify: get
      mcgrp: events
    - name: broken
      doc: A lens has broken.
      attribute-set: lens
      event: {attributes: [device, sequence]}
      mcgrp: events
    - name: reset
      doc: Begin again.
      do: {}
      value: 9

mcast-groups:
  list:
    - {name: events}
    - {name: secrets, flags: [admin-perm]}
"""

SUPPLEMENT = "resv-start-op: 7\n"
"""Text of the file lens.simkernel.yaml, the supplement of the specification `lens`."""

NLCTRL_FILE = Path(__file__).parents[2] / "simkernel/kernel/netlink/genetlink/nlctrl.yaml"


def lens(old: str = "", new: str = "") -> Spec:
    """Return the specification `lens`, with `old` replaced by `new` in its text or in its supplement."""
    texts = LENS, SUPPLEMENT
    assert not old or sum(text.count(old) for text in texts) == 1
    text, supplement = (text.replace(old, new) if old else text for text in texts)
    return parse(text, "lens.yaml", supplement)


def nlctrl() -> Spec:
    """Return nlctrl's specification."""
    return read_specification(NLCTRL_FILE)


def of(attribute: str, definitions: str = "") -> Spec:
    """Return a family whose only operation has the attribute `a` in request and reply."""
    return parse(
        f"""\
name: small
doc: A small family.
protocol: genetlink-legacy
{definitions}
attribute-sets:
  - name: inner
    attributes:
      - {{name: x, type: u32, checks: {{max: 9}}}}
      - {{name: y, type: string}}
  - name: small
    attributes:
      - {attribute}
operations:
  list:
    - name: get
      doc: All of it.
      attribute-set: small
      do:
        request: {{attributes: [a]}}
        reply: {{attributes: [a]}}
""",
        "small.yaml",
    )
