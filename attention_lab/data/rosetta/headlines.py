"""Stories with their headlines, generated, with exact links from each word of a headline to the story.

    This is the story of a boat . The old doctor bought a red boat . Then Anne gave the doctor some bread . In the
    evening he sold the boat . A key was found by the king .
    Old doctor sells boat

The first or the last sentence names what the story is about: a person, an animal or a thing. The headline tells the
last event in which this takes part, by name or as he or she. So the headline cannot be written without reading the
whole story, whose other persons and things come back as well.

A headline is in the active voice and the present tense. Articles, times and places are left out, but for the place
to which or from which somebody goes. He and she are replaced by the words for the person in an earlier sentence.
Each word of the headline is linked to exactly one word of the story, its own or another form of the same word: sells
to sold, doctor to the doctor of this event and not to another mention.
"""

from collections.abc import Sequence
from typing import NamedTuple

from attention_lab.data.rosetta.corpus import Rosetta
from attention_lab.data.rosetta.events import Telling, article
from attention_lab.data.rosetta.stories import PERIOD, Mention, Words, stories, told
from attention_lab.data.rosetta.words import each, english_sentence, links_between, spell


class Headline(NamedTuple):
    """A story and its headline.

    links: pairs (story word, headline word), sorted. sentence_of: the sentence of each word of the story.
    supporting: the sentences that determine the headline, sorted: the one that names what the story is about, and
    those from which the words of the headline come.
    """

    source: str
    target: str
    source_words: tuple[str, ...]
    target_words: tuple[str, ...]
    links: tuple[tuple[int, int], ...]
    sentence_of: tuple[int, ...]
    supporting: tuple[int, ...]


def rosetta_headlines(
    split: str,
    size: int | None = None,
    seed: int = 0,
    vocabulary: int | None = None,
    sentences: Sequence[int] = (3, 7),
) -> Rosetta:
    """The first `size` stories with headlines of a split: train, validation, test or test_long.

    vocabulary: how many words of each table of the grammar are used, 4 or more; None: all. sentences: the least and
    the greatest number of sentences of a story; those of test_long are longer. No story is in two splits, for any
    sizes, seeds and other options. Raises ValueError as `stories.stories` does.
    """
    return Rosetta(
        stories(
            "rosetta_headlines",
            _draw,
            lambda pair: pair.source,
            split=split,
            size=size,
            seed=seed,
            vocabulary=vocabulary,
            sentences=sentences,
        )
    )


_ABOUT_FIRST = ("This is the story of", "Here is the news about")
_ABOUT_LAST = ("Everybody talked about", "The whole village talked about")


def _draw(words: Words, sentences: int) -> Headline:
    dice, telling = words.dice, Telling(words)
    events = [telling.event() for _ in range(sentences - 1)]
    last = {name: number for number, event in enumerate(events) for name in event.partakers}
    news = dice.among(sorted(set(last.values())))
    about = dice.among([name for name in events[news].partakers if last[name] == news])
    first = dice.chance(0.4)
    naming = each(words.any(_ABOUT_FIRST if first else _ABOUT_LAST)) + _topic(about, first)
    story = [event.sentence for event in events]
    story.insert(0 if first else len(story), naming + PERIOD)
    source_words, sentence_of = told(story)
    target_words = english_sentence(events[news].headline)
    links = links_between([word for one in story for word in one], events[news].headline)
    knowing = {0 if first else len(events), *(sentence_of[i] for i, _ in links)}
    return Headline(
        spell(source_words),
        spell(target_words),
        source_words,
        target_words,
        links,
        sentence_of,
        tuple(sorted(knowing)),
    )


def _topic(name, first):
    """What the story is about: a boat at its beginning, the boat at its end."""
    return Mention(name, "a" if first and article(name) == "a" else "the").words
