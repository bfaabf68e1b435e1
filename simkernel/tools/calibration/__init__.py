"""Calibration: run the operations that were measured on a real kernel, compare their times, and fit the
costs.
"""
