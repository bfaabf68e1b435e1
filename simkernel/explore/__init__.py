"""Search: many runs of one target, each with another order of events, and a text that replays a run."""
