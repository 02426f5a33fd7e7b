"""word2vec by hand: vectors for words, learned from which words stand near which.

Read in this order:

1. `corpus.py`         text to word ids
2. `windows.py`        which words are neighbors; which frequent words are dropped
3. `sampler.py`        negatives: words to tell the neighbors from
4. `skipgram.py`       the loss, its gradient, one step
5. `windows_fast.py`   the windows of a whole text at once
6. `skipgram_fast.py`  the step in PyTorch, then on blocks of text
7. `blocks.py`         how a text is cut into blocks
8. `train.py`          epochs, learning rate, threads
9. `space.py`          neighbors, analogies, directions
10. `maps.py`          PCA, t-SNE

Side quests: `variants/` (full softmax, CBOW), `counts/` (what skip-gram factorizes), `probes/` (classical algorithms).
`lab/` holds what measures, loads corpora and draws.
"""

from .corpus import Corpus, Vocabulary, tokenize
from .maps import pca
from .sampler import NegativeSampler
from .skipgram import loss_and_gradients, sgd_step
from .space import KeyedVectors, analogy, most_similar
from .train import Config, train
from .windows import keep_probability, pairs

__all__ = [
    "Config",
    "Corpus",
    "KeyedVectors",
    "NegativeSampler",
    "Vocabulary",
    "analogy",
    "keep_probability",
    "loss_and_gradients",
    "most_similar",
    "pairs",
    "pca",
    "sgd_step",
    "tokenize",
    "train",
]
