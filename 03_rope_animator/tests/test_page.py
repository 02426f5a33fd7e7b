"""The interactive page: its arithmetic in a JavaScript engine, and the whole of it in a real browser."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from rope_animator import frequencies
from rope_animator.animate import page, page_score, vectors, write_gif, write_page

RESULTS = Path(__file__).parents[1] / "results"
CASES = [(600, 597, 64, 1e4), (0, 0, 4, 10.0), (4096, 4096 - 512, 128, 1e6), (7, -3, 18, 500.0), (1, 0, 2, 1e4)]
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-background-networking --disable-component-update "
    "--disable-sync --disable-dev-shm-usage --no-first-run --disable-quic --window-size=1000,1400"
).split()


def script(name):
    return re.search(rf'<script id="{name}">(.*?)</script>', page(), re.DOTALL).group(1)


@pytest.fixture(scope="module")
def engine():
    from py_mini_racer import MiniRacer

    context = MiniRacer()
    context.eval(script("arithmetic"))
    yield context
    context.close()


@pytest.mark.parametrize("m, n, dim, base", CASES)
def test_the_pages_arithmetic_is_apply_rope(engine, m, n, dim, base):
    """Both in float64; another order of additions, and values up to 100: 1e-9."""
    assert engine.eval(f"score({m}, {n}, {dim}, {base})") == pytest.approx(page_score(m, n, dim, base), abs=1e-9)


def test_the_pages_frequencies_are_ours(engine):
    theirs = list(engine.eval("JSON.stringify(frequencies(64, 10000))")[1:-1].split(","))
    assert [float(t) for t in theirs] == pytest.approx(frequencies(64).tolist(), rel=1e-12)


def test_the_pages_score_keeps_still_when_both_move(engine):
    scores = [engine.eval(f"score({m}, {m - 9}, 64, 10000)") for m in (9, 100, 4096)]
    assert max(scores) - min(scores) < 1e-9
    assert abs(engine.eval("score(100, 90, 64, 10000)") - scores[0]) > 0.1


def test_the_page_is_one_file_in_light_and_dark():
    text = page()
    assert "/*VECTORS*/" not in text and str(vectors()["q"][0]) in text
    assert not re.search(r"""(src|href)=|https?:|@import|url\(|fetch\(""", text), "the page loads something"
    assert "prefers-color-scheme: dark" in text
    assert len(text) < 60_000


def test_the_committed_page_is_the_one_that_is_made(tmp_path):
    assert (RESULTS / "rope.html").read_text(encoding="utf-8") == write_page(tmp_path).read_text(encoding="utf-8")


def test_the_committed_animation_is_small_and_whole():
    from PIL import Image

    path = RESULTS / "rope.gif"
    assert path.stat().st_size < 3_000_000
    with Image.open(path) as animation:
        assert animation.n_frames > 60


@pytest.mark.timeout(240)
def test_an_animation_is_written_and_moves(tmp_path):
    from PIL import Image, ImageChops

    with Image.open(write_gif(tmp_path, frames=3)) as animation:
        first = animation.convert("RGB")
        animation.seek(2)
        assert ImageChops.difference(first, animation.convert("RGB")).getbbox(), "the frames are all alike"
    assert [p.name for p in tmp_path.iterdir()] == ["rope.gif"]


# ---------------------------------------------------------------- in a browser

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
DRIVER = shutil.which("chromedriver")
MISSING = (
    "no browser: `apt-get install chromium chromium-driver` (Debian), or put chrome and chromedriver on the PATH; "
    "the page's arithmetic is tested without one"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if not (BROWSER and DRIVER):
        pytest.skip(MISSING)
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    folder, options = tmp_path_factory.mktemp("page"), Options()
    options.binary_location = BROWSER
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(DRIVER, log_output=subprocess.DEVNULL))
    driver.get(write_page(folder).as_uri())
    yield driver
    driver.quit()


def move(browser, slider, value):
    """Set a slider and tell the page, as a hand would."""
    control = browser.find_element("id", slider)
    tell = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input', {bubbles: true}))"
    browser.execute_script(tell, control, value)


def read(browser, name):
    return float(browser.find_element("id", name).text)


def test_a_moved_slider_changes_the_dot_product_in_a_browser(browser):
    from selenium.webdriver.common.keys import Keys

    before = read(browser, "score")
    assert before == pytest.approx(page_score(600, 597, 64, 1e4), abs=1e-6)
    browser.find_element("id", "distance").send_keys(Keys.ARROW_RIGHT)  # a real key press on the slider
    after = read(browser, "score")
    assert after == pytest.approx(page_score(600, 596, 64, 1e4), abs=1e-6) and after != before
    move(browser, "position", 3000)
    assert read(browser, "score") == after, "both moved together: the dot product must stay"
    assert abs(read(browser, "difference")) < 1e-9


@pytest.mark.parametrize("slider, value, dim, base", [("base", 2, 64, 1e2), ("dimension", 32, 32, 1e4)])
def test_every_other_slider_does_too(browser, slider, value, dim, base):
    for name, default in (("position", 600), ("distance", 3), ("base", 4), ("dimension", 64)):
        move(browser, name, default)
    move(browser, slider, value)
    assert read(browser, "score") == pytest.approx(page_score(600, 597, dim, base), abs=1e-6)
    assert len(browser.find_elements("css selector", "#dials svg")) == 4


def test_the_page_has_a_dark_dress_and_says_nothing_to_the_console(browser):
    def colour():
        return browser.execute_script("return getComputedStyle(document.body).backgroundColor")

    light = colour()
    browser.find_element("id", "theme").click()
    assert colour() != light
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
