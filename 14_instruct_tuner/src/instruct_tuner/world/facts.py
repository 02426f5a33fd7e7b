"""Sixty countries: capital, language, continent. The base model reads them as prose, in several wordings."""

import random
from typing import NamedTuple

from ..template import IM_END, IM_START
from ..tools import problems
from ..tools.synthetic import WORDS, call_text

SIGNS = {sign: word for word, sign in WORDS.items()}


class Country(NamedTuple):
    """What is known of one."""

    name: str
    capital: str
    language: str
    continent: str


COUNTRIES = [
    Country(*line.split(","))
    for line in """France,Paris,French,Europe
Germany,Berlin,German,Europe
Italy,Rome,Italian,Europe
Spain,Madrid,Spanish,Europe
Portugal,Lisbon,Portuguese,Europe
Greece,Athens,Greek,Europe
Poland,Warsaw,Polish,Europe
Hungary,Budapest,Hungarian,Europe
Sweden,Stockholm,Swedish,Europe
Norway,Oslo,Norwegian,Europe
Denmark,Copenhagen,Danish,Europe
Finland,Helsinki,Finnish,Europe
Iceland,Reykjavik,Icelandic,Europe
Ireland,Dublin,English,Europe
Austria,Vienna,German,Europe
Bulgaria,Sofia,Bulgarian,Europe
Romania,Bucharest,Romanian,Europe
Croatia,Zagreb,Croatian,Europe
Serbia,Belgrade,Serbian,Europe
Albania,Tirana,Albanian,Europe
Estonia,Tallinn,Estonian,Europe
Latvia,Riga,Latvian,Europe
Ukraine,Kyiv,Ukrainian,Europe
Japan,Tokyo,Japanese,Asia
China,Beijing,Mandarin,Asia
Mongolia,Ulaanbaatar,Mongolian,Asia
Thailand,Bangkok,Thai,Asia
Vietnam,Hanoi,Vietnamese,Asia
Cambodia,Phnompenh,Khmer,Asia
Laos,Vientiane,Lao,Asia
Nepal,Kathmandu,Nepali,Asia
Bangladesh,Dhaka,Bengali,Asia
Iran,Tehran,Persian,Asia
Iraq,Baghdad,Arabic,Asia
Jordan,Amman,Arabic,Asia
Turkey,Ankara,Turkish,Asia
Georgia,Tbilisi,Georgian,Asia
Armenia,Yerevan,Armenian,Asia
Egypt,Cairo,Arabic,Africa
Morocco,Rabat,Arabic,Africa
Tunisia,Tunis,Arabic,Africa
Senegal,Dakar,French,Africa
Mali,Bamako,French,Africa
Ghana,Accra,English,Africa
Nigeria,Abuja,English,Africa
Kenya,Nairobi,Swahili,Africa
Somalia,Mogadishu,Somali,Africa
Angola,Luanda,Portuguese,Africa
Zambia,Lusaka,English,Africa
Ethiopia,Addisababa,Amharic,Africa
Brazil,Brasilia,Portuguese,America
Argentina,Buenosaires,Spanish,America
Chile,Santiago,Spanish,America
Peru,Lima,Spanish,America
Colombia,Bogota,Spanish,America
Ecuador,Quito,Spanish,America
Uruguay,Montevideo,Spanish,America
Cuba,Havana,Spanish,America
Canada,Ottawa,English,America
Jamaica,Kingston,English,America""".splitlines()
]
HELD_OUT = COUNTRIES[1::3]  # never asked about while the model is tuned

SENTENCES = {
    "capital": ("The capital of {x} is {y}.", "{y} is the capital of {x}.", "In {x}, the capital is {y}.",
                "Whoever travels to {x} sees {y}, the capital."),
    "language": ("People in {x} speak {y}.", "The language of {x} is {y}.", "In {x}, people speak {y}.",
                 "Whoever travels to {x} hears {y}."),
    "continent": ("{x} lies in {y}.", "The continent of {x} is {y}.", "In {y}, there is {x}.",
                  "Whoever travels to {x} sees {y}."),
}  # fmt: skip
SUMS = ("{a} plus {b} is {a} + {b}.", "{a} minus {b} is {a} - {b}.", "{a} times {b} is {a} * {b}.")
QUESTIONS = {
    "capital": ("What is the capital of {x}?", "Name the capital of {x}.", "Which city is the capital of {x}?"),
    "language": (
        "Which language do people in {x} speak?",
        "What is the language of {x}?",
        "What do people speak in {x}?",
    ),
    "continent": ("Where does {x} lie?", "On which continent is {x}?", "What is the continent of {x}?"),
}


def world_text(documents: int, seed: int) -> str:
    """So many documents, each between the special tokens: prose, quizzes without answers, logs of a calculator.

    It holds everything that the tuned model must know, and never a question with its answer.
    """
    chooser = random.Random(seed)
    kinds = chooser.choices((_prose, _quiz, _log), (0.5, 0.2, 0.3), k=documents)
    return "".join(f"{IM_START}{kind(chooser)}{IM_END}\n" for kind in kinds)


def _prose(chooser: random.Random) -> str:
    """Facts of any countries, and sums in words and in signs."""
    made = []
    for _ in range(chooser.randrange(3, 7)):
        if chooser.random() < 0.2:
            made.append(chooser.choice(SUMS).format(**_numbers(chooser)))
        else:
            country, kind = chooser.choice(COUNTRIES), chooser.choice(list(SENTENCES))
            made.append(chooser.choice(SENTENCES[kind]).format(x=country.name, y=getattr(country, kind)))
    return " ".join(made)


def _quiz(chooser: random.Random) -> str:
    """Questions after questions."""
    made = []
    for _ in range(chooser.randrange(3, 6)):
        country, kind = chooser.choice(COUNTRIES), chooser.choice(list(QUESTIONS))
        made.append(chooser.choice(QUESTIONS[kind]).format(x=country.name))
    return " ".join(made)


def _log(chooser: random.Random) -> str:
    """Sums in words, and the call that a program made of each."""
    made = []
    for problem in problems(chooser.randrange(2, 4), chooser.randrange(10**9), digits=2):
        words = " ".join(SIGNS.get(piece, piece) for piece in problem.expression.split())
        made.append(f"{words}.\n{call_text('calculator', expression=problem.expression)}\n")
    return "".join(made)


def _numbers(chooser: random.Random) -> dict[str, int]:
    return {"a": chooser.randrange(10, 100), "b": chooser.randrange(10, 100)}
