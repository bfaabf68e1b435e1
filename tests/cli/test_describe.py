"""`simkernel describe`: descriptions of families, and errors in a specification."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from simkernel.shipped import shipped
from tests.conftest import CommandLine

SPEC = """\
name: greeter
protocol: genetlink
doc: Greets.
attribute-sets:
  - name: greeting
    attributes:
      - {name: words, type: string, checks: {max-len: 40}}
operations:
  list:
    - name: greet
      doc: Say hello.
      attribute-set: greeting
      do: {request: {attributes: [words]}, reply: {attributes: [words]}}
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "greeter.yaml"
    path.write_text(SPEC, "utf-8")
    return path


@pytest.mark.parametrize(
    "family", ["nlctrl", *sorted(path.stem for path in shipped("drivers").rglob("*.yaml"))]
)
def test_describes_the_families_that_ship(simkernel: CommandLine, family: str) -> None:
    done = simkernel("describe", family)
    assert done.code == 0
    assert done.out.startswith(f"family: {family}\n")
    assert "operation: " in done.out


def test_describes_a_file_and_a_family_on_the_module_path(
    simkernel: CommandLine, spec: Path, tmp_path: Path
) -> None:
    from_file = simkernel("describe", "greeter.yaml")
    assert from_file.code == 0
    assert "operation: greet (1)\n  Say hello.\n" in from_file.out
    assert "at most 40 bytes" in from_file.out
    assert simkernel("describe", "greeter", "--module-path", tmp_path).out == from_file.out


def test_prints_the_specification_itself(simkernel: CommandLine, spec: Path) -> None:
    assert simkernel("describe", "greeter.yaml", "--yaml").out == SPEC


def test_names_what_is_not_supported(simkernel: CommandLine, spec: Path) -> None:
    spec.write_text(SPEC.replace("protocol: genetlink", "protocol: netlink-raw\nprotonum: 2"), "utf-8")
    done = simkernel("describe", "greeter.yaml")
    assert done.code == 0
    assert "not supported" in done.out
    assert "line 2  a protocol other than generic netlink" in done.out


def test_a_mistake_is_reported_with_file_line_key_and_expectation(simkernel: CommandLine, spec: Path) -> None:
    spec.write_text(SPEC.replace("type: string", "type: strong"), "utf-8")
    done = simkernel("describe", "greeter.yaml")
    assert (done.code, done.out) == (1, "")
    assert "greeter.yaml:7: attribute-sets" in done.err
    assert "string" in done.err


def test_unknown_family_gets_the_nearest(simkernel: CommandLine) -> None:
    done = simkernel("describe", "nlctl")
    assert done.code == 2
    assert "'nlctl': did you mean nlctrl?" in done.err


def test_a_file_that_is_not_there(simkernel: CommandLine, spec: Path) -> None:
    done = simkernel("describe", "nothing.yaml")
    assert done.code == 2
    assert "cannot read nothing.yaml: No such file or directory" in done.err


def test_a_specification_in_another_encoding_is_named_with_its_line(
    simkernel: CommandLine, spec: Path
) -> None:
    spec.write_bytes(SPEC.replace("Greets", "Gr\u00fc\u00dft").encode("latin-1"))
    done = simkernel("describe", "greeter.yaml")
    assert done.code == 1
    assert done.err == "Error: greeter.yaml:3 cannot be read (UnicodeDecodeError)\n"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the host has no FIFOs")
def test_a_fifo_is_no_specification(simkernel: CommandLine, spec: Path, tmp_path: Path) -> None:
    """`simkernel describe` refuses a FIFO before it opens it, because the open would block forever."""
    os.mkfifo("pipe.yaml")
    for arguments in (("pipe.yaml",), ("pipe", "--module-path", tmp_path)):
        done = simkernel("describe", *arguments)
        assert done.code == 2
        assert done.err.endswith(f"cannot read {arguments[0]}: not a regular file\n")
