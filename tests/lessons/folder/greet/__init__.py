"""A program prints greetings, and a driver logs one. The student edits the code of both on the page.

Covers: one program and one module.
Scenario: the program sleeps, prints and logs; the module logs when it is loaded.
When useful: as a lesson for the tests of lessons.
"""

from __future__ import annotations

from typing import Any

from simkernel import SimulationError
from simkernel.scenario import Run, ScenarioParameter, scenario

PROGRAM = """async def greet(app):
    await app.sleep(0.001)
    print("hello from process", await app.getpid())
    return 3
"""
MODULE = """from simkernel.driverapi.module import Module, ThisModule
from simkernel.driverapi.printk import pr_info

MODULE = Module(license="GPL")


def init(this: ThisModule) -> None:
    pr_info(this, "hello from the module")
"""


@scenario(
    ScenarioParameter(
        "times", int, 2, minimum=0, maximum=9, unit="times", help="how often the program greets"
    ),
    ScenarioParameter("loud", bool, False, help="end with an exclamation mark"),
    ScenarioParameter("word", str, "hello", choices=("hello", "bye"), help="the word"),
    ScenarioParameter("title", str, "Ms", help="any text"),
    ScenarioParameter("program", str, PROGRAM, help="the program"),
    ScenarioParameter("module", str, MODULE, help="the module"),
)
def greet(run: Run) -> None:
    if run["title"] == "wrong":
        raise SimulationError("the title must not be 'wrong'")
    run.driver("module", "greeter")
    program = run.source("program")["greet"]
    done = []

    async def main(app: Any) -> None:
        await app.modprobe("greeter")
        await app.genetlink("nlctrl")
        for _ in range(run["times"]):
            done.append(await program(app))

    machine = run.machine(udev=False)
    flows: list[int] = []
    machine.trace.subscribe(lambda record: flows.append(record.flow) if record.flow else None)
    machine.spawn(main, name="greeter")
    machine.run()
    if flows:
        run.follow("the first greeting", flows[0], chosen=True)
    end = "!" if run["loud"] else "."
    run.text(f"{run['word']}, {run['title']} <b>&{end}")
    run.text("A detail.", detail=True)
    run.table("Greetings", ("number", "returned"), list(enumerate(done)))
    run.metric("greetings", len(done))
    run.goal(len(done) == 5, f"the program greets {len(done)} times, and 5 are wanted")
