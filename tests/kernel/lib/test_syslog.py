"""syslog(2) with reads of any sizes yields the same text."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.engine import Engine
from simkernel.kernel.lib.log import Level, Log, LogRecord
from simkernel.kernel.lib.syslog import Syslog, print_text, text_size

texts = st.lists(
    st.text("ab\n", max_size=60) | st.sampled_from(["x" * 1023, "\n" * 300, "y\n" * 200]), max_size=12
)


def filled(written: list[str]) -> Syslog:
    log = Log(Engine())
    for text in written:
        log.printk(Level.INFO, text, 1)
    return Syslog(log)


@given(texts, st.lists(st.integers(1, 3000), min_size=1, max_size=30))
def test_reads_of_any_sizes_yield_the_whole_log(written: list[str], sizes: list[int]) -> None:
    syslog = filled(written)
    whole = syslog.read_all(1 << 20)
    data = b""
    while syslog.unread():
        size = sizes[len(data) % len(sizes)]
        piece = syslog.read(size)
        assert 0 < len(piece) <= size
        data += piece
    assert data == whole


@given(texts, st.integers(0, 5000))
def test_reading_all_yields_the_newest_records_that_fit(written: list[str], size: int) -> None:
    syslog = filled(written)
    data = syslog.read_all(size)
    records = list(syslog.log.records)
    assert len(data) <= size and b"".join(map(print_text, records)).endswith(data)
    while sum(map(text_size, records)) > size:
        records.pop(0)
    assert data == b"".join(map(print_text, records))


@given(texts)
def test_the_unread_size_bounds_the_text(written: list[str]) -> None:
    syslog = filled(written)
    assert syslog.size_unread() >= len(syslog.read_all(1 << 20))
    syslog.read(10)
    assert syslog.size_unread() == sum(map(text_size, syslog.unread())) - syslog.partial


def c_record_print_text(record: LogRecord) -> bytes:
    """The algorithm of `record_print_text()` in kernel/printk/printk.c, with its variables."""
    prefix = f"<{record.facility << 3 | record.level}>{record.stamp}".encode()
    size, text, done = 2048, record.data[:2048], b""
    truncated = False
    while True:
        line_len = text.find(b"\n")
        if line_len < 0:
            if truncated:
                return done
            line_len = len(text)
        if len(done) + len(prefix) + len(text) + 2 > size:
            if len(done) + len(prefix) + line_len + 2 > size:
                return done
            text = text[: size - len(done) - len(prefix) - 2]
            truncated = True
        done += prefix + text[:line_len] + b"\n"
        if len(text) == line_len:
            return done
        text = text[line_len + 1 :]


@pytest.mark.parametrize("line", [1, 7, 40, 500, 999])
def test_long_records_are_cut_as_in_linux(line: int) -> None:
    """The parameter `line` is the number of bytes in each line of a text. The lengths of the texts are around
    the limits at which the kernel cuts a message.
    """
    log = Log(Engine())
    for length in (*range(8), *range(900, 1025), 1100):
        text = ("x" * line + "\n") * (length // (line + 1)) + "y" * (length % (line + 1))
        log.printk(Level.INFO, text, 1)
        record = list(log.records)[-1]
        assert print_text(record) == c_record_print_text(record)
        assert text_size(record) == len(record.data) + 1 + (record.data.count(b"\n") + 1) * (
            len(record.stamp) + 4
        )


def test_readers_continue_with_the_oldest_record_after_a_loss() -> None:
    """If a record is dropped after a reader has read a part of it, the reader does not get the rest."""
    log = Log(Engine(), capacity=4)
    syslog = Syslog(log)
    for number in range(3):
        log.printk(Level.INFO, f"record {number}")
    assert syslog.read(10) == print_text(log.at(0))[:10]
    assert syslog.read(5) == print_text(log.at(0))[10:15]
    assert (syslog.next, syslog.partial) == (0, 15)
    log.printk(Level.INFO, "record 3")
    assert (len(syslog.unread()), syslog.partial) == (4, 15)
    for number in range(4, 9):
        log.printk(Level.INFO, f"record {number}")
    assert [record.text for record in syslog.unread()] == [
        f"record {number}" for number in range(log.first, 9)
    ]
    assert (syslog.next, syslog.partial) == (log.first, 0)
    assert log.first > 0
    assert syslog.read(1000).count(b"record") == len(list(log.records))
    assert (syslog.next, syslog.unread(), syslog.size_unread()) == (9, [], 0)
    assert syslog.read(1000) == b""


def test_records_of_random_lines_are_cut_as_in_linux() -> None:
    random = Random(0)
    log = Log(Engine())
    for _ in range(300):
        longest = random.choice((2, 5, 12, 30))
        lines = ["x" * random.randrange(longest) for _ in range(random.randrange(20, 120))]
        log.printk(Level.INFO, "\n".join(lines), random.choice((0, 1, 15)))
        record = list(log.records)[-1]
        assert print_text(record) == c_record_print_text(record)
