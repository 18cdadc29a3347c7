"""The report's HTML page in a real browser: charts are drawn, numbers are those of the JSON output, nothing overflows on a phone,
light and dark differ, and no script from a hostile log runs. Needs Debian's chromium; `tests/run.sh --all` installs it."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rdns_milter.analysis.report import Report
from rdns_milter.analysis.report_html import page
from rdns_milter.analysis.report_summary import Summary, as_dict, summarize
from rdns_milter.config.load import load
from rdns_milter.logs.decision_line import line
from rdns_milter.logs.timestamps import Dates
from tests.kit.data import random_log
from tests.kit.data.html_page import at

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no chromium on this machine (sh tests/run.sh --all installs it)"
)
NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
EVIL = ["<script>top.hacked = 1</script>", "x" * 250, "<img src=x onerror='top.hacked = 1'>", "a.b-" * 60]

# A page around it, as wide as the screen that is tested: the browser's own window cannot be that narrow.
_FRAME = """<!DOCTYPE html><meta charset="utf-8"><body style="margin: 0"><iframe width="{width}" height="900" style="border: 0"
 srcdoc="{page}"></iframe><pre id="seen"></pre><script>{script}</script>"""
_SCRIPT = """
onload = () => {
  const page = document.querySelector("iframe").contentDocument, root = page.documentElement;
  const boxes = [...page.querySelectorAll("rect")].map(rect => rect.getBoundingClientRect());
  const fill = kind => { const rect = page.querySelector("svg.columns rect." + kind);
                         return rect && getComputedStyle(rect).fill; };
  document.getElementById("seen").textContent = JSON.stringify({
    width: root.clientWidth, scroll: root.scrollWidth,
    outside: [...page.querySelectorAll("main *")].filter(each => {
      const box = each.getBoundingClientRect();
      return box.width && (box.right > root.clientWidth + 0.5 || box.left < -0.5);
    }).map(each => each.outerHTML.slice(0, 100)),
    drawn: boxes.filter(box => box.width > 0 && box.height > 0).length, rects: boxes.length,
    broken: [...page.querySelectorAll("td.name code, th")].filter(each => {
      const range = page.createRange();
      range.selectNodeContents(each);
      return each.textContent.length <= 20 && range.getClientRects().length > 1;
    }).map(each => each.textContent),
    columns: page.querySelectorAll("svg.columns g").length,
    accept: fill("accept"), reject: fill("reject"),
    background: getComputedStyle(page.body).backgroundColor, ink: getComputedStyle(page.body).color,
    numbers: [...page.querySelectorAll("[data-n]")].map(each => [each.dataset.n, each.innerText]),
    hacked: window.hacked || 0,
  });
};
"""


@pytest.fixture(scope="module")
def summary() -> Summary:
    """Return the summary of a log with ordinary and hostile clients."""
    report = Report(Dates(NOW, UTC).of, rules=["a-rule-that-never-matched"])
    policy = load().policy
    for each in random_log.lines(policy, 3000):
        report.add(each)
    for number, decision in enumerate(random_log.decisions(policy, 200, seed=5)):
        evil = EVIL[number % len(EVIL)]
        evidence = replace(decision.evidence, helo_name=evil, mailfrom=f"x@{evil}")
        verdict = replace(decision.verdict, action="reject", rule=evil[:100])
        report.add(
            f"{random_log.stamp(number * 3600)} mail rdns-milter[1]: {line(replace(decision, evidence=evidence, verdict=verdict))}"
        )
    return summarize(report, 15)


def seen(summary: Summary, width: int, dark: bool, directory: Path) -> dict[str, Any]:
    """Return what the script sees of the page in a browser with that width and colour scheme."""
    wrapped = _FRAME.format(width=width, page=html.escape(page(summary, "0.1.0", NOW)), script=_SCRIPT)
    (directory / "frame.html").write_text(wrapped, "utf-8")
    assert BROWSER is not None
    done = subprocess.run(
        [
            *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
            f"--user-data-dir={directory / 'profile'}",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            "--window-size=1400,1000",
            "--dump-dom",
            (directory / "frame.html").as_uri(),
        ],
        capture_output=True,
        timeout=120,
        check=False,
    )
    match = re.search(r'<pre id="seen">(\{.*?\})</pre>', done.stdout.decode(), re.DOTALL)
    assert match, done.stderr.decode(errors="replace")[-2000:]
    answer: dict[str, Any] = json.loads(html.unescape(match[1]))
    return answer


def brightness(colour: str) -> float:
    return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 3


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_in_a_browser(summary: Summary, width: int, dark: bool, tmp_path: Path) -> None:
    answer = seen(summary, width, dark, tmp_path)
    assert answer["scroll"] <= answer["width"] <= width
    assert answer["outside"] == []
    assert answer["broken"] == []
    assert answer["rects"] > 60
    # On a phone the tables have no bars, to leave room for the words.
    assert answer["drawn"] > (30 if width < 640 else 60)
    assert answer["columns"] == len(summary.timeline.bars) > 10
    assert answer["accept"] != answer["reject"]
    assert (brightness(answer["background"]) < 60 < 180 < brightness(answer["ink"])) is dark
    assert (brightness(answer["ink"]) < 60 < 180 < brightness(answer["background"])) is not dark
    assert len(answer["numbers"]) > 100
    found = as_dict(summary)
    for key, text in answer["numbers"]:
        assert int(text.replace(",", "")) == at(found, key), key
    assert answer["hacked"] == 0
