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
    return write_page(
        path,
        "Words & <maps>",
        list(words),
        {"t-SNE": rng.standard_normal((n, 2)) * 40, "PCA": rng.standard_normal((n, 2))},
        np.arange(n) % 3,
        near,
        [9, 8, 7, 6][:n],
    )


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
    got = fit_square(points)
    assert got.tolist() == [[-1, -0.5], [1, -0.5], [1, 0.5]]


def test_parts_of_different_sizes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="counts"):
        write_page(tmp_path / "x.html", "x", ["a", "b"], {"PCA": np.eye(2)}, np.zeros(2, dtype=int), [[], []], [1])


BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")
@pytest.mark.timeout(120)
def test_a_browser_shows_the_word_that_is_asked_for(tmp_path):
    path = page(tmp_path / "map.html")
    run = subprocess.run(
        [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--dump-dom",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"file://{path}#beta",
        ],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert 'data-word="beta"' in run.stdout, run.stderr[-500:]
    card = re.search(r'<div id="card".*?</main>', run.stdout, re.DOTALL).group(0)
    assert "8 times in the text" in card and "</b>gamma" not in card and "delta" in card
