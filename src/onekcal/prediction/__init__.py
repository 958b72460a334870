"""A question in, an answer with an interval out."""
