"""Capture: from a source of frames to files that lose nothing quietly."""
