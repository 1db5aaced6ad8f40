"""Every example of the documents runs: Python blocks as they stand, commands that begin with `$ netfeed`."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from netfeed.app.venue_kinds import KINDS
from netfeed.cli.main import main

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
DATA_CHECK_FAILED = 3


def blocks(path: Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(path.read_text()) if kind == language]


def commands(path: Path) -> list[str]:
    lines = [line for block in blocks(path, "console") for line in block.splitlines()]
    return [line[2:].split("  #")[0] for line in lines if line.startswith("$ netfeed")]


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if blocks(path, "python")], ids=lambda path: path.name)
def test_the_python_examples_run_one_after_the_other(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    namespace: dict[str, object] = {}
    for block in blocks(path, "python"):
        exec(compile(block, path.name, "exec"), namespace)


@pytest.mark.parametrize(
    ("document", "command"), [(path.name, command) for path in DOCUMENTS for command in commands(path)]
)
def test_the_commands_run(document: str, command: str) -> None:
    program = [sys.executable, "-m", "netfeed", *shlex.split(command)[1:]]
    paths = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH", ""), str(ROOT / "src"))))
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode in (0, DATA_CHECK_FAILED), done.stderr
    assert done.stdout


EXAMPLES = [
    (path.name, text)
    for path in DOCUMENTS
    for text in blocks(path, "toml")
    if re.search(r"\[\[(venues|channels|sessions)\]\]", text)
]


@pytest.mark.parametrize(("document", "text"), EXAMPLES, ids=[f"{name}-{at}" for at, (name, _) in enumerate(EXAMPLES)])
def test_the_configurations_are_sound(document: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "example.toml"
    path.write_text(text)
    assert main(["config", "check", str(path)]) == 0


def test_there_is_an_example_of_every_venue() -> None:
    venues = {one["venue"] for _, text in EXAMPLES for one in tomllib.loads(text).get("venues", [])}
    assert venues == set(KINDS)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_of_the_project_leads_somewhere(path: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", path.read_text()) if "://" not in link]
    assert [link for link in links if not (path.parent / link).exists()] == []
