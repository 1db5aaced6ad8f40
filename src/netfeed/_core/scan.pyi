"""The walk over JSON text, in plain C structures: what `depth` compiles in. Nothing for Python."""
