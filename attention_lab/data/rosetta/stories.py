"""Stories of several sentences, in English: what the corpora of headlines and of answers have in common.

Every sentence begins with a capital and ends with a period or a question mark, which is a word of its own. Words are
chosen evenly rather than by Zipf's law, so that no word is the best guess.
"""

import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from types import MappingProxyType
from typing import TypeVar

from attention_lab.data.rosetta.corpus import split_of
from attention_lab.data.rosetta.dice import Choice, Dice
from attention_lab.data.rosetta.draws import attributes
from attention_lab.data.rosetta.nouns import KINDS, NAMES, NOUNS
from attention_lab.data.rosetta.words import Word, each, english_sentence

Told = TypeVar("Told")
SIZES = MappingProxyType({"train": 60_000, "validation": 500, "test": 1_000, "test_long": 600})
_FRUITLESS = 20_000  # draws without a new story, after which a split is taken to have no more
_SHARE = 0.35  # of nouns with an adjective
PERIOD = each(".")


class Mention:
    """Somebody or something as a sentence mentions it: the old doctor; Anne, who takes no article.

    The words are made when they are needed, since most stories that are drawn are not told.
    """

    def __init__(self, name: str, article: str = "the", adjective: str = ""):
        self.name, self.adjective = name, adjective
        self._article = "" if name in NAMES else article

    @functools.cached_property
    def kept(self) -> tuple[Word, ...]:
        """The words without the article."""
        return each(f"{self.adjective} {self.name}")

    @functools.cached_property
    def words(self) -> tuple[Word, ...]:
        """All words."""
        return each(self._article) + self.kept

    def again(self, pronoun: str) -> "Mention":
        """The same person as a pronoun, which stands for the words without the article."""
        other = Mention(self.name)
        other.kept, other.words = self.kept, each(pronoun)
        return other


class Words:
    """The words that stories choose from, at random: the first `vocabulary` of each table; None: all."""

    def __init__(self, dice: Dice, vocabulary: int | None):
        self.dice, self.vocabulary = dice, vocabulary

    def any(self, options: Sequence[Choice]) -> Choice:
        """Any of the words of a table, all alike."""
        return self.dice.among(options[: self.vocabulary])

    def person(self, *others: str) -> str:
        """A name or a noun of a person, but none of the others."""
        pool = people(self.vocabulary)
        return self.dice.among(tuple(name for name in pool if name not in others))

    def adjective(self, name: str) -> str:
        """An adjective that suits a noun, or mostly none."""
        if name in NAMES or not self.dice.chance(_SHARE):
            return ""
        fitting = _adjectives(name)
        return self.any(fitting) if fitting else ""


@functools.cache
def people(vocabulary: int | None) -> tuple[str, ...]:
    """The names and nouns of people."""
    # A friend is somebody's.
    nouns = tuple(noun.english[0] for noun in KINDS["person"] if noun.english[0] != "friend")
    return (*tuple(NAMES)[:vocabulary], *nouns[:vocabulary])


@functools.cache
def _adjectives(name):
    # It is a useful book, but an empty one: no rule by letters would tell.
    either = (adjective.english for side in attributes(NOUNS[name]) for adjective in side)
    return tuple(adjective for adjective in either if adjective != "useful")


def gender(name: str) -> str:
    """The gender, m or f, of a person's name or noun."""
    return NAMES[name] if name in NAMES else NOUNS[name].gender


def sentence(*parts: str | Mention) -> tuple[Word, ...]:
    """The words of a sentence from its parts."""
    return tuple(
        word for part in parts for word in (each(part) if isinstance(part, str) else part.words)
    )


def told(sentences: Iterable[tuple[Word, ...]]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The words of sentences as they are written, and the sentence of each word."""
    words: list[str] = []
    numbers: list[int] = []
    for number, sentence in enumerate(sentences):
        words += english_sentence(sentence)
        numbers += [number] * len(sentence)
    return tuple(words), tuple(numbers)


def stories(
    name: str,
    draw: Callable[[Words, int], Told],
    story_of: Callable[[Told], str],
    *,
    split: str,
    size: int | None,
    seed: int,
    vocabulary: int | None,
    sentences: Sequence[int],
    shortest: int = 3,
) -> tuple[Told, ...]:
    """The first `size` stories of a split, each story once: what draw(words, number of sentences) makes.

    story_of: the text that decides to which split a story belongs, by `split_of`. The stories of test_long have more
    sentences than those of the other splits, up to twice as many. Raises ValueError for another split or size, for
    a vocabulary or numbers of sentences that are too small, and where there are fewer different stories.
    """
    if split not in SIZES:
        raise ValueError(f"{name} split {split!r}: expected one of {', '.join(SIZES)}")
    size = SIZES[split] if size is None else size
    if size < 1:
        raise ValueError(f"{name} size {size}: expected 1 or more")
    if vocabulary is not None and vocabulary < LEAST:
        raise ValueError(
            f"{name} vocabulary {vocabulary}: expected {LEAST} or more, or None for all words"
        )
    low, high = _lengths(name, sentences, shortest)
    if split == "test_long":
        low, high = high + 1, 2 * high
    words = Words(Dice(f"{name} {split} {seed} {low}-{high}"), vocabulary)
    found = tuple(itertools.islice(_distinct(split, words, draw, story_of, (low, high)), size))
    if len(found) < size:
        raise ValueError(
            f"{name} has no {size:,} different stories in {split}, only about {len(found):,}, of so few words and "
            "sentences; ask for a smaller size, a larger vocabulary or more sentences"
        )
    return found


LEAST = 4  # words of each table, without which a story has too few people and places


def _lengths(name, sentences, shortest):
    pair = tuple(sentences) if isinstance(sentences, Sequence) else ()
    whole = len(pair) == 2 and all(isinstance(number, int) for number in pair)
    if not whole or not shortest <= pair[0] <= pair[1]:
        raise ValueError(
            f"{name} sentences {sentences!r}: expected the least and the greatest number, {shortest} or more, such as "
            f"({shortest}, 7)"
        )
    return pair


def _distinct(split, words, draw, story_of, lengths):
    """Stories that belong to a split, each once, until no new one turns up."""
    low, high = lengths
    seen, fruitless = set(), 0
    while fruitless < _FRUITLESS:
        drawn = draw(words, low + int((high - low + 1) * words.dice.fraction()))
        fruitless += 1
        story = story_of(drawn)
        if story not in seen and split_of(story) == split:
            seen.add(story)
            fruitless = 0
            yield drawn
