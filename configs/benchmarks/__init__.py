"""Configs of benchmarks."""
