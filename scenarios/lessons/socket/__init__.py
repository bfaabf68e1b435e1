"""Lesson 1: a netlink request, written byte by byte.

Covers: the bytes of a netlink message: header, generic netlink header, attribute; errors, the extended
    acknowledgement (extack), and requests that get no reply.
Scenario: A program opens a netlink socket and sends the bytes in the parameter `request`. The kernel replies
    with the id of a family, with an error, or not at all. Without an id, the program repairs one field at a
    time and sends the request again. The report marks the first field whose repair changes the reply.
When useful: to see the bytes that a netlink library writes, and what the kernel checks.
"""

from __future__ import annotations

import re
from typing import Any, Final

import attrs

from simkernel import App, SimulationError, millis
from simkernel.hardware import Camera, Mouse
from simkernel.scenario import Run, ScenarioParameter, scenario
from simkernel.uapi import netlink
from simkernel.uapi.errno import error_name
from simkernel.uapi.extack import extended_ack
from simkernel.uapi.genetlink import CTRL_ATTR_FAMILY_ID as ID
from simkernel.uapi.genetlink import CTRL_ATTR_FAMILY_NAME as NAME
from simkernel.uapi.netlink import NLMSGERR_ATTR_MSG as TEXT
from simkernel.uapi.netlink import NLMSGERR_ATTR_OFFS as OFFSET
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW, SOL_NETLINK
from simkernel.uapi.structure import S32

REQUEST: Final = """\
20 00 00 00    # length of the message: 32 bytes
10 00          # type: 16 is the family nlctrl
01 00          # flags: 1 marks a request
07 00 00 00    # sequence number: the answer repeats it
00 00 00 00    # port of the sender: 0, the kernel knows it
03             # command: 3 is GETFAMILY
01             # version of the family
00 00          # reserved
0a 00          # length of the attribute: 4 + 6 bytes
02 00          # type of the attribute: 2 is the name of a family
"mouse" 00     # value of the attribute: a text, and a 0 as its end
00 00          # padding to a multiple of 4 bytes
"""
SILENCE: Final = "no answer"
ATTRIBUTE: Final = 20
"""Offset of the first attribute in a request, in bytes."""
HEADER: Final = {0: "length", 4: "type", 6: "flags", 8: "sequence number", 12: "port"}
FAMILY: Final = HEADER | {16: "command", 17: "version", 18: "reserved"}
FAMILY_ATTRIBUTES: Final = {ID: "id", NAME: "name", 3: "version", 4: "size of the family's header",
                            5: "largest attribute type", 6: "operations", 7: "multicast groups"}  # fmt: skip
ERROR: Final = HEADER | {16: "minus the errno", 20: "the request again"}
ERROR_ATTRIBUTES: Final = {TEXT: "text", OFFSET: "offset in the request", 4: "policy"}

Field = tuple[int, bytes, str]
"""Offset, bytes and meaning of a field."""


def parse(text: str) -> list[Field]:
    """Return the fields of a request.  Each line of `text` is one field."""
    found: list[Field] = []
    for number, line in enumerate(text.splitlines(), 1):
        code, _, comment = line.partition("#")
        data = b""
        for word in re.findall(r'"[^"]*"|\S+', code):
            if re.fullmatch('".*"', word):
                data += word[1:-1].encode()
            elif re.fullmatch("[0-9a-fA-F]{2}", word):
                data += bytes.fromhex(word)
            else:
                raise SimulationError(
                    f"line {number} of the request: {word} is not a byte; write two hex digits, such as 0a, "
                    'or a text in quotes, such as "mouse"'
                )
        if data:
            found.append((sum(len(each) for _, each, _ in found), data, comment.strip()))
    return found


def repaired(request: bytes) -> dict[int, bytes]:
    """Return copies of the request, each with one repaired field. The key of a copy is the offset of its
    repaired field.
    """
    size = request.find(b"\0", ATTRIBUTE + 4) + 1 - ATTRIBUTE
    right = {0: len(request).to_bytes(4, "little"), 4: b"\x10\0", 6: b"\1\0", 16: b"\3",
             ATTRIBUTE: max(size, 0).to_bytes(2, "little"), ATTRIBUTE + 2: b"\2\0"}  # fmt: skip
    return {at: request[:at] + value + request[at + len(value) :] for at, value in right.items()}


@attrs.frozen
class Outcome:
    """The reply to a request. `failure` is the name of an errno, SILENCE if no reply came, or ""."""

    failure: str
    fields: list[Field] = attrs.field(factory=list)
    attributes: dict[int, bytes] = attrs.field(factory=dict)

    def number(self, kind: int) -> int:
        """Return the number in an attribute."""
        return int.from_bytes(self.attributes[kind], "little")

    def text(self, kind: int) -> str:
        """Return the text in an attribute, or "" if the attribute is missing."""
        return self.attributes.get(kind, b"").rstrip(b"\0").decode("utf-8", "replace")

    @property
    def family(self) -> str:
        """The name of the family that the reply describes, or ""."""
        return "" if self.failure or self.fields[1][1] != b"\x10\0" else self.text(NAME)

    @property
    def sentence(self) -> str:
        """The reply in words."""
        if self.failure == SILENCE:
            return (
                "No answer comes. sendto() succeeds, but the kernel drops these bytes and reports no error."
            )
        if not self.failure:
            if not self.family:
                return "The kernel answers, but describes no family."
            return f"The kernel answers: the family {self.family} has the id {self.number(ID)}."
        described = f"The kernel answers with an error: {self.failure}."
        if TEXT in self.attributes:
            described += f" It explains: “{self.text(TEXT)}”."
        if OFFSET in self.attributes:
            described += f" The error is in the attribute at byte {self.number(OFFSET)}."
        return described


def take_apart(answer: bytes) -> Outcome:
    """Divide a reply into its fields."""
    header, payload = next(netlink.iterate_messages(answer))
    failure, names, known, start = "", FAMILY, FAMILY_ATTRIBUTES, ATTRIBUTE
    if header.type == netlink.NLMSG_ERROR and (number := -S32.unpack_from(payload)[0]):
        failure, names, known = error_name(number), ERROR, ERROR_ATTRIBUTES
        start = header.length - len(extended_ack(header, payload).pack())
    ends = [*names, start][1:]
    fields = [(at, answer[at:end], name) for (at, name), end in zip(names.items(), ends, strict=True)]
    attributes = {}
    for kind, at, end in netlink.locate_attributes(answer, start, header.length)[0]:
        kind &= netlink.NLA_TYPE_MASK
        attributes[kind] = answer[at:end]
        fields.append((at - 4, answer[at - 4 : end], f"attribute: {known.get(kind, kind)}"))
    return Outcome(failure, fields, attributes)


async def ask(app: App, request: bytes, extack: bool) -> Outcome:
    """Send a request and return its reply."""
    async with await app.socket(AF_NETLINK, SOCK_RAW, netlink.NETLINK_GENERIC) as sock:
        await sock.bind((0, 0))
        await sock.setsockopt(SOL_NETLINK, netlink.NETLINK_EXT_ACK, extack)
        await sock.settimeout(0.01)
        try:
            await sock.sendto(request, (0, 0))
            return take_apart(await sock.recv(8192))
        except TimeoutError:
            return Outcome(SILENCE)
        except OSError as error:
            return Outcome(error_name(error.errno or 0))


@scenario(
    ScenarioParameter("request", str, REQUEST, help="one field a line: bytes in hex, or a text in quotes"),
    ScenarioParameter("extack", bool, True, help="ask the kernel to explain errors (NETLINK_EXT_ACK)"),
)
def socket(run: Run) -> None:
    request = parse(run["request"])
    data = b"".join(each for _, each, _ in request)
    machine = run.machine()
    for device in (Camera(), Mouse()):
        machine.plug(device)
    machine.run(until=millis(20))
    flows: dict[str, int] = {}

    def note_flow(record: Any) -> None:
        if record.flow:
            flows.setdefault(record.fields.get("comm", ""), record.flow)

    machine.trace.subscribe(note_flow)
    answers: list[Outcome] = []
    marked: list[int] = []

    async def program(app: App) -> None:
        answers.append(await ask(app, data, run["extack"]))

    async def repair(app: App) -> None:
        for at, each in repaired(data).items():
            if (await ask(app, each, run["extack"])).failure != answer.failure:
                marked.append(at)

    machine.spawn(program, name="program", uid=1000)
    machine.run()
    answer = answers[0]
    if answer.failure:
        machine.spawn(repair, uid=1000)
        machine.run()
    if answer.failure and OFFSET in answer.attributes:
        marked.insert(0, answer.number(OFFSET))
    if "program" in flows:
        run.follow("the request", flows["program"])
    run.text(answer.sentence)
    for title, fields in (("The request", request), ("The answer", answer.fields)):
        rows = [(at, each.hex(" "), meaning) for at, each, meaning in fields]
        run.table(title, ("offset", "bytes", "field"), rows, detail=True)
    run.metric("failure", answer.failure)
    run.metric("marked", marked[0] if marked else None)
    reached = answer.family == "camera"
    run.goal(reached, f"the kernel has {'' if reached else 'not '}answered with the id of the family camera")
