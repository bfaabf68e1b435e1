from __future__ import annotations

import io

from simkernel.kernel.lib.layers import KERNEL
from simkernel.trace import Log
from tests.trace.records import STORY, feed, record


def test_lines_are_those_of_dmesg() -> None:
    file = io.StringIO()
    lines = [
        record(1_234_567, "console", KERNEL, "log", level=6, text="camera: ready"),
        record(12_345_678_901_234, "console", KERNEL, "log", level=3, text="two\nlines\n"),
    ]
    feed(Log(file), [*STORY, *lines])
    assert file.getvalue() == ("[    0.001234] camera: ready\n[12345.678901] two\n[12345.678901] lines\n")
