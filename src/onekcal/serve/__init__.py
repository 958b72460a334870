"""The web page and its API: `onekcal serve`."""
