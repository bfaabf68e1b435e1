"""Values of this host's C headers, read with a C compiler."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest


def numbers_in_headers(names: list[str], headers: list[str], folder: Path) -> dict[str, int]:
    """Return the values of names or expressions. Names that the headers lack are left out."""
    body = "".join(f'printf("{name} %lld\\n", (long long) ({name}));\n' for name in names)
    complaints = compile_c(headers, body, folder)
    lacking = set(re.findall(r"error: \W(\w+)\W undeclared|undefined reference to \W(\w+)", complaints))
    words = {word for found in lacking for word in found if word}
    known = [name for name in names if words.isdisjoint(re.findall(r"\w+", name))]
    if len(known) < len(names):
        return numbers_in_headers(known, headers, folder)
    skip_if(complaints)
    lines = run(folder).decode().splitlines()
    return {name: int(number) for name, number in (line.rsplit(" ", 1) for line in lines)}


def bytes_of_structures(structures: list[tuple[str, list[str]]], headers: list[str], folder: Path) -> bytes:
    """Return the bytes of each structure, with 1, 2, 3 ... in the named fields."""
    body = ""
    for name, fields in structures:
        values = ", ".join(f".{field} = {number}" for number, field in enumerate(fields, 1))
        body += f"{{ struct {name} it = {{ {values} }}; fwrite(&it, sizeof it, 1, stdout); }}\n"
    skip_if(compile_c(headers, body, folder))
    return run(folder)


def compile_c(headers: list[str], body: str, folder: Path) -> str:
    """Compile a C program whose function `main` has the statements `body`. Write the program to `folder`.
    Return the compiler's messages.
    """
    includes = "".join(f"#include <{header}>\n" for header in ["stdio.h", *headers])
    source = folder / "program.c"
    source.write_text(f"#define _GNU_SOURCE\n{includes}int main(void) {{\n{body}return 0; }}\n")
    command = ["cc", "-w", "-o", str(folder / "program"), str(source)]
    english = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(command, capture_output=True, text=True, env=english, check=False).stderr


def run(folder: Path) -> bytes:
    """Run the compiled program in `folder`, and return its output."""
    return subprocess.run([str(folder / "program")], capture_output=True, check=True).stdout


def skip_if(complaints: str) -> None:
    """Skip the test if the compiler cannot use this host's headers."""
    if complaints:
        pytest.skip(f"Linux's headers are not installed: {complaints.splitlines()[0]}")
