"""The kernel's own specifications are read unchanged, if this host has a kernel's source."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from simkernel.ynl import Spec, SpecError, parse
from simkernel.ynl.codec import codec
from simkernel.ynl.model import Direction, ModeName
from simkernel.ynl.page import lines
from simkernel.ynl.tables import family_policies
from tests.ynl.kernel_source import PLACES, unpacked

FOUND = [path for tree in unpacked() for path in sorted(tree.glob("Documentation/netlink/specs/*.yaml"))]


@pytest.fixture(params=FOUND or [None], ids=lambda path: path.stem if path else "none")
def path(request: pytest.FixtureRequest) -> Path:
    if request.param is None:
        pytest.skip(f"no kernel source with specifications below {', '.join(PLACES)}")
    found: Path = request.param
    return found


def use(spec: Spec) -> None:
    """Compute the policies of a specification, and encode an empty message of each of its operations."""
    family_policies(spec)
    for operation in spec.operations.values():
        for mode in get_args(ModeName):
            for direction in get_args(Direction):
                if spec.message(operation, mode, direction) is not None:
                    assert codec(spec, operation.name, mode, direction).encode({}) == b""


def test_specification_is_usable_or_its_unsupported_parts_are_named(path: Path) -> None:
    spec = parse(path.read_text(encoding="utf-8"), path.name)
    assert f"family: {spec.name}" in lines(spec)
    if spec.unsupported:
        assert spec.protocol != "genetlink" and spec.name != "nlctrl"
        with pytest.raises(SpecError, match="simkernel does not support"):
            use(spec)
    else:
        use(spec)
