"""Tracepoints as lines of text, as ftrace prints them: `irq_handler_entry: irq=1 name=camera`.

Linux's tracepoints are printed as in their TP_printk (include/trace/events), without addresses, which
differ from machine to machine.  The simulation's own tracepoints are printed with their main fields.  A
register read is one record, made at its end, with the value that Linux has in rwmmio_post_read.
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
"""Format of the fields, by tracepoint.  For other tracepoints, all fields are printed as `name=value`."""

_HANDLED: Final = "irq={irq} ret={ret}"


def line(record: Record) -> str:
    """Return the name and the fields of a record as text. Omit the record's time and its object (`track`)."""
    fields = record.fields
    if record.name == "irq_handler_exit":
        fields_text = _HANDLED.format(irq=fields["irq"], ret="handled" if fields["result"] else "unhandled")
    elif record.name in LINES:
        fields_text = LINES[record.name].format_map(fields)
    else:
        fields_text = " ".join(f"{name}={_text(value)}" for name, value in fields.items())
    return f"{record.name}: {fields_text}"


def _text(value: object) -> object:
    return value if isinstance(value, str | int) else brief(value)
