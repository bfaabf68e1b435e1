"""The soak test reads the used memory before and after its runs."""

from __future__ import annotations

from simkernel.tools.bench.round_trips import round_trips
from simkernel.tools.bench.soak import Soak


def test_round_trips_leave_nothing() -> None:
    soaked = Soak("trips", "a few round trips", round_trips, 2000).run()
    of, before, after = soaked.memory[0]
    assert of == "blocks"
    assert after - before < 500
    assert soaked.as_json()["memory"][0] == {"of": "blocks", "before": before, "after": after}
