"""Read the part of tcpdump's filter language that needs no library: protocols, addresses, ports, VLANs, and, or, not.

    udp                         ip, ip6, arp, udp, tcp, icmp, igmp, icmp6
    host 10.0.0.1               and src host, dst host, ip host; net 10.0.0.0/8
    port 26400                  and src port, udp dst port
    vlan                        and vlan 12
    port 5 or 6                 a value alone means what the last one meant
    not ( ... )                 `and` and `or` bind equally, from left to right, as tcpdump has it

Source: pcap-filter(7).
"""

import re
from typing import Final

from netfeed.errors import ConfigurationError
from netfeed.transport.raw.expression import PROTOCOLS, Every, Host, Port, Protocol, Some, Test, Vlan, Without, network

KNOWN: Final = (
    "[ip|ip6|arp|udp|tcp|icmp|igmp|icmp6] [src|dst] [host ADDRESS|net NETWORK|port NUMBER], vlan [NUMBER], "
    "joined with and, or, not and parentheses"
)
MAX_DEPTH: Final = 64
"""Parentheses and `not`s inside one another, and changes between `and` and `or` beside one another."""
_WORD: Final = re.compile(r"\s*(&&|\|\||[()!]|[^\s()!&|]+|.)")
_SAME: Final = {"&&": "and", "||": "or", "!": "not"}
_PORTED: Final = ("udp", "tcp")
_ADDRESSED: Final = ("ip", "ip6", "arp")
_MEANINGS: Final = {"port": _PORTED, "host": _ADDRESSED, "net": _ADDRESSED}
"""The words that a value follows, and the protocols that may stand before them."""


def parse(text: str) -> Test:
    """Read an expression; without any word it wants every frame.

    Raises: ConfigurationError that says what can be written.
    """
    reader = _Reader([_SAME.get(word, word) for word in _WORD.findall(text.strip())])
    test = reader.joined() if reader.words else Every(())
    if reader.words:
        raise reader.wrong()
    return test


class _Reader:
    """The words that are left, and what the last value meant."""

    def __init__(self, words: list[str]) -> None:
        self.words = words
        self._depth = self._turns = 0
        self._protocol = self._side = self._meaning = ""

    def wrong(self) -> ConfigurationError:
        found = repr(self.words[0]) if self.words else "the end"
        return ConfigurationError(f"the filter cannot be read at {found}; what can be written is {KNOWN}")

    def joined(self) -> Test:
        """Read tests that are joined, each with all before it; those of one word side by side."""
        test, before = self._one(), ""
        while word := self._taken("and", "or"):
            kind = Every if word == "and" else Some
            earlier = test.tests if word == before and isinstance(test, Every | Some) else (test,)
            self._turns += before not in ("", word)
            if self._turns > MAX_DEPTH:
                raise self.wrong()
            test, before = kind((*earlier, self._one())), word
        return test

    def _one(self) -> Test:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self.wrong()
        try:
            if self._taken("not"):
                return Without(self._one())
            if not self._taken("("):
                return self._clause()
            test = self.joined()
            if not self._taken(")"):
                raise self.wrong()
            return test
        finally:
            self._depth -= 1

    def _clause(self) -> Test:
        if self._taken("vlan"):
            return Vlan(self._number(4095) if self.words and self.words[0].isdecimal() else None)
        protocol, side = self._taken(*PROTOCOLS), self._taken("src", "dst")
        meaning = self._taken(*_MEANINGS)
        if protocol and not side and not meaning:
            return Protocol(protocol)
        if meaning or side or protocol:
            self._protocol, self._side, self._meaning = protocol, side, meaning or "host"
        if not self._meaning or (self._protocol and self._protocol not in _MEANINGS[self._meaning]):
            raise self.wrong()
        return self._value()

    def _value(self) -> Test:
        """Read a number or an address, by what stood before it."""
        port = self._meaning == "port"
        test = Port(self._number(65535), self._side) if port else self._address()
        return Every((Protocol(self._protocol), test)) if self._protocol else test

    def _address(self) -> Test:
        if not self.words or self.words[0] in ("(", ")") or (self._meaning == "host" and "/" in self.words[0]):
            raise self.wrong()
        return Host(network(self.words.pop(0)), self._side)

    def _number(self, most: int) -> int:
        if not self.words or not self.words[0].isdecimal() or int(self.words[0]) > most:
            raise self.wrong()
        return int(self.words.pop(0))

    def _taken(self, *words: str) -> str:
        """Take the next word if it is one of these; else give ""."""
        return self.words.pop(0) if self.words and self.words[0] in words else ""
