"""Drawing a report: plots as plain shapes, and what writes shapes as SVG."""
