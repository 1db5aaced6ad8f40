"""Signals that come before anybody can take them wait; then they are flags."""

import os
import signal

from netfeed.app.signals import OURS, Signals, held_back


def test_a_signal_that_comes_too_early_waits_and_is_told() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with held_back():
        os.kill(os.getpid(), signal.SIGHUP)  # would end this process
        with Signals() as signals:
            assert (signals.reload(), signals.dump()) == (True, False)
            os.kill(os.getpid(), signal.SIGUSR1)
            assert (signals.reload(), signals.dump()) == (False, True)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    assert signal.getsignal(OURS[0]) is signal.SIG_DFL
