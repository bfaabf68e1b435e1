"""Rate limits of log lines that repeat."""

from __future__ import annotations

from simkernel.engine import Engine, seconds
from simkernel.kernel.lib.log import Log
from simkernel.kernel.lib.ratelimit import Ratelimited


def test_ten_lines_in_five_seconds_and_a_word_about_the_rest() -> None:
    log = Log(Engine())
    limited = Ratelimited(log, "netlink")
    for number in range(13):
        limited.warn(f"line {number}", seconds(1))
    limited.warn("later", seconds(7))
    limited.warn("first", seconds(12))
    limited.warn("second", seconds(12) + 1)
    for number in range(12):
        limited.warn(f"again {number}", seconds(17) + 1 + number)
    limited.warn("last", seconds(30))
    limited.warn("quiet", seconds(40))
    texts = [record.text for record in log.records]
    assert texts[:10] == [f"line {number}" for number in range(10)]
    assert texts[10:] == [
        "netlink: 3 callbacks suppressed", "later", "first", "second",
        *(f"again {number}" for number in range(11)), "netlink: 1 callbacks suppressed", "last", "quiet",
    ]  # fmt: skip
