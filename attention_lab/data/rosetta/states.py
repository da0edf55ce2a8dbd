"""How and where somebody or something is, drawn at random: cats sit on mats, keys lie on tables."""

import functools
from types import MappingProxyType

from attention_lab.data.rosetta.adjectives import ADJECTIVES
from attention_lab.data.rosetta.clauses import (
    compared,
    described_as,
    existential,
    predicate,
    weather,
)
from attention_lab.data.rosetta.dice import Dice
from attention_lab.data.rosetta.draws import (
    draw_beside,
    draw_name,
    draw_nominal,
    draw_place,
    members,
)
from attention_lab.data.rosetta.nouns import DIETS, KINDS, NOUNS, SUBSETS
from attention_lab.data.rosetta.phrases import noun_phrase, prepositional
from attention_lab.data.rosetta.scenes import (
    Scene,
    surroundings,
)
from attention_lab.data.rosetta.verbs import (
    BE,
    FEEL,
    FEELINGS,
    SPECIAL,
    TRANSITIVE,
)
from attention_lab.data.rosetta.words import Phrase, join, pair


def posture(scene: Scene) -> Phrase:
    """The cat sat on the mat."""
    dice = scene.dice
    if scene.kind in ("cattle", "wild"):
        grass = draw_nominal(dice, NOUNS["grass"], "the", plain=dice.chance(0.8))
        where = prepositional("on", "sur", grass) if dice.chance(0.6) else surroundings(scene)
        return join(scene.says(SPECIAL["lie"], negation=""), where)
    verb = SPECIAL[dice.weighted({"sit": 5, "stand": 2, "lie": 3})]
    negation = "not" if scene.frame != "past" and dice.chance(0.08) else ""
    clause = scene.says(verb, negation=negation)
    if verb is SPECIAL["stand"]:
        return join(clause, draw_beside(dice, "by_it"))
    if verb is SPECIAL["lie"]:
        english, french, subset = "on", "sur", "slept_on"
    elif dice.chance(0.15):
        english, french, subset = "in", "dans", "sat_in"
    else:
        english, french, subset = "on", "sur", "sat_on"
    place = draw_nominal(dice, dice.zipf(SUBSETS[subset]), "place", plain=dice.chance(0.6))
    return join(clause, prepositional(english, french, place))


def quality(scene: Scene) -> Phrase:
    """The man is tired; Marie was very happy."""
    dice, noun = scene.dice, scene.subject.noun
    words = {word.text for word in scene.subject.english}
    qualities = _qualities(noun if noun else KINDS["person"][0])
    untold = tuple(
        a
        for a in qualities
        if a.english not in words
        and _OPPOSITES.get(a.english, "") not in words
        and not (scene.frame == "future" and a.english in _LASTING)
    )
    adjective = dice.zipf(untold or qualities)
    degree = Phrase()
    if adjective.graded and dice.chance(0.25):
        degree = pair("very", "très") if dice.chance(0.75) else pair("too", "trop")
    is_ = scene.says(BE)
    scene.timely = scene.timely and adjective.english in _PASSING
    return join(is_, described_as(scene.subject, adjective, degree))


@functools.cache
def _qualities(noun):
    fitting = [a for a in ADJECTIVES.values() if a.predicative and a.suits(noun)]
    return tuple(sorted(fitting, key=lambda adjective: adjective.before_noun))


_OPPOSITES = MappingProxyType(
    {"small": "big", "big": "small", "old": "young", "young": "old", "hot": "cold", "cold": "hot"}
    | {"good": "bad", "bad": "good", "happy": "sad", "sad": "happy", "clean": "dirty"}
    | {"dirty": "clean"}
)


_LASTING = frozenset(["small", "big", "old", "young", "tall", "heavy", "intelligent"])
_PASSING = frozenset(["tired", "happy", "sad", "sick", "late", "ready", "alone"])


def comparison(scene: Scene) -> Phrase:
    """The dog is bigger than the cat."""
    dice, noun = scene.dice, scene.subject.noun
    known = noun or KINDS["person"][0]
    size = {"small", "big"} if known.group == "animal" else set()
    fitting = tuple(a for a in _qualities(known) if a.comparative and a.english not in size)
    if not fitting:
        return quality(scene)
    other = draw_nominal(dice, dice.zipf(KINDS[known.kind]), "definite", plain=True)
    if noun is None or other.noun is noun:
        other = draw_name(dice, scene.taken) if known.group == "person" else other
    if other.noun is not None and other.noun is noun:
        return quality(scene)
    clause = scene.says(BE)
    scene.timely = False
    return join(clause, compared(scene.subject, dice.zipf(fitting), other))


def feeling(scene: Scene) -> Phrase:
    """The dog is hungry: le chien a faim."""
    english = scene.dice.zipf(
        tuple(FEELINGS)[: 4 if scene.kind in ("pet", "cattle", "wild") else None]
    )
    graded = english not in ("right", "wrong") and scene.dice.chance(0.2)
    degree = pair("very", "très") if graded else Phrase()
    return join(scene.says(FEEL), degree, pair(english, FEELINGS[english]))


def trade(scene: Scene) -> Phrase:
    """Paul is a doctor: Paul est médecin."""
    fitting = tuple(noun for noun in SUBSETS["trade"] if scene.subject.gender == noun.gender)
    if scene.subject.plural or not fitting:
        return feeling(scene)
    noun = scene.dice.zipf(fitting)
    clause = scene.says(BE)
    scene.timely = False
    return join(clause, pair("a", ""), pair(noun.english[0], noun.french[0]))


def lying_somewhere(scene: Scene) -> Phrase:
    """The key is on the table; the car is in front of the house."""
    clause = scene.says(BE)
    scene.timely = False
    return join(clause, _resting_place(scene.dice, scene.subject.noun))


def _resting_place(dice, noun):
    bulky = noun.english[0] in ("ladder", "door", "window", "mirror", "wall", "clock")
    if noun.kind == "vehicle":
        return draw_beside(dice, "landmark", noun)
    if noun.kind == "place":
        return draw_beside(dice, "landmark", noun)
    if noun.kind == "drink":
        cup = draw_nominal(dice, dice.zipf(members("drunk_from")), "place", plain=True)
        return prepositional("in", "dans", cup)
    if noun.kind in ("seat", "instrument", "grass") or bulky:
        return draw_place(dice, "inside") if dice.chance(0.5) else draw_beside(dice, "by_it", noun)
    if noun.kind == "food" and dice.chance(0.6):
        return prepositional("on", "sur", draw_nominal(dice, NOUNS["table"], "place"))
    spots = {
        ("on_it", "on", "sur"): 55,
        ("in_it", "in", "dans"): 33,
        ("under_it", "under", "sous"): 12,
    }
    if noun.kind == "food":
        spots = {("in_it", "in", "dans"): 1}
    subset, english, french = dice.weighted(spots)
    surface = dice.zipf(members(subset))
    if surface is noun:
        surface = NOUNS["table"]
    place = draw_nominal(dice, surface, "place", plain=dice.chance(0.7))
    return prepositional(english, french, place)


def there_is(dice: Dice, frame: str) -> Phrase:
    """There is a cat in the garden; there was no milk on the table."""
    tense = {"habit": "present", "now": "present", "future": "future"}.get(frame, "past")
    kind = dice.weighted(
        {"pet": 3, "wild": 2, "cattle": 1, "person": 2, "thing": 3, "food": 2, "drink": 1}
    )
    noun = dice.zipf(KINDS[kind])
    negated = dice.chance(0.2)
    what = draw_nominal(dice, noun, "no" if negated else "had")
    if kind in ("thing", "food", "drink"):
        where = _resting_place(dice, noun)
    else:
        where = draw_place(dice, "nature" if kind == "wild" else "outside")
    return join(existential(what, tense, negated=negated), where)


def liking(dice: Dice) -> Phrase:
    """Cats like milk: les chats aiment le lait. Cows eat grass: les vaches mangent de l'herbe."""
    kind = dice.weighted({"pet": 3, "cattle": 2, "wild": 2, "person": 3})
    animal, person = dice.zipf(KINDS[kind]), kind == "person"
    who = noun_phrase("", animal, plural=True, generic=True)
    verb = TRANSITIVE[dice.zipf(("like", "eat", "love", "drink"))]
    if verb is TRANSITIVE["drink"]:
        what = members("drink" if person else "still")
    elif person:
        what = members(dice.weighted({"food": 3, "mass": 1}))
    else:
        what = DIETS[animal.english[0]]
    noun = dice.zipf(what)
    fond = verb.kind == "state"
    thing = noun_phrase("", noun, plural=bool(noun.english[1]), generic=fond)
    adverb = "" if fond else dice.weighted({"": 6, "often": 3, "always": 1})
    return join(predicate(who, verb, "present", adverb=adverb), thing.phrase)


def sky(dice: Dice, frame: str) -> Phrase:
    """It is raining; the weather was nice."""
    tense = {"habit": "progressive", "now": "progressive", "future": "future"}.get(
        frame, "past progressive"
    )
    kind = dice.weighted({"rain": 4, "nice": 2, "snow": 2})
    return weather(kind, tense)
