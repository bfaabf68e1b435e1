from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel.trace.strace.quoting import MAX_STRING, c_string, hexadecimal_string


@pytest.mark.parametrize(
    ("data", "printed"),
    [
        (b"", '""'),
        (b'a"b\\c\n', r'"a\"b\\c\n"'),
        (b"x\0ACTION\x001", r'"x\0ACTION\0001"'),
        (b"\xff\x7f", r'"\377\177"'),
        (b"q" * 33, f'"{"q" * 32}"...'),
    ],
)
def test_strings_are_printed_as_c_would_write_them(data: bytes, printed: str) -> None:
    assert c_string(data) == printed


def c_reads(text: str) -> bytes:
    escapes = {"n": b"\n", "t": b"\t", "v": b"\v", "f": b"\f", "r": b"\r", '"': b'"', "\\": b"\\"}
    found = b""
    for octal, letter, plain in re.findall(r"\\([0-7]{1,3})|\\(.)|([^\\])", text):
        found += bytes([int(octal, 8)]) if octal else escapes[letter] if letter else plain.encode()
    return found


@given(st.binary(max_size=MAX_STRING))
def test_c_reads_back_what_was_written(data: bytes) -> None:
    assert c_reads(c_string(data)[1:-1]) == data


def test_bytes_are_cut_where_strace_cuts_them() -> None:
    assert hexadecimal_string(b"\0q") == r'"\x00\x71"'
    assert hexadecimal_string(bytes(33)) == '"' + r"\x00" * 32 + '"...'
