"""The page, made with Gradio: works offline, on a phone and in the dark. Nothing is loaded from elsewhere."""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from .speakers import RUNGS, STEPS, Speaker, from_run, speaker

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

INTRODUCTION = """# Every rung goes on with your text

Each model was counted or trained on the same text, on this machine. A model is trained when it is first asked: half a
minute at most. Temperature 0 always takes the likeliest character.
"""
FONTS = ("ui-sans-serif", "system-ui", "sans-serif")
MONO = ("ui-monospace", "Consolas", "monospace")
LONG_RUN = "trained GPT (long run)"
Number = float | int


def answers(text: str, folder: Path | str | None = None, steps: int = STEPS) -> Callable[..., tuple]:
    """The function behind the page: (rung, prompt, settings) -> (text, expected next characters, a line about it)."""

    @cache
    def made(rung: str) -> Speaker:
        return from_run(folder) if rung == LONG_RUN else speaker(rung, text, steps)

    def answer(rung: str, prompt: str, length: Number, temperature: Number, top_k: Number, top_p: Number, seed: Number):
        who = made(rung)
        settings = {"temperature": temperature, "top_k": int(top_k) or None, "top_p": top_p if top_p < 1 else None}
        said = who.say(prompt, int(length), int(seed), **settings)
        about = who.name if who.loss is None else f"{who.name}: {who.loss:.2f} nats a character on unseen text"
        return said, who.expects(prompt, **settings), about

    return answer


def page(text: str, folder: Path | str | None = None, steps: int = STEPS) -> Any:
    """The page as a Gradio app; `launch` serves it. With `folder` the GPT of a long run is there too."""
    import gradio as gr

    answer = answers(text, folder, steps)

    def pressed(*given):
        try:
            return answer(*given)
        except ValueError as error:
            raise gr.Error(str(error)) from error

    with gr.Blocks(title="capstone_gpt", analytics_enabled=False) as app:
        gr.Markdown(INTRODUCTION)
        choices = [*RUNGS, *([LONG_RUN] if folder else [])]
        with gr.Row():
            rung = gr.Dropdown(choices, value=choices[-1], label="model", elem_id="rung")
            prompt = gr.Textbox("The ", label="prompt", lines=2, elem_id="prompt")
        with gr.Row():
            length = gr.Slider(10, 500, 200, step=10, label="length", info="characters")
            temperature = gr.Slider(0, 2, 0.8, step=0.1, label="temperature", info="0: greedy")
            top_k = gr.Slider(0, 50, 0, step=1, label="top-k", info="0: all")
            top_p = gr.Slider(0.05, 1, 1, step=0.05, label="top-p", info="1: all")
            seed = gr.Number(0, label="seed", precision=0)
        button = gr.Button("Write", variant="primary", elem_id="write")
        said = gr.Textbox(label="text", lines=8, elem_id="said")
        about = gr.Markdown(elem_id="about")
        expected = gr.Label(label="what it expected after the prompt", elem_id="expected")
        asked = [rung, prompt, length, temperature, top_k, top_p, seed]
        button.click(pressed, asked, [said, expected, about], api_name="write")
    return app


def launch(app: Any, port: int | None = None, block: bool = True) -> str:
    """Serve the page on this machine alone; returns its address."""
    import gradio as gr

    theme = gr.themes.Base(primary_hue="blue", font=FONTS, font_mono=MONO)
    _, url, _ = app.launch(server_name="127.0.0.1", server_port=port, share=False, quiet=True, theme=theme,
                           footer_links=[], prevent_thread_lock=not block, show_error=True)  # fmt: skip
    return url
