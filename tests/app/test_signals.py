"""Signals that come before anybody can take them wait; then they are flags.

In a process of its own: what is sent to a process may reach any of its threads, and a worker of the tests has several.
"""

import subprocess
import sys

EARLY = """
import os, signal
from netfeed.app.signals import OURS, Signals, held_back

before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
with held_back():
    os.kill(os.getpid(), signal.SIGHUP)  # would end this process
    with Signals() as signals:
        print(signals.reload(), signals.dump())
        os.kill(os.getpid(), signal.SIGUSR1)
        print(signals.reload(), signals.dump())
        os.kill(os.getpid(), signal.SIGUSR2)
        print(signals.kill(), signals.dump(), signals.kill())
assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
assert all(signal.getsignal(one) is signal.SIG_DFL for one in OURS)
"""


def test_a_signal_that_comes_too_early_waits_and_is_told() -> None:
    done = subprocess.run([sys.executable, "-c", EARLY], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["True False", "False True", "True False False"]
