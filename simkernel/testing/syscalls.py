"""Programs that are sequences of system calls, with a text form. The strategy
`simkernel.testing.strategies.syscall_programs` draws them.

    program = SyscallProgram.parse('''
        fd0 = openat(-100, '/dev/null', 2050)
        write(fd0, b'a')
        close(fd0)
    ''')
    machine.spawn(program)

Names, arguments and results are those of the table of system calls (`simkernel guide files`).  A call that
fails does not end the program.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from simkernel.application.app import App
from simkernel.engine import SimulationError
from simkernel.uapi.syscalls import SYSCALLS

IOCTL: Final = "ioctl"
SYNTAX: Final = "write NAME(...), FD = NAME(...) or FD, FD = NAME(...)"


class Fd(str):
    """The name of a variable in a program. The variable holds a file descriptor that an earlier call has
    returned.
    """

    __slots__ = ()
    __repr__ = str.__str__


@attrs.frozen
class Syscall:
    """A system call: its name, its arguments, and the names of the descriptors that it returns.

    An argument is a number, bytes, a string or an Fd, or a tuple or list of them.  If an argument of
    ioctl() is bytes, the call passes a buffer with these bytes, which the kernel may change.
    """

    name: str
    arguments: tuple[Any, ...] = ()
    returns: tuple[Fd, ...] = ()

    def __str__(self) -> str:
        call = f"{self.name}({', '.join(map(repr, self.arguments))})"
        return f"{', '.join(self.returns)} = {call}" if self.returns else call


def _as_tuple(calls: Iterable[Syscall]) -> tuple[Syscall, ...]:
    return tuple(calls)


@attrs.frozen(repr=False)
class SyscallProgram:
    """A program that makes the calls in sequence and returns a list of their results.

    The result of a failed call is -errno, as the kernel returns it.  It also takes the place of the call's
    descriptor, so that later calls with it fail with EBADF.
    """

    __name__ = "syscalls"

    calls: tuple[Syscall, ...] = attrs.field(converter=_as_tuple)

    def __str__(self) -> str:
        """Return the calls as text, one per line, in the syntax of `parse`."""
        return "\n".join(map(str, self.calls))

    def __repr__(self) -> str:
        text = str(self)
        quoted = repr(text) if '"""' in text else f'r"""\n{text}\n"""'
        return f"SyscallProgram.parse({quoted})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # without _repr_pretty_, hypothesis may print the function call that created the program
        printer.text(repr(self))

    @classmethod
    def parse(cls, text: str) -> SyscallProgram:
        """Parse a program with one call per line.  Raise SimulationError for an invalid line."""
        names: dict[str, Any] = {"__builtins__": {}}
        return cls(_parsed(line.strip(), names) for line in text.splitlines() if line.strip())

    async def __call__(self, app: App) -> list[Any]:
        """Make the calls of the program in sequence, and return a list of their results."""
        numbers: dict[str, int] = {}
        results = []
        for call in self.calls:
            arguments = [_filled_in(each, numbers) for each in call.arguments]
            if call.name == IOCTL:
                arguments = [bytearray(each) if isinstance(each, bytes) else each for each in arguments]
            try:
                result: Any = await app.call(call.name, *arguments)
            except OSError as error:
                result = -(error.errno or 0)
            results.append(result)
            made = result if isinstance(result, tuple) else (result, result)
            numbers.update(zip(call.returns, made, strict=False))
        return results


def _parsed(line: str, names: dict[str, Any]) -> Syscall:
    """Parse one line of a program. `names` contains the variables that earlier lines define. Add the
    variables of this line to `names`.
    """
    try:
        match ast.parse(line).body:
            case [ast.Expr(ast.Call(ast.Name(name), arguments, []))] if name in SYSCALLS:
                target = None
            case [ast.Assign([target], ast.Call(ast.Name(name), arguments, []))] if name in SYSCALLS:
                pass
            case _:
                raise SyntaxError("expected NAME(...), where NAME is a known system call")
        values = [eval(compile(ast.Expression(each), line, "eval"), names) for each in arguments]
    except (SyntaxError, NameError) as error:
        raise SimulationError(f"{line!r}: {error}; {SYNTAX}") from None
    returns = tuple(Fd(ast.unparse(each)) for each in getattr(target, "elts", [target] if target else []))
    names.update(zip(returns, returns, strict=True))
    return Syscall(name, tuple(values), returns)


def _filled_in(value: Any, numbers: Mapping[str, int]) -> Any:
    """Return an argument with the names of descriptors replaced by their numbers."""
    if isinstance(value, Fd):
        return numbers[value]
    if isinstance(value, tuple | list):
        return type(value)(_filled_in(each, numbers) for each in value)
    return value
