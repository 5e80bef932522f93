"""What the project promises in figures, measured: `python -m bench [NAME ...]`. docs/benchmarks.md has the results."""
