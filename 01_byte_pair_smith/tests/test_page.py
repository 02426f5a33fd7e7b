"""The page of tokens in a real browser: its own encoder, taps and keys, and a narrow screen."""

import html
import json
import re
import shutil
import subprocess

import pytest
from byte_pair_smith import GPT2_ORDER, Tokenizer, Vocabulary, train_fast
from byte_pair_smith.lab.fetch import load_text
from byte_pair_smith.lab.view import page

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
FLAGS += ["--disable-component-update", "--no-first-run", "--dump-dom"]
TEXT = "It's 12345 tokenizers,  naïve\nछह 🙂 and more text like this."
pytestmark = pytest.mark.skipif(not BROWSER, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def vocabulary():
    merges = train_fast(load_text("pydoc")[:60_000], 700, alphabet=GPT2_ORDER)
    return Vocabulary.from_merges(merges, GPT2_ORDER)


@pytest.fixture
def opened(tmp_path, vocabulary):
    """opened(fragment, script) is the page as the browser has it, after the script has run in it."""

    def dump(fragment="", script="", wrap=str):
        text = page({"only": TEXT}, {"ours": Tokenizer(vocabulary)}, vocabulary, "t")
        text = wrap(text.replace("</body>", f"<script>{script}</script></body>"))
        (tmp_path / "page.html").write_text(text, encoding="utf-8")
        command = [BROWSER, *FLAGS, f"--user-data-dir={tmp_path}/profile"]
        command.append(f"{(tmp_path / 'page.html').as_uri()}#{fragment}")
        return subprocess.run(command, capture_output=True, timeout=100).stdout.decode()

    return dump


@pytest.mark.parametrize("slider", [1000, 500, 0])
def test_the_pages_own_encoder_gives_our_ids(opened, vocabulary, slider):
    live = re.search(r'id="live"[^>]*>(.*?)</div>', opened(f"slider={slider}"), re.DOTALL)[1]
    size = round(256 * (700 / 256) ** (slider / 1000))
    ids = [int(i) for i in re.findall(r'data-id="(\d+)"', live)]
    assert ids == Tokenizer(vocabulary.truncate(size)).encode_ordinary(TEXT)
    assert html.unescape(re.sub("<[^>]*>", "", live)).count("·") > 5


def report(dom):
    return html.unescape(re.search(r'id="report"[^>]*>(.*?)</div>', dom, re.DOTALL)[1])


def test_a_tap_and_the_arrow_keys_describe_a_token(opened, vocabulary):
    ids = Tokenizer(vocabulary).encode_ordinary(TEXT)
    tap = "document.querySelectorAll('#live .t')[1].click();"
    key = "$('live').dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}));"
    assert report(opened(script=tap)).startswith(f"id {ids[1]} ")
    assert report(opened(script=tap + key)).startswith(f"id {ids[2]} ")
    sample = "document.querySelectorAll('section .t')[3].click();"
    assert report(opened(script=sample)).startswith(f"id {ids[3]} ")


def test_the_page_is_no_wider_than_a_phone(opened):
    def in_a_frame(text):
        measure = "onload = () => { const d = document.querySelector('iframe').contentDocument.documentElement;"
        measure += "document.title = d.scrollWidth + ' of ' + d.clientWidth; }"
        frame = f'<iframe width="390" height="800" srcdoc="{html.escape(text)}"></iframe>'
        return f"<!DOCTYPE html><html><head><script>{measure}</script></head><body>{frame}</body></html>"

    title = re.search(r"<title>(\d+) of (\d+)</title>", opened(wrap=in_a_frame))
    assert title and int(title[1]) <= int(title[2]) <= 390, title and title[0]


def test_the_data_in_the_page_are_ours(opened, vocabulary):
    data = json.loads(html.unescape(re.search(r'id="data">(.*?)</script>', opened(), re.DOTALL)[1]))
    assert [tuple(pair) for pair in data["merges"]] == vocabulary.merges
