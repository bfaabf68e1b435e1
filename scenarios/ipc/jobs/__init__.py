"""The jobs: what is measured of each way."""
