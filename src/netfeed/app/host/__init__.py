"""The host: what is looked at, what is tuned, and how it is told."""
