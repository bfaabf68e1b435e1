"""repr() of kernel objects, as errors and debuggers show it."""

from __future__ import annotations

from typing import Any

from simkernel import Machine, millis
from simkernel.hardware import Camera


def test_objects_name_themselves() -> None:
    with Machine() as machine:
        machine.plug(Camera())

        async def program(app: Any) -> None:
            await app.sleep(10)

        process = machine.spawn(program, name="sleeper")
        machine.run(until=millis(20))
        kernel = machine.kernel
        init = kernel.processes.init
        task = next(each for each in kernel.processes if each.pid == process.pid)
        assert repr(task) == f"<task sleeper/{process.pid} {task.run_state.name} in nanosleep>"
        assert repr(init).endswith(">")
        assert " in " not in repr(init)
        assert repr(kernel.modules.find("camera")) == "<module camera Live>"
        assert repr(kernel.fs.lookup(init, "/dev/null")) == "</dev/null>"
        net = next(iter(kernel.namespaces))
        assert repr(net.device_named("lo")) == "<net device lo>"
        user = machine.blocking()
        fd = user.open("/dev/null", 2)
        assert repr(user.task.files.get(fd)).endswith("flags 0o100002>")
