"""The page of a report: whole in itself, sound, escaped; and a browser runs it without an error."""

import base64
import hashlib
import html.parser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from netfeed.latency.report import Report, Table
from netfeed.latency.report_html import MAX_ROWS, report_html
from tests.latency.samples import HOSTILE, odd, rich

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
VOID = {"meta", "br"}


class Reader(html.parser.HTMLParser):
    """Checks that what is opened is closed, and keeps what a test wants to know."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("report", [rich(), odd(), Report("k", "nothing")], ids=["rich", "odd", "nothing"])
def test_a_page_is_sound_and_asks_the_network_for_nothing(report: Report) -> None:
    page = report_html(report)
    reader = Reader(page)
    assert reader.open == []
    assert reader.tags.count("script") == 1
    assert not {name for name, _ in reader.attributes} & {"src", "href", "onclick", "onload", "onerror", "style"}
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "url(" not in page


def test_a_page_holds_the_numbers_the_plots_and_the_notes() -> None:
    page = report_html(rich())
    reader = Reader(page)
    assert reader.tags.count("svg") == 4 + 2  # plots, and a spark for each distribution
    for said in ("The cost of a stamp", "stamps by the kernel", "60,000", "prefers-color-scheme:dark", ">1.5 us</td>",
                 "<dt>stamp</dt><dd>22 ns</dd>", "p99.99"):  # fmt: skip
        assert said in page, said


def test_the_policy_allows_the_one_script_and_no_other() -> None:
    page = report_html(odd())
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in page


def test_no_name_becomes_markup() -> None:
    page = report_html(odd())
    assert HOSTILE not in page
    assert "alert('x')" in page
    assert page.count("<script") == 1
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_of_a_long_table_the_rest_is_counted() -> None:
    table = Table("t", ("n",), tuple((n,) for n in range(MAX_ROWS + 3)))
    assert "and 3 more rows" in report_html(Report("k", "t", tables=(table,)))


def test_verdicts_are_marked_and_other_words_are_not() -> None:
    page = report_html(Report("k", "t", tables=(Table("v", ("verdict",), (("slower",), ("faster",), ("same",))),)))
    assert '<b class="bad">slower</b>' in page
    assert '<b class="good">faster</b>' in page
    assert '<td class="text">same</td>' in page


PROBE = """
<script>
const errors = [];
addEventListener("error", event => errors.push(event.message));
addEventListener("load", () => {
  const table = document.querySelector("table"), heads = table.querySelectorAll("th");
  const names = () => [...table.tBodies[0].rows].map(row => row.cells[0].firstChild.textContent).join();
  heads[2].click(); const rising = names(); heads[2].click(); const falling = names();
  const sized = [...document.querySelectorAll("svg")].filter(svg => svg.getBoundingClientRect().height > 20).length;
  document.body.dataset.told = JSON.stringify({errors, rising, falling, sized});
});
</script>
"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")
def test_a_browser_shows_the_page_and_sorts_its_table(tmp_path: Path) -> None:
    """The probe is let in by taking the policy away; nothing else of the page is changed."""
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", report_html(odd()), count=1)
    path = tmp_path / "page.html"
    path.write_text(page.replace("<main>", PROBE + "<main>", 1))
    done = subprocess.run(
        [str(CHROMIUM), *QUIET, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    (told,) = re.findall(r'data-told="(.*?)"', done.stdout)
    assert "&quot;errors&quot;:[]" in told
    assert "&quot;sized&quot;:" + str(Reader(report_html(odd())).tags.count("svg")) in told
    rising, falling = (re.findall(rf"{name}&quot;:&quot;(\w+),", told)[0] for name in ("rising", "falling"))
    assert (rising, falling) == ("nothing", "outside")


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")
def test_a_browser_runs_the_page_under_its_own_policy(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(report_html(odd()))
    done = subprocess.run(
        [str(CHROMIUM), *QUIET, f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--v=0",
         "--dump-dom", path.as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "<svg" in done.stdout
    assert "CONSOLE" not in done.stderr
