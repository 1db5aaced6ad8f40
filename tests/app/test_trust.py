"""Whom the system trusts: its own files, or those that the environment names."""

from pathlib import Path

import pytest

from netfeed.app.trust import system_trust
from netfeed.errors import ConfigurationError
from netfeed.proto.tls import client_context
from tests.proto import certificates


def test_the_environment_names_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "roots.pem"
    file.write_text(certificates.trust().pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    trust = system_trust()
    assert (trust.file, trust.directory) == (str(file), None)
    assert client_context(trust).get_ca_certs() != []


def test_a_system_that_trusts_nobody_says_where_it_looked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    with pytest.raises(ConfigurationError, match="ca-certificates"):
        system_trust()
