"""netfeed: from the wire to the quote, in Python, with nothing lost and nothing hidden."""

from netfeed.build import BUILD

__version__ = "0.1.0"
__all__ = ["BUILD", "__version__"]
