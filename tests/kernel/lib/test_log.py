"""The kernel log: lines as dmesg prints them, lengths of texts, capacity, levels and tracepoints."""

from __future__ import annotations

from typing import Any

import pytest

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


def test_a_record_has_all_lines_of_a_text_and_dmesg_stamps_each() -> None:
    log = Log(Engine())
    log.warn("one\ntwo")
    assert [record.text for record in log.records] == ["one\ntwo"]
    assert log.lines() == ["[    0.000000] one", "[    0.000000] two"]


def test_an_unfinished_record_is_readable_once_another_follows() -> None:
    log = Log(Engine())
    log.printk(Level.INFO, "unfinished", 1, finished=False)
    assert (log.records, log.written, log.lines()) == ((), 0, [])
    log.info("next")
    assert [record.text for record in log.records] == ["unfinished", "next"]


def test_a_text_is_cut_off_after_1023_bytes_and_its_bytes_are_kept() -> None:
    log = Log(Engine())
    log.info("\xe4" * 1000)
    log.info(b"\xff\x80".decode("utf-8", "surrogateescape"))
    assert [len(record.data) for record in log.records] == [1023, 2]
    assert log.records[1].data == b"\xff\x80"
    assert log.lines()[1].endswith("] \\xff\\x80")


@pytest.mark.parametrize(("size", "kept"), [(1000, 129), (502, 256), (503, 252), (30, 3276), (1, 4096)])
def test_texts_take_128_kib_with_their_headers(size: int, kept: int) -> None:
    """The space that a record takes was measured on User-mode Linux with a buffer of 16 KiB. The test omits
    lengths at which a text ends exactly at the buffer's end.
    """
    log = Log(Engine())
    for _ in range(5000):
        log.printk(Level.INFO, "x" * size, 1)
    assert len(log.records) == kept
    assert log.records[0].sequence == log.first == 5000 - kept


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
