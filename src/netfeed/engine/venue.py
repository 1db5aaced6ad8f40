"""Which venue an instrument and a session are of: an account may span several, and each speaks for itself alone."""

from collections.abc import Mapping

from netfeed.engine.contract import Contract


class Venues:
    """Whose is what. "": of the only one, or nobody knows. Plain data, so that an account can be kept in a file."""

    __slots__ = ("_by_session", "_contracts")

    def __init__(
        self, contracts: Mapping[int, Contract] | None = None, sessions: Mapping[int, str] | None = None
    ) -> None:
        self._contracts = contracts or {}
        self._by_session = dict(sessions or {})

    def know(self, contracts: Mapping[int, Contract]) -> None:
        """Know these contracts."""
        self._contracts = contracts

    def sent_by(self, session: int, venue: str) -> None:
        """Know whose a session is."""
        self._by_session[session] = venue

    def resume(self, fresh: "Venues") -> None:
        """Know the sessions of others, too; their contracts are told by `know`."""
        self._by_session.update(fresh._by_session)

    def of(self, instrument: int) -> str:
        """Give the venue of an instrument."""
        contract = self._contracts.get(instrument)
        return "" if contract is None else contract.venue

    def of_session(self, session: int) -> str:
        """Give the venue of a session."""
        return self._by_session.get(session, "")

    def names(self) -> set[str]:
        """Name the venues that have a contract, of those only that a session goes to, where any is known."""
        named = {contract.venue for contract in self._contracts.values()} or {""}
        return named & set(self._by_session.values()) or named
