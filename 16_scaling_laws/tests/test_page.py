"""The page that spends a budget: its arithmetic and the whole of it, in a real browser."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from scaling_laws import PUBLISHED, gpu_hours, optimal_allocation
from scaling_laws.allocate import H100
from scaling_laws.lab import record
from scaling_laws.lab.page import laws, page, write_page

RESULTS = Path(__file__).parents[1] / "results"
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-background-networking --disable-component-update "
    "--disable-sync --disable-dev-shm-usage --no-first-run --disable-quic --window-size=1000,1400"
).split()
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
DRIVER = shutil.which("chromedriver")


def test_the_page_is_one_file_in_light_and_dark():
    text = page()
    assert "/*DATA*/" not in text and "Besiroglu 2024" in text
    assert not re.search(r"""(src|href)=|https?:|@import|url\(|fetch\(""", text), "the page loads something"
    assert "prefers-color-scheme: dark" in text and len(text) < 30_000


def test_the_committed_page_is_the_one_that_is_made(tmp_path):
    refit = record.read(record.COMMITTED)["headline"]["refit"]
    made = write_page(tmp_path, refit).read_text(encoding="utf-8")
    assert (RESULTS / "allocate.html").read_text(encoding="utf-8") == made
    assert next(iter(laws(refit))) == "our refit of Hoffmann's points" and len(laws()) == 3


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if not (BROWSER and DRIVER):
        pytest.skip("no browser: `apt-get install chromium chromium-driver` (Debian), or chrome and chromedriver")
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


def move(browser, name, value):
    """Set a control and let the page know."""
    script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input', {bubbles: true}))"
    browser.execute_script(script, browser.find_element("id", name), value)


def text(browser, name):
    return browser.find_element("id", name).text


@pytest.mark.parametrize("name", list(PUBLISHED))
@pytest.mark.parametrize("flops", [1e16, 5.76e23])
def test_the_pages_arithmetic_is_optimal_allocation(browser, name, flops):
    law = PUBLISHED[name]
    got = browser.execute_script(f"return best({json.dumps(law._asdict())}, {flops})")
    assert got == pytest.approx(optimal_allocation(law, flops), rel=1e-9)
    loss = browser.execute_script(f"return lossOf({json.dumps(law._asdict())}, {got[0]}, {got[1]})")
    assert loss == pytest.approx(law.loss(*got), rel=1e-9)
    back = browser.execute_script(f"return budgetFor({json.dumps(law._asdict())}, {loss})")
    assert back == pytest.approx(flops, rel=1e-6)


def test_a_budget_a_law_and_a_size_change_what_is_shown(browser):
    from selenium.webdriver.common.keys import Keys

    move(browser, "law", "Hoffmann 2022, as printed")
    move(browser, "budget", 23.76)
    assert float(text(browser, "ratio-best")) == pytest.approx(92.6, rel=0.02)
    move(browser, "law", "Besiroglu 2024")
    assert float(text(browser, "ratio-best")) == pytest.approx(18.4, rel=0.02)
    before = text(browser, "n-best")
    browser.find_element("id", "budget").send_keys(Keys.ARROW_RIGHT)  # a real key press on the slider
    assert text(browser, "budget-value") == "5.89e23" and text(browser, "n-best") != before
    move(browser, "size", 0)
    assert text(browser, "n-own") == text(browser, "n-best") and text(browser, "worth-own") == "1.00 C"
    move(browser, "size", 1)
    assert float(text(browser, "loss-own")) > float(text(browser, "loss-best"))
    assert float(text(browser, "worth-own").split()[0]) < 0.7


def test_hours_and_dollars_follow_the_card_and_the_price(browser):
    move(browser, "budget", 23)
    move(browser, "card", H100.name)
    hours = gpu_hours(1e23, H100)
    assert text(browser, "hours") == f"{hours / 1000:.3g} K h"
    move(browser, "price", 2 * H100.dollars_per_hour)
    assert text(browser, "dollars") == f"$ {hours * 2 * H100.dollars_per_hour / 1000:.3g} K"
    move(browser, "utilization", 0)
    assert text(browser, "dollars") == "none"


def test_on_a_phone_nothing_scrolls_sideways_and_text_is_readable(browser):
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    browser.refresh()
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390, "the page scrolls sideways"
    bottom = browser.execute_script("return document.getElementById('dollars').getBoundingClientRect().bottom")
    assert bottom < 844, "the table is below the first screen"
    heights = browser.execute_script(
        "return [...document.querySelectorAll('text')].map(t => t.getBoundingClientRect().height)"
    )
    assert heights and min(heights) >= 11, f"the smallest label has {min(heights)} pixels"
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.refresh()


def test_the_page_has_a_dark_mode_and_no_errors(browser):
    def colour():
        return browser.execute_script("return getComputedStyle(document.body).backgroundColor")

    light = colour()
    browser.find_element("id", "theme").click()
    assert colour() != light
    severe = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not severe, severe
