"""Validation of a filter program before it is attached (`bpf_check_classic()` of net/core/filter.c)."""

from __future__ import annotations

from typing import Final

from simkernel.uapi import filter as bpf
from simkernel.uapi.errno import EINVAL, os_error

_OPERANDS: Final = (bpf.BPF_K, bpf.BPF_X)
_BINARY: Final = (
    bpf.BPF_ADD,
    bpf.BPF_SUB,
    bpf.BPF_MUL,
    bpf.BPF_DIV,
    bpf.BPF_MOD,
    bpf.BPF_AND,
    bpf.BPF_OR,
    bpf.BPF_XOR,
    bpf.BPF_LSH,
    bpf.BPF_RSH,
)
_CONDITIONS: Final = (bpf.BPF_JEQ, bpf.BPF_JGE, bpf.BPF_JGT, bpf.BPF_JSET)

_ABSOLUTE: Final = frozenset(bpf.BPF_LD | size | bpf.BPF_ABS for size in (bpf.BPF_W, bpf.BPF_H, bpf.BPF_B))
_CONDITIONAL: Final = frozenset(
    bpf.BPF_JMP | condition | operand for condition in _CONDITIONS for operand in _OPERANDS
)
_ALWAYS: Final = bpf.BPF_JMP | bpf.BPF_JA
_LOADS_MEMORY: Final = frozenset({bpf.BPF_LD | bpf.BPF_MEM, bpf.BPF_LDX | bpf.BPF_MEM})
_STORES: Final = frozenset({bpf.BPF_ST, bpf.BPF_STX})
_RETURNS: Final = frozenset({bpf.BPF_RET | bpf.BPF_K, bpf.BPF_RET | bpf.BPF_A})
_DIVISIONS: Final = frozenset(bpf.BPF_ALU | each | bpf.BPF_K for each in (bpf.BPF_DIV, bpf.BPF_MOD))
_SHIFTS: Final = frozenset(bpf.BPF_ALU | each | bpf.BPF_K for each in (bpf.BPF_LSH, bpf.BPF_RSH))

CODES: Final = frozenset(
    {
        *(bpf.BPF_ALU | operation | operand for operation in _BINARY for operand in _OPERANDS),
        bpf.BPF_ALU | bpf.BPF_NEG,
        *_ABSOLUTE,
        *(bpf.BPF_LD | size | bpf.BPF_IND for size in (bpf.BPF_W, bpf.BPF_H, bpf.BPF_B)),
        bpf.BPF_LD | bpf.BPF_LEN,
        bpf.BPF_LD | bpf.BPF_IMM,
        bpf.BPF_LDX | bpf.BPF_LEN,
        bpf.BPF_LDX | bpf.BPF_B | bpf.BPF_MSH,
        bpf.BPF_LDX | bpf.BPF_IMM,
        *_LOADS_MEMORY,
        *_STORES,
        bpf.BPF_MISC | bpf.BPF_TAX,
        bpf.BPF_MISC | bpf.BPF_TXA,
        *_RETURNS,
        _ALWAYS,
        *_CONDITIONAL,
    }
)
"""Opcodes of all valid instructions (`chk_code_allowed()`)."""

ANCILLARY: Final = frozenset(range(0, bpf.SKF_AD_MAX, 4))
"""Valid ancillary loads (`bpf_anc_helper()`). Each number is an offset from SKF_AD_OFF."""

_AD_OFF: Final = bpf.SKF_AD_OFF & 0xFFFFFFFF
_EVERY_CELL: Final = (1 << bpf.BPF_MEMWORDS) - 1


def check(code: bytes) -> list[bpf.SockFilter]:
    """Decode a filter program and return its instructions. Raise EINVAL if the program is invalid."""
    size = bpf.SockFilter.SIZE
    if len(code) % size or not 0 < len(code) // size <= bpf.BPF_MAXINSNS:
        raise os_error(EINVAL)
    program = [bpf.SockFilter.unpack(code, offset) for offset in range(0, len(code), size)]
    last = len(program) - 1
    if program[last].code not in _RETURNS:
        raise os_error(EINVAL)
    for position, instruction in enumerate(program):
        if instruction.code not in CODES or not _operand_fits(instruction, last - position):
            raise os_error(EINVAL)
    _check_memory(program)
    return program


def _operand_fits(instruction: bpf.SockFilter, after: int) -> bool:
    """Return True if the operand is valid for the instruction. `after` is the number of instructions that
    follow this instruction.
    """
    code, k = instruction.code, instruction.k
    if code in _DIVISIONS:
        return k != 0
    if code in _SHIFTS:
        return k < 32
    if code in _LOADS_MEMORY or code in _STORES:
        return k < bpf.BPF_MEMWORDS
    if code == _ALWAYS:
        return k < after
    if code in _CONDITIONAL:
        return max(instruction.jt, instruction.jf) < after
    if code in _ABSOLUTE:
        return k < _AD_OFF or k - _AD_OFF in ANCILLARY
    return True


def _check_memory(program: list[bpf.SockFilter]) -> None:
    """Raise EINVAL if a memory cell can be loaded before it is stored (`check_load_and_stores()`)."""
    written_at = [_EVERY_CELL] * len(program)
    written = 0
    for position, instruction in enumerate(program):
        written &= written_at[position]
        code = instruction.code
        if code in _STORES:
            written |= 1 << instruction.k
        elif code in _LOADS_MEMORY:
            if not written >> instruction.k & 1:
                raise os_error(EINVAL)
        elif code == _ALWAYS:
            written_at[position + 1 + instruction.k] &= written
            written = _EVERY_CELL
        elif code in _CONDITIONAL:
            written_at[position + 1 + instruction.jt] &= written
            written_at[position + 1 + instruction.jf] &= written
            written = _EVERY_CELL
