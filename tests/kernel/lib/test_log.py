"""The kernel log."""

from __future__ import annotations

from typing import Any

from simkernel.engine import Engine, Record, micros
from simkernel.kernel.lib.log import Level, Log


def test_a_record_looks_as_dmesg_prints_it() -> None:
    engine = Engine()
    log = Log(engine)
    engine.call_later(micros(1_234_567), log.info, "camera: ready")
    engine.run()
    assert log.lines() == ["[    1.234567] camera: ready"]


def test_before_the_clock_is_up_the_time_is_zero() -> None:
    log = Log(Engine(start=-500_000))
    log.info("booting")
    assert log.lines() == ["[    0.000000] booting"]


def test_each_line_is_a_record() -> None:
    log = Log(Engine())
    log.warn("one\ntwo")
    assert [record.text for record in log.records] == ["one", "two"]
    assert [record.sequence for record in log.records] == [0, 1]


def test_the_oldest_records_make_room() -> None:
    log = Log(Engine(), capacity=3)
    for number in range(5):
        log.info(str(number))
    assert [record.text for record in log.records] == ["2", "3", "4"]
    assert log.written == 5
    assert log.first == 2


def test_lines_are_filtered_by_level() -> None:
    log = Log(Engine())
    log.debug("noise")
    log.err("trouble")
    assert [line.split("] ")[1] for line in log.lines(Level.WARNING)] == ["trouble"]


def test_each_record_is_a_tracepoint() -> None:
    engine = Engine()
    log = Log(engine)
    seen: list[Record] = []
    engine.trace.subscribe(seen.append)
    log.printk(Level.NOTICE, "hello")
    fields: list[dict[str, Any]] = [record.fields for record in seen]
    assert [record.name for record in seen] == ["console"]
    assert fields == [{"level": Level.NOTICE, "text": "hello"}]
