"""The machine: files, memory, processes, provenance."""
