"""Certificates of the test authority: made once, kept while they are good, and believed by who trusts the authority."""

import ssl
import sys
from pathlib import Path

import pytest

from netfeed.app.certificates import certificates
from netfeed.errors import ConfigurationError
from netfeed.proto import tls

NAMES = ("localhost", "127.0.0.1", "venue.example")


def shaken(ca: str, chain: str, key: str, name: str) -> list[object]:
    """Let a client that trusts the authority speak with the server."""
    client = tls.client(tls.client_context(tls.Trust(file=ca)), name, 0)
    server = tls.server(tls.server_context(tls.Identity(chain, key)), 0)
    told: list[object] = []
    for _ in range(6):
        for one, other in ((client, server), (server, client)):
            for data in one.transmit():
                told += other.receive(data, 0)
    return told


@pytest.mark.parametrize("name", NAMES)
def test_the_server_is_believed_by_each_of_its_names(tmp_path: Path, name: str) -> None:
    told = shaken(*certificates(str(tmp_path / "ca"), NAMES), name)
    assert [one.verified for one in told if isinstance(one, tls.Established)].count(True) == 1
    assert not [one for one in told if isinstance(one, tls.Unverified)]


def test_it_is_not_believed_by_another_name_nor_by_who_trusts_others(tmp_path: Path) -> None:
    files = certificates(str(tmp_path / "ca"), NAMES)
    (wrong,) = [one for one in shaken(*files, "other.example") if isinstance(one, tls.Unverified)]
    assert wrong.reason is tls.Reason.WRONG_NAME
    other = certificates(str(tmp_path / "other"), NAMES)
    (wrong,) = [one for one in shaken(other.ca, files.chain, files.key, "localhost") if isinstance(one, tls.Unverified)]
    assert wrong.reason in (tls.Reason.UNKNOWN_AUTHORITY, tls.Reason.BAD_SIGNATURE, tls.Reason.OTHER)


def test_they_are_kept_while_they_are_for_all_the_names(tmp_path: Path) -> None:
    first = certificates(str(tmp_path), NAMES)
    before = Path(first.chain).read_bytes()
    assert certificates(str(tmp_path), NAMES[:1]) == first
    assert Path(first.chain).read_bytes() == before
    certificates(str(tmp_path), (*NAMES, "another.example"))
    assert Path(first.chain).read_bytes() != before


@pytest.mark.parametrize("name", ["ca.pem", "server.pem", "server.key"])
def test_what_is_missing_or_broken_is_made_anew(tmp_path: Path, name: str) -> None:
    certificates(str(tmp_path), NAMES)
    (tmp_path / name).unlink()
    assert shaken(*certificates(str(tmp_path), NAMES), "localhost")
    if name != "server.key":
        (tmp_path / name).write_text("no certificate")
        assert shaken(*certificates(str(tmp_path), NAMES), "localhost")


def test_the_key_is_for_its_owner_only_and_nothing_else_is_left(tmp_path: Path) -> None:
    files = certificates(str(tmp_path), NAMES)
    assert Path(files.key).stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ca.pem", "server.key", "server.pem"]
    assert ssl.create_default_context(cafile=files.ca).cert_store_stats()["x509_ca"] == 1


def test_without_the_package_it_says_which_extra_it_wants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'netfeed\[sim\]'"):
        certificates(str(tmp_path), NAMES)


def test_a_directory_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="no certificates in"):
        certificates(str(tmp_path / "file" / "ca"), NAMES)
