"""Single operators: the cases, shared by the report and by the pytest-benchmark files."""
