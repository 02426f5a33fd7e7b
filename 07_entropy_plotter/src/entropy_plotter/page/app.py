"""The page: a prompt, four sliders, the distribution before and after them, and a text coloured by its surprise."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..sample import LanguageModel, generate
from ..strip import measure, strip_html
from ..warpers import SamplingParams
from .view import bars, next_token

CSS = """
footer { display: none !important; }
.gradio-container { max-width: 1100px !important; }
@media (max-width: 500px) { .gradio-container { padding: 6px !important; } }
"""


@dataclass(frozen=True)
class Voice:
    """A model with its tokenizer, as the page needs them."""

    model: LanguageModel
    encode: Callable[[str], list[int]]
    pieces: Callable[[list[int]], list[str]]
    limit: int = 100  # tokens of prompt and text together


def params_of(temperature: int | float, top_k: int | float, top_p: int | float, min_p: int | float) -> SamplingParams:
    """The sliders' values; at their ends, top-k 0, top-p 1 and min-p 0 are off."""
    return SamplingParams(
        temperature=temperature,
        top_k=int(top_k) or None,
        top_p=None if top_p >= 1 else top_p,
        min_p=min_p or None,
    )


def show(voice: Voice, prompt: str, *sliders: int | float) -> str:
    """The bars for a prompt; a sentence where there is nothing to show."""
    ids = voice.encode(prompt)[-voice.limit + 1 :]
    if not ids:
        return "<p>Type at least one character.</p>"
    return bars(next_token(voice.model, ids, params_of(*sliders)), lambda i: voice.pieces([i])[0])


def write(voice: Voice, prompt: str, count: int | float, seed: int | float, *sliders: int | float) -> str:
    """The prompt and a drawn text, as an entropy strip."""
    ids = voice.encode(prompt)[-(voice.limit - int(count)) :]
    if not ids:
        return "<p>Type at least one character.</p>"
    drawn = generate(voice.model, torch.tensor([ids]), int(count), params_of(*sliders), int(seed))[0].tolist()
    return strip_html(voice.pieces(drawn), *measure(voice.model, drawn))


def build(voices: dict[str, Voice], prompt: str = "The value of the"):
    """The page as `gradio.Blocks`. The first voice is chosen."""
    import gradio as gr

    first = next(iter(voices))
    with gr.Blocks(title="Entropy plotter", analytics_enabled=False) as page:
        gr.Markdown(
            "# Entropy plotter\nMove a rule. Grey is the model's next token, blue is what the rules leave of it."
        )
        text = gr.Textbox(prompt, label="Prompt", elem_id="prompt", lines=2)
        choice = gr.Radio(list(voices), value=first, label="Model", elem_id="model")
        with gr.Row():
            sliders = [
                gr.Slider(0.1, 3, 1, step=0.05, label="Temperature", elem_id="temperature"),
                gr.Slider(0, 200, 0, step=1, label="Top-k (0: off)", elem_id="top_k"),
                gr.Slider(0.05, 1, 1, step=0.01, label="Top-p (1: off)", elem_id="top_p"),
                gr.Slider(0, 1, 0, step=0.01, label="Min-p (0: off)", elem_id="min_p"),
            ]
        shown = gr.HTML(show(voices[first], prompt, *(s.value for s in sliders)), elem_id="distribution")
        with gr.Row():
            count = gr.Slider(4, 64, 24, step=1, label="New tokens", elem_id="count")
            again = gr.Button("Write again", variant="primary", elem_id="again")
        gr.Markdown("Background: the surprisal of a token. Line below: the entropy before it. White 0 bits, orange 12.")
        seed = gr.State(0)
        strip = gr.HTML(write(voices[first], prompt, 24, 0, *(s.value for s in sliders)), elem_id="strip")

        def shown_of(name, *rest):
            return show(voices[name], *rest)

        def written_of(name, words, new, last, *rest):
            return write(voices[name], words, new, last + 1, *rest), last + 1

        inputs = [choice, text, *sliders]
        gr.on([x.change for x in inputs], shown_of, inputs, shown, show_progress="hidden", trigger_mode="always_last")
        again.click(written_of, [choice, text, count, seed, *sliders], [strip, seed], show_progress="hidden")
    return page


def launch(page, port: int | None = None, block: bool = True) -> str:
    """Serve the page on this machine; returns its address. Nothing is loaded from elsewhere or sent anywhere."""
    import gradio as gr

    font = ("system-ui", "sans-serif")
    theme = gr.themes.Default(font=font, font_mono=("ui-monospace", "monospace"))
    _, address, _ = page.launch(
        server_name="127.0.0.1", server_port=port, prevent_thread_lock=not block, quiet=True, theme=theme, css=CSS
    )
    return address
