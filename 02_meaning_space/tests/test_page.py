"""The interactive map: one file, nothing from elsewhere, and it works in a browser where there is one."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from meaning_space.lab.page import fit_square, write_page


def page(path, words=("alpha", "beta", "</script><b>gamma", "delta")):
    rng = np.random.default_rng(0)
    n = len(words)
    near = [[words[(i + 1) % n], words[(i + 2) % n]] for i in range(n)]
    maps = {"t-SNE": rng.standard_normal((n, 2)) * 40, "PCA": rng.standard_normal((n, 2))}
    return write_page(path, "Words & <maps>", list(words), maps, np.arange(n) % 3, near, [9, 8, 7, 6][:n])


def test_the_page_holds_everything_and_fetches_nothing(tmp_path):
    text = page(tmp_path / "map.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|src=|@import|url\(", text)
    assert "prefers-color-scheme: dark" in text and "Words &amp; &lt;maps&gt;" in text
    data = json.loads(re.search(r"const data = (.*);\n", text).group(1).replace("<\\/", "</"))
    assert data["words"][2] == "</script><b>gamma" and text.count("</script>") == 1
    assert np.abs(data["maps"]["PCA"]).max() == 1.0
    assert [p.name for p in tmp_path.iterdir()] == ["map.html"]


def test_layouts_keep_their_shape():
    points = np.array([[0.0, 0], [10, 0], [10, 5]])
    assert fit_square(points).tolist() == [[-1, -0.5], [1, -0.5], [1, 0.5]]


def test_parts_of_different_sizes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="counts=1"):
        write_page(tmp_path / "x.html", "x", ["a", "b"], {"PCA": np.eye(2)}, np.zeros(2, dtype=int), [[], []], [1])


# ---------------------------------------------------------------- in a browser

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
in_browser = pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")

# What a finger, a search and a keyboard do. Each step leaves a line in the page.
SCRIPT = """
const lines = [], say = (name, value) => lines.push(`${name}: ${value}`);
const event = (kind, [x, y], id, type) => {
  const box = canvas.getBoundingClientRect();
  canvas.dispatchEvent(new PointerEvent(kind, { clientX: box.left + x, clientY: box.top + y, pointerId: id,
                                                pointerType: type, bubbles: true }));
};
const word = () => document.body.dataset.word || "none";
const key = k => canvas.dispatchEvent(new KeyboardEvent("keydown", { key: k, cancelable: true }));
say("width", innerWidth <= document.documentElement.scrollWidth && document.documentElement.scrollWidth <= innerWidth);
let p = place(1);
event("pointerdown", p, 1, "touch"); event("pointerup", p, 1, "touch"); event("pointerleave", p, 1, "touch");
say("a tap", word());
say("its card", card.textContent);
const old = view.zoom;
event("pointerdown", [100, 100], 1, "touch"); event("pointerdown", [140, 100], 2, "touch");
event("pointermove", [200, 100], 2, "touch"); event("pointerup", [200, 100], 2, "touch");
event("pointerup", [100, 100], 1, "touch");
say("a pinch", (view.zoom / old).toFixed(2));
byId("reset").click();
say("reset", `${view.zoom} ${word()}`);
p = place(3);
event("pointermove", p, 9, "mouse"); say("a mouse", word());
event("pointerleave", p, 9, "mouse"); say("it leaves", word());
find("alpha"); say("search", `${word()}, ${Math.round(place(0)[0] - canvas.clientWidth / 2)} from the middle`);
find("alp"); say("a beginning", byId("status").textContent);
find("zebra"); say("unknown", byId("status").textContent);
key("ArrowRight"); key("ArrowRight"); say("keys", word());
key("+"); say("plus", view.zoom > 1);
key("Escape"); say("Escape", `${view.zoom} ${word()}`);
document.body.dataset.lines = lines.join(" | ");
"""


def browse(path, width, *options):
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
               "--disable-component-update", "--disable-sync", "--no-first-run", "--dump-dom",
               f"--window-size={width},844", f"--user-data-dir={path.parent / 'profile'}", *options]  # fmt: skip
    run = subprocess.run([*command, f"file://{path}"], capture_output=True, text=True, timeout=100)
    assert "data-lines=" in run.stdout, run.stderr[-500:]
    return dict(line.split(": ", 1) for line in re.search(r'data-lines="([^"]*)"', run.stdout).group(1).split(" | "))


@in_browser
@pytest.mark.timeout(120)
@pytest.mark.parametrize("width", [500, 1200])
def test_fingers_mouse_search_and_keys(tmp_path, width):
    path = page(tmp_path / "map.html")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("</script>\n</body>", SCRIPT + "</script>\n</body>"), encoding="utf-8")
    done = browse(path, width)
    assert done["width"] == "true", "the page is wider than the screen"
    assert done["a tap"] == "beta" and "8 times in the text" in done["its card"] and "delta" in done["its card"]
    assert done["a pinch"] == "2.50" and done["reset"] == "1 none"
    assert done["a mouse"] == "delta" and done["it leaves"] == "none"
    assert done["search"] == "alpha, 0 from the middle"
    assert "begin with “alp”: alpha" in done["a beginning"] and "not on this map" in done["unknown"]
    assert done["keys"] == "beta" and done["plus"] == "true" and done["Escape"] == "1 none"
