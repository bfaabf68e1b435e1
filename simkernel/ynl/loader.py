"""The YAML reader for specifications.  It reads values as PyYAML does, because the kernel's tools use PyYAML.

Anchors and aliases work; merge keys, tags and repeated keys are errors.  It uses PyYAML's pure Python
parser, because libyaml overflows the stack for deeply nested documents.
"""

from __future__ import annotations

import yaml
from yaml.constructor import SafeConstructor
from yaml.nodes import MappingNode, ScalarNode, SequenceNode

from simkernel.ynl.document import Node, Scalar
from simkernel.ynl.errors import SpecError

_MAX_NODES = 200_000
"""Maximum number of values in a document.

A larger document is rejected, because aliases can expand a short text to billions of values.  The kernel's
largest specification has 15 000 values.
"""

_PREFIX = "tag:yaml.org,2002:"
_CONSTRUCTED = frozenset(_PREFIX + name for name in ("int", "float", "bool", "null"))
_VERBATIM = frozenset(_PREFIX + name for name in ("str", "timestamp", "value", "merge"))


def read_document(text: str, filename: str) -> Node:
    """Return the document in `text`.  Raise SpecError if it is not one YAML document of plain values."""
    try:
        root = yaml.compose(text, yaml.SafeLoader)
        return _Reader(filename).read(root, "")
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise SpecError(filename, line, "", f"not valid YAML: {error.problem or error.context}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SpecError(filename, line, "", f"not valid YAML: {error.reason}") from None
    except RecursionError:
        raise SpecError(filename, 0, "", "expected a specification, found endless nesting") from None


class _Reader:
    """Converts nodes of PyYAML to `Node`."""

    def __init__(self, filename: str) -> None:
        self._filename = filename
        self._constructor = SafeConstructor()
        self._left = _MAX_NODES

    def read(self, node: yaml.Node | None, path: str, line: int = 0) -> Node:
        if node is None:
            raise SpecError(self._filename, 1, "", "expected a specification, found nothing")
        line = line or node.start_mark.line + 1
        self._left -= 1
        if self._left < 0:
            raise SpecError(self._filename, line, path, f"the document has more than {_MAX_NODES} values")
        if isinstance(node, MappingNode):
            return Node(self._mapping(node, path), self._filename, line, path)
        if isinstance(node, SequenceNode):
            return Node(self._list(node, path), self._filename, line, path)
        return Node(self._scalar(node, path), self._filename, line, path)

    def _mapping(self, node: MappingNode, path: str) -> dict[str, Node]:
        mapping: dict[str, Node] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode):
                raise SpecError(self._filename, line, path, "expected a name as key")
            name = key.value
            below = f"{path}.{name}" if path else name
            if name in mapping:
                expected = f"the key is already on line {mapping[name].line}"
                raise SpecError(self._filename, line, below, expected)
            mapping[name] = self.read(value, below, line)
        return mapping

    def _list(self, node: SequenceNode, path: str) -> list[Node]:
        return [
            self.read(item, f"{path}[{_name_of(item) or index}]") for index, item in enumerate(node.value)
        ]

    def _scalar(self, node: yaml.Node, path: str) -> Scalar:
        if node.tag in _VERBATIM:
            return str(node.value)
        try:
            if node.tag in _CONSTRUCTED:
                return self._constructor.construct_object(node)  # type: ignore[no-any-return]
        except ValueError:
            pass
        line = node.start_mark.line + 1
        raise SpecError(self._filename, line, path, f"expected a plain value, found the tag {node.tag}")


def _name_of(node: yaml.Node) -> str:
    """Return the `name` of a list entry, or "" if it has none.  An error text uses this name instead of the
    entry's index.
    """
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if key.value == "name" and isinstance(value, ScalarNode):
                return str(value.value)
    return ""
