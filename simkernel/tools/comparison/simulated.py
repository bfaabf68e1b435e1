"""The test on a simulated machine: `python -m simkernel.tools.comparison.simulated [SECONDS]`."""

from __future__ import annotations

import sys
from functools import partial

from simkernel import Machine
from simkernel.hardware import Mouse
from simkernel.tools.comparison.experiment import Transcript, client, main


def simulated() -> Transcript:
    """Run the netlink client of the test on a new simulated machine, as a process of an ordinary user. The
    device that the test unplugs is a mouse.
    """
    with Machine(seed=7) as machine:
        app, mouse = machine.blocking(uid=1000), Mouse()
        plug, unplug = partial(machine.plug, mouse), partial(machine.unplug, mouse)
        look = partial(app.stat, "/sys/bus/simbus/devices/0:1")
        return client(app.socket, app.monotonic_ns, ("0:1", plug, unplug, look))


if __name__ == "__main__":
    main(simulated, float(sys.argv[1]) if sys.argv[1:] else 0)
