"""A loop that stands still is ended, and the next run begins killed; one that turns is left alone."""

import signal
import subprocess
import sys
from pathlib import Path

from netfeed.app.trading.kill import read_latch

CHILD = """
import sys, time
from netfeed.app.trading.watchdog import Watchdog
dog = Watchdog(sys.argv[1], 0.3)
for _ in range(50):
    dog.turned()
    time.sleep(0.01)
print("turned", flush=True)
while True:  # a strategy that never returns
    pass
"""


def test_a_loop_that_stands_still_is_ended_and_killed(tmp_path: Path) -> None:
    path = str(tmp_path / "kill")
    done = subprocess.run([sys.executable, "-c", CHILD, path], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "turned\n")
    assert "stood still for 0.3 s" in done.stderr
    assert (read_latch(path).killed, read_latch(path).by) == (True, "watchdog")


def test_a_latch_that_cannot_be_written_does_not_keep_it_alive(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone" / "kill")
    done = subprocess.run([sys.executable, "-c", CHILD, gone], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL


CLOSED = """
import sys, time
from netfeed.app.trading.watchdog import Watchdog
dog = Watchdog(sys.argv[1], 0.2)
dog.turned()
dog.close()
time.sleep(0.5)
print("alive")
"""


def test_one_that_is_closed_ends_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "kill")
    done = subprocess.run([sys.executable, "-c", CLOSED, path], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "alive\n")
    assert not read_latch(path).killed
