"""Neural networks, one file a paper, and what they share."""
