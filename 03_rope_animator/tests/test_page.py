"""The interactive page: its arithmetic in a JavaScript engine, and the whole of it in a real browser."""

import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from rope_animator import frequencies
from rope_animator.lab.animate import write_gif
from rope_animator.lab.page import page, page_score, vectors, write_page

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


def test_the_pages_score_stays_when_both_move(engine):
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
    """Set a slider and let the page know."""
    control = browser.find_element("id", slider)
    script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input', {bubbles: true}))"
    browser.execute_script(script, control, value)


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


def reset(browser):
    for slider, value in (("distance", 3), ("position", 600), ("base", 4), ("dimension", 64)):
        move(browser, slider, value)


@pytest.mark.parametrize("slider, value, dim, base", [("base", 2, 64, 1e2), ("dimension", 8, 8, 1e4)])
def test_every_other_slider_does_too(browser, slider, value, dim, base):
    reset(browser)
    move(browser, slider, value)
    assert read(browser, "score") == pytest.approx(page_score(600, 597, dim, base), abs=1e-6)
    pairs = [text.splitlines()[0] for text in browser.find_element("id", "dials").text.split("pair ")[1:]]
    assert len(set(pairs)) == 4, "four different pairs, at the smallest dimension too"


def test_the_key_never_comes_before_position_0(browser):
    reset(browser)
    move(browser, "position", 0)
    move(browser, "distance", 512)
    assert browser.find_element("id", "position-value").text == "512"
    assert read(browser, "score") == pytest.approx(page_score(512, 0, 64, 1e4), abs=1e-6)


def test_play_moves_the_position_and_pause_stops_it(browser):
    from selenium.webdriver.common.keys import Keys

    reset(browser)
    button = browser.find_element("id", "play")
    button.send_keys(Keys.ENTER)
    assert button.text == "pause"
    for _ in range(100):
        if int(browser.find_element("id", "position-value").text) >= 603:
            break
        time.sleep(0.05)
    button.send_keys(Keys.ENTER)
    stopped = browser.find_element("id", "position-value").text
    time.sleep(0.3)
    assert int(stopped) >= 603 and browser.find_element("id", "position-value").text == stopped
    assert button.text == "play"


def test_on_a_phone_dials_and_sliders_are_on_the_first_screen_and_text_is_readable(browser):
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    browser.refresh()
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390, "the page scrolls sideways"
    for name in ("dials", "position", "dimension", "score"):
        bottom = browser.execute_script(f"return document.getElementById('{name}').getBoundingClientRect().bottom")
        assert bottom < 844, f"{name} is below the first screen"
    heights = browser.execute_script(
        "return [...document.querySelectorAll('text')].map(t => t.getBoundingClientRect().height).filter(h => h > 0)"
    )
    assert heights and min(heights) >= 12, f"the smallest label has {min(heights)} pixels"
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.refresh()


def test_the_page_has_a_dark_mode_and_no_errors(browser):
    def colour():
        return browser.execute_script("return getComputedStyle(document.body).backgroundColor")

    light = colour()
    browser.find_element("id", "theme").click()
    assert colour() != light
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
