"""Many runs of one story, each with another order of events, and one line that replays a run."""
