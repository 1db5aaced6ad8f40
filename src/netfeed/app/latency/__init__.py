"""Latency: from stamps to reports."""
