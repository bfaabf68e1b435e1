"""Every quantity of the benchmark can be measured, at small sizes. The tests do not judge the figures."""

from __future__ import annotations

import socket
import sys

import attrs
import pytest

from simkernel.tools.bench import TABLE, Effort, Quantity

pytestmark = pytest.mark.long

NAMES = {quantity.name: quantity for quantity in TABLE}
REAL = {"round-trip-real", "client", "pyroute2", "multicast-100", "multicast-1000"}
"""Names of the quantities for which the benchmark also measures the real kernel, as a reference."""
NO_NETLINK = "this operating system has no AF_NETLINK"
NO_PYROUTE2 = "pyroute2 is not installed: pip install pyroute2"
PYROUTE2 = {"client", "pyroute2", "codec"}


def test_every_row_is_there_and_every_name_is_unique() -> None:
    assert [quantity.row for quantity in TABLE] == sorted(quantity.row for quantity in TABLE)
    assert {quantity.row for quantity in TABLE} == set(range(1, 13)) - {9}
    assert len(NAMES) == len(TABLE)


@pytest.mark.parametrize("quantity", TABLE, ids=list(NAMES))
def test_the_aim_is_stricter_than_the_limit(quantity: Quantity) -> None:
    bounds = [quantity.must_hold, quantity.aim]
    assert bounds == sorted(bounds, reverse=quantity.better == "lower")


@pytest.mark.parametrize("quantity", TABLE, ids=list(NAMES))
def test_it_is_measured_or_says_why_not(quantity: Quantity, tiny: Effort) -> None:
    line = quantity.measured(tiny)
    if line.measurement is None:
        assert quantity.name in REAL | PYROUTE2
        assert line.skipped
        return
    assert line.skipped is None
    assert line.measurement.anchor > 0
    assert line.measurement.figure > 0
    assert line.measurement.spread >= 0
    assert [count for count, _ in line.measurement.points] == {
        "idle sockets": [1, 3],
        "active processes": [1, 2],
        None: [],
    }[quantity.growth]


@pytest.mark.parametrize("name", sorted(REAL))
def test_without_netlink_it_is_skipped(name: str, tiny: Effort, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "AF_NETLINK", raising=False)
    line = NAMES[name].measured(tiny)
    assert line.verdict == "skipped"
    assert line.skipped in (
        "this operating system has no AF_NETLINK",
        "pyroute2 is not installed: pip install pyroute2",
    )


@pytest.mark.parametrize("name", sorted(PYROUTE2))
def test_without_pyroute2_it_is_skipped(name: str, tiny: Effort, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyroute2", None)
    line = NAMES[name].measured(tiny)
    assert line.skipped == NO_PYROUTE2


def test_long_measurements_can_be_left_out(tiny: Effort) -> None:
    line = NAMES["machine-aged"].measured(attrs.evolve(tiny, machines=None))
    assert line.skipped == "not measured with --quick, because it takes long"
