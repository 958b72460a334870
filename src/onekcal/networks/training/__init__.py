"""Training of networks: data in memory, losses, schedules, the loop, checkpoints, several processes."""
