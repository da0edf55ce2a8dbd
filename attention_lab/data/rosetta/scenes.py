"""A scene: who, when, and what can sensibly be done to what.

A frame says when: habit (he eats), now (he is eating), past (he ate), background (he was eating),
before (he had eaten), future (he will eat); and in subordinate clauses, without states, meanwhile
(while he is eating), during (while he was eating), suddenly (when he ate). It decides the tense of
every verb, according to its kind.
"""

import functools
from collections.abc import Mapping
from types import MappingProxyType

from attention_lab.data.rosetta.clauses import (
    predicate,
)
from attention_lab.data.rosetta.dice import Dice
from attention_lab.data.rosetta.draws import (
    draw_beside,
    draw_name,
    draw_nominal,
    draw_place,
    members,
)
from attention_lab.data.rosetta.nouns import DIETS, Noun
from attention_lab.data.rosetta.phrases import Nominal
from attention_lab.data.rosetta.verbs import (
    BE,
    TRANSITIVE,
    Verb,
)
from attention_lab.data.rosetta.words import Phrase

_STATES = MappingProxyType(
    {"habit": "present", "now": "present", "past": "past", "background": "past", "future": "future"}
)


_ACTIVITIES = MappingProxyType(
    {
        "habit": "present",
        "now": "progressive",
        "past": "past",
        "background": "past progressive",
        "before": "pluperfect",
        "future": "future",
        "meanwhile": "progressive",
        "during": "past progressive",
    }
)


_EVENTS = MappingProxyType(
    {"habit": "present", "past": "past", "before": "pluperfect", "future": "future"}
    | {"suddenly": "past"}
)


_POSTURES = MappingProxyType(
    {"now": "progressive", "past": "past", "background": "past progressive"}
    | {"meanwhile": "progressive", "during": "past progressive"}
)


_TENSES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "activity": _ACTIVITIES,
        "event": _EVENTS,
        "state": _STATES,
        "posture": _POSTURES,
        "ability": {frame: tense for frame, tense in _STATES.items() if frame != "future"},
        "duty": {"habit": "present", "now": "present"},
    }
)


# Which determiners the objects of a verb take, if not the usual; when negated, the second.
_PROFILES = {
    "love": ("liked", "liked"),
    "like": ("liked", "liked"),
    "know": ("definite", "definite"),
    "have": ("had", "not had"),
    "need": ("needed", "needed"),
    "enter": ("place", "place"),
    "play": ("the", "the"),
    "open": ("definite", "definite"),
    "close": ("definite", "definite"),
    "write": ("object", "negated"),
}


# A negated verb would leave open how many.
_QUANTIFIERS = frozenset({"a", "two", "three", "several", "many", "all", "every", "these"})


class Scene:
    """A clause being written: who, when, and with which of the dice."""

    def __init__(
        self,
        dice: Dice,
        frame: str,
        subject: Nominal,
        *,
        first: bool,
        plain: bool,
        known: Nominal | None = None,
    ):
        """first: the sentence's first clause, whose pronouns need no antecedent.

        plain: kept short. known: who may be meant by a pronoun, and is not named again.
        """
        self.dice, self.frame, self.subject = dice, frame, subject
        self.first, self.plain = first, plain
        self.taken = {
            word.text for nominal in (subject, known) if nominal for word in nominal.english
        }
        self.kind = subject.noun.kind if subject.noun else "person"
        self.name = subject.noun.english[0] if subject.noun else ""
        self.timely = False
        some = subject.english[0].text if subject.english and subject.noun else ""
        settled = frame in ("meanwhile", "during", "suddenly")
        self.negatable = not settled and some not in _QUANTIFIERS

    def negation(self, verb: Verb, probability: float = 0.13) -> str:
        """Not, sometimes never or no longer, mostly nothing."""
        if self.plain or not self.negatable or not self.dice.chance(probability):
            return ""
        ever = verb.kind == "activity" or (verb.kind == "state" and verb.english is not BE.english)
        if self.frame in ("habit", "past") and ever and self.dice.chance(0.2):
            return "never"
        if self.frame in ("habit", "now") and verb.kind != "event" and self.dice.chance(0.15):
            return "no longer"
        return "not"

    def says(self, verb: Verb, *, negation: str | None = None, **others) -> Phrase:
        """The subject and this verb in the scene's tense, perhaps negated or with an adverb."""
        tense = _TENSES[verb.kind][self.frame]
        negation = self.negation(verb) if negation is None else negation
        adverb = ""
        if self.frame == "past" and verb.kind in ("activity", "event") and negation != "never":
            tense = "perfect" if self.dice.chance(0.22) else tense
        if not negation and "modal" not in others:
            if self.frame == "habit" and verb.kind == "activity" and self.dice.chance(0.18):
                adverb = "often" if self.dice.chance(0.6) else "always"
            if tense in ("perfect", "pluperfect") and self.dice.chance(0.15):
                adverb = "already"
        brief = verb.kind not in ("state", "event") or (
            self.frame != "habit" and verb.kind == "event"
        )
        passing = brief or (self.frame != "habit" and verb.english is BE.english)
        # Whether "yesterday", "every day" and the like go with it.
        self.timely = passing and tense != "perfect" and not adverb and negation in ("", "not")
        return predicate(self.subject, verb, tense, negation=negation, adverb=adverb, **others)


def possible(verb: Verb, frame: str) -> bool:
    """Whether a verb has a tense for a frame whose English form tells it from all others."""
    ambiguous = frame == "habit" and verb.english.base == verb.english.past
    return frame in _TENSES[verb.kind] and not ambiguous


_GROUPS = MappingProxyType({"kin": "person", "pet": "animal", "cattle": "animal", "wild": "animal"})


def does(verb: Verb, kind: str, name: str = "") -> str:
    """The column of a verb's selection for a subject of this class, "" if it has none."""
    return next((who for who in (name, kind, _GROUPS.get(kind, kind)) if who in verb.objects), "")


@functools.cache
def transitive_verbs(kind: str, frame: str, name: str = "") -> tuple[Verb, ...]:
    """The verbs with an object that a subject of this class and name can do in this frame."""
    return tuple(v for v in TRANSITIVE.values() if does(v, kind, name) and possible(v, frame))


@functools.cache
def verbs_done_to(noun: Noun, frame: str) -> tuple[Verb, ...]:
    """The verbs that a person can do to this noun."""
    return tuple(
        verb
        for verb in transitive_verbs("person", frame)
        if not verb.tail
        and verb is not TRANSITIVE["have"]
        and any(noun in members(what) for what in verb.objects["person"] if what != "name")
    )


def draw_object(scene: Scene, verb: Verb, negated: bool) -> Nominal:
    """Something or somebody to whom this verb can be done."""
    dice = scene.dice
    what = dice.zipf(verb.objects[does(verb, scene.kind, scene.name)])
    if what == "name":
        return draw_name(dice, scene.taken)
    profile = _PROFILES.get(verb.english.base, ("object", "negated"))[negated]
    if verb.tail and profile == "object":
        profile = "the"
    nouns = DIETS[scene.name] if what == "feed" else members(what)
    noun = dice.zipf(nouns)
    if noun is scene.subject.noun and noun is nouns[0]:
        noun = nouns[-1]
    if profile == "liked" and noun.group not in ("food", "mass", "drink", "animal"):
        profile = "definite"
    return draw_nominal(dice, noun, profile, owner=scene.subject, plain=scene.plain)


def surroundings(scene: Scene, outside: bool = False) -> Phrase:
    """A place where a subject of this class may well be; outside: people are out of doors."""
    dice = scene.dice
    if scene.kind in ("person", "kin"):
        if dice.chance(0.2):
            return draw_beside(dice, "landmark")
        if outside:
            return draw_place(dice, "outside")
        return draw_place(dice, dice.weighted({"outside": 5, "inside": 4, "public": 4}))
    if scene.kind == "pet":
        return draw_place(dice, dice.weighted({"grassland": 3, "inside": 2}))
    if scene.kind == "cattle":
        return draw_place(dice, "grassland")
    return draw_place(dice, "nature")
