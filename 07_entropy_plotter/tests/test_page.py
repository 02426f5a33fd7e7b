"""The page, in a real headless browser: a moved slider changes the distribution, and what is shown sums to one."""

import gc
import shutil
import subprocess
import time

import pytest
from entropy_plotter import NGram, SamplingParams, Words
from entropy_plotter.page import Voice, bars, build, next_token
from entropy_plotter.page.app import launch, params_of, show, write

pytestmark = pytest.mark.filterwarnings("ignore")  # Gradio's libraries warn about each other

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-background-networking --disable-component-update "
    "--disable-sync --disable-dev-shm-usage --no-first-run --disable-quic --window-size=1000,1400"
).split()
TEXT = "the cat sat on the mat and the dog sat on the sofa while the cat saw the dog and the mat " * 3


def voice():
    words = Words(TEXT, 280)
    return Voice(NGram(words.encode(TEXT), len(words), 2), words.encode, words.pieces, 60)


def test_what_is_shown_is_what_the_rules_leave():
    v = voice()
    found = next_token(v.model, v.encode("the"), SamplingParams(top_k=2))
    assert float(found.after.sum()) == pytest.approx(1, abs=1e-12) and int((found.after > 0).sum()) == 2
    assert found.entropies[1] < found.entropies[0]
    assert 'data-kept="2"' in bars(found, lambda i: v.pieces([i])[0])


def test_sliders_at_their_ends_are_off_and_an_empty_prompt_gets_a_sentence():
    assert params_of(1.0, 0, 1.0, 0.0) == SamplingParams(temperature=1.0)
    assert params_of(0.5, 3, 0.9, 0.1) == SamplingParams(temperature=0.5, top_k=3, top_p=0.9, min_p=0.1)
    assert show(voice(), "", 1.0, 0, 1.0, 0.0) == write(voice(), "", 5, 0, 1.0, 0, 1.0, 0.0)
    assert "Type at least one" in show(voice(), "", 1.0, 0, 1.0, 0.0)
    with pytest.raises(ValueError, match="type at least one character"):
        next_token(voice().model, [], SamplingParams())


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if not (BROWSER and DRIVER):
        pytest.skip("no browser: apt-get install chromium chromium-driver (Debian)")
    import warnings

    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Gradio's own libraries
        other = Words(TEXT, 270)
        voices = {
            "bigram": voice(),
            "unigram": Voice(NGram(other.encode(TEXT), 270, 1), other.encode, other.pieces, 60),
        }
        page = build(voices, "the cat and the")
        address = launch(page, block=False)
    options = Options()
    options.binary_location = BROWSER
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('page') / 'profile'}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(DRIVER, log_output=subprocess.DEVNULL))
    driver.get(address)
    until(lambda: driver.find_elements("css selector", "#distribution .bars"))
    yield driver
    driver.quit()
    page.close()
    gc.collect()  # the server's event loop goes here, and not in somebody else's test


def until(condition, seconds=60):
    """The condition's value, as soon as it is true."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.1)
    assert value, "the page did not get there in time"
    return value


def state(browser):
    """(tokens left, the sum of what is shown and of the rest) of the page, read in one go."""
    found = browser.execute_script(
        "const b = document.querySelector('#distribution .bars');"
        "const shown = [...b.querySelectorAll('[data-after]')].map(c => Number(c.dataset.after));"
        "return [Number(b.dataset.kept), shown.reduce((a, x) => a + x, 0) + Number(b.dataset.rest), b.innerText]"
    )
    return found


def move(browser, slider, value):
    """Type a value into the slider's number and leave it."""
    script = (
        "const e = document.querySelector('#' + arguments[0] + ' input[type=range]');"
        "Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(e, arguments[1]);"
        "for (const kind of ['input', 'change', 'pointerup']) e.dispatchEvent(new Event(kind, {bubbles: true}))"
    )
    browser.execute_script(script, slider, value)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("slider, value, off", [("temperature", 2.5, 1), ("top_k", 3, 0), ("top_p", 0.5, 1),
                                                ("min_p", 0.3, 0)])  # fmt: skip
def test_a_moved_slider_changes_the_distribution_and_it_sums_to_one(browser, slider, value, off):
    kept, total, text = state(browser)
    assert total == pytest.approx(1, abs=1e-6)
    move(browser, slider, value)
    until(lambda: state(browser)[2] != text)
    after, total, _ = state(browser)
    assert total == pytest.approx(1, abs=1e-6)
    assert after == kept if slider == "temperature" else after < kept
    move(browser, slider, off)
    until(lambda: state(browser)[2] == text)


@pytest.mark.timeout(240)
def test_write_again_writes_another_text_with_one_span_a_token(browser):
    def strip():
        return browser.execute_script("return document.querySelector('#strip .strip').innerText")

    before = strip()
    browser.execute_script("document.querySelector('#again').click()")
    until(lambda: strip() != before)
    assert strip().startswith("the cat and the")
    assert len(browser.find_elements("css selector", "#strip .strip span")) > 20


@pytest.mark.timeout(240)
def test_another_model_is_another_distribution(browser):
    text = state(browser)[2]
    browser.execute_script("document.querySelectorAll('#model input')[1].click()")
    until(lambda: state(browser)[2] != text)
    assert state(browser)[1] == pytest.approx(1, abs=1e-6)
    browser.execute_script("document.querySelectorAll('#model input')[0].click()")
    until(lambda: state(browser)[2] == text)


@pytest.mark.timeout(240)
def test_the_page_fits_a_phone(browser):
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    until(lambda: browser.execute_script("return window.innerWidth") == 390)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390, "the page scrolls sideways"
    width = browser.execute_script("return document.querySelector('#distribution .bars').getBoundingClientRect().width")
    assert 250 < width <= 390
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
