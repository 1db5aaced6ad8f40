"""Option maths of others. The extra `dev` installs them; without them tests fail: a skip would prove nothing."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # SWIG's own types warn while QuantLib is imported
    import mpmath
    import QuantLib as quantlib

__all__ = ["mpmath", "quantlib"]
