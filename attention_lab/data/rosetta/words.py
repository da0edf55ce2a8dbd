"""Words that know what they mean, and what happens where two of them meet.

A grammar builds an English and a French word sequence side by side. Each word carries the concepts
that it expresses; an English and a French word are linked if they share one. Concepts are fresh
objects, so phrases can be put together in any order and reordered freely: the links stay exact. A
concept that only one language expresses links nothing.

`realize` then writes the two sentences: de + le becomes du, le + homme becomes l'homme, a + apple
becomes an apple. A contracted word keeps the concepts of both of its parts.
"""

import functools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

ELIDED = {form: form[:-1] + "'" for form in ("le", "la", "je", "me", "te", "ne", "de", "que")}
CONTRACTED = {
    ("de", "le"): "du",
    ("de", "les"): "des",
    ("à", "le"): "au",
    ("à", "les"): "aux",
}
FRENCH_VOWELS = frozenset("aeiouyàâéèêîôœh")
ENGLISH_VOWELS = frozenset("aeiou")
CONSONANT_SOUND = frozenset({"uniform"})
LEANING = frozenset({",", "'s"})

# French words that begin with a vowel or an h, but before which nothing is elided.
HELD_APART: set[str] = set()


class Word(NamedTuple):
    """One word: its text, the concepts it expresses, its form before a vowel if it has another."""

    text: str
    concepts: tuple[object, ...] = ()
    before_vowel: str = ""
    article: bool = False


class Phrase(NamedTuple):
    """An English and a French word sequence that mean the same."""

    english: tuple[Word, ...] = ()
    french: tuple[Word, ...] = ()


class Realized(NamedTuple):
    """Two sentences, their words, and which of those are linked: pairs (source, target), sorted."""

    source: str
    target: str
    source_words: tuple[str, ...]
    target_words: tuple[str, ...]
    links: tuple[tuple[int, int], ...]


def each(text: str) -> tuple[Word, ...]:
    """English words, each with a concept of its own."""
    return tuple([Word(word, (object(),), before) for word, before in _english_forms(text)])


def pair(english: str, french: str) -> Phrase:
    """One concept in both languages, a few words or none each: every word is linked to all."""
    concept = (object(),)
    return Phrase(spoken(english, concept), mots(french, concept))


def spoken(text: str, concepts: tuple[object, ...]) -> tuple[Word, ...]:
    """English words of the same concepts."""
    return tuple([Word(word, concepts, before) for word, before in _english_forms(text)])


def mots(text: str, concepts: tuple[object, ...]) -> tuple[Word, ...]:
    """French words of the same concepts."""
    return tuple([Word(word, concepts, before) for word, before in _french_forms(text)])


# A few thousand texts, each taken apart thousands of times.
@functools.cache
def _english_forms(text):
    return tuple((word, "an" if word == "a" else "") for word in text.split())


@functools.cache
def _french_forms(text):
    return tuple((word, ELIDED.get(word, "")) for word in text.split())


def join(*phrases: Phrase) -> Phrase:
    """Phrases one after the other, in the same order in both languages."""
    english: tuple[Word, ...] = ()
    french: tuple[Word, ...] = ()
    for phrase in phrases:
        english += phrase.english
        french += phrase.french
    return Phrase(english, french)


def realize(phrase: Phrase) -> Realized:
    """The two sentences as they are written, each with its first letter capitalized."""
    english, french = phrase.english, french_words(phrase.french)
    source_words = english_sentence(english)
    target_words = capitalized(word.text for word in french)
    return Realized(
        spell(source_words),
        spell(target_words),
        source_words,
        target_words,
        links_between(english, french),
    )


def english_sentence(words: Sequence[Word]) -> tuple[str, ...]:
    """The words of an English sentence as they are written: an apple, and the first letter capitalized."""
    return capitalized(word.text for word in english_words(words))


def english_words(words: Sequence[Word]) -> list[Word]:
    """The words of an English sentence with their concepts, as they are written: an apple, but not capitalized."""
    return _adapt(words, _english_vowel)


def french_words(words: Sequence[Word]) -> list[Word]:
    """The words of a French sentence with their concepts, as they are written: du, l'homme, but not capitalized."""
    return _adapt(_contract(words), french_vowel)


def spell(words: Iterable[str]) -> str:
    """The text of words: spaces between them, but none before a comma or 's, or after l'."""
    text = ""
    for word in words:
        text += word if not text or word in LEANING or text[-1] == "'" else f" {word}"
    return text


def french_vowel(word: str) -> bool:
    """Whether le becomes l' before this word."""
    return word[0].lower() in FRENCH_VOWELS and word not in HELD_APART


def _english_vowel(word):
    return word[0].lower() in ENGLISH_VOWELS and word not in CONSONANT_SOUND


def _contract(words):
    """De + le → du, à + les → aux, ..., for articles that are not to be elided."""
    contracted: list[Word] = []
    for place, word in enumerate(words):
        previous = contracted[-1] if contracted else word
        whole = CONTRACTED.get((previous.text, word.text)) if word.article else None
        if whole and not (word.text == "le" and french_vowel(words[place + 1].text)):
            contracted[-1] = Word(whole, previous.concepts + word.concepts)
        else:
            contracted.append(word)
    return contracted


def _adapt(words, is_vowel):
    """Words in the form that they take before the word that follows."""
    following = [word.text for word in words[1:]]
    return [
        word._replace(text=word.before_vowel) if word.before_vowel and is_vowel(after) else word
        for word, after in zip(words, [*following, "-"], strict=True)
    ]


def capitalized(texts: Iterable[str]) -> tuple[str, ...]:
    """The words of a sentence, the first with a capital."""
    first, *rest = texts
    return (first[0].upper() + first[1:], *rest)


def links_between(source: Iterable[Word], target: Iterable[Word]) -> tuple[tuple[int, int], ...]:
    """The pairs (source word, target word) that share a concept, sorted."""
    where: dict[object, list[int]] = {}
    for i, word in enumerate(source):
        for concept in word.concepts:
            where.setdefault(concept, []).append(i)
    return tuple(
        sorted({(i, j) for j, w in enumerate(target) for c in w.concepts for i in where.get(c, ())})
    )
