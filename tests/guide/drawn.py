"""Tables and diagrams of the guide that the project's code generates.

    python -m tests.guide.drawn        write them into the guide as they are now

Each is a paragraph of a topic (lines without an empty one among them) or the whole of a block of code, and
is known by its first line.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import attrs
import click
from click.testing import CliRunner

import simkernel.driverapi
from simkernel import Machine, guide
from simkernel.cli import run
from simkernel.kernel.lib import known
from simkernel.kernel.lib.costs import PARAMETERS, CostModel
from simkernel.kernel.lib.fault import POINTS
from simkernel.kernel.module.module import TRANSITIONS
from simkernel.kernel.netlink.route import unsupported
from simkernel.kernel.sched import run_state
from simkernel.kernel.syscall.table import GROUP_OF
from simkernel.testing.situations import SITUATIONS
from simkernel.tools.calibration.compare import compare, read
from simkernel.tools.calibration.recorded import RECORDED
from simkernel.uapi import rtnetlink
from simkernel.uapi.errno import error_name
from simkernel.uapi.syscalls import SYSCALLS
from tests.guide import drawn_ipc
from tests.inline import markers

ROOT = Path(__file__).resolve().parents[2]
FENCED: Final = re.compile(r"^```\w+\n\Z", re.MULTILINE)
"""Matches a text whose last line opens a code block."""


def _contracts() -> list[dict[str, Any]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts: list[dict[str, Any]] = settings["tool"]["importlinter"]["contracts"]
    return contracts


def kernel_layers() -> str:
    """Return the kernel's layers with their packages, from the contract of import-linter that orders them."""
    (order,) = (each for each in _contracts() if each.get("containers") == ["simkernel.kernel"])
    rows = [
        (str(number), f"`{part}`", _docstring(f"kernel/{part}"))
        for number, layer in enumerate(order["layers"], 1)
        for part in re.split(r" [|:] ", layer)
    ]
    return _table(("layer", "package", "what it is"), rows)


def layers() -> str:
    """Return every part of simkernel with its purpose and its allowed imports, from import-linter's
    contracts.
    """
    order, *others = (each for each in _contracts() if "simkernel.kernel" not in each.get("containers", ()))
    others = [each for each in others if "source_modules" in each]
    floors = [[part for part in floor.strip("()").split(" | ") if _file(part).is_file()]
              for floor in order["layers"]]  # fmt: skip
    rows = []
    for number, floor in enumerate(floors):
        below = [part for lower in floors[number + 1 :] for part in lower]
        rows += [(f"`{part}`", _docstring(part), _may_import(part, below, others)) for part in floor]
    return _table(("part", "what it is", "may import"), rows)


def _may_import(part: str, below: list[str], contracts: Iterable[dict[str, list[str]]]) -> str:
    allowed = list(below)
    for contract in contracts:
        if f"simkernel.{part}" in contract["source_modules"]:
            allowed = [each for each in allowed if f"simkernel.{each}" not in contract["forbidden_modules"]]
            exceptions = [each.split(" -> ") for each in contract.get("ignore_imports", ())]
            allowed += [
                target.removeprefix("simkernel.")
                for source, target in exceptions
                if source.startswith(f"simkernel.{part}.") and not target.endswith("**")
            ]
    if len(allowed) > 2 and allowed == below:
        return "all below"
    return ", ".join(allowed) or "nothing of ours"


def _file(part: str) -> Path:
    place = ROOT / "simkernel" / part
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def _docstring(part: str) -> str:
    return _first_sentence(ast.get_docstring(ast.parse(_file(part).read_text("utf-8"))))


def driver_api() -> str:
    """Return the headers of the driver API, from the docstrings of driverapi."""
    rows = []
    for file in sorted(Path(simkernel.driverapi.__file__).parent.glob("*.py")):
        told = (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").partition("\n")[0]
        if told.startswith("include/"):
            header, _, text = told.partition(": ")
            rows.append((f"`{file.stem}`", header.removeprefix("include/"), text.rstrip(".")))
    return _table(("driverapi", "Linux's include/", "what it is about"), rows)


def module_states() -> str:
    """Return the state transitions of a module."""
    ends = {"UNFORMED", "GOING"}
    rows = [
        (
            state.name,
            ", ".join([*(each.name for each in following), *(["freed"] if state.name in ends else [])]),
        )
        for state, following in TRANSITIONS.items()
    ]
    return _table(("module's state", "next state"), rows)


def run_states() -> str:
    """Return the states of a task with their transitions."""
    rows = []
    for state, following in run_state.TRANSITIONS.items():
        reasons: dict[str, list[str]] = {}
        for each, why in following.items():
            reasons.setdefault(why, []).append(each.name)
        steps = "; ".join(f"{' or '.join(names)}: {why}" for why, names in reasons.items())
        rows.append((state.name, state.value, steps or "none"))
    return _table(("state", "the task", "next state: reason"), rows)


def inline_code() -> str:
    """Return a table of the places where simkernel inlines a function by hand, from the `# INLINE` comments
    in the source.
    """
    rows = [
        (f"simkernel/{each.file}", f"`{each.name}`", each.gain.removeprefix("saves ")) for each in markers()
    ]
    return _table(("where", "repeats", "saving"), rows)


def costs() -> str:
    """Return a table of the cost model's parameters: name, default and meaning."""
    rows = []
    declared = ast.parse(inspect.getsource(CostModel)).body[0]
    assert isinstance(declared, ast.ClassDef)
    prices = {name: getattr(CostModel(), name) for name in PARAMETERS}
    for field, text in zip(declared.body, declared.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and (name := ast.unparse(field.target)) in prices:
            assert isinstance(text, ast.Expr)
            rows.append((f"`{name}`", f"{prices[name]:_}", ast.literal_eval(text.value).rstrip(".")))
    return _table(("parameter", "ns", "meaning"), rows)


def calibration() -> str:
    """Return a table of operations: the time measured on a real kernel, the simulated time and the error."""
    rows = [
        (
            row.figure.name,
            f"{row.figure.size}" if row.figure.size else "",
            f"{row.figure.measured:.0f}",
            f"{row.simulated:.0f}",
            f"{row.error:+.1%}",
        )
        for row in compare(read(RECORDED.read_text("utf-8")), CostModel())
        if row.simulated is not None
    ]
    return _table(("operation", "bytes", "measured ns", "simulated ns", "error"), rows)


def system_calls() -> str:
    """Return the system calls, from their table and the docstrings of their handlers."""
    rows = []
    for spec in SYSCALLS.values():
        arguments = [f"{each.name}=" if each.optional else each.name for each in spec.arguments]
        note = _first_sentence(inspect.getdoc(getattr(GROUP_OF[spec.name], spec.name)))
        note = note.replace(f" ({spec.page})", "")  # The table has another column for the manual page.
        rows.append((f"`{spec.name}({', '.join(arguments)})`", spec.page, note))
    return _table(("call", "manual page", "what it is"), rows)


def lacking_route_messages() -> str:
    """Return the message types of rtnetlink that are not modelled, by subject."""
    lacks: dict[str, tuple[list[str], list[str]]] = {}
    for name, number in vars(rtnetlink).items():
        if named := re.fullmatch("RTM_(NEW|DEL|GET|SET)(.+)", name):
            for table, kind in ((unsupported.DO, 0), (unsupported.DUMP, 1)):
                if number in table:
                    lacks.setdefault(named[2], ([], []))[kind].append(named[1].lower())
    rows = [(f"`{about}`", ", ".join(do), "dump" if dump else "") for about, (do, dump) in lacks.items()]
    return _table(("RTM_ message", "requests that are lacking", "and"), rows)


def lacking_requests() -> str:
    """Return a table of the ioctl(2) requests that are not modelled, by kind of file."""
    lacks: dict[str, list[str]] = {}
    for kinds, _, name, *words in known.read_table(Path(known.__file__).with_name("ioctls.txt")):
        if "handled" not in words and known.refusal(words) is None:
            lacks.setdefault(" ".join(kinds), []).append(name)
    rows = [(f"`{kinds}`", ", ".join(names)) for kinds, names in lacks.items()]
    return _table(("file", "requests that are lacking"), rows)


SHOWN: Final = ("/proc", "/proc/self", "/proc/self/net", "/sys", "/sys/kernel", "/sys/class/net/lo")


def served_files() -> str:
    """Return the files of /proc and /sys that a machine lists, without those of processes."""
    rows = []
    with Machine(udev=False) as machine:
        root = machine.blocking(uid=0)
        for directory in SHOWN:
            names = [f"`{name}`" for name in root.listdir(directory) if not name.isdigit()]
            rows.append((f"`{directory}`", ", ".join(sorted(names))))
    return _table(("directory", "files"), rows)


def recorded_cases() -> str:
    """Return a table of the conformance case files. It gives the first line of each file's docstring."""
    rows = []
    for file in sorted((ROOT / "tests" / "conformance" / "cases").glob("[a-z]*.py")):
        told = (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").partition("\n")[0]
        rows.append((f"`{file.stem}`", told.rstrip(".")))
    return _table(("recorded cases", "what is compared"), rows)


def transports() -> str:
    """Return a table of what each transport (such as netlink or ioctl) can do, as measured in a run."""
    return drawn_ipc.probes(_table)


def transport_costs() -> str:
    """Return a table of the system calls and copies of data that each transport needs."""
    return drawn_ipc.calls_and_copies(_table)


def transport_limits() -> str:
    """Return a table of `simkernel run` commands, each of which shows the limit of one transport."""
    return drawn_ipc.limits(_table)


def options_of_run() -> str:
    """Return a table of the options of `simkernel run` with their help texts."""
    rows = []
    for option in run.command.params:
        if isinstance(option, click.Option):
            value = "" if option.is_flag else f" {option.metavar or 'NUMBER'}"
            rows.append((f"`{option.opts[0]}{value}`", (option.help or "").rstrip(".")))
    return _table(("option", "what it does"), rows)


def netlink_question() -> str:
    """Return the answer of `simkernel run questions` to "What is netlink for?"."""
    return _answered(1)


def hardware_question() -> str:
    """Return the answer of `simkernel run questions` to "Can an application talk to hardware directly?"."""
    return _answered(2)


def drivers_question() -> str:
    """Return the answer of `simkernel run questions` to "What are drivers, and where do they sit?"."""
    return _answered(3)


def modules_question() -> str:
    """Return the answer of `simkernel run questions` to "Is every module a driver?"."""
    return _answered(4)


def situations() -> str:
    """Return a table of the situations that simkernel.testing can create, with a sentence about each."""
    rows = [
        (f"`{each.name}`", each.summary.rstrip(".").replace("; ", ": ", 1)) for each in SITUATIONS.values()
    ]
    return _table(("situation", "what happens"), rows)


def clients() -> str:
    """Run each program of tests.hosted.clients in its situation, and return a table of the outcomes."""
    from tests.hosted.clients import table

    return _table(("situation", "client", "outcome"), table())


def _answered(number: int) -> str:
    """Return the answer of `simkernel run questions` to question `number`. `...` replaces the section
    Figures.
    """
    printed = CliRunner().invoke(
        run.command, ["questions", "--only", str(number), "--details"], catch_exceptions=False
    )
    report, figures, _ = printed.output.partition("\nFigures\n")
    assert figures
    return f"{report}..."


def _first_sentence(text: str | None) -> str:
    assert text
    return re.split(r"(?<=[a-z)`])\.(?=\s|$)", " ".join(text.split()), maxsplit=1)[0].rstrip(".")


def fault_points() -> str:
    """Return every fault point, from the kernel's table."""
    rows = []
    for point in POINTS.values():
        number = "" if point.errno is None else error_name(point.errno)
        limits = ", ".join(f"`{each}`" for each in point.about if each in ("device", "module"))
        rows.append((f"`{point.name}`", number, point.effect, point.source, limits))
    return _table(("point", "errno", "effect", "in Linux", "a rule can name"), rows)


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in lines)


@attrs.frozen
class Drawing:
    """A generated paragraph of the guide: the name of its page, and the function that returns the text."""

    topic: str
    draw: Callable[[], str]
    long: bool = False
    """True if a call of `draw` takes several seconds."""


DRAWINGS: Final = (
    Drawing("layers", layers),
    Drawing("layers", kernel_layers),
    Drawing("layers", driver_api),
    Drawing("layers", module_states),
    Drawing("time", run_states),
    Drawing("speed", inline_code),
    Drawing("prices", costs),
    Drawing("prices", calibration),
    Drawing("commands", options_of_run),
    Drawing("modelled", system_calls),
    Drawing("modelled", served_files),
    Drawing("modelled", lacking_requests),
    Drawing("modelled", lacking_route_messages),
    Drawing("modelled", recorded_cases),
    Drawing("ipc", transports, long=True),
    Drawing("ipc", transport_costs, long=True),
    Drawing("ipc", transport_limits, long=True),
    Drawing("faults", fault_points),
    Drawing("questions", netlink_question),
    Drawing("questions", hardware_question),
    Drawing("questions", drivers_question),
    Drawing("questions", modules_question),
    Drawing("situations", situations),
    *(
        [Drawing("situations", clients, long=True)] if sys.platform == "linux" else []
    ),  # The function `clients` runs pyroute2 and linuxpy, which need Linux.
)


def main() -> None:
    """Generate the texts of DRAWINGS. Each text replaces the paragraph of the guide that has the same first
    line.
    """
    for drawing in DRAWINGS:
        path = Path(guide.__file__).with_name(f"{drawing.topic}.md")
        path.write_text(redrawn(path.read_text("utf-8"), drawing.draw()), "utf-8")


def redrawn(text: str, drawn: str) -> str:
    """Return a copy of `text` in which the paragraph `drawn` replaces the one with the same first line. Raise
    ValueError if `text` has no such paragraph.

    If the paragraph begins a code block, it extends to the end of the block.
    """
    first = drawn.partition("\n")[0] + "\n"
    before, found, rest = text.partition(first)
    if not found:
        raise ValueError(f"no paragraph begins with {first!r}")
    end = r"^(?=```)" if FENCED.search(before) else r"^(?=\n|```|\Z)"
    after = re.split(end, rest, maxsplit=1, flags=re.MULTILINE)[1]
    return f"{before}{drawn}\n{after}"


if __name__ == "__main__":
    main()
