"""Interrupt lines: levels, masks, sharing."""

from __future__ import annotations

from simkernel.hardware import RW, Device, Register
from tests.hardware.bench import Bench

LEVEL = 0x10


class Button(Device):
    """A device that raises its interrupt line while its register LEVEL is not 0."""

    registers = (Register("LEVEL", LEVEL, RW),)

    def asserts(self) -> bool:
        return bool(self.values[LEVEL])

    def press(self) -> None:
        self.values[LEVEL] = 1


def two_on_one_line() -> tuple[Bench, Button, Button]:
    bench = Bench()
    first, second = Button(), Button()
    bench.bus.plug(first, line=5)
    bench.bus.plug(second, line=5)
    return bench, first, second


def test_a_line_comes_out_of_reset_masked() -> None:
    assert all(line.masked for line in Bench().bus.interrupts.lines if line.number == 0)


def test_a_masked_line_interrupts_when_it_is_unmasked_while_high() -> None:
    bench, first, _ = two_on_one_line()
    bench.bus.interrupts.mask(5)
    bench.write(first, LEVEL, 1)
    bench.engine.run()
    assert bench.interrupts == []
    bench.bus.interrupts.unmask(5)
    assert bench.interrupts == []
    bench.engine.run()
    assert len(bench.interrupts) == 1


def test_a_masked_line_that_fell_again_does_not_interrupt() -> None:
    bench, first, _ = two_on_one_line()
    bench.bus.interrupts.mask(5)
    bench.write(first, LEVEL, 1)
    bench.write(first, LEVEL, 0)
    bench.bus.interrupts.unmask(5)
    bench.engine.run()
    assert bench.interrupts == []


def test_a_shared_line_interrupts_until_each_device_is_served() -> None:
    bench, first, second = two_on_one_line()
    served: list[Button] = []

    def handler(line: int) -> None:
        for button in (first, second):
            if bench.read(button, LEVEL):
                bench.write(button, LEVEL, 0)
                served.append(button)
                return

    bench.handler = handler
    bench.write(first, LEVEL, 1)
    bench.write(second, LEVEL, 1)
    bench.engine.run()
    assert served == [first, second]
    assert len(bench.interrupts) == 2
    assert not bench.bus.interrupts.is_high(5)


def test_a_device_that_leaves_a_shared_line_leaves_the_other_on_it() -> None:
    bench, first, second = two_on_one_line()
    bench.write(first, LEVEL, 1)
    bench.write(second, LEVEL, 1)
    bench.bus.unplug(first)
    assert bench.bus.interrupts.is_high(5)
    bench.bus.unplug(second)
    assert not bench.bus.interrupts.is_high(5)


def test_an_interrupt_in_the_devices_own_event_is_taken_at_once() -> None:
    bench, first, _ = two_on_one_line()
    seen: list[list[tuple[int, int]]] = []
    first.after(10, first.press)
    bench.engine.call_at(10, lambda: seen.append(list(bench.interrupts)))
    bench.engine.run()
    assert seen == [[(10, 5)]]


def test_an_exception_of_a_handler_is_not_handled_by_it() -> None:
    bench, first, _ = two_on_one_line()
    third = Button()
    bench.bus.plug(third)
    depth: list[int] = []

    def handler(line: int) -> None:
        depth.append(line)
        if line == 5:
            bench.write(third, LEVEL, 1)
            assert depth == [5]
            bench.write(first, LEVEL, 0)
        else:
            bench.write(third, LEVEL, 0)

    bench.handler = handler
    first.after(10, first.press)
    bench.engine.run()
    assert depth == [5, 3]


def test_an_interrupt_is_taken_under_the_flow_it_was_raised_under() -> None:
    bench, first, _ = two_on_one_line()
    flows: list[int] = []

    def handler(line: int) -> None:
        flows.append(bench.engine.trace.flow)
        bench.write(first, LEVEL, 0)

    bench.handler = handler
    flow = bench.engine.trace.new_flow()
    bench.write(first, LEVEL, 1)
    bench.engine.run()
    assert flows == [flow]


def test_interrupts_are_counted() -> None:
    bench, first, _ = two_on_one_line()
    bench.handler = lambda line: bench.write(first, LEVEL, 0)
    for _ in range(3):
        bench.write(first, LEVEL, 1)
        bench.engine.run()
    line = bench.bus.interrupts.lines[5]
    assert (line.raised, line.delivered) == (3, 3)
