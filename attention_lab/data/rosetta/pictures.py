"""Pictures with their captions, generated, with the exact place of everything that a caption names.

    A small red car is to the left of two black cats on the beach
    Une petite voiture rouge est à gauche de deux chats noirs sur la plage

A picture has one to three groups of things, each of one to three equal sprites, in a place, which is its background.
Each word of a caption is linked to the sprites that it describes: a noun, its adjectives and its number. Articles, and
words of relations and of places, are linked to none. A relation can be told from either side, so that a caption with one
has another that is as good; while both begin with the same words, nobody can know which of them is being told, and a word
is linked to what it describes in either.
"""

import functools
from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from attention_lab.data.rosetta.adjectives import ADJECTIVES
from attention_lab.data.rosetta.corpus import split_of
from attention_lab.data.rosetta.dice import Dice
from attention_lab.data.rosetta.drawings import PLACES, SIZE, Drawing, Placed
from attention_lab.data.rosetta.draws import location
from attention_lab.data.rosetta.nouns import NOUNS
from attention_lab.data.rosetta.phrases import Nominal, noun_phrase, prepositional
from attention_lab.data.rosetta.sprites import COLORS, SPRITES, own_color
from attention_lab.data.rosetta.words import (
    Phrase,
    capitalized,
    english_words,
    french_words,
    join,
    pair,
    spell,
)

SIDES = MappingProxyType({"small": 12, "medium": 18, "big": 24})  # pixels of a sprite
SIZES = MappingProxyType({"train": 12_000, "validation": 500, "test": 1_000})
LANGUAGES = ("english", "french")
MOST = 3  # groups of a picture
LEAST = 4  # nouns, without which a picture of three groups is always the same

_NUMBERS = {1: "a", 2: "two", 3: "three"}
_ARTICLES = frozenset({"a", "an", "un", "une"})  # they describe nothing that can be seen
# Each relation of the first group to the second, and that of the second to the first, in both languages.
_ACROSS = (("to the left of", "à gauche de"), ("to the right of", "à droite de"))
_DOWN = (("above", "au-dessus de"), ("under", "sous"))


class Group(NamedTuple):
    """Equal sprites: the noun, an adjective of size and one of color, "" where there is none, and their number."""

    noun: str
    size: str
    color: str
    number: int

    @property
    def nominal(self) -> Nominal:
        """A small red car, two black cats."""
        adjectives = [ADJECTIVES[name] for name in (self.size, self.color) if name]
        plural, noun = self.number > 1, NOUNS[self.noun]
        return noun_phrase(_NUMBERS[self.number], noun, *adjectives, plural=plural)


def rosetta_pictures(
    split: str,
    size: int | None = None,
    seed: int = 0,
    vocabulary: int | None = None,
    language: str = "english",
) -> list[dict[str, Any]]:
    """The first `size` pictures with captions of a split: train, validation or test.

    {"source": Drawing, "target": caption, "targets": [captions], "target_words", "regions": [{"label", "box"}], "links"}:
    a region is a sprite, its box (top, left, bottom, right) in pixels, and a link (region, word of the target).
    vocabulary: how many nouns are used, LEAST or more; None: all. language: one of LANGUAGES. No caption is in two
    splits. Raises ValueError for another split, size, vocabulary or language.
    """
    if split not in SIZES:
        raise ValueError(f"rosetta_pictures split {split!r}: expected one of {', '.join(SIZES)}")
    size = SIZES[split] if size is None else size
    if size < 1:
        raise ValueError(f"rosetta_pictures size {size}: expected 1 or more")
    if vocabulary is not None and vocabulary < LEAST:
        raise ValueError(
            f"rosetta_pictures vocabulary {vocabulary}: expected {LEAST} or more, or None for all nouns"
        )
    if language not in LANGUAGES:
        raise ValueError(
            f"rosetta_pictures language {language!r}: expected one of {', '.join(LANGUAGES)}"
        )
    return list(_drawn(split, size, seed, vocabulary, language))


@functools.lru_cache(maxsize=8)
def _drawn(split, size, seed, vocabulary, language):
    dice = Dice(f"rosetta_pictures {split} {seed}")
    found: list[dict[str, Any]] = []
    for example, decides in _pictures(dice, tuple(SPRITES)[:vocabulary], language):
        if split_of(decides) == split:
            found.append(example)
            if len(found) == size:
                return tuple(found)
    raise AssertionError("pictures are without end")


def _pictures(
    dice: Dice, nouns: Sequence[str], language: str
) -> Iterator[tuple[dict[str, Any], str]]:
    """Yields examples, each with the French caption that decides its split."""
    while True:
        groups = _groups(dice, nouns)
        across = len(groups) != 2 or dice.chance(0.5)
        place = dice.among(tuple(PLACES))
        sprites = [
            _arranged(dice, group, *part)
            for group, part in zip(groups, _parts(len(groups), across), strict=True)
        ]
        drawing = Drawing(
            place, tuple(s for own in sprites for s in own), int(2**32 * dice.fraction())
        )
        captions = _captions([group.nominal for group in groups], across, place)
        if dice.chance(0.5):
            captions.reverse()
        written = [_written(caption, language) for caption in captions]
        (target, _), *others = written
        numbers = np.cumsum([0, *(group.number for group in groups)])
        links = {
            (region, word)
            for word, group in _described(written)
            for region in range(numbers[group], numbers[group + 1])
        }
        boxes = [(s.y, s.x, s.y + s.side, s.x + s.side) for own in sprites for s in own]
        labels = [s.noun for own in sprites for s in own]
        yield (
            {
                "source": drawing,
                "target": spell(target),
                "targets": [spell(target), *(spell(words) for words, _ in others)],
                "target_words": list(target),
                "regions": [
                    {"label": label, "box": box} for label, box in zip(labels, boxes, strict=True)
                ],
                "links": sorted((int(region), word) for region, word in links),
            },
            min(spell(_written(caption, "french")[0]) for caption in captions),
        )


def _described(written):
    """Yields each word of the first caption that describes something, with a group that it may describe.

    This is its own, and that of the word at the same place of another caption that begins with the same words.
    """
    target, owners = written[0]
    for place, own in enumerate(owners):
        for words, groups in written:
            if own is not None and words[:place] == target[:place] and groups[place] is not None:
                yield place, groups[place]


def _groups(dice, nouns):
    count = dice.weighted({1: 2, 2: 5, 3: 2})
    chosen: list[str] = []
    while len(chosen) < count:
        noun = dice.among(nouns)
        if noun not in chosen:
            chosen.append(noun)
    return [_group(dice, noun, count) for noun in chosen]


def _group(dice, noun, groups):
    suits = {name: ADJECTIVES[name].suits(NOUNS[noun]) for name in (*COLORS, "small", "big")}
    colors = [name for name in COLORS if suits[name]]
    # A car that is red by itself would look the same as a car that is called red.
    named = own_color(noun) in colors or dice.chance(0.7)
    color = dice.among(colors) if colors and named else ""
    number = dice.weighted({1: 7, 2: 2, 3: 1}) if groups < MOST else 1
    # Three strips are too narrow for what is big, and so are halves for several of it.
    sizes = [name for name in ("small", "big") if suits[name]]
    sizes = [name for name in sizes if name == "small" or (groups < MOST and number == 1)]
    size = dice.among(sizes) if sizes and dice.chance(0.5) else ""
    return Group(noun, size, color, number)


def _parts(groups, across):
    """Returns for each group its part of the picture: top, left, height, width."""
    long = SIZE // groups
    if across:
        return [(0, number * long, SIZE, long) for number in range(groups)]
    return [(number * long, 0, long, SIZE) for number in range(groups)]


def _arranged(dice, group, top, left, height, width):
    """Returns the sprites of a group in a part of the picture, in a row along its longer side."""
    side = SIDES[group.size or "medium"]
    down = height > width or (height == width and dice.chance(0.5))
    # The group is `side` wide across the row; along it, each sprite has an equal part of the space.
    room = (height if down else width) // group.number
    placed = []
    for number in range(group.number):
        along = number * room + _within(dice, room - side)
        beside = _within(dice, (width if down else height) - side)
        y, x = (along, beside) if down else (beside, along)
        placed.append(Placed(group.noun, group.color, side, top + y, left + x))
    return placed


def _within(dice, room):
    return int((room + 1) * dice.fraction())


def _captions(
    nominals: list[Nominal], across: bool, place: str
) -> list[list[tuple[int | None, Phrase]]]:
    """Returns captions that say the same, each in parts: the group that a part describes, or None, and its words."""
    noun = NOUNS[place]
    where = (None, prepositional(*location(noun), noun_phrase("the", noun)))
    if len(nominals) == 2:
        one, two = _ACROSS if across else _DOWN
        first, second = enumerate(nominals)
        return [_related(first, second, one, where), _related(second, first, two, where)]
    there = "there are" if len(nominals) > 1 or nominals[0].plural else "there is"
    listed: list[tuple[int | None, Phrase]] = [(None, pair(there, "il y a"))]
    for number, nominal in enumerate(nominals):
        if number:
            between = pair("and", "et") if number == len(nominals) - 1 else pair(",", ",")
            listed.append((None, between))
        listed.append((number, nominal.phrase))
    return [[*listed, where]]


def _related(first, second, relation, where):
    (one, subject), (two, other) = first, second
    be = pair("are", "sont") if subject.plural else pair("is", "est")
    return [(one, subject.phrase), (None, be), (None, pair(*relation)), (two, other.phrase), where]


def _written(
    caption: list[tuple[int | None, Phrase]], language: str
) -> tuple[tuple[str, ...], list[int | None]]:
    """Returns the words of a caption in a language, and for each the group that it describes, None for an article."""
    whole = join(*(phrase for _, phrase in caption))
    of = {
        concept: group
        for group, phrase in caption
        if group is not None
        for word in (*phrase.english, *phrase.french)
        for concept in word.concepts
    }
    words = english_words(whole.english) if language == "english" else french_words(whole.french)
    groups = [
        None if word.text in _ARTICLES else next((of[c] for c in word.concepts if c in of), None)
        for word in words
    ]
    return capitalized(word.text for word in words), groups
