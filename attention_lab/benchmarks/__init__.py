"""Benchmarks: the cases to measure, their compiled programs, machine rates, timing, tables and plots."""
