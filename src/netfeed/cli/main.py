"""`netfeed <verb>`: data to standard output, everything else to standard error.

Exit codes: 0 ok - 1 run-time failure - 2 usage - 3 the data has gaps or is corrupt - 4 configuration - 5 nothing came
in time - 69 nobody was reached - 77 not permitted - 130 SIGINT - 143 SIGTERM. Modules are imported when their verb
runs, so that `--help` and `--version` answer at once.
"""

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import NoReturn

from netfeed import BUILD, __version__
from netfeed.cli import (
    capture,
    config,
    decode,
    demo,
    doctor,
    drill,
    igmp,
    latency,
    listen,
    order,
    record,
    replay,
    run,
    send,
    sim,
    tune,
    verify,
)
from netfeed.errors import ConfigurationError, ConfigurationFileError, NetfeedError

OK, FAILED, USAGE, DATA, CONFIGURATION = 0, 1, 2, 3, 4
UNREACHABLE, DENIED = 69, 77
INTERRUPTED = 130

VERBS = (
    demo, replay, decode, verify, run, order, record, listen, send, capture, igmp, sim, drill, latency, doctor, tune,
    config,
)  # fmt: skip
"""The modules of the verbs, in the order of the help."""


@cache
def parser() -> argparse.ArgumentParser:
    """Build the parser of all verbs; once, as it takes longer than most of what is small."""
    top = argparse.ArgumentParser(
        prog="netfeed",
        description="From captures of market data to exact order books, with every loss accounted for.",
        epilog="example: netfeed replay capture.pcap --depth 5",
    )
    core = "compiled core" if BUILD == "compiled" else "pure Python twins"
    top.add_argument("--version", action="version", version=f"netfeed {__version__} ({core})")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")
    for module in VERBS:
        module.add(verbs)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and give its exit code."""
    if sys.stdout is None:  # Python's word for a closed one
        return _say("standard output is closed: send it to a file or to /dev/null", FAILED)
    _never_choke()
    try:
        arguments = parser().parse_args(argv)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else USAGE
    return _guarded(arguments.run, arguments)


def _never_choke() -> None:
    """Let names that the terminal's encoding does not have be escaped instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _guarded(run: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    """Run a verb; whatever goes wrong outside becomes one line that says what to do."""
    try:
        code = run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        return _quietly()
    except ConfigurationFileError as error:
        return _say(str(error).replace("\n", "\nnetfeed: "), CONFIGURATION)
    except SystemExit as end:  # how rich, which prints the tables, reacts to a broken pipe
        if isinstance(end.__context__, BrokenPipeError):
            return _quietly()
        raise
    except ConfigurationError as error:
        return _say(error, USAGE)
    except (NetfeedError, ImportError) as error:
        if isinstance(error, NetfeedError) and isinstance(error.__context__, BrokenPipeError):
            return _quietly()
        if getattr(error, "unreachable", False):
            return _say(error, UNREACHABLE)
        return _say(error, DENIED if getattr(error, "denied", False) else FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except MemoryError:
        return _say("out of memory", FAILED)
    except OSError as error:
        return _say(f"{error.filename or 'input or output'}: {error.strerror or error}", FAILED)
    except Exception as error:
        if arguments.verbose > 1:
            raise
        return _say(f"internal error, please report it (-vv shows where): {type(error).__name__}: {error}", FAILED)
    return code


def _say(what: object, code: int) -> int:
    print(f"netfeed: {what}", file=sys.stderr)
    return code


def _quietly() -> int:
    """Whoever read standard output has gone: that is their right, and no error of ours."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    return OK


def entry() -> NoReturn:
    """Run as a program."""
    sys.exit(main())


if __name__ == "__main__":
    entry()
