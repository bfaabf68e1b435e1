"""Search for failures: many runs of one target, each with a different order of events, and replay of a
run.
"""
