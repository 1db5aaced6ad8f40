"""A handler that is started to be measured: `netfeed run` in a process of its own, with tracing on.

It is another process, so that who measures takes nothing from who is measured but a processor's time. It ends with who
measures it, even when that one is killed (prctl(2), PR_SET_PDEATHSIG).
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from netfeed.app.config import load
from netfeed.app.latency.trace_rings import AttachError, TraceRings
from netfeed.transport.ring import identity, located

_PRCTL: Final = ctypes.CDLL(None).prctl  # found now: after a fork nothing is looked up
_PR_SET_PDEATHSIG: Final = 1
PATIENCE_S: Final = 20.0
_NAP_S: Final = 0.02


class Handler:
    """A handler in another process.

    Raises: ConfigurationFileError for a bad file.
    """

    def __init__(self, path: str, flags: Mapping[str, str], *, quiet: bool) -> None:
        ring = load(path, os.environ, dict(flags)).trace.ring
        self.ring = ring or f"netfeed-trace-{os.getpid()}"
        setting = [] if ring else ["--set", f"trace.ring='{self.ring}'"]
        flag_words = [word for key, value in flags.items() for word in ("--set", f"{key}={value}")]
        self._before = identity(located(self.ring))  # what a run that was killed may have left
        command = [sys.executable, "-m", "netfeed", "run", path, *flag_words, *setting, "--no-view"]
        words = [*command, *(["-q"] if quiet else [])]
        self._process = subprocess.Popen(
            words, stdout=sys.stderr,
            process_group=0,  # a second signal ends it at once
            preexec_fn=partial(_PRCTL, _PR_SET_PDEATHSIG, signal.SIGTERM),  # nor does it outlive who measures it
        )  # fmt: skip

    def rings(self, stop: Callable[[], bool]) -> TraceRings | None:
        """Give its rings when they are there; None when `stop` says so before.

        Raises: AttachError when it ends before they are, or makes none.
        """
        end = time.monotonic() + PATIENCE_S
        while identity(located(self.ring)) in (None, self._before):
            if stop():
                return None
            if self._process.poll() is not None:
                raise AttachError(f"the handler ended with {self._process.returncode} before it received anything", 1)
            if time.monotonic() > end:
                raise AttachError(
                    f"the handler has made no ring {self.ring} in {PATIENCE_S:.0f} s: has it channels?", 1
                )
            time.sleep(_NAP_S)
        return TraceRings(self.ring)

    def ended(self) -> str | None:
        """Say that it has ended by itself, None while it runs."""
        code = self._process.poll()
        return None if code is None else f"the handler ended with {code} while it was measured"

    def close(self) -> int:
        """End it in order, and give its exit code."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            return self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
