"""Campaigns that try to break onekcal; what they find stands in results/reliability.json."""
