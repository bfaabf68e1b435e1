"""The parts and audits of a kernel that checks itself, `Machine(checks=...)`."""
