"""The project's prose, cut into items that a reader can judge one by one."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import yaml

PRODUCT: Final = ("simkernel", "drivers", "scenarios")
LINKS: Final = ("simkernel/drivers", "simkernel/scenarios")
"""Symbolic links to two folders. Without this list, the files in these folders would be read twice."""
FILES: Final = ("*.py", "*.md", "*.html", "*.mjs", "*.yaml", "*.txt")
RULER: Final = re.compile(r"# (--|==|noqa|type:|fmt:|INLINE)")
SOURCE: Final = re.compile(r"(?m)^\s*(def|async|import|from|class|return|for|with) |^.* = ")
BLOCKS: Final = "p|li|h[1-6]|td|th|div|section|label|button|summary|figcaption"
NAMED: Final = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@attrs.frozen
class Item:
    """A piece of prose: a docstring's paragraph, a comment, a text of the program, a sentence of a page."""

    path: str
    line: int
    kind: str
    """Kind of the item: docstring, attribute, comment, text, doc (of YAML) or page."""
    name: str
    """Name of the documented object, if the item is a docstring."""
    text: str
    first: bool = True
    """False if the item is the second or a later paragraph of a docstring, otherwise True."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line} [{self.name or self.kind}]\n   {' '.join(self.text.split())}"


def files(root: Path, tests: bool) -> Iterator[Path]:
    """Return the files with prose below `root`, in a fixed order."""
    yield from (each for each in (root / "README.md", root / "CHANGELOG.md") if each.exists())
    yield from sorted((root / ".github").glob("*.md"))
    for top in (*PRODUCT, "tests") if tests else PRODUCT:
        for path in sorted((root / top).rglob("*")):
            linked = path.relative_to(root).as_posix().startswith(LINKS)
            if not linked and any(map(path.match, FILES)):
                yield path


def items(root: Path, tests: bool = False) -> Iterator[Item]:
    """Yield the items of the product: README, changelog, and the folders in PRODUCT. If `tests` is true, also
    yield the items of the tests.
    """
    for path in files(root, tests):
        name, text = path.relative_to(root).as_posix(), path.read_text("utf-8")
        match path.suffix:
            case ".py":
                yield from python(name, text)
            case ".yaml":
                yield from documents(name, yaml.compose(text))
            case ".mjs":
                yield from script(name, text)
            case ".txt":
                if name.endswith(".py.txt"):  # a template
                    yield from python(name, re.sub(r"\$\{?(\w+)\}?", r"\1", text))
            case _:
                yield from page(name, text)


# -- Python ------------------------------------------------------------------------------------


def python(name: str, source: str) -> Iterator[Item]:
    """Yield the items of a Python module: docstrings, comments, and strings that are sentences."""
    tree = ast.parse(source)
    seen: set[int] = set()
    for kind, owner, constant in _docstrings(tree):
        seen.add(id(constant))
        paragraphs = re.split(r"\n\s*\n", str(constant.value).strip())
        for number, paragraph in enumerate(paragraphs):
            yield Item(name, constant.lineno, kind, owner, paragraph, first=not number)
    yield from _texts(name, tree, seen)
    yield from _comments(name, source)


def _docstrings(tree: ast.Module) -> Iterator[tuple[str, str, ast.Constant]]:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        for before, statement in zip([None, *body], body, strict=False):
            match statement:
                case ast.Expr(value=ast.Constant(value=str()) as constant):
                    if before is None and isinstance(node, NAMED):
                        yield "docstring", getattr(node, "name", "module"), constant
                    elif isinstance(before, ast.Assign | ast.AnnAssign):
                        target = before.target if isinstance(before, ast.AnnAssign) else before.targets[0]
                        yield "attribute", ast.unparse(target), constant


def _texts(name: str, tree: ast.Module, seen: set[int]) -> Iterator[Item]:
    """Return strings that are sentences, such as error texts, help and reports. Source code in strings is not
    included.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            seen.update(id(each) for each in ast.walk(node) if each is not node)
    for node in ast.walk(tree):
        if id(node) in seen:
            continue
        text = ""
        if isinstance(node, ast.JoinedStr):
            text = ast.unparse(node)[2:-1]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        sentence = len(text) > 30 and text.count(" ") > 4 and re.search(r"[a-z]{3,} [a-z]{2,} [a-z]", text)
        if sentence and not SOURCE.search(text):
            yield Item(name, node.lineno, "text", "", text)  # type: ignore[attr-defined]


def _comments(name: str, source: str) -> Iterator[Item]:
    """Return comments. Comments on successive lines are one item."""
    block: list[tuple[int, str]] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT or RULER.match(token.string) or len(token.string) < 15:
            continue
        own = not token.line[: token.start[1]].strip()
        if block and not (own and token.start[0] == block[-1][0] + 1):
            yield Item(name, block[0][0], "comment", "", " ".join(text for _, text in block))
            block = []
        block.append((token.start[0], token.string.lstrip("# ")))
    if block:
        yield Item(name, block[0][0], "comment", "", " ".join(text for _, text in block))


# -- pages -------------------------------------------------------------------------------------


def documents(name: str, node: yaml.Node | None) -> Iterator[Item]:
    """Return the values of `doc` in a YAML file."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == "doc" and isinstance(value, yaml.ScalarNode):
                yield Item(name, value.start_mark.line + 1, "doc", "", value.value)
            else:
                yield from documents(name, value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from documents(name, value)


def script(name: str, text: str) -> Iterator[Item]:
    """Yield the comments and the longer strings of a JavaScript file."""
    for number, line in enumerate(text.split("\n"), 1):
        for found in re.findall(r"(?:^|\s)//\s*(.{15,})$|[\"`]([^\"`]{25,})[\"`]", line):
            if (prose := "".join(found)).count(" ") > 3 and "=>" not in prose and "</" not in prose:
                yield Item(name, number, "comment" if found[0] else "text", "", prose)


def page(name: str, text: str) -> Iterator[Item]:
    """Yield the sentences of a Markdown or HTML page, including the sentences in lists and tables."""

    def blank(match: re.Match[str]) -> str:
        return "\n" * match[0].count("\n")

    text = re.sub(r"(?s)```.*?```|<(script|style|pre)\b.*?</\1>|<!--.*?-->", blank, text)
    if name.endswith(".html"):
        text = re.sub(rf"</?({BLOCKS})\b[^>]*>", "\0", text)
        text = re.sub(r"<[^>]*>", blank, text)
    line = 1
    for chunk in re.split(r"(\0|\n\s*\n|\n(?=\s*(?:[*-]|\d+\.) )|\n(?=\|)|(?<=\S) \| )", text):
        start = line + chunk[: len(chunk) - len(chunk.lstrip())].count("\n")
        flat = " ".join(re.sub(r"^\s*([*-]|\d+\.|\||#+) ", "", chunk).split()).strip("| ")
        for sentence in re.split(r"(?<=[.!?]) (?=[A-Z*`])", flat):
            if len(sentence) > 30 and sentence.count(" ") > 3:
                yield Item(name, start, "page", "", sentence)
        line += chunk.count("\n")
