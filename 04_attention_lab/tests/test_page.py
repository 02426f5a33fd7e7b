"""The interactive page, in a real browser: its arithmetic is the model's, and it can be used."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from attention_lab.lab.page import model_of, page
from attention_lab.transformer import Transformer

PAGE = Path(__file__).parents[1] / "results" / "attention.html"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-background-networking --disable-component-update "
    "--disable-sync --disable-dev-shm-usage --no-first-run --disable-quic --window-size=1000,1400"
).split()


def test_the_page_is_one_file_and_holds_its_model():
    text = PAGE.read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=|https?:|@import|url\(|fetch\(""", re.sub(r"const MODEL = .*", "", text))
    assert "prefers-color-scheme: dark" in text and len(text) < 400_000
    model, characters = model_of(text)
    assert page(model, characters) == text, "make it anew: python -m attention_lab page --out results"


def test_a_page_holds_any_model():
    torch.manual_seed(0)
    made = Transformer(5, 8, 8, layers=1, heads=2)
    back, characters = model_of(page(made, list("ab </")))
    assert characters == list("ab </")
    tokens = torch.tensor([[0, 3, 1]])
    torch.testing.assert_close(back(tokens), made(tokens), rtol=0, atol=1e-2)  # float16


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if not (BROWSER and DRIVER):
        pytest.skip("no browser: apt-get install chromium chromium-driver (Debian)")
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = BROWSER
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('page') / 'profile'}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(DRIVER, log_output=subprocess.DEVNULL))
    driver.get(PAGE.as_uri())
    yield driver
    driver.quit()


def type_text(browser, text):
    script = "const i = document.getElementById('input'); i.value = arguments[0]; i.dispatchEvent(new Event('input'))"
    browser.execute_script(script, text)


def test_the_pages_arithmetic_is_the_models(browser):
    model, characters = model_of(PAGE.read_text(encoding="utf-8"))
    ids = [characters.index(c) for c in "an object is an object"]
    found = browser.execute_script("const r = look(arguments[0]); return [r.patterns, r.logits.map(v => [...v])]", ids)
    logits, weights = model.look(torch.tensor([ids]))
    for layer, heads in enumerate(found[0]):
        for head, rows in enumerate(heads):
            for t, row in enumerate(rows):
                assert row == pytest.approx(weights[layer, 0, head, t, : t + 1].tolist(), abs=1e-4)
    assert found[1][-1] == pytest.approx(logits[0, -1].tolist(), abs=1e-3)  # float32 against float64


def test_another_text_head_and_letter_change_what_is_said(browser):
    from selenium.webdriver.common.keys import Keys

    browser.find_element("id", "reset").click()
    said = [browser.find_element("id", "says").text]
    type_text(browser, "hello hello")
    letters = browser.find_elements("css selector", "#text button")
    assert len(letters) == 11
    said.append(browser.find_element("id", "says").text)
    browser.find_elements("css selector", "#heads button")[-1].send_keys(Keys.ENTER)
    said.append(browser.find_element("id", "says").text)
    letters[4].send_keys(Keys.ENTER)
    browser.switch_to.active_element.send_keys(Keys.ARROW_LEFT)
    said.append(browser.find_element("id", "says").text)
    assert len(set(said)) == 4 and "letter 4," in said[-1] and "Head 1.3" in said[-1]
    assert "guess for the next letter" in browser.find_element("id", "next").text


def test_an_unknown_text_is_answered_and_reset_brings_it_back(browser):
    type_text(browser, "日本")
    assert "type another" in browser.find_element("id", "says").text
    type_text(browser, "")
    assert "type another" in browser.find_element("id", "says").text
    browser.find_element("id", "reset").click()
    assert len(browser.find_elements("css selector", "#text button")) == 60


def test_a_long_text_is_cut_to_what_the_model_can_read(browser):
    type_text(browser, "abc " * 50)
    assert len(browser.find_elements("css selector", "#text button")) == 60


def test_a_tap_on_the_map_chooses_a_row(browser):
    browser.find_element("id", "reset").click()
    browser.find_element("id", "map").click()  # the middle
    assert re.search(r"letter 3[01],", browser.find_element("id", "says").text)


def test_on_a_phone_nothing_is_cut_off_and_fingers_fit(browser):
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    browser.refresh()
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390, "the page scrolls sideways"
    boxes = "[...document.querySelectorAll('button')].map(b => b.getBoundingClientRect())"
    sizes = browser.execute_script(f"return {boxes}.map(r => [r.width, r.height])")
    assert min(w for w, _ in sizes) >= 24 and min(h for _, h in sizes) >= 32
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.refresh()


def test_the_page_has_a_dark_mode_and_no_errors(browser):
    def colour():
        return browser.execute_script("return getComputedStyle(document.body).backgroundColor")

    light = colour()
    browser.find_element("id", "theme").click()
    assert colour() != light
    browser.find_element("id", "theme").click()
    assert colour() == light
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
