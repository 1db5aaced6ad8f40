"""Secrets of order sessions: who may read them, what is refused and how it is mended, and where they never show."""

import os
import pickle
from pathlib import Path

import pytest

from netfeed.app.trading.secrets import Secret, read_secret
from netfeed.errors import ConfigurationError


def of_file(path: Path) -> Secret:
    return read_secret(file=str(path), variable=None, environment={})


def test_a_file_of_ours_that_nobody_else_can_read_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("hush-hush\n")
    path.chmod(0o600)
    assert of_file(path).reveal() == "hush-hush"
    path.chmod(0o400)
    assert of_file(path).reveal() == "hush-hush"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o666])
def test_a_file_that_others_may_touch_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret"
    path.write_text("hush-hush\n")
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match=f"chmod 600 {path}") as refused:
        of_file(path)
    assert "hush-hush" not in str(refused.value)


@pytest.mark.root
def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("hush-hush\n")
    path.chmod(0o600)
    os.chown(path, 12345, 12345)
    with pytest.raises(ConfigurationError, match=r"belongs to user 12345.*chown"):
        of_file(path)


@pytest.mark.parametrize("text", ["", "\n", "two words", "two\nlines", "\x00\x01", "naïve", "x" * 5000])
def test_what_is_no_secret_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secret"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="holds no secret") as refused:
        of_file(path)
    assert not text.strip() or text.strip() not in str(refused.value)


def test_what_is_no_file_does_not_hold_us(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        of_file(tmp_path / "none")
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ConfigurationError, match="is no file"):
        of_file(tmp_path / "pipe")
    with pytest.raises(ConfigurationError, match="is no file"):
        of_file(tmp_path)


def test_a_variable_is_read_by_its_name() -> None:
    environment = {"MM_SECRET": "hush-hush"}
    assert read_secret(file=None, variable="MM_SECRET", environment=environment).reveal() == "hush-hush"
    with pytest.raises(ConfigurationError, match="OTHER, which should hold the secret, is not set"):
        read_secret(file=None, variable="OTHER", environment=environment)
    with pytest.raises(ConfigurationError, match="secret_file or secret_env"):
        read_secret(file=None, variable=None, environment=environment)


def test_a_secret_shows_itself_to_nobody() -> None:
    secret = Secret("hush-hush")
    assert {repr(secret), str(secret), f"{secret}", f"{secret!r:>5}"} == {"Secret(***)"}
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        vars(secret)  # it has no dictionary to be shown


def test_it_signs_as_the_venue_does() -> None:
    # RFC 4231, test case 2
    wanted = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert Secret("Jefe").sign(b"what do ya want for nothing?") == wanted
