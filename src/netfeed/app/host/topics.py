"""What the doctor can look at, in the order in which it tells."""

from typing import Final

TOPICS: Final = ("build", "permissions", "clock", "processors", "sockets", "multicast", "loss")
