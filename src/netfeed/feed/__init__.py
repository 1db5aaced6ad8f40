"""The order of a stream: lines, gaps, snapshots, and the path of the expected packet."""

from typing import TYPE_CHECKING

from netfeed.build import select

if TYPE_CHECKING:
    from netfeed.feed.path import Path
else:
    Path = select("path", "netfeed.feed.path", "Path")

__all__ = ["Path"]
