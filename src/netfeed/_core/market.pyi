"""Orders, levels and books in plain C structures: what `l3`, `itch` and `starbase` compile in. Nothing for Python."""
