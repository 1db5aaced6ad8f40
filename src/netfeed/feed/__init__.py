"""The order of a stream: sequence, lines, gaps, snapshots. Begin with `channel`."""
