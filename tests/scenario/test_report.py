"""Reports: text and tables in order, and figures that JSON can represent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel import SimulationError
from simkernel.scenario import Table, Text
from simkernel.scenario.report import Report

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def test_keeps_the_order() -> None:
    report = Report()
    report.text("first")
    report.table("second", ("a", "b"), [(1, "x"), (2, None)])
    report.text("third")
    assert report.parts == [
        Text("first"),
        Table("second", ("a", "b"), ((1, "x"), (2, None))),
        Text("third"),
    ]


def test_the_story_is_the_report_without_its_details() -> None:
    report = Report()
    report.text("first")
    report.text("second", detail=True)
    report.table("third", ("a",), [(1,)], detail=True)
    report.table("fourth", ("a",), [(1,)])
    assert report.summary == [Text("first"), Table("fourth", ("a",), ((1,),))]
    assert len(report.parts) == 4


def test_row_that_does_not_fit_is_refused() -> None:
    with pytest.raises(SimulationError, match="table 'hops'"):
        Report().table("hops", ("a", "b"), [(1,)])


@given(JSON)
def test_a_figure_is_anything_that_json_has(value: Any) -> None:
    report = Report()
    report.metric("figure", value)
    assert json.loads(json.dumps(report.metrics, allow_nan=False)) == {"figure": value}


def test_a_figure_does_not_change_afterwards() -> None:
    report = Report()
    figures = {"p50": [1]}
    report.metric("latency_ns", figures)
    figures["p50"].append(2)
    assert report.metrics == {"latency_ns": {"p50": [1]}}


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (float("nan"), "figure is nan"),
        ([1, float("inf")], r"figure\[1\] is inf"),
        ({"a": {"b": object}}, "figure.a.b is"),
        ({1: 2}, "figure has the key 1"),
        (b"bytes", "figure is b'bytes'"),
    ],
)
def test_says_where_a_figure_is_not_json(value: Any, where: str) -> None:
    with pytest.raises(SimulationError, match=where):
        Report().metric("figure", value)


def test_a_figure_is_given_once() -> None:
    report = Report()
    report.metric("frames", 1)
    with pytest.raises(SimulationError, match="'frames' has been added already"):
        report.metric("frames", 2)
