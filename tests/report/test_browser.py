"""The pages in headless Chromium: opened as they are for what they say and ask for, and a copy with a script that looks.

A page allows no script, so that its copy has another policy; nothing else of it is changed.
"""

import json
import re
import shutil
import subprocess

import pytest

from compkit.findings import Finding, Status
from compkit.report import write_comparison, write_report

from .conftest import write_run

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome on this machine")

QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
)
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
SCRIPT = """
<script>
addEventListener("load", () => {
  const root = document.documentElement, all = (query) => [...document.querySelectorAll(query)];
  const size = (one) => parseFloat(getComputedStyle(one).fontSize);
  const luminance = (one, what) => {
    const parts = getComputedStyle(one)[what].match(/[\\d.]+/g).slice(0, 3).map((value) => value / 255);
    const linear = parts.map((value) => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const contrast = (one) => {
    const card = one.closest("section, .card, .actions") || document.body;
    const both = [luminance(one, "color"), luminance(card, "backgroundColor")].sort();
    return (both[1] + 0.05) / (both[0] + 0.05);
  };
  const words = all("p, td, th, dt, dd, a, figcaption, caption, summary, .badge").filter((one) => one.innerText.trim());
  const found = {
    broken: all("img").filter((one) => !one.complete || !one.naturalWidth).map((one) => one.alt),
    pictures: all("img").length,
    unnamed: all("img:not([alt]), svg:not([role=img])").length + all("svg").filter((one) => !one.querySelector("title").textContent).length,
    page: getComputedStyle(document.body).backgroundColor,
    contrast: Math.min(...words.map(contrast)),
    headings: all("h1, h2, h3").map((one) => +one.tagName[1]),
    focusable: all(".scroll, pre").every((one) => one.tabIndex === 0),
    overflow: root.scrollWidth - root.clientWidth,
    text: size(all("p")[0]),
  };
  root.style.fontSize = "200%";
  found.larger = size(all("p")[0]) / found.text;
  found.overflowLarger = root.scrollWidth - root.clientWidth;
  const note = document.createElement("pre");
  note.id = "found";
  note.textContent = JSON.stringify(found);
  document.body.append(note);
});
</script>
"""


def chromium(page, profile, *flags):
    """Open a page; returns (document, console)."""
    command = [BROWSER, *QUIET, f"--user-data-dir={profile}", "--enable-logging=stderr", *flags]
    done = subprocess.run(
        [*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout, done.stderr


def look(page, profile, *flags):
    """What the script finds in a copy of the page."""
    copy = page.with_name(f"copy_of_{page.name}")
    text, replaced = POLICY.subn("", page.read_text(encoding="utf-8"))
    assert replaced == 1
    copy.write_text(text.replace("</body>", f"{SCRIPT}</body>"), encoding="utf-8")
    document, _ = chromium(copy, profile, *flags)
    return json.loads(re.findall(r'<pre id="found">(.*?)</pre>', document)[0].replace("&amp;", "&"))


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The largest page that must stay small, and a comparison."""
    import numpy as np

    root = tmp_path_factory.mktemp("runs") / "digits"
    folder = write_run(root / "many", classes=1000, rows=4000, num_folds=5, epochs=100)
    findings = [
        Finding(f"check.{status}", status, f"What <b>{status}</b> found.", 0.5, "below 1", "set lr=1e-3, say")
        for status in Status
    ]
    (folder / "doctor.json").write_text(json.dumps([one.to_dict() for one in findings]))
    noise = np.random.default_rng(0).integers(0, 256, (8, 150, 200, 3), dtype=np.uint8)
    report = write_report(folder, lambda name: noise[len(name) % 8])
    others = [write_run(root / name, rows=90) for name in ("a", "b", "c")]
    return {"report": report, "comparison": write_comparison(others, None)}


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    return tmp_path_factory.mktemp("profile")


def asked_for(page, profile, log):
    """What the console says, and the addresses of the net that the page asked for.

    The browser itself asks for the time, for updates and the like; such requests begin at no page.
    """
    _, console = chromium(page, profile, f"--log-net-log={log}")
    lines = [
        line.rstrip(",") for line in log.read_text(errors="replace").splitlines() if '"initiator"' in line
    ]
    asked = [json.loads(line)["params"] for line in lines]
    said = [line for line in console.splitlines() if "CONSOLE" in line]
    own = [one["url"] for one in asked if one["initiator"] != "not an origin"]
    return said, [url for url in own if not url.startswith("file:")]


@pytest.mark.parametrize("name", ["report", "comparison"])
def test_the_console_is_silent_and_nothing_is_asked_for(pages, profile, tmp_path, name):
    said, addresses = asked_for(pages[name], profile, tmp_path / "net.json")
    assert said == [] and addresses == []


def test_a_page_that_asks_would_be_caught(pages, profile, tmp_path):
    greedy = tmp_path / "greedy.html"
    image = '<img src="http://127.0.0.1:9/x.png" alt="x"><script>alert(1)</script></body>'
    greedy.write_text(pages["comparison"].read_text().replace("</body>", image))
    said, addresses = asked_for(greedy, profile, tmp_path / "net.json")
    assert len(said) >= 2 and addresses == []  # the page's own policy forbids both
    greedy.write_text(POLICY.sub("", greedy.read_text()).replace("<script>alert(1)</script>", ""))
    _, addresses = asked_for(greedy, profile, tmp_path / "net.json")
    assert addresses and all(one == "http://127.0.0.1:9/x.png" for one in addresses)


@pytest.mark.parametrize("scheme, is_dark", [(0, True), (1, False)], ids=["dark", "light"])
@pytest.mark.parametrize("name", ["report", "comparison"])
def test_pictures_decode_colours_are_read_and_text_scales(pages, profile, name, scheme, is_dark):
    found = look(
        pages[name], profile, f"--blink-settings=preferredColorScheme={scheme}", "--window-size=1200,900"
    )
    assert found["broken"] == [] and found["unnamed"] == 0
    assert found["pictures"] == (24 if name == "report" else 0)
    red = int(re.findall(r"\d+", found["page"])[0])
    assert (red < 60) == is_dark
    assert found["contrast"] >= 4.5
    assert found["focusable"]
    assert found["headings"][0] == 1
    assert all(
        after - before <= 1 for before, after in zip(found["headings"], found["headings"][1:], strict=False)
    )
    assert found["larger"] == pytest.approx(2) and max(found["overflow"], found["overflowLarger"]) <= 1


def test_a_narrow_window_needs_no_sideways_scrolling(pages, profile):
    assert look(pages["report"], profile, "--window-size=500,900")["overflow"] <= 1


def test_five_folds_a_hundred_epochs_and_a_thousand_classes_stay_small(pages):
    assert pages["report"].stat().st_size < 5e6
