"""Splitting a text into pre-tokens. Merges happen inside a pre-token and never across two.

Without a split, "e " and ". " are among the most frequent pairs of any text, and the vocabulary fills with `dog.`,
`dog!` and `dog?`. GPT-2 (Radford et al. 2019, section 2.2) therefore splits the text by category of character first.
A pre-token keeps the space before it, so that the pre-tokens joined are the text again.

`pretokenize_fast.py` gives the same pre-tokens faster.
"""

from .checks import check_nothing_lost, check_text, compile_pattern

# The English clitics. Then a run of letters, of digits or of other visible characters, each with at most one space in
# front. Then white space: \s+(?!\S) leaves the last space of a run to the word that follows.
GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

# GPT-4's. Clitics in either case, at most three digits together, line ends kept with the punctuation before them.
# Any one character but a letter, a digit or a line end (a tab, a quote, an underscore) may lead a word.
CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]|\s+(?!\S)|\s+"
)

# GPT-2's with one digit in a pre-token. The space before a number stays with the number's first digit.
SINGLE_DIGITS = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

# SmolLM's and StarCoder's: every digit stands alone, and what lies between digits is split as GPT-2 does.
SMOLLM = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?![^\s\p{N}])|\s+"

# No split: the whole text is one pre-token.
NO_SPLIT = r"(?s:.+)"


def pretokenize(text: str, pattern: str = GPT2) -> list[str]:
    """The parts of `text` that match `pattern`, in order. Joined, they are the text.

    Raises:
        TypeError: `text` is not a str.
        ValueError: `text` holds a lone surrogate; or `pattern` is not a regular expression, has a capturing group, or
            leaves characters out.
    """
    check_text(text)
    pre_tokens = compile_pattern(pattern).findall(text)
    check_nothing_lost(pre_tokens, text, pattern)
    return pre_tokens
