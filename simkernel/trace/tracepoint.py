"""Tracepoints as a line of text each, as ftrace prints them: `irq_handler_entry: irq=1 name=camera`.

What Linux has is printed as its TP_printk has it (include/trace/events), but for addresses, which differ from
machine to machine; of what only a simulation has, the fields that matter.  A read of a register is one
record, made at its end: it has the value that Linux tells in rwmmio_post_read.
"""

from __future__ import annotations

from typing import Final

from simkernel.engine import Record
from simkernel.trace.plain import brief

LINES: Final = {
    "rwmmio_read": "{register} width=32 val={value:#x}",
    "rwmmio_write": "{register} width=32 val={value:#x}",
    "dma_write": "addr={address:#x} len={length}",
    "irq_raise": "line={line}",
    "irq_handler_entry": "irq={irq} name={name}",
    "module_load": "{module}",
    "module_free": "{module}",
    "module_request": "{name} wait={wait:d}",
    "probe": "{device} driver={driver}",
    "remove": "{device} driver={driver}",
    "kobject_uevent": "{action} {devpath}",
    "genl_doit": "{family} {cmd}",
    "genl_dumpit": "{family} {cmd}",
    "netlink_broadcast": "group={group} len={length}",
    "netlink_unicast": "portid={portid} len={length}",
    "netlink_recv": "portid={portid} len={length}",
    "netlink_extack": "msg={msg}",
    "sched_wakeup": "comm={comm} pid={pid}",
    "sched_switch": "prev={previous} ==> next={next}",
    "timer_expire_entry": "timer={name}",
    "workqueue_execute_start": "function {function}",
    "workqueue_execute_end": "function {function}",
}
"""The fields of a tracepoint, by its name; of any other all of them, as `name=value`."""

_HANDLED: Final = "irq={irq} ret={ret}"


def line(record: Record) -> str:
    """What happened, without when and where."""
    fields = record.fields
    if record.name == "irq_handler_exit":
        told = _HANDLED.format(irq=fields["irq"], ret="handled" if fields["result"] else "unhandled")
    elif record.name in LINES:
        told = LINES[record.name].format_map(fields)
    else:
        told = " ".join(f"{name}={_text(value)}" for name, value in fields.items())
    return f"{record.name}: {told}"


def _text(value: object) -> object:
    return value if isinstance(value, str | int) else brief(value)
