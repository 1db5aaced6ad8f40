"""Which contract an index means in an order journal: for ever the same, for records name instruments by it.

    contracts.json    every contract that was ever known to a run of the journal, with its terms as they were last

Venues list in any order, and list what is new: who makes contracts asks `indexes` for the numbers of their names. What
expired stays: positions of the past are valued by it when the journal is read from its beginning.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from netfeed.app.trading.journal_files import JournalError, trusted
from netfeed.app.trading.kill import sync_folder
from netfeed.engine.contract import Contract

CONTRACTS: Final = "contracts.json"


def read_contracts(folder: str) -> dict[int, Contract]:
    """Read the contracts that a journal knows; none where there is no journal yet. Raises: JournalError."""
    path = os.path.join(folder, CONTRACTS)
    if not os.path.exists(path):
        return {}
    trusted(path)
    try:
        known = msgspec.json.decode(Path(path).read_bytes(), type=list[Contract])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise JournalError(f"{path}: {error}; put it back from a copy: records name instruments by it") from None
    return {contract.index: contract for contract in known}


def write_contracts(folder: str, contracts: Mapping[int, Contract]) -> None:
    """Write them, whole or not at all. Raises: OSError."""
    path = os.path.join(folder, CONTRACTS)
    made = f"{path}.{os.getpid()}"
    fd = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:
        file.write(msgspec.json.encode([contracts[index] for index in sorted(contracts)]) + b"\n")
        file.flush()
        os.fsync(fd)
    os.rename(made, path)
    sync_folder(path)


def check(known: Mapping[int, Contract], listed: Mapping[int, Contract]) -> None:
    """Check that indexes mean what they meant. Raises: JournalError."""
    names = {contract.name: index for index, contract in known.items()}
    for index, contract in listed.items():
        before = known.get(index)
        if before is not None and before.name == contract.name and before.venue != contract.venue:
            raise JournalError(
                f"{contract.name} is at {contract.venue or 'no venue'}, and was at {before.venue or 'none'} in the "
                "journal: what is held there is not here. Give sessions and `accounts` their venues and their order "
                "back, or begin a new journal when nothing is held"
            )
        if (before is not None and before.name != contract.name) or names.get(contract.name, index) != index:
            was = f"{index} was {before.name}" if before is not None else f"it had {names[contract.name]}"
            raise JournalError(
                f"{contract.name} has index {index}, and {was} in the journal: an index is for ever. Take those that "
                "`indexes` gives, or begin a new journal when nothing is held"
            )


def indexes(folder: str, names: Iterable[str]) -> dict[str, int]:
    """Give each name the index that it has in a journal, and new ones the next that are free. Raises: JournalError."""
    given = {contract.name: index for index, contract in read_contracts(folder).items()}
    free = max(given.values(), default=-1) + 1
    found = {}
    for name in names:
        if name not in given:
            given[name], free = free, free + 1
        found[name] = given[name]
    return found
