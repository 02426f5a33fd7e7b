"""The demo: every rung goes on with a text; the page in a real browser; the three sessions from top to bottom."""

import contextlib
import math
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from capstone_gpt.__main__ import COMMANDS, arguments
from capstone_gpt.demo import RUNGS, from_run, speaker
from capstone_gpt.demo.page import LONG_RUN, answers, launch, page
from capstone_gpt.demo.speakers import Counts, Sliding
from capstone_gpt.lab import plots
from capstone_gpt.lab.cli import main
from capstone_gpt.ladder import kneser_ney

TEXT = "The cat sat on the mat. the dog sat on the log.\n" * 60
FOLDER = Path(__file__).parents[1]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-background-networking --disable-component-update "
    "--disable-sync --disable-dev-shm-usage --no-first-run --disable-quic --window-size=390,1200"
).split()


@pytest.mark.parametrize("rung", RUNGS)
def test_every_rung_goes_on_with_a_text(rung):
    who = speaker(rung, TEXT, steps=3)
    said = who.say("the c", 20, temperature=0.8)
    assert said.startswith("the c") and len(said) == 25 and set(said) <= set(TEXT)
    assert said == who.say("the c", 20, temperature=0.8) and 0 < who.loss < math.log(30)
    expected = who.expects("the c", count=4)
    assert len(expected) == 4 and sorted(expected.values(), reverse=True) == list(expected.values())
    with pytest.raises(ValueError, match="not among"):
        who.say("é", 3)


def test_counts_with_a_models_form_are_kneser_ney():
    """Both in float64 until the logarithm, which is kept in float32: 1e-6."""
    tokens = torch.randint(5, (200,), generator=torch.Generator().manual_seed(0))
    logits = Counts(tokens, 3, 5)(torch.tensor([[1, 4], [2, 0]]))[:, -1]
    want = kneser_ney(tokens.tolist(), [(1, 4), (2, 0)], 3, 5)
    assert torch.allclose(logits.exp().double(), want, atol=1e-6)


def test_a_fixed_context_slides_over_a_text():
    inside = torch.nn.Sequential(torch.nn.Embedding(7, 3), torch.nn.Flatten(), torch.nn.Linear(12, 7))
    x = torch.tensor([[3, 5, 1, 6, 2]])
    logits = Sliding(inside, 4)(x)
    assert torch.allclose(logits[:, -1], inside(x[:, 1:])) and torch.allclose(
        logits[:, 0], inside(torch.tensor([[0, 0, 0, 3]]))
    )


def test_a_rung_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match="choose one of"):
        speaker("trigram", TEXT)
    with pytest.raises(ValueError, match="makes one"):
        from_run(tmp_path)


def test_a_long_run_speaks_and_leaves_the_random_state(tmp_path):
    from capstone_gpt import Config, ModernConfig, ModernGPT, Pairs, Trainer

    config = Config(steps=2, model=ModernConfig(256, 16, 1, 2, 16))
    model = ModernGPT(config.model)
    x = torch.randint(256, (20, 16))
    Trainer(model, Pairs(x, x), config, folder=tmp_path).fit()
    torch.manual_seed(3)
    state = torch.get_rng_state()
    who = from_run(tmp_path)
    assert torch.equal(torch.get_rng_state(), state) and who.name == "long run, step 2" and who.loss is None
    assert all(torch.equal(a, b) for a, b in zip(who.model.parameters(), model.parameters(), strict=True))
    said, expected, about = answers(TEXT, tmp_path)(LONG_RUN, "th", 4, 1.0, 0, 1, 0)
    assert said.startswith("th") and len(expected) == 8 and about == "long run, step 2"


@pytest.mark.timeout(180)
def test_the_page_in_a_browser():
    """Narrow, dark, and without a request to anyone else."""
    pytest.importorskip("gradio", reason="pip install -e '.[demo]'")
    selenium = pytest.importorskip("selenium.webdriver")
    if not CHROMIUM or not DRIVER:
        pytest.skip("no chromium with its driver on this machine")
    app = page(TEXT, steps=3)
    options = selenium.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in FLAGS:
        options.add_argument(flag)
    with contextlib.ExitStack() as stack:
        address = launch(app, block=False)
        stack.callback(app.close)
        browser = selenium.Chrome(options, selenium.chrome.service.Service(DRIVER))
        stack.callback(browser.quit)
        phone = {"width": 390, "height": 1200, "deviceScaleFactor": 1, "mobile": True}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
        media = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        browser.get(address)
        until(lambda: browser.find_elements("id", "write"))
        browser.find_element("id", "write").click()
        until(lambda: "nats a character" in browser.find_element("id", "about").text)
        said = browser.find_element("css selector", "#said textarea").get_attribute("value")
        assert said.startswith("The ") and len(said) == 204
        browser.find_element("css selector", "#prompt textarea").send_keys("é")
        browser.find_element("id", "write").click()
        until(lambda: "not among" in browser.find_element("tag name", "body").text)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 390, "it scrolls sideways"
        others = "performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith(location.origin))"
        assert browser.execute_script(f"return {others}") == []


def until(ready, seconds=60):
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "the page did not get there"
        time.sleep(0.2)


@pytest.mark.timeout(240)
def test_the_three_sessions_run_from_top_to_bottom():
    script = (
        "import sys, nbclient, nbformat\n"
        "book = nbformat.read(sys.argv[1], 4)\n"
        "nbclient.NotebookClient(book, timeout=200, kernel_name='python3').execute()\n"
        "print(''.join(o.get('text', '') for c in book.cells if c.cell_type == 'code' for o in c.outputs))\n"
    )
    env = os.environ | {"HARDWAY_QUICK": "1", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-c", script, str(FOLDER / "three_sessions.ipynb")]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=FOLDER)
    assert done.returncode == 0, done.stderr[-2000:]
    for told in ("parameters", "ln 65 = 4.174", "resumed: True at step 5", "--- greedy", "--- WaveNet"):
        assert told in done.stdout


def test_a_port_that_is_taken_is_said(tmp_path, capsys):
    pytest.importorskip("gradio", reason="pip install -e '.[demo]'")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        argv = ["demo", "--quick", "--port", str(port), "--out", str(tmp_path), "--folder", str(tmp_path)]
        assert main("capstone_gpt", "", COMMANDS, plots.draw, argv, arguments) == 1
    assert f"port={port}: it is taken" in capsys.readouterr().out
