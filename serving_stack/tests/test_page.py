"""The chat page in a real browser, on a phone's width, dark, by keyboard."""

import shutil
import time

import pytest

from serving_stack import EngineConfig
from serving_stack.lab import block_page, tiny
from serving_stack.lab.record import COMMITTED
from serving_stack.lab.running import running
from serving_stack.lab.serve import random_tiny
from serving_stack.wire.server import PAGE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-background-networking --disable-component-update "
    "--disable-sync --disable-dev-shm-usage --no-first-run --disable-quic --window-size=390,800"
).split()


def test_the_page_is_one_file_in_light_and_dark():
    text = PAGE.read_text(encoding="utf-8")
    assert "prefers-color-scheme: dark" in text and "https:" not in text and "@import" not in text
    assert 'lang="en"' in text and "aria-live" in text and 'name="viewport"' in text


@pytest.fixture
def browser():
    selenium = pytest.importorskip("selenium.webdriver")
    if not CHROMIUM or not DRIVER:
        pytest.skip("no chromium with its driver on this machine")
    options = selenium.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in FLAGS:
        options.add_argument(flag)
    driver = selenium.Chrome(options, selenium.chrome.service.Service(DRIVER))
    yield driver
    driver.quit()


def wait(browser, expression, seconds=30):
    end = time.monotonic() + seconds
    while not browser.execute_script(f"return {expression}"):
        assert time.monotonic() < end, f"{expression}: {browser.find_element('tag name', 'body').text}"
        time.sleep(0.1)


@pytest.mark.timeout(180)
def test_a_chat_on_a_phone(browser):
    from selenium.webdriver.common.keys import Keys

    config = EngineConfig(num_blocks=64)
    phone = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    with running(tiny.served(random_tiny(), config), config) as server:
        browser.get(server.url)
        wait(browser, "document.getElementById('title').textContent.includes('tiny')")
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 390, "it scrolls sideways"
        field = browser.find_element("id", "text")
        field.send_keys("hello", Keys.ENTER)
        wait(browser, "document.querySelectorAll('.note').length === 1")
        told = browser.find_element("class name", "note").text
        assert "ends: " in told and "tokens" in told
        assert len(browser.find_elements("class name", "m")) == 2
        assert browser.execute_script("return document.querySelector('.assistant').textContent.length") > 0
        browser.execute_script("messages = [{role: 'user', content: 5}]")
        field.send_keys("x", Keys.ENTER)
        wait(browser, "document.querySelectorAll('.error').length === 1")
        assert "content must be a text" in browser.find_element("class name", "error").text
        browser.find_element("id", "reset").send_keys(Keys.ENTER)
        assert not browser.find_elements("class name", "m")
        colour = "return getComputedStyle(document.body).backgroundColor"
        light = browser.execute_script(colour)
        media = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        assert browser.execute_script(colour) != light
        assert browser.execute_script(
            "return [...document.querySelectorAll('button')].every(b => b.offsetHeight >= 32)"
        )


def test_the_page_of_the_blocks_is_the_one_that_is_made():
    text = block_page.page()
    assert (COMMITTED / "blocks.html").read_text(encoding="utf-8") == text
    assert "prefers-color-scheme: dark" in text and "https:" not in text and "/*SCHEDULE*/" not in text
    steps = block_page.steps_of(block_page.log_of_a_schedule())
    held = [block for step in steps for table in step["tables"].values() for block in table]
    shared = [len(set(blocks)) < len(blocks) for step in steps if (blocks := sum(step["tables"].values(), []))]
    assert any(shared) and any(step["preempted"] for step in steps) and len(set(held)) == block_page.CONFIG.num_blocks


def test_the_page_of_the_blocks_moves_by_keyboard(browser, tmp_path):
    from selenium.webdriver.common.keys import Keys

    phone = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    browser.get(block_page.write_page(tmp_path).as_uri())
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390, "it scrolls sideways"
    steps = block_page.steps_of(block_page.log_of_a_schedule())
    for number in range(1, 6):
        browser.find_element("id", "step").send_keys(Keys.ARROW_RIGHT)
        rows = [row.text.split() for row in browser.find_elements("css selector", "#tables tr")]
        tables = {row[0]: [int(block) for block in row[-len(steps[number]["tables"][row[0]]) :]] for row in rows}
        assert tables == steps[number]["tables"]
    browser.find_element("id", "play").send_keys(Keys.ENTER)
    wait(browser, "+document.getElementById('step').value > 6")
    assert browser.find_element("id", "play").text == "pause"
