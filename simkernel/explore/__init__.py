"""Search for failures: run one target (a test body or a scenario) many times, each time with a different
order of events, and replay a run.
"""
