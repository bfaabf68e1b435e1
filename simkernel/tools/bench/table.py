"""The table of the benchmark: every quantity with its anchor, its limit (`must_hold`) and its aim.

`E` is an event of simpy, a bare `yield env.timeout(1)`.  `T2` is two of them, the minimum cost of two
system calls.  A profiler can run each subject without its anchor: see `python -m simkernel.tools.bench`.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from simkernel.tools.bench import clients, codec, machines, memory, multicast, round_trips
from simkernel.tools.bench.anchors import timeouts, timeouts_of
from simkernel.tools.bench.measures import (
    MICROSECONDS,
    MILLISECONDS,
    aged,
    bytes_each,
    growth,
    over,
    rate_over,
)
from simkernel.tools.bench.quantity import Quantity

over_t2: Final = over(timeouts, anchor_scale=2 * MICROSECONDS)
milliseconds: Final = over(timeouts, MILLISECONDS, 1 / machines.REFERENCE)

TABLE: Final = (
    Quantity(
        1, "round-trip", "GETFAMILY round trip", "µs", "µs T2",
        round_trips.round_trips, over_t2, 4.0, 2.0,
    ),
    Quantity(
        2, "round-trip-real", "GETFAMILY round trips a second", "/s", "/s on the real kernel",
        round_trips.round_trips, rate_over(round_trips.real_round_trips), 0.35, 0.7, "higher",
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
    *(
        Quantity(
            6, f"multicast-{members}", f"multicast to {members}, queued, per receiver",
            "µs", "µs by a real send",
            partial(multicast.queued, members), over(partial(multicast.real, members)), 1.0, 0.5,
        )
        for members in (100, 1000)
    ),
    *(
        Quantity(
            6, f"blocked-{members}", f"multicast to {members} in recv, per receiver", "µs", "µs T2",
            partial(multicast.blocked, members), over_t2, 2.5, 1.2,
        )
        for members in (100, 1000)
    ),
    Quantity(
        7, "idle-sockets", "round trip, 100 000 idle sockets", "T2", "T2 with 10",
        partial(round_trips.beside_idle_sockets, 100_000),
        growth(round_trips.beside_idle_sockets, lambda _: timeouts(), lambda effort: effort.sockets),
        1.10, 1.02, growth="idle sockets",
    ),
    Quantity(
        7, "active-processes", "round trip, 10 000 active processes", "T2", "T2 with 10",
        partial(round_trips.by_processes, 10_000),
        growth(round_trips.by_processes, timeouts_of, lambda effort: effort.processes),
        1.2, 0.8, growth="active processes",
    ),
    Quantity(
        8, "socket-memory", "memory of an idle socket", "B", "B",
        memory.sockets, bytes_each(lambda effort: effort.idle), 700, 450,
    ),
    Quantity(
        8, "process-memory", "memory of a process that waits in recv", "B", "B",
        memory.processes, bytes_each(lambda effort: effort.waiting), 2000, 1400,
    ),
    Quantity(
        10, "camera", "simulated seconds of camera a second", "s", "(0.75 µs / E)",
        machines.camera, rate_over(timeouts, machines.REFERENCE), 20, 60, "higher",
    ),
    Quantity(
        11, "machine", "machine made, booted, closed", "ms", "(E / 0.75 µs)",
        machines.bare, milliseconds, 1.0, 0.2,
    ),
    Quantity(
        11, "machine-equipped", "machine with camera and mouse", "ms", "(E / 0.75 µs)",
        machines.equipped, milliseconds, 5.0, 1.5,
    ),
    Quantity(
        11, "machine-aged", "machine after 10 000 others", "ms", "ms for the second",
        machines.bare, aged, 1.1, 1.0,
    ),
    Quantity(
        12, "list", "simkernel list, a whole process", "ms", "ms for import simpy",
        machines.listing, over(machines.import_simpy, MILLISECONDS), 3.0, 1.5,
    ),
)  # fmt: skip
