"""The parser of specifications: it reads a text and returns a checked `Spec`."""

from __future__ import annotations

from simkernel.ynl.definitions import Numbers, read_definitions
from simkernel.ynl.document import Node
from simkernel.ynl.model import AttributeSet, Group, Spec
from simkernel.ynl.operations import OperationReader
from simkernel.ynl.schema import PROTOCOLS, SPECIFICATION, SUPPLEMENT
from simkernel.ynl.sets import SetReader
from simkernel.ynl.shapes import Check, Level

_MAX_NAME = 15
"""Maximum length of the name of a family or multicast group: GENL_NAMSIZ without the NUL."""


def supplement_name(filename: str) -> str:
    """Return the file name of the supplement of NAME.yaml: NAME.simkernel.yaml.

    It has keys that are not part of YNL.
    """
    return f"{filename.removesuffix('.yaml')}.simkernel.yaml"


def parse(text: str, filename: str, supplement: str = "") -> Spec:
    """Return the specification in `text`.  `filename` is the file's name for error texts.

    `supplement` is the text of the file `supplement_name(filename)`.  Its keys cannot be in `text`,
    because the kernel's schema forbids them.

    Raises SpecError for the first mistake.  A feature of the kernel's schema that simkernel does not
    support is not a mistake: it is listed in `Spec.unsupported`, and `Spec.require_support()` raises an
    error.
    """
    # Imported late: most commands read no specification, and importing PyYAML is slow.
    from simkernel.ynl.loader import read_document

    root = read_document(text, filename)
    check = Check(_level(root))
    SPECIFICATION.check(root, check)
    extras: dict[str, Node] = {}
    if supplement:
        extra = read_document(supplement, supplement_name(filename))
        SUPPLEMENT.check(extra, check)
        extras = extra.mapping

    definitions = read_definitions(root.entries("definitions"))
    numbers = Numbers(root.entries("definitions"), definitions, check)
    sets = SetReader(definitions, numbers, check).read(root.entries("attribute-sets"))
    _check_type_values(root, sets)
    groups = _groups(root, check.level)
    return Spec(
        _family_name(root, check.level),
        root.text("doc"),
        filename,
        text,
        check.level.protocol,
        root.number("version") or 1,
        root.text("uapi-header"),
        root.text("kernel-policy", "split"),
        definitions,
        sets,
        OperationReader(sets, groups, check.level).read(root.mapping["operations"]),
        groups,
        tuple(sorted(set(check.unsupported), key=lambda each: (each.line, each.key, each.feature))),
        {key: node.plain() for key, node in extras.items()},
    )


def _level(root: Node) -> Level:
    protocol = root.get("protocol")
    if protocol is None:
        return Level.GENETLINK
    PROTOCOLS.check(protocol, Check(Level.NETLINK_RAW))
    return next(level for level in Level if level.protocol == protocol.value)


def _family_name(root: Node, level: Level) -> str:
    node = root.mapping["name"]
    _check_name(node, level)
    return str(node.value)


def _groups(root: Node, level: Level) -> tuple[Group, ...]:
    container = root.get("mcast-groups")
    groups: dict[str, Group] = {}
    for node in container.entries("list") if container is not None else []:
        name = node.mapping["name"]
        _check_name(name, level)
        if name.value in groups:
            raise name.error(f"two multicast groups are called '{name.value}'")
        groups[str(name.value)] = Group(str(name.value), node.texts("flags"))
    return tuple(groups.values())


def _check_name(node: Node, level: Level) -> None:
    length = len(str(node.value).encode())
    if level < Level.NETLINK_RAW and not 1 <= length <= _MAX_NAME:
        raise node.error(f"a name must have 1 to {_MAX_NAME} bytes, found {length}")


def _check_type_values(root: Node, sets: dict[str, AttributeSet]) -> None:
    """Raise SpecError if a name in a 'type-value' is also the name of a nested attribute. Both are keys of
    the same dict in a decoded message.
    """
    for node in root.entries("attribute-sets"):
        for item in node.entries("attributes"):
            attribute = sets[node.text("name")].attributes[item.text("name")]
            for name in attribute.type_values:
                if name in sets[attribute.nested].attributes:
                    raise item.error(f"'{name}' of 'type-value' is also an attribute of '{attribute.nested}'")
