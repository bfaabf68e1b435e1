"""The table: every quantity, what it is divided by, what must hold and what is aimed at.

`E` is simpy's event, a bare `yield env.timeout(1)`, and `T2` two of them: the bare price of two system
calls.  Each subject can be had without its anchor, for a profiler: see `python -m simkernel.tools.bench`.
"""

from __future__ import annotations

from typing import Final

from simkernel.tools.bench import clients, codec, command, machines, memory, multicast, round_trips
from simkernel.tools.bench.anchors import real_multicast, real_round_trips, timeouts, timeouts_of
from simkernel.tools.bench.growth import growth
from simkernel.tools.bench.quantity import Quantity, over, rate_over

MILLISECONDS: Final = 1e3
MOST: Final = 20_000
"""Messages in all the queues of a group together before they are drained, so that none overruns."""

TABLE: Final = (
    Quantity(
        1, "round-trip", "GETFAMILY round trip", "µs", "µs T2",
        round_trips.round_trips, over(timeouts, factor=2), 4.0, 2.0,
    ),
    Quantity(
        2, "round-trip-real", "GETFAMILY round trips a second", "/s", "/s on the real kernel",
        round_trips.round_trips, rate_over(real_round_trips), 0.35, 0.7, "higher",
    ),
    Quantity(
        3, "client", "client's round trips a second", "/s", "/s by pyroute2 on the real kernel",
        clients.client, rate_over(clients.real_pyroute2), 10, 35, "higher",
    ),
    Quantity(
        4, "pyroute2", "pyroute2 on a simulated socket", "µs", "µs on a real socket",
        clients.simulated_pyroute2, over(clients.real_pyroute2), 1.15, 1.02,
    ),
    Quantity(
        5, "codec", "messages encoded and decoded a second", "/s", "/s by pyroute2",
        codec.messages, rate_over(codec.pyroute2_messages), 50, 120, "higher",
    ),
    Quantity(
        6, "multicast-100", "multicast to 100, queued, per receiver", "µs", "µs by a real send",
        multicast.queued(100, MOST // 100), over(real_multicast(100, MOST // 100)), 1.0, 0.5,
    ),
    Quantity(
        6, "multicast-1000", "multicast to 1000, queued, per receiver", "µs", "µs by a real send",
        multicast.queued(1000, MOST // 1000), over(real_multicast(1000, MOST // 1000)), 1.0, 0.5,
    ),
    Quantity(
        6, "blocked-100", "multicast to 100 in recv, per receiver", "µs", "µs T2",
        multicast.blocked(100), over(timeouts, factor=2), 2.5, 1.2,
    ),
    Quantity(
        6, "blocked-1000", "multicast to 1000 in recv, per receiver", "µs", "µs T2",
        multicast.blocked(1000), over(timeouts, factor=2), 2.5, 1.2,
    ),
    Quantity(
        7, "idle-sockets", "round trip, 100 000 idle sockets", "T2", "T2 with 10",
        round_trips.beside_idle_sockets(100_000),
        growth(round_trips.beside_idle_sockets, lambda _: timeouts, lambda effort: effort.sockets),
        1.10, 1.02, growth="idle sockets",
    ),
    Quantity(
        7, "active-processes", "round trip, 10 000 active processes", "T2", "T2 with 10",
        round_trips.by_processes(10_000),
        growth(round_trips.by_processes, timeouts_of, lambda effort: effort.processes),
        1.2, 0.8, growth="active processes",
    ),
    Quantity(
        8, "socket-memory", "memory of an idle socket", "B", "B",
        memory.sockets, memory.bytes_each(lambda effort: effort.idle), 700, 450,
    ),
    Quantity(
        8, "process-memory", "memory of a process waiting in one", "B", "B",
        memory.processes, memory.bytes_each(lambda effort: effort.waiting), 2000, 1400,
    ),
    Quantity(
        10, "camera", "simulated seconds of camera a second", "s", "(0.75 µs / E)",
        machines.camera, machines.simulated_seconds, 20, 60, "higher",
    ),
    Quantity(
        11, "machine", "machine made, booted, closed", "ms", "(E / 0.75 µs)",
        machines.bare, machines.milliseconds, 1.0, 0.2,
    ),
    Quantity(
        11, "machine-equipped", "the same with camera and mouse", "ms", "(E / 0.75 µs)",
        machines.equipped, machines.milliseconds, 5.0, 1.5,
    ),
    Quantity(
        11, "machine-aged", "machine after 10 000 others", "ms", "ms for the second",
        machines.bare, machines.aged, 1.1, 1.0,
    ),
    Quantity(
        12, "list", "simkernel list, a whole process", "ms", "ms for import simpy",
        command.listing, over(command.import_simpy, scale=MILLISECONDS), 3.0, 1.5,
    ),
)  # fmt: skip
