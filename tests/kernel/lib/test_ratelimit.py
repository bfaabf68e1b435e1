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
    texts = [record.text for record in log.records]
    assert texts[:10] == [f"line {number}" for number in range(10)]
    assert texts[10:] == ["netlink: 3 callbacks suppressed", "later"]
