"""Tracepoints: without a tracer they have no effect; with one they emit records in order."""

from simkernel.engine import Engine, Record
from simkernel.kernel.lib.layers import KERNEL


def test_nothing_is_emitted_without_a_listener() -> None:
    tracer = Engine().trace
    assert tracer.emit is None
    end = tracer.subscribe(lambda record: None)
    assert tracer.emit is not None
    end()
    assert tracer.emit is None


def test_a_record_has_time_layer_track_flow_and_fields() -> None:
    engine = Engine()
    records: list[Record] = []
    engine.trace.subscribe(records.append)

    def section() -> None:
        engine.charge(7)
        flow = engine.trace.new_flow()
        assert engine.trace.emit is not None
        engine.trace.emit("irq_handler_entry", KERNEL, "irq/3", irq=3)
        engine.trace.emit("other", KERNEL, "irq/3", flow=0)
        assert flow == 1

    engine.call_at(100, section)
    engine.run()
    assert records == [
        Record(107, "irq_handler_entry", KERNEL, "irq/3", 1, {"irq": 3}),
        Record(107, "other", KERNEL, "irq/3", 0, {}),
    ]


def test_every_listener_hears_every_record_and_one_may_leave() -> None:
    engine = Engine()
    first: list[str] = []
    second: list[str] = []
    end = engine.trace.subscribe(lambda record: first.append(record.name))
    engine.trace.subscribe(lambda record: second.append(record.name))
    assert engine.trace.emit is not None
    engine.trace.emit("a", KERNEL, "x")
    end()
    engine.trace.emit("b", KERNEL, "x")
    assert (first, second) == (["a"], ["a", "b"])


def test_a_section_begins_without_a_flow() -> None:
    engine = Engine()
    flows = []
    engine.call_at(1, engine.trace.new_flow)
    engine.call_at(2, lambda: flows.append(engine.trace.flow))
    engine.run()
    assert flows == [0]
