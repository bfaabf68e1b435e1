"""A virtual mouse: its data sheet, its device and the sources of its motion."""
