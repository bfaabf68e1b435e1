"""Exporters that write a machine's trace records in the formats of other tools."""

from simkernel.trace.diagram import Diagram
from simkernel.trace.digest import Digest
from simkernel.trace.exporter import Exporter
from simkernel.trace.log import Log
from simkernel.trace.pcap import Pcap
from simkernel.trace.perfetto import TraceJson
from simkernel.trace.recording import Recording
from simkernel.trace.strace import Strace

__all__ = ["Diagram", "Digest", "Exporter", "Log", "Pcap", "Recording", "Strace", "TraceJson"]
