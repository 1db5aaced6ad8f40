"""What every verb over files does: turn arguments into options, stop on a signal, and choose the exit code."""

import argparse
import sys
from typing import TYPE_CHECKING

from netfeed.cli.stopping import Stop, Stopped

if TYPE_CHECKING:
    from netfeed.app.itch_file import ItchFile
    from netfeed.app.replay import Options, Replay

OK, FAILED, DATA = 0, 1, 3


def options(arguments: argparse.Namespace) -> "Options":
    """Give what the arguments ask to be read.

    Raises: ConfigurationError when they contradict each other.
    """
    from netfeed.app.flows import Declared
    from netfeed.app.replay import Options
    from netfeed.errors import ConfigurationError

    channels = [Declared(*one) for one in getattr(arguments, "channel", [])]
    flows = [flow for one in channels for flow in one.flows]
    if len(set(flows)) != len(flows) or len({one.name for one in channels}) != len(channels):
        raise ConfigurationError("--channel: every name and every line may stand only once")
    if arguments.files.count("-") > 1:
        raise ConfigurationError("standard input (-) can be read only once")
    since, until = arguments.since, arguments.until
    if since and until and since.of_day == until.of_day and since.ns > until.ns:
        raise ConfigurationError("--from is later than --to: nothing can lie between them")
    return Options(
        files=arguments.files, protocol=arguments.protocol, channels=channels, groups=arguments.group,
        instruments=getattr(arguments, "instrument", []), since=since, until=until,
    )  # fmt: skip


def run(replay: "Replay", stop: Stop) -> None:
    """Run to the end of the files, or until a signal."""
    try:
        replay.run()
    except Stopped:
        replay.stopped = True


def exit_code(replay: "Replay", stop: Stop) -> int:
    """Choose the exit code of a run."""
    from netfeed.app.report import is_sound, recognised_nothing

    if stop():
        return stop.exit_code
    if not is_sound(replay):
        return DATA
    return FAILED if recognised_nothing(replay) else OK


def note(text: str) -> None:
    """Say something that is no data."""
    print(f"netfeed: {text}", file=sys.stderr)


def note_unknown(replay: "Replay", *, quiet: bool) -> None:
    """Say which flows were not recognised, or that nothing at all was."""
    from netfeed.app.report import recognised_nothing

    unknown, nothing = replay.flows.unknown(), recognised_nothing(replay)
    if unknown and (nothing or not quiet):
        names = ", ".join(f"{flow.text} ({flow.packets:,} packets)" for flow in unknown[:5])
        more = f" and {len(unknown) - 5:,} more flows" if len(unknown) > 5 else ""
        note(f"not recognised, passed over: {names}{more}; --protocol names what they speak")
    elif nothing and not replay.options.groups:
        note("nothing was recognised: no packet carries anything that is known")
    if replay.flows.overflowed:
        note(f"{replay.flows.overflowed:,} packets were passed over: too many flows or channels for one run")


def note_unmatched(replay: "Replay") -> None:
    """Say which of the filters nothing matched: a misspelt name should not look like an empty market."""
    options = replay.options
    if options.instruments and not any(True for _ in replay.catalogue.chosen()):
        seen = len(replay.catalogue.books)
        note(f"no book matches --instrument {' '.join(options.instruments)} ({seen} books were seen)")
    if options.groups and not replay.lanes:
        note(f"no packet that was recognised went to --group {groups_text(options)}")
    if (options.since or options.until) and not replay.tally.records and not any(map(_read, replay.itch_files)):
        note("nothing lies between --from and --to")


def groups_text(options: "Options") -> str:
    """Write the groups that are asked for."""
    return " ".join(group if port is None else f"{group}:{port}" for group, port in options.groups)


def _read(file: "ItchFile") -> bool:
    return file.sequence - 1 > file.passed
