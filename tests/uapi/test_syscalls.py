"""Kernel, `App`, `Blocking`, hosted modules and strace agree with the table of system calls."""

from __future__ import annotations

import ast
import inspect
import posix
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

import simkernel.application
import simkernel.hosted
from simkernel.application.app import App
from simkernel.application.caller import Caller
from simkernel.blocking import Blocking
from simkernel.hosted import paths as hosted_paths
from simkernel.hosted import posix as hosted_posix
from simkernel.kernel.syscall.table import GROUP_OF
from simkernel.trace.strace.arguments import PRINTERS
from simkernel.trace.strace.forms import RESULTS
from simkernel.trace.strace.strace import FORMS, LINUX_NAMES
from simkernel.uapi.syscalls import SYSCALLS, SyscallSpec

NO_METHOD: Final = {
    "prctl_comm": "Python's os has no prctl(); programs that need it use App.call",
    "futex": "Python has locks instead; those of hosted programs use App.call",
    "fork": "a program cannot be copied; hosted programs fork processes of the host",
    "mount": "Python's os has no mount(); hosted programs call the C library",
    "umount2": "Python's os has no umount2(); hosted programs call the C library",
}
"""Calls without a method of `App`, each with the reason."""

WRAPPED: Final = {
    "epoll",
    "genetlink",
    "mmap",
    "socket",
    "socketpair",
    "uevents",
    "monotonic_ns",
    "rtnetlink",
}
"""Methods that `Blocking` does not take over from `App`, because they return blocking objects."""


def calls_in(package: ModuleType) -> Iterator[tuple[str, str, int | None]]:
    """Yield the system calls that the package's code makes by name, such as `call("read", ...)`. Each is a
    tuple of file and line, name, and number of arguments (None if any number is possible).
    """
    for path in sorted(Path(package.__path__[0]).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                where = f"{path.name}:{node.lineno}"
                literals = [each.value for each in node.args if isinstance(each, ast.Constant)]
                function = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
                if function in ("call", "_call") and literals and isinstance(literals[0], str):
                    after = node.args[1:]
                    if function == "_call" and isinstance(after[-1] if after else None, ast.Tuple):
                        after = after[-1].elts  # type: ignore[attr-defined]
                    yield where, literals[0], _count(after)
                elif function == "_io" and isinstance(node.args[2], ast.Tuple):
                    name = ast.literal_eval(node.args[1])
                    yield where, name, _count(node.args[2].elts)
            elif (
                isinstance(node, ast.Assign)
                and ast.unparse(node.targets[0]) == "call.name"
                and isinstance(node.value, ast.Constant)
            ):
                yield f"{path.name}:{node.lineno}", node.value.value, None


def _count(arguments: list[ast.expr]) -> int | None:
    return None if any(isinstance(each, ast.Starred) for each in arguments) else len(arguments)


@pytest.mark.parametrize("spec", SYSCALLS.values(), ids=lambda spec: spec.name)
def test_the_kernel_has_a_handler_with_these_arguments(spec: SyscallSpec) -> None:
    handler = inspect.signature(getattr(GROUP_OF[spec.name], spec.name))
    parameters = list(handler.parameters.values())[2:]  # after self and the task
    assert [(each.name, each.default is not each.empty) for each in parameters] == [
        (each.name, each.optional) for each in spec.arguments
    ]
    if not any(each.filled for each in spec.prototype):
        assert ("None" in str(handler.return_annotation)) == (spec.result == "none")


def test_the_kernel_has_no_other_handlers() -> None:
    assert set(GROUP_OF) == set(SYSCALLS)


@pytest.mark.parametrize("package", [simkernel.application, simkernel.hosted], ids=lambda each: each.__name__)
def test_calls_are_made_with_the_arguments_of_the_table(package: ModuleType) -> None:
    made = list(calls_in(package))
    assert len(made) > 10
    for where, name, count in made:
        assert name in SYSCALLS, where
        required = sum(1 for each in SYSCALLS[name].arguments if not each.optional)
        assert count is None or required <= count <= len(SYSCALLS[name].arguments), where


def test_the_application_makes_every_call_but_those_that_say_why_not() -> None:
    assert {name for _, name, _ in calls_in(simkernel.application)} | set(NO_METHOD) == set(SYSCALLS)


@pytest.mark.parametrize("name", sorted(set(dir(App)) - set(dir(Caller)) - {"random"}))
def test_the_facade_has_each_method_with_the_same_arguments(name: str) -> None:
    if not name.startswith("_"):
        ours, theirs = inspect.signature(getattr(App, name)), inspect.signature(getattr(Blocking, name))
        assert list(ours.parameters.values()) == list(theirs.parameters.values())
        assert (inspect.unwrap(getattr(Blocking, name)) is inspect.unwrap(getattr(App, name))) == (
            name not in WRAPPED
        )


@pytest.mark.parametrize(
    "name", [*hosted_posix.AS_IN_APP, *hosted_paths.ONE_PATH, *hosted_paths.NO_PATH, "rename"]
)
def test_a_hosted_function_accepts_the_arguments_of_the_host(name: str) -> None:
    if not hasattr(posix, name):
        pytest.skip(f"this Python has no os.{name}")
    ours = list(inspect.signature(getattr(App, name)).parameters.values())[1:]
    try:
        theirs = inspect.signature(getattr(posix, name)).parameters.values()
    except ValueError as error:
        pytest.skip(str(error))
    required = [each for each in theirs if each.default is each.empty]
    assert len([each for each in ours if each.default is each.empty]) <= len(required)
    keywords = {each.name for each in theirs if each.kind is each.KEYWORD_ONLY}
    assert keywords <= {each.name for each in ours}


@pytest.mark.parametrize("spec", SYSCALLS.values(), ids=lambda spec: spec.name)
def test_strace_can_print_it(spec: SyscallSpec) -> None:
    assert spec.name in FORMS
    assert LINUX_NAMES[spec.name] == spec.linux_name
    assert {each.kind for each in spec.prototype} <= set(PRINTERS)
    assert spec.result in {"none", "fd", "number", *RESULTS}
    assert re.fullmatch(r"_?\w+\(2\)", spec.page)
