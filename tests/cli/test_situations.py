"""`simkernel situations`: the list of situations, the text about one of them, and unknown names."""

from __future__ import annotations

from simkernel.testing.situations import SITUATIONS
from tests.conftest import CommandLine


def test_the_list_has_a_line_for_each(simkernel: CommandLine) -> None:
    lines = simkernel("situations").out.splitlines()
    assert [line.partition(" ")[0] for line in lines] == list(SITUATIONS)
    assert len(lines) >= 12


def test_one_is_explained_with_its_evidence_and_its_program(simkernel: CommandLine) -> None:
    done = simkernel("situations", "late-reply")
    assert "audit_send_reply()" in done.out
    assert all(address in done.out for address in SITUATIONS["late-reply"].evidence)
    program = "\n".join(line[4:] for line in done.out.splitlines() if line.startswith("    "))
    assert program == SITUATIONS["late-reply"].snippet.rstrip().replace("\n\n", "\n")


def test_an_unknown_name_gets_a_suggestion(simkernel: CommandLine) -> None:
    done = simkernel("situations", "dump-interupted")
    assert done.code == 2
    assert "did you mean dump-interrupted" in done.err
