"""Questions and answers about stories, generated, with the sentences that know the answer.

    The doctor went to the garden . Anne took a red ball . The doctor ran to the park . Then Anne gave the ball to the
    doctor . The doctor walked to the station . Where is the ball ?
    station

People go to places, and take, give and leave things there, as in bAbI's tasks 1, 2, 3 and 5 (Weston et al. 2015); the
kinds of questions are those of KINDS. The answer follows from the story, and there is only one. It is a word of the
story, without article or preposition, and another question of that kind about the same story has another answer.
Each word of the answer is linked to the word of the story in the supporting sentence where the answer stands.

A sentence is supporting if it is the last to settle one of the facts from which the answer follows: here, with 0 for
the first, sentence 3 says who has the ball, and sentence 4 where he is. Who reads the supporting sentences alone finds
the same answer, and without any one of them none. No others would do as well: where a thing is that was given to
somebody is asked only when its owner has moved on, because until then the steps of the giver tell its place, too.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from attention_lab.data.rosetta.corpus import Rosetta
from attention_lab.data.rosetta.nouns import NAMES
from attention_lab.data.rosetta.stories import Mention, Words, gender, sentence, stories, told
from attention_lab.data.rosetta.words import each, english_sentence, links_between, spell
from attention_lab.data.rosetta.world import (
    CARRYING,
    GENEROUS,
    ORDINARY,
    RESTLESS,
    SWAPPING,
    Plan,
    World,
)


class Answer(NamedTuple):
    """A story with a question, and the answer.

    source: the story, then the question. links: pairs (story word, answer word), sorted. sentence_of: the sentence of
    each word of the source, and -1 for those of the question. supporting: the sentences that know, sorted. kind: the
    kind of the question, a key of KINDS.
    """

    source: str
    target: str
    source_words: tuple[str, ...]
    target_words: tuple[str, ...]
    links: tuple[tuple[int, int], ...]
    sentence_of: tuple[int, ...]
    supporting: tuple[int, ...]
    kind: str


def rosetta_answers(
    split: str,
    size: int | None = None,
    seed: int = 0,
    vocabulary: int | None = None,
    sentences: Sequence[int] = (5, 8),
    questions: Sequence[str] | None = None,
) -> Rosetta:
    """The first `size` stories with questions and answers of a split: train, validation, test or test_long.

    vocabulary: how many words of each table of the grammar are used, 4 or more; None: all. sentences: the least and
    the greatest number of sentences of a story; those of test_long are longer. The least is 5, but fewer if all kinds
    of questions can do with less (where_person, who_has and color with 2, before_person with 3, the others but
    what_given with 4). questions: the kinds of questions, keys of KINDS, all equally frequent; None: all of them. No story is in two splits, for any sizes,
    seeds and other options, and none has two questions. Raises ValueError for other kinds, and as `stories.stories`
    does.
    """
    kinds = tuple(KINDS) if questions is None else tuple(questions)
    if not kinds or not set(kinds) <= set(KINDS):
        raise ValueError(
            f"rosetta_answers questions {questions!r}: expected some of {', '.join(KINDS)}"
        )
    return Rosetta(
        stories(
            "rosetta_answers",
            lambda words, length: _draw(words, length, kinds),
            _story_of,
            split=split,
            size=size,
            seed=seed,
            vocabulary=vocabulary,
            sentences=sentences,
            shortest=max(KINDS[kind].shortest for kind in kinds),
        )
    )


def _story_of(answer):
    """The text of the story without its question, which decides about the split."""
    return " ".join(answer.source_words[: answer.sentence_of.index(-1)])


def _draw(words: Words, sentences: int, kinds: Sequence[str]) -> Answer:
    kind = words.dice.among(kinds)
    asked: list[_Asked] = []
    while not asked:
        world = World(words, KINDS[kind].plan)
        parts = [world.sentence() for _ in range(sentences)]
        asked = list(KINDS[kind].ask(world))
        if len({one.answer for one in asked}) < 2:
            asked = []
    chosen = words.dice.among(asked)
    story = [sentence(*each_part) for each_part in parts]
    answer = [word for word in chosen.stands_in.kept if word.text in chosen.answer.split()]
    question = each(chosen.question)
    story_words, sentence_of = told(story)
    source_words = story_words + english_sentence(question)
    target_words = tuple(word.text for word in answer)
    told_words = [word for one in story for word in one]
    return Answer(
        spell(source_words),
        spell(target_words),
        source_words,
        target_words,
        links_between(told_words, answer),
        sentence_of + (-1,) * len(question),
        tuple(sorted(chosen.supporting)),
        kind,
    )


class _Asked(NamedTuple):
    """A question, its answer, the mention in which the answer stands, and the sentences that know."""

    question: str
    answer: str
    stands_in: Mention
    supporting: tuple[int, ...]


def _asked(question, mention, *supporting):
    return _Asked(question, mention.name, mention, supporting)


def _the(name):
    return name if name in NAMES else f"the {name}"


def _where_person(world: World) -> Iterator[_Asked]:
    """Where is Anne ? Her last step knows."""
    for who, (*_, last) in world.steps.items():
        yield _asked(f"where is {_the(who)} ?", last.mention, last.sentence)


def _before_person(world: World) -> Iterator[_Asked]:
    """Where was Anne before she went to the park ? The step to the park knows, and the one before it."""
    for who, steps in world.steps.items():
        visited = [step.mention.name for step in steps]
        pronoun = "she" if gender(who) == "f" else "he"
        for one, then in itertools.pairwise(steps):
            place = then.mention.name
            if visited.count(place) == 1:
                question = f"where was {_the(who)} before {pronoun} went to the {place} ?"
                yield _asked(question, one.mention, one.sentence, then.sentence)


def _steps_with(world, thing):
    """The steps of the owner of a thing that tell where the thing was, the last one last."""
    owner = world.owner[thing]
    steps = world.steps.get(owner.mention.name, [])
    since = [step for step in steps if step.sentence > owner.sentence]
    before = [] if thing in world.given else [s for s in steps if s.sentence < owner.sentence][-1:]
    return before + since


def _where_thing(world: World) -> Iterator[_Asked]:
    """Where is the ball ? It is known from who has it and that person's last step; or from where it was left."""
    for thing, owner in world.owner.items():
        for last in _steps_with(world, thing)[-1:]:
            question = f"where is {_the(thing)} ?"
            yield _asked(question, last.mention, owner.sentence, last.sentence)
    for thing, (step, leaving) in world.left.items():
        yield _asked(f"where is {_the(thing)} ?", step.mention, step.sentence, leaving)


def _before_thing(world: World) -> Iterator[_Asked]:
    """Where was the ball before it came to the park ? It is known from who has it, and two of that person's steps."""
    for thing, owner in world.owner.items():
        for one, then in itertools.pairwise(_steps_with(world, thing)):
            place = then.mention.name
            if world.passed[thing].count(place) == 1:
                question = f"where was {_the(thing)} before it came to the {place} ?"
                yield _asked(question, one.mention, owner.sentence, one.sentence, then.sentence)


def _who_has(world: World) -> Iterator[_Asked]:
    """Who has the ball ? The sentence knows in which it was last taken or given."""
    for thing, owner in world.owner.items():
        yield _asked(f"who has {_the(thing)} ?", owner.mention, owner.sentence)


def _gifts(world, *sides):
    """The gifts that no other gift resembles on two sides, such as giver and receiver, and their names on these."""
    called = [tuple(getattr(gift, side).name for side in sides) for gift in world.gifts]
    for gift, names in zip(world.gifts, called, strict=True):
        if called.count(names) == 1:
            yield gift, *map(_the, names)


def _what_given(world: World) -> Iterator[_Asked]:
    """What did the doctor give to Anne ?"""
    for gift, giver, receiver in _gifts(world, "giver", "receiver"):
        yield _asked(f"what did {giver} give to {receiver} ?", gift.thing, gift.sentence)


def _who_gave(world: World) -> Iterator[_Asked]:
    """Who gave the ball to Anne ?"""
    for gift, thing, receiver in _gifts(world, "thing", "receiver"):
        yield _asked(f"who gave {thing} to {receiver} ?", gift.giver, gift.sentence)


def _given_to(world: World) -> Iterator[_Asked]:
    """To whom did the doctor give the ball ?"""
    for gift, giver, thing in _gifts(world, "giver", "thing"):
        yield _asked(f"to whom did {giver} give {thing} ?", gift.receiver, gift.sentence)


def _color(world: World) -> Iterator[_Asked]:
    """What color is the ball ? The sentence knows that mentions it first."""
    for thing, fact in world.colors.items():
        question = f"what color is {_the(thing)} ?"
        yield _Asked(question, fact.mention.adjective, fact.mention, (fact.sentence,))


class Kind(NamedTuple):
    """A kind of question: ask(world) has all that can be asked about a story.

    shortest: the sentences without which there are no two answers. plan: makes such stories likely.
    """

    ask: Callable[[World], Iterator[_Asked]]
    shortest: int
    plan: Plan = ORDINARY


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "where_person": Kind(_where_person, 2),
        "where_thing": Kind(_where_thing, 4, CARRYING),
        "before_person": Kind(_before_person, 3, RESTLESS),
        "before_thing": Kind(_before_thing, 4, RESTLESS),
        "who_has": Kind(_who_has, 2),
        "what_given": Kind(_what_given, 5, SWAPPING),
        "who_gave": Kind(_who_gave, 4, GENEROUS),
        "given_to": Kind(_given_to, 4, GENEROUS),
        "color": Kind(_color, 2),
    }
)
