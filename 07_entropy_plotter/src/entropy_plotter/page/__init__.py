"""The interactive page: move a rule, and see what it does to the next token and to a text.

Read in this order:
    view.py   the two distributions as bars, and the sentence under them
    app.py    the page itself, with Gradio

A twin in Streamlit would run the same functions and teach nothing more: it would only show another way to draw sliders.
"""

from .app import Voice, build
from .view import bars, next_token

__all__ = ["Voice", "bars", "build", "next_token"]
