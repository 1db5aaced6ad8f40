"""Conversations with one peer, each a machine without I/O."""
