"""Frames as they are on the wire: rings that the kernel fills, filters, and frames sent."""
