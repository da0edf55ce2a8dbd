"""Forms of words: plurals, agreement and conjugation, by rule where there is one.

A noun or a verb is written in the lexicon by the forms that no rule gives.
"""

import re
from typing import NamedTuple

# The persons of the fragment: je, tu, il or elle, nous, ils or elles. (English "you" is always tu.)
IMPERFECT = ("ais", "ais", "ait", "ions", "aient")
FUTURE = ("ai", "as", "a", "ons", "ont")


class EnglishVerb(NamedTuple):
    """The forms of an English verb."""

    base: str
    third: str
    past: str
    participle: str
    gerund: str


class FrenchVerb(NamedTuple):
    """The forms of a French verb; five persons each in the three simple tenses."""

    infinitive: str
    present: tuple[str, ...]
    imperfect: tuple[str, ...]
    future: tuple[str, ...]
    participle: str


def english_plural(noun: str) -> str:
    """Cat → cats, box → boxes, cherry → cherries."""
    return _with_s(noun)


def _with_s(word):
    if re.search("(s|sh|ch|x|[^aeio]o)$", word):
        return f"{word}es"
    if re.search("[^aeiou]y$", word):
        return f"{word[:-1]}ies"
    return f"{word}s"


def english_verb(forms: str) -> EnglishVerb:
    """From "base", "base past" or "base past participle"; a regular past is made by rule."""
    base, *irregular = forms.split()
    doubled = base + base[-1] if re.fullmatch("[^aeiou]*[aeiou][^aeiouwxy]|forget", base) else base
    regular = f"{base}d" if base.endswith("e") else f"{doubled}ed"
    past = irregular[0] if irregular else re.sub("([^aeiou])yed$", r"\1ied", regular)
    stem = re.sub("ie$", "y", base)
    gerund = f"{re.sub('(?<=[^e])e$', '', stem) if doubled == base else doubled}ing"
    third = "has" if base == "have" else _with_s(base)
    return EnglishVerb(base, third, past, irregular[-1] if irregular else past, gerund)


def french_plural(word: str) -> str:
    """Chat → chats, souris → souris, gâteau → gâteaux, cheval → chevaux."""
    if word[-1] in "sxz":
        return word
    if word.endswith("al"):
        return f"{word[:-1]}ux"
    return f"{word}x" if word.endswith("eau") else f"{word}s"


def agree(masculine: str, gender: str, plural: bool) -> str:
    """A participle with its noun: vu, vue, vus, vues; assis, assise, assis, assises."""
    form = f"{masculine}e" if gender == "f" else masculine
    return french_plural(form) if plural else form


def french_verb(forms: str) -> FrenchVerb:
    """From "infinitive" or "infinitive strong-stem" (-er verbs), or from all that no rule gives.

    That is "infinitive je tu il nous ils future-stem participle".
    """
    infinitive, *rest = forms.split()
    if len(rest) == 7:
        *present, future, participle = rest
    else:
        stem = infinitive.removesuffix("er")
        strong = rest[0] if rest else stem
        soft = re.sub("c$", "ç", re.sub("g$", "ge", stem))
        present = [f"{strong}e", f"{strong}es", f"{strong}e", f"{soft}ons", f"{strong}ent"]
        future, participle = f"{strong}er", f"{stem}é"
    return FrenchVerb(
        infinitive,
        tuple(present),
        _imperfect(infinitive, present[3]),
        tuple(future + ending for ending in FUTURE),
        participle,
    )


def _imperfect(infinitive, nous):
    """From the stem of the present's first person plural; être alone has its own."""
    stem = "ét" if infinitive == "être" else nous.removesuffix("ons")
    before_i = re.sub("ç$", "c", re.sub("ge$", "g", stem))
    return tuple((before_i if ending[0] == "i" else stem) + ending for ending in IMPERFECT)
