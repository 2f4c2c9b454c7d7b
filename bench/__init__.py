"""Benchmarks: interleaved measurements of the package beside what its users run today."""
