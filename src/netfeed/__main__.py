"""`python -m netfeed`: the command line, where the `netfeed` of another environment may stand first in PATH."""

from netfeed.cli.main import entry

if __name__ == "__main__":
    entry()
