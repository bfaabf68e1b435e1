"""syslog(2) with reads of any sizes yields the same text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simkernel.engine import Engine
from simkernel.kernel.lib.log import Level, Log
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
