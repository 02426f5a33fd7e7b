"""How many tokens a text takes, language by language.

Byte-level BPE can write every language, but not with equally many tokens. Petrov et al. 2023 call the ratio to English
the *premium*, and found premiums of up to 15. Three measures are given, because each misleads alone. Tokens per
character look low for alphabets and high for Chinese, whose characters say more. Tokens per word (the *fertility*) mean
nothing where words are not separated by spaces. The premium compares the same content: that is what is paid for, and
what fills a context.
"""

from collections.abc import Mapping
from typing import NamedTuple

import regex

from ..tokenizer import Tokenizer


class Language(NamedTuple):
    """A language: its name, its file in nltk's udhr2, whether spaces separate its words, and one sentence."""

    name: str
    code: str
    spaced: bool
    sentence: str


LANGUAGES = [
    Language("English", "eng", True, "All people need water, bread and a safe place to sleep."),
    Language("German", "deu", True, "Alle Menschen brauchen Wasser, Brot und einen sicheren Platz zum Schlafen."),
    Language("French", "fra", True, "Tout le monde a besoin d'eau, de pain et d'un endroit sûr pour dormir."),
    Language("Spanish", "spa", True, "Todas las personas necesitan agua, pan y un lugar seguro para dormir."),
    Language("Portuguese", "por_PT", True, "Todas as pessoas precisam de água, pão e um lugar seguro para dormir."),
    Language("Italian", "ita", True, "Tutti hanno bisogno di acqua, pane e un posto sicuro dove dormire."),
    Language("Polish", "pol", True, "Wszyscy ludzie potrzebują wody, chleba i bezpiecznego miejsca do spania."),
    Language("Turkish", "tur", True, "Bütün insanların suya, ekmeğe ve uyumak için güvenli bir yere ihtiyacı vardır."),
    Language("Finnish", "fin", True, "Kaikki ihmiset tarvitsevat vettä, leipää ja turvallisen paikan nukkua."),
    Language("Swahili", "swh", True, "Watu wote wanahitaji maji, mkate na mahali salama pa kulala."),
    Language("Indonesian", "ind", True, "Semua orang membutuhkan air, roti, dan tempat yang aman untuk tidur."),
    Language("Vietnamese", "vie", True, "Mọi người đều cần nước, bánh mì và một nơi an toàn để ngủ."),
    Language("Russian", "rus", True, "Всем людям нужны вода, хлеб и безопасное место для сна."),
    Language(
        "Greek",
        "ell_monotonic",
        True,
        "Όλοι οι άνθρωποι χρειάζονται νερό, ψωμί και ένα ασφαλές μέρος για να κοιμηθούν.",
    ),
    Language("Hebrew", "heb", True, "כל אדם צריך מים, לחם ומקום בטוח לישון בו."),
    Language("Arabic", "arb", True, "يحتاج جميع الناس إلى الماء والخبز ومكان آمن للنوم."),
    Language("Persian", "pes_1", True, "همه مردم به آب، نان و جایی امن برای خوابیدن نیاز دارند."),
    Language("Hindi", "hin", True, "सभी लोगों को पानी, रोटी और सोने के लिए एक सुरक्षित जगह चाहिए।"),
    Language("Bengali", "ben", True, "সব মানুষের পানি, রুটি এবং ঘুমানোর জন্য একটি নিরাপদ জায়গা দরকার।"),
    Language("Tamil", "tam", True, "எல்லா மனிதர்களுக்கும் தண்ணீர், ரொட்டி மற்றும் தூங்க ஒரு பாதுகாப்பான இடம் தேவை."),
    Language("Amharic", "amh", True, "ሁሉም ሰዎች ውሃ፣ ዳቦ እና የሚተኙበት ደህንነቱ የተጠበቀ ቦታ ያስፈልጋቸዋል።"),
    Language("Thai", "tha", False, "ทุกคนต้องการน้ำ ขนมปัง และที่ปลอดภัยสำหรับนอนหลับ"),
    Language("Chinese", "cmn_hans", False, "所有人都需要水、面包和一个安全的地方睡觉。"),
    Language("Japanese", "jpn", False, "すべての人には水とパンと安全に眠れる場所が必要です。"),
    Language("Korean", "kor", True, "모든 사람에게는 물과 빵, 그리고 안전하게 잘 곳이 필요합니다."),
]

KINDS = {
    "digits": " ".join(str(n * n) for n in range(1000, 1200)),
    "emoji": "🙂😀🎉❤️👍🏽👩‍🚀🇫🇷🏳️‍🌈🍞💧🛏️🌍" * 8,
}


class TokenCount(NamedTuple):
    """How long one text is, in four units. `words` is None where spaces do not separate words."""

    characters: int
    bytes: int
    words: int | None
    tokens: int

    @property
    def per_character(self) -> float:
        """Tokens per character."""
        return self.tokens / self.characters

    @property
    def per_byte(self) -> float:
        """Tokens per byte. It is at most 1, which is what a vocabulary of bytes alone needs."""
        return self.tokens / self.bytes

    @property
    def per_word(self) -> float | None:
        """Tokens per word, the fertility."""
        return self.tokens / self.words if self.words else None


def count_tokens(tokenizer: Tokenizer, text: str, spaced: bool = True) -> TokenCount:
    """The length of `text` under `tokenizer`. A word is a run of letters, marks and digits.

    Raises:
        ValueError: `text` is empty.
    """
    if not text:
        raise ValueError("text='': there is nothing to count; give a text")
    words = len(regex.findall(r"[\p{L}\p{M}\p{N}]+", text)) if spaced else None
    return TokenCount(len(text), len(text.encode()), words, len(tokenizer.encode_ordinary(text)))


def premiums(tokenizers: Mapping[str, Tokenizer], texts: Mapping[str, str]) -> dict[str, dict[str, dict]]:
    """{tokenizer: {language: its token count, and its premium over English}}.

    Raises:
        ValueError: there is no English among the texts.
    """
    if "English" not in texts:
        raise ValueError(f"texts={sorted(texts)!r}: 'English' is missing, which premiums are relative to; add it")
    spaced = {language.name: language.spaced for language in LANGUAGES}
    result: dict[str, dict[str, dict]] = {}
    for name, tokenizer in tokenizers.items():
        counts = {
            language: count_tokens(tokenizer, text, spaced.get(language, True)) for language, text in texts.items()
        }
        english = counts["English"].tokens
        result[name] = {language: row(count, english) for language, count in counts.items()}
    return result


def row(count: TokenCount, english: int) -> dict:
    """One language's numbers, as they are recorded."""
    rates = {"per_character": count.per_character, "per_byte": count.per_byte, "per_word": count.per_word}
    return {**count._asdict(), **rates, "premium": count.tokens / english}


def sentences() -> dict[str, str]:
    """{language: the same sentence in it}, written for this project."""
    return {language.name: language.sentence for language in LANGUAGES}
