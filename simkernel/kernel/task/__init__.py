"""Tasks: who runs, with which credentials, and what they wait for."""
