"""Which build runs: the compiled core, or the plain Python twins that define it.

`NETFEED_PURE=1` selects the twins. Without it a missing or broken extension is an `ImportError` that says how to
build it: a slow feed handler must never start in silence.
"""

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

PURE = os.environ.get("NETFEED_PURE", "") not in ("", "0")
BUILD = "pure" if PURE else "compiled"


def select(core: str, twin: str, name: str) -> Any:
    """Give `name` from the compiled module `netfeed._core.<core>`, or from the module `twin` when PURE is set.

    A compiled module of another room is named with it: `transport.mmsg`.
    Raises: ImportError with the remedy when the compiled module is wanted and cannot be loaded.
    """
    if PURE:
        return getattr(import_module(twin), name)
    compiled = f"netfeed.{core}" if "." in core else f"netfeed._core.{core}"
    try:
        module = import_module(compiled)
    except ImportError as error:
        raise ImportError(
            f"the compiled core {compiled} cannot be loaded ({error}); build it with `pip install -e .` "
            "(needs gcc and the Python headers), or set NETFEED_PURE=1 to run the slow plain Python twins"
        ) from error
    return getattr(module, name)


Factory = Callable[..., Any]
