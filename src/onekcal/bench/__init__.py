"""Published studies as suites of experiments, ours beside the paper's numbers."""
