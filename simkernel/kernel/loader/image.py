"""A module's code: NAME.py or a package NAME/, executed once per Python process.

Theory of operation.  Modules are not on Python's import path. Their files are read and compiled here and
executed under the name `simkernel_module_DIGEST`.  So two modules with the same name, or two versions of a
file, can coexist.  The digest is computed from the source, so equal code is shared wherever its files are.
A finder on `sys.meta_path` serves the imports within a package. It handles only these names.

Module code is transformed here and nowhere else: an `Instrument` gets the syntax tree of each file before
it is compiled.  Transformed code has a different name than plain code.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import cached_property, lru_cache
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Protocol

import attrs

from simkernel.engine import runs_later
from simkernel.kernel.lib.stack import LOCATION, locate
from simkernel.kernel.loader.path import Location, Stamp, keep, stamp, stamps, unreadable
from simkernel.kernel.module.declaration import Module
from simkernel.kernel.module.module import Image
from simkernel.uapi.errno import EINVAL, ENOEXEC

PREFIX = "simkernel_module_"
DECLARATION = "MODULE"
"""Name of the global in a module's file whose value is the module's declaration."""


DRIVERAPI = "simkernel.driverapi"
ENTRIES = {"init": ("this",), "exit": ("this", "state")}
"""The functions that the loader calls at load and at unload, and their parameters."""


class ImageError(Exception):
    """Raised if files are not a loadable module.  The text is the reason, without the module's name.

    `errno` is the error of finit_module(2).  `__cause__` is the exception of the module's code.
    """

    errno = ENOEXEC
    module = ""
    requested = False
    """True once a program has called finit_module(2) for the module."""


class NoModule(ImageError):
    """Raised for a file on the module path that does not import driverapi. Such a file is a program or a
    library, not a module.
    """


@attrs.frozen
class SourceFile:
    """One source file of a module.

    `relative` is the name of the file in logs, relative to the module's directory.
    """

    path: Path
    relative: str
    text: str


@attrs.frozen(eq=False)
class Source:
    """The source files of a module. `files` maps the dotted name of each file inside the module to the file;
    the name of the main file (NAME.py or NAME/__init__.py) is "".
    """

    name: str
    package: bool
    files: Mapping[str, SourceFile]

    @cached_property
    def digest(self) -> str:
        """A hash of the source text, in hexadecimal."""
        digest = hashlib.sha256(f"{self.name} {self.package}".encode())
        for dotted, file in self.files.items():
            digest.update(f"\0{dotted}\0{len(file.text)}\0{file.text}".encode())
        return digest.hexdigest()[:16]

    @property
    def main(self) -> SourceFile:
        """The file that contains the module's declaration."""
        return self.files[""]

    def check_declaration(self) -> None:
        """Check that the main file binds MODULE at its top level.

        If MODULE is missing, raise ImageError for a driver (a file that imports driverapi) and NoModule
        for any other file. A file that cannot be parsed passes, because its import raises the error.
        """
        try:
            tree = ast.parse(self.main.text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
        if not any(DECLARATION in _bound_names(statement) for statement in tree.body):
            imports = [node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)]
            driver = any(name.startswith(DRIVERAPI) for name in imports)
            raise _undeclared(self, ImageError if driver else NoModule)


class Instrument(Protocol):
    """A transformation of modules' code, like a compiler's sanitizer."""

    @property
    def name(self) -> str:
        """The unique name of the transformation."""

    @property
    def names(self) -> Mapping[str, object]:
        """The globals that the loader adds to a module for the transformed code, by name."""

    def apply(self, tree: ast.Module, file: str) -> ast.Module:
        """Return the transformed syntax tree of a file. `file` is the file's name in logs."""

    def loading(self) -> AbstractContextManager[object]:
        """Return a context manager. The loader executes the top-level code of a file inside this context,
        once per Python process.
        """


_images: dict[str, Image] = {}
_sources: dict[str, tuple[Source, Sequence[Instrument]]] = {}


def load_image(location: Location, instruments: Sequence[Instrument] = ()) -> Image:
    """Return the module's code. Each version of the code is executed once per Python process. Raise
    ImageError if the files are not a loadable module.

    A file that does not bind MODULE is not executed, because it may be any program.  The `instruments`
    transform the code in their order.
    """
    source = _source(location)
    digest = "_".join((source.digest, *(each.name for each in instruments)))
    image = _images.get(digest)
    if image is None:
        source.check_declaration()
        if not f"_{location.name}".isidentifier():
            raise ImageError(f"a module's name may have letters, digits and _: rename {source.main.relative}")
        image = _images[digest] = _execute(source, PREFIX + digest, instruments)
    return image


@keep
def _source(location: Location) -> Source:
    path = str(location.path)
    try:
        versions = tuple(stamps(path)) if location.package else (stamp(path),)
    except OSError as error:
        failure = ImageError(unreadable(location.path.name, error))
        failure.errno = EINVAL if error.errno == EINVAL else ENOEXEC  # as kernel_read_file()
        raise failure from None
    return _read(location.name, path, location.package, versions)


@lru_cache(maxsize=256)
def _read(name: str, path: str, package: bool, versions: tuple[Stamp, ...]) -> Source:
    parent = Path(path).parent
    files = {}
    for each, _, _ in versions:
        file = Path(each)
        relative = file.relative_to(parent)
        dotted = ".".join(relative.with_suffix("").parts[1:]).removesuffix("__init__").removesuffix(".")
        files[dotted] = SourceFile(file, relative.as_posix(), _text(file, relative.as_posix()))
    return Source(name, package, files)


def _text(file: Path, relative: str) -> str:
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ImageError(unreadable(relative, error)) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ImageError(f"{relative}:{line} has a NUL byte: a module's file must be Python source")
    return text


def _execute(source: Source, python_name: str, instruments: Sequence[Instrument]) -> Image:
    _sources[python_name] = source, instruments
    try:
        namespace = _import(source, python_name)
        size = sum(len(file.text.encode()) for file in source.files.values())
        return Image(source.name, _declaration(source, namespace), namespace, size)
    except BaseException as error:
        del _sources[python_name]
        for name in [name for name in sys.modules if name.partition(".")[0] == python_name]:
            del sys.modules[name]
        if isinstance(error, ImageError | KeyboardInterrupt):
            raise
        if isinstance(error, SyntaxError):
            text = f"does not compile: {error.msg} at {_where_syntax(error, source)}"
        else:
            text = f"does not import: {type(error).__name__} at {_where(error, source)}"
        raise ImageError(text) from error


def _import(source: Source, python_name: str) -> ModuleType:
    spec = _finder.find_spec(python_name)
    assert spec is not None
    namespace = module_from_spec(spec)
    sys.modules[python_name] = namespace
    _finder.exec_module(namespace)
    return namespace


def _declaration(source: Source, namespace: ModuleType) -> Module:
    declaration = getattr(namespace, DECLARATION, None)
    if not isinstance(declaration, Module):
        raise _undeclared(source, ImageError)
    if not all(isinstance(alias, str) for alias in declaration.all_aliases):
        raise ImageError(f"has an alias that is not a str ({source.main.relative})")
    for function in (*declaration.exports, *declaration.exports_gpl):
        if not inspect.isfunction(function):
            raise ImageError(f"exports {function}, which is not a function of {source.main.relative}")
    for name, arguments in ENTRIES.items():
        _check_entry(namespace, name, arguments)
    return declaration


def _undeclared(source: Source, kind: type[ImageError]) -> ImageError:
    return kind(f"declares no module ({source.main.relative} has no {DECLARATION} = Module(...))")


def _check_entry(namespace: ModuleType, name: str, arguments: tuple[str, ...]) -> None:
    function = getattr(namespace, name, None)
    if function is None:
        return
    kind = runs_later(function)
    if "generator" in kind:
        raise ImageError(f"{name} is {kind}, which does not run when called: write it without yield")
    try:
        inspect.signature(function).bind(*arguments)
    except (TypeError, ValueError):
        raise ImageError(f"{name} must be a function with parameters ({', '.join(arguments)})") from None


def _where(error: BaseException, source: Source) -> str:
    """Find the innermost line of the module's own code in the traceback of an error. Return it as
    `FILE:LINE`, or return the name of the main file if the traceback has no such line.
    """
    where = source.main.relative
    traceback = error.__traceback__
    while traceback is not None:
        if (located := locate(traceback.tb_frame)) is not None:
            where = f"{located[1]}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return where


def _bound_names(statement: ast.stmt) -> list[str]:
    """Return the names of the variables that an assignment or a `from` import binds. Assignment targets that
    are tuples, attributes or items are ignored.
    """
    if isinstance(statement, ast.ImportFrom):
        return [alias.asname or alias.name for alias in statement.names]
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _where_syntax(error: SyntaxError, source: Source) -> str:
    wrong = [file.relative for file in source.files.values() if str(file.path) == error.filename]
    return f"{wrong[0] if wrong else source.main.relative}:{error.lineno or 1}"


class _Finder(MetaPathFinder, Loader):
    """Imports the files of a package module from the source texts that the loader has read."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        root, _, dotted = fullname.partition(".")
        source, _ = _sources.get(root, (None, ()))
        if source is None or dotted not in source.files:
            return None
        file = source.files[dotted].path
        return spec_from_loader(fullname, self, origin=str(file), is_package=file.name == "__init__.py")

    def exec_module(self, module: ModuleType) -> None:
        root, _, dotted = module.__name__.partition(".")
        source, instruments = _sources[root]
        file = source.files[dotted]
        module.__file__ = str(file.path)
        setattr(module, LOCATION, (source.name, file.relative))
        if not instruments:
            exec(compile(file.text, str(file.path), "exec", dont_inherit=True), module.__dict__)
            return
        tree = ast.parse(file.text, str(file.path))
        with ExitStack() as loading:
            for each in instruments:
                tree = each.apply(tree, file.relative)
                module.__dict__.update(each.names)
                loading.enter_context(each.loading())
            exec(compile(tree, str(file.path), "exec", dont_inherit=True), module.__dict__)


_finder = _Finder()
sys.meta_path.append(_finder)
