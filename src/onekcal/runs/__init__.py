"""An experiment, and the folder a run leaves."""
