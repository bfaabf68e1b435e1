"""Classic BPF, tested with tables: the programs that are refused, and the result of each instruction.

The verdicts are those of Linux 6.18 (`bpf_check_classic()`, `check_load_and_stores()`), by SO_ATTACH_FILTER.
"""

from __future__ import annotations

from random import Random

import pytest

from simkernel.kernel.net.filter import Filter
from simkernel.uapi.filter import SockFilter as I

LD_IMM, LD_LEN, LD_MEM, LD_W, LD_H, LD_B = 0x00, 0x80, 0x60, 0x20, 0x28, 0x30
IND_W, IND_H, IND_B = 0x40, 0x48, 0x50
LDX_IMM, LDX_LEN, LDX_MEM, LDX_MSH = 0x01, 0x81, 0x61, 0xB1
ST, STX, TAX, TXA, RET, RET_A, NEG = 0x02, 0x03, 0x07, 0x87, 0x06, 0x16, 0x84
JA, JEQ, JGT, JGE, JSET, X = 0x05, 0x15, 0x25, 0x35, 0x45, 0x08
ADD, SUB, MUL, DIV, OR, AND, LSH, RSH, MOD, XOR = 0x04, 0x14, 0x24, 0x34, 0x44, 0x54, 0x64, 0x74, 0x94, 0xA4
AD, NET = 0xFFFFF000, 0xFFF00000
"""Offsets of Linux for special loads: SKF_AD_OFF and SKF_NET_OFF."""

CHECKS: dict[str, tuple[list[I], bool]] = {
    "a return": ([I(RET)], True),
    "no return at the end": ([I(RET), I(LD_IMM)], False),
    "an unknown code": ([I(0xFF), I(RET)], False),
    "a division by 0": ([I(DIV), I(RET)], False),
    "a division by 1": ([I(DIV, k=1), I(RET)], True),
    "a remainder by 0": ([I(MOD), I(RET)], False),
    "a shift by 31": ([I(LSH, k=31), I(RET)], True),
    "a shift by 32": ([I(LSH, k=32), I(RET)], False),
    "a right shift by 32": ([I(RSH, k=32), I(RET)], False),
    "a store to cell 15": ([I(ST, k=15), I(RET)], True),
    "a store to cell 16": ([I(ST, k=16), I(RET)], False),
    "a load of cell 15": ([I(ST, k=15), I(LD_MEM, k=15), I(RET)], True),
    "a load of cell 16": ([I(LD_MEM, k=16), I(RET)], False),
    "a load before the store": ([I(LD_MEM, k=1), I(RET)], False),
    "a load of another cell": ([I(ST, k=2), I(LD_MEM, k=1), I(RET)], False),
    "a store of X": ([I(STX, k=1), I(LDX_MEM, k=1), I(RET)], True),
    "a jump to the last instruction": ([I(JA, k=0), I(RET)], True),
    "a jump beyond the end": ([I(JA, k=1), I(RET)], False),
    "a branch to the last instruction": ([I(JEQ, jt=1, jf=0), I(RET), I(RET)], True),
    "a true branch beyond the end": ([I(JEQ, jt=2, jf=0), I(RET), I(RET)], False),
    "a false branch beyond the end": ([I(JEQ, jt=0, jf=2), I(RET), I(RET)], False),
    "a jump over a store": ([I(JA, k=1), I(ST, k=1), I(LD_MEM, k=1), I(RET)], False),
    "a store on the true branch only": (
        [I(JEQ, jt=0, jf=1), I(ST, k=1), I(LD_MEM, k=1), I(RET)], False
    ),
    "a store on the false branch only": (
        [I(JEQ, jt=1, jf=0), I(ST, k=1), I(LD_MEM, k=1), I(RET)], False
    ),
    "a store before the branch": (
        [I(ST, k=1), I(JEQ, jt=0, jf=1), I(LD_IMM), I(LD_MEM, k=1), I(RET)], True
    ),
    "a store on both branches": (
        [I(JEQ, jt=0, jf=2), I(ST, k=1), I(JA, k=1), I(ST, k=1), I(LD_MEM, k=1), I(RET)], True
    ),
    "a load after a branch that returns": (
        [I(JEQ, jt=0, jf=1), I(RET), I(ST, k=1), I(LD_MEM, k=1), I(RET)], True
    ),
    "an ancillary load": ([I(LD_W, k=AD + 12), I(RET)], True),
    "an ancillary load between two": ([I(LD_W, k=AD + 13), I(RET)], False),
    "an ancillary load beyond the last": ([I(LD_W, k=AD + 64), I(RET)], False),
    "an absolute load": ([I(LD_W, k=1 << 20), I(RET)], True),
    "4096 instructions": ([I(LD_IMM)] * 4095 + [I(RET)], True),
    "4097 instructions": ([I(LD_IMM)] * 4096 + [I(RET)], False),
    "no instruction": ([], False),
}  # fmt: skip


@pytest.mark.parametrize("name", CHECKS)
def test_programs_that_are_refused(name: str) -> None:
    program, valid = CHECKS[name]
    code = b"".join(each.pack() for each in program)
    if valid:
        Filter(code, Random(0))
    else:
        with pytest.raises(OSError, match="Invalid argument"):
            Filter(code, Random(0))


DATA = bytes(range(0x45, 0x45 + 20))

RESULTS: dict[str, tuple[list[I], int]] = {
    "a constant": ([I(LD_IMM, k=7)], 7),
    "the length": ([I(LD_LEN)], 20),
    "the length in X": ([I(LDX_LEN), I(TXA)], 20),
    "a word": ([I(LD_W, k=1)], 0x46474849),
    "the last word": ([I(LD_W, k=16)], 0x55565758),
    "a word beyond the end": ([I(LD_W, k=17)], 0),
    "a half word": ([I(LD_H, k=18)], 0x5758),
    "a half word beyond the end": ([I(LD_H, k=19)], 0),
    "a byte": ([I(LD_B, k=19)], 0x58),
    "a byte beyond the end": ([I(LD_B, k=20)], 0),
    "a byte from the network header": ([I(LD_B, k=NET + 2)], 0x47),
    "a word at X from the network header": ([I(LDX_IMM, k=NET), I(IND_W, k=1)], 0x46474849),
    "a byte before the network header": ([I(LDX_IMM, k=NET), I(IND_B, k=0xFFFFFFFF)], 0),
    "a byte from the link header": ([I(LD_B, k=0xFFE00000)], 0),
    "the largest offset": ([I(LD_B, k=0x7FFFFFFF)], 0),
    "the length in a byte from the network header": ([I(LDX_MSH, k=NET + 2), I(TXA)], 28),
    "a word at X": ([I(LDX_IMM, k=2), I(IND_W, k=1)], 0x48494A4B),
    "a half word at X": ([I(LDX_IMM, k=2), I(IND_H, k=1)], 0x4849),
    "a byte at X": ([I(LDX_IMM, k=2), I(IND_B, k=1)], 0x48),
    "a byte before X": ([I(LDX_IMM, k=2), I(IND_B, k=0xFFFFFFFF)], 0x46),
    "an IP header's length": ([I(LDX_MSH, k=0), I(TXA)], 20),
    "an IP header's length beyond the end": ([I(LDX_MSH, k=20), I(LD_IMM, k=1)], 0),
    "a cell": ([I(LD_IMM, k=5), I(ST, k=3), I(LD_IMM, k=6), I(LD_MEM, k=3)], 5),
    "a cell in X": ([I(LDX_IMM, k=5), I(STX, k=3), I(LDX_IMM, k=6), I(LDX_MEM, k=3), I(TXA)], 5),
    "A in X": ([I(LD_IMM, k=5), I(TAX), I(LD_IMM, k=1), I(TXA)], 5),
    "the negative": ([I(LD_IMM, k=1), I(NEG)], 0xFFFFFFFF),
    "a jump": ([I(LD_IMM, k=1), I(JA, k=1), I(LD_IMM, k=2)], 1),
    "A xor X": ([I(LD_IMM, k=6), I(LDX_IMM, k=3), I(LD_W, k=AD + 40)], 5),
    "the protocol of no packet": ([I(LD_IMM, k=6), I(LD_W, k=AD + 4)], 0),
}


@pytest.mark.parametrize("name", RESULTS)
def test_result_of_each_instruction(name: str) -> None:
    program, expected = RESULTS[name]
    found = Filter(b"".join(each.pack() for each in (*program, I(RET_A))), Random(0)).run(DATA)
    assert found == expected


@pytest.mark.parametrize(
    ("code", "value", "operand", "jumps"),
    [
        (JEQ, 5, 5, True), (JEQ, 5, 6, False),
        (JGT, 6, 5, True), (JGT, 5, 5, False), (JGT, 4, 5, False),
        (JGE, 6, 5, True), (JGE, 5, 5, True), (JGE, 4, 5, False),
        (JSET, 6, 2, True), (JSET, 6, 8, False),
        (JGT, 0xFFFFFFFF, 1, True),
    ],
)  # fmt: skip
def test_conditions(code: int, value: int, operand: int, jumps: bool) -> None:
    for branch in ([I(code, jt=0, jf=1, k=operand)], [I(LDX_IMM, k=operand), I(code | X, jt=0, jf=1)]):
        program = [I(LD_IMM, k=value), *branch, I(RET, k=1), I(RET, k=2)]
        assert Filter(b"".join(each.pack() for each in program), Random(0)).run(b"") == (1 if jumps else 2)


def paths_are_safe(program: list[I], position: int = 0, written: frozenset[int] = frozenset()) -> bool:
    """Return True if each path through a BPF program loads only cells of scratch memory that it has stored
    before.
    """
    if position == len(program):
        return True
    each = program[position]
    if each.code in (LD_MEM, LDX_MEM) and each.k not in written:
        return False
    if each.code in (RET, RET_A):
        return True
    if each.code == JA:
        return paths_are_safe(program, position + 1 + each.k, written)
    if each.code == JEQ:
        return all(paths_are_safe(program, position + 1 + jump, written) for jump in (each.jt, each.jf))
    if each.code in (ST, STX):
        written |= {each.k}
    return paths_are_safe(program, position + 1, written)


def drawn(random: Random, left: int) -> I:
    """Return a random instruction for a program in which `left` more instructions follow it."""
    code = random.choice((ST, STX, LD_MEM, LDX_MEM, JA, JEQ, JEQ, ST, LD_IMM))
    if code == JA:
        return I(JA, k=random.randrange(left))
    if code == JEQ:
        return I(JEQ, jt=random.randrange(left), jf=random.randrange(left))
    return I(code, k=random.randrange(2))


def test_a_cell_must_be_stored_on_each_path_to_its_load() -> None:
    random, verdicts = Random(0), {True: 0, False: 0}
    while min(verdicts.values()) < 150:
        length = random.randrange(2, 9)
        program = [drawn(random, length - place) for place in range(length)] + [I(RET)]
        reachable = paths_are_safe(program)
        try:
            Filter(b"".join(each.pack() for each in program), Random(0))
            accepted = True
        except OSError:
            accepted = False
        # both `paths_are_safe` and the checker accept a load that is never reached
        assert accepted == reachable, program
        verdicts[accepted] += 1


NESTED = b"\x0c\0\x05\0" + b"\x08\0\x07\0abcd" + b"\x08\0\x06\0efgh"
"""A netlink attribute of type 5 that contains one of type 7, and a second attribute of type 6."""


@pytest.mark.parametrize(
    ("start", "type", "nest", "found"),
    [
        (0, 5, False, 0), (0, 6, False, 12), (0, 7, False, 0), (12, 6, False, 12), (4, 7, False, 4),
        (4, 6, False, 12), (16, 6, False, 0), (17, 6, False, 0), (20, 6, False, 0), (21, 6, False, 0),
        (0, 7, True, 4), (0, 6, True, 0), (4, 7, True, 0), (12, 6, True, 0), (17, 7, True, 0),
        (16, 7, True, 0), (20, 7, True, 0), (99, 7, True, 0),
    ],
)  # fmt: skip
def test_offsets_of_attributes(start: int, type: int, nest: bool, found: int) -> None:
    """The accumulator holds an offset. SKF_AD_NLATTR searches for an attribute from this offset on,
    SKF_AD_NLATTR_NEST inside the attribute at this offset.
    """
    program = [I(LD_IMM, k=start), I(LDX_IMM, k=type), I(LD_W, k=AD + (16 if nest else 12)), I(RET_A)]
    assert Filter(b"".join(each.pack() for each in program), Random(0)).run(NESTED) == found


@pytest.mark.parametrize(
    ("length", "found"), [(3, 0), (4, 0), (11, 0), (12, 4), (20, 4), (21, 0), (0xFFFF, 0)]
)
def test_an_attribute_must_fit_to_be_searched(length: int, found: int) -> None:
    data = length.to_bytes(2, "little") + NESTED[2:]
    program = [I(LD_IMM), I(LDX_IMM, k=7), I(LD_W, k=AD + 16), I(RET_A)]
    assert Filter(b"".join(each.pack() for each in program), Random(0)).run(data) == found


def test_random_numbers_have_32_bits() -> None:
    program = Filter(b"".join(each.pack() for each in (I(LD_W, k=AD + 56), I(RET_A))), Random(1))
    found = [program.run(b"") for _ in range(200)]
    assert max(found).bit_length() == 32
    assert len(set(found)) == 200
