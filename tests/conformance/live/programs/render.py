"""Source code of a conformance case that reproduces a difference between simkernel and the host."""

from __future__ import annotations

from tests.conformance.live.programs.search import Finding
from tests.conformance.live.programs.steps import START, Outcome, ProgramPid, Seen, Step


def case_of(finding: Finding) -> str:
    """Return the source code of a case. Comments contain both kernels' results of the step that differs."""
    difference = finding.difference
    lines = [
        '@case(privileged=True, marks=("programs",))',
        "def found(world: World, log: Log) -> None:",
        f'    """{finding.origin}."""',
        "    programs = world.programs()",
        "    p = []",
        "    sleeping = {}",
    ]
    for index, step in enumerate(finding.steps):
        lines += [
            f"    {line}"
            for line in _lines(step, finding.difference.real if index == difference.index else None)
        ]
    return "\n".join(
        [
            *lines,
            f"    # Linux:     {_shown(difference.real)}",
            f"    # simkernel: {_shown(difference.simulated)}",
        ]
    )


def _lines(step: Step, last: Seen | None) -> list[str]:
    if step.call == START:
        return [f"p.append(programs.start{step.arguments!r})"]
    program = f"p[{step.program}]"
    arguments = ", ".join(_argument(each) for each in step.arguments)
    if step.call == "fork":
        return [f"p.append({program}.fork())"]
    if step.call == "end":
        return [f"{program}.end({arguments})"]
    if step.call == "caught":
        return [f'log("caught", {program}.caught())']
    begin = f'{program}.begin("{step.call}"{", " if arguments else ""}{arguments})'
    return [f'log.call("{step.call}", {begin}.result)']


def _argument(value: object) -> str:
    if isinstance(value, ProgramPid):
        return f"p[{value.place}].pid"
    if isinstance(value, bytes) and len(value) > 40 and len(set(value)) == 1:
        return f"{value[:1]!r} * {len(value)}"
    return repr(value)


def _shown(seen: Seen) -> str:
    parts = [_outcome(seen.outcome)]
    parts += [f"p[{place}]'s call ends: {_outcome(outcome)}" for place, outcome in seen.ended]
    parts += [f"p[{place}] is dead" for place in seen.dead]
    return "; ".join(parts)


def _outcome(outcome: Outcome) -> str:
    kind, value = outcome
    return f"{kind} {str(value)[:300]}" if value is not None else kind
