"""The figures of the docs: every figure of the five papers that the data here allow."""
