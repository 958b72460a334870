"""Training of networks: batches, losses, schedules, the loop, checkpoints, several processes."""
