"""word2vec by hand: vectors for words, from nothing but which words stand near which.

Read in this order: corpus (text to ids), windows (who is whose neighbour), sampler (noise words), skipgram (the loss,
its gradient, a step), perpair and blocks (the same, fast), train, space (neighbours and analogies), maps (PCA, t-SNE).
Then cbow and softmax, the alternatives; judgement, marks by people and by grammar; experiment, novels, break_it, bench.
Side quests: counts (what skip-gram factorises), probes (the classical algorithms).
"""
from .corpus import Corpus, Vocabulary, tokenise
from .maps import pca
from .sampler import NegativeSampler
from .skipgram import loss_and_gradients, sgd_step
from .space import Space, analogy, nearest
from .train import Config, train
from .windows import keep_probability, pairs

__all__ = ["Config", "Corpus", "NegativeSampler", "Space", "Vocabulary", "analogy", "keep_probability",
           "loss_and_gradients", "nearest", "pairs", "pca", "sgd_step", "tokenise", "train"]
