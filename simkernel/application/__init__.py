"""System calls with Python's names for simulated programs, and client objects built on them."""
