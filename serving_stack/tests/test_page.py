"""The chat page in a real browser, on a phone's width, dark, by keyboard."""

import json
import shutil
import subprocess
import time

import pytest
from serving_stack import EngineConfig
from serving_stack.lab import tiny
from serving_stack.lab.running import free_port, running
from serving_stack.lab.serve import random_tiny
from serving_stack.wire.server import PAGE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-background-networking --disable-component-update "
    "--disable-sync --disable-dev-shm-usage --no-first-run --window-size=390,800"
).split()


class Browser:
    """Chromium's DevTools over a socket, with the four calls that this test needs."""

    def __init__(self, url, folder):
        import httpx
        from websockets.sync.client import connect

        port = free_port()
        command = [CHROMIUM, *FLAGS, f"--remote-debugging-port={port}", f"--user-data-dir={folder}", url]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while True:
            try:
                pages = httpx.get(f"http://127.0.0.1:{port}/json", timeout=5).json()
                page = next(p for p in pages if p["type"] == "page")
                break
            except (httpx.TransportError, StopIteration):
                assert time.monotonic() < end, "chromium does not start"
                time.sleep(0.2)
        self.socket = connect(page["webSocketDebuggerUrl"], max_size=None)
        self.number = 0

    def call(self, method, **params):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            answer = json.loads(self.socket.recv(timeout=30))
            if answer.get("id") == self.number:
                return answer["result"]

    def js(self, expression):
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait(self, expression, seconds=30):
        end = time.monotonic() + seconds
        while not self.js(expression):
            assert time.monotonic() < end, f"{expression}: {self.js('document.body.innerText')}"
            time.sleep(0.1)

    def key(self, key, text=""):
        for kind in ("keyDown", "keyUp"):
            code = {"Enter": 13, "Tab": 9}.get(key, 0)
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code,
                      **({"text": text} if kind == "keyDown" and text else {}))  # fmt: skip

    def close(self):
        self.socket.close()
        self.process.kill()
        self.process.wait()


def test_the_page_is_one_file_in_light_and_dark():
    text = PAGE.read_text(encoding="utf-8")
    assert "prefers-color-scheme: dark" in text and "https:" not in text and "@import" not in text
    assert 'lang="en"' in text and "aria-live" in text and 'name="viewport"' in text


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
@pytest.mark.timeout(180)
def test_a_chat_on_a_phone(tmp_path):
    pytest.importorskip("websockets")
    config = EngineConfig(num_blocks=64)
    with running(tiny.served(random_tiny(), config), config) as server:
        browser = Browser(server.url, tmp_path)
        try:
            browser.call("Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1, mobile=True)
            browser.wait("document.getElementById('title').textContent.includes('tiny')")
            assert browser.js("document.documentElement.scrollWidth") <= 390, "no sideways scrolling"
            browser.js("document.getElementById('text').focus()")
            browser.call("Input.insertText", text="hello")
            browser.key("Enter", "\r")
            browser.wait("document.querySelectorAll('.note').length === 1")
            told = browser.js("document.querySelector('.note').textContent")
            assert "ends: " in told and "tokens" in told
            assert browser.js("document.querySelectorAll('.m').length") == 2
            assert browser.js("document.querySelector('.assistant').textContent.length") > 0
            browser.js("messages = [{role: 'user', content: 5}]; document.getElementById('text').value = 'x'; send()")
            browser.wait("document.querySelectorAll('.error').length === 1")
            assert "content must be a text" in browser.js("document.querySelector('.error').textContent")
            browser.js("document.getElementById('reset').click()")
            assert browser.js("document.querySelectorAll('.m').length + messages.length") == 0
            media = [{"name": "prefers-color-scheme", "value": "dark"}]
            light = browser.js("getComputedStyle(document.body).backgroundColor")
            browser.call("Emulation.setEmulatedMedia", features=media)
            assert browser.js("getComputedStyle(document.body).backgroundColor") != light
            assert browser.js("[...document.querySelectorAll('button')].every(b => b.offsetHeight >= 32)")
        finally:
            browser.close()
