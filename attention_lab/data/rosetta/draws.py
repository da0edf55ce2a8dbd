"""Drawing at random: noun phrases that make sense."""

import functools
from collections.abc import Container, Mapping

from attention_lab.data.rosetta.adjectives import ADJECTIVES, Adjective
from attention_lab.data.rosetta.dice import Dice
from attention_lab.data.rosetta.nouns import AT_PLACE, KINDS, NAMES, NOUNS, SUBSETS, Noun
from attention_lab.data.rosetta.phrases import (
    PRONOUNS,
    Nominal,
    extended,
    named,
    noun_phrase,
    owned,
    prepositional,
    subject,
)
from attention_lab.data.rosetta.words import Phrase, join, pair

# How often a noun phrase has each determiner. "own" is my, his, ...; "'s" a possessor.
_PROFILES: Mapping[str, Mapping[str, int]] = {
    "subject": {
        "the": 58, "a": 9, "this": 8, "own": 9, "'s": 4, "two": 4, "three": 2, "several": 1,
        "many": 1, "all the": 2, "every": 1, "these": 2,
    },
    "object": {
        "the": 42, "a": 26, "this": 7, "own": 8, "'s": 4, "two": 4, "some": 4, "": 3, "three": 1,
        "many": 1,
    },
    "mass": {"the": 28, "some": 28, "": 30, "this": 8, "own": 6},
    "negated": {"the": 50, "a": 24, "any": 10, "this": 8, "own": 8},
    "negated mass": {"the": 40, "any": 45, "this": 15},
    "some mass": {"some": 75, "": 25},
    "liked": {"": 80, "this": 20},
    "had": {"a": 66, "two": 12, "three": 6, "many": 8, "some": 8},
    "not had": {"a": 75, "any": 25},
    "definite": {"the": 78, "this": 12, "own": 6, "'s": 4},
    "to you": {"the": 50, "a": 28, "this": 10, "two": 7, "some": 5},
    "needed": {"a": 35, "the": 35, "own": 20, "this": 10},
    "place": {"the": 90, "this": 6, "a": 4},
    "usual": {"the": 66, "this": 10, "own": 10, "'s": 5, "two": 3, "all the": 4, "every": 2},
    "goal": {"the": 93, "this": 7},
    "the": {"the": 1},
    "new": {"a": 75, "two": 15, "three": 6, "many": 4},
    "no": {"no": 1},
}  # fmt: skip
_OF_MASS = {
    "object": "mass",
    "new": "mass",
    "negated": "negated mass",
    "had": "some mass",
    "not had": "negated mass",
}
_ALWAYS_PLURAL = frozenset({"two", "three", "several", "many", "all the", "these"})
_MAYBE_PLURAL = frozenset({"the", "own", "'s", "no"})
_ALWAYS_SINGULAR = frozenset({"a", "this", "every"})
_UNIQUE = frozenset(["mother", "father", "king", "queen", "grandmother", "grandfather"])
_ONE_AT_A_TIME = frozenset({"place", "seat", "instrument"})
_SOMEBODYS = frozenset({"friend", "neighbor"})
_OWNERS = {"my": 40, "your": 16, "his": 15, "her": 15, "our": 10, "their": 4}
_OWNER_OF = {
    (1, "m", False): "my",
    (2, "m", False): "your",
    (3, "m", False): "his",
    (3, "f", False): "her",
    (1, "m", True): "our",
    (3, "m", True): "their",
    (3, "f", True): "their",
}
# What may belong to somebody.
_OWNABLE = frozenset(
    {"kin", "pet", "cattle", "reading", "clothing", "opening", "thing", "vehicle", "food"}
)
_OWNABLE_TOO = frozenset(
    [
        "friend",
        "teacher",
        "doctor",
        "neighbor",
        "house",
        "garden",
        "bed",
        "chair",
        "piano",
        "guitar",
    ]
)
# The door of the house: what is part of what.
_PART_OF = {
    "door": "house church castle school",
    "window": "house kitchen bedroom church",
    "key": "house castle bedroom",
    "garden": "house castle hotel hospital",
    "wall": "house garden church",
    "king": "island",
    "queen": "island",
    "street": "city village",
    "market": "village city",
    "school": "village",
    "church": "village",
    "station": "city",
    "bridge": "village city",
    "photo": "child house castle horse",
}


def members(name: str) -> tuple[Noun, ...]:
    """The nouns of a class or subset, or the one noun of this name."""
    return SUBSETS.get(name) or (NOUNS[name],)


def draw_name(dice: Dice, taken: Container[str] = ()) -> Nominal:
    """Somebody by name, and by none of those taken."""
    return named(dice.zipf(tuple(name for name in NAMES if name not in taken)))


def draw_pronoun(dice: Dice) -> Nominal:
    """A pronoun as a subject."""
    return subject(
        PRONOUNS[dice.weighted({"I": 30, "you": 10, "he": 20, "she": 20, "we": 10, "they": 10})]
    )


def draw_nominal(
    dice: Dice, noun: Noun, profile: str, *, owner: Nominal | None = None, plain: bool = False
) -> Nominal:
    """A noun phrase of this noun.

    profile: a key of _PROFILES. owner: the subject, whose it may be. plain: no adjectives.
    """
    mass, negated = not noun.english[1], profile in ("negated", "negated mass", "not had", "no")
    if mass:
        profile = _OF_MASS.get(profile, profile)
    determiner = dice.weighted(_PROFILES[profile])
    if determiner in ("own", "'s") and not _ownable(noun):
        determiner = "the"
    somebodys = noun.english[0] in _SOMEBODYS and profile not in ("had", "no")
    possessed = noun.kind == "kin" or (somebodys and dice.chance(0.7))
    if possessed and determiner not in ("own", "'s"):
        determiner = "own"
    if mass and determiner not in ("the", "this", "own", "", "some", "any", "no"):
        determiner = "the"
    unique = noun.english[0] in _UNIQUE or noun.kind in _ONE_AT_A_TIME
    if unique and determiner not in ("own", "'s", "a", "this", "no", "any"):
        determiner = "the"
    plural = not mass and (
        determiner not in _ALWAYS_SINGULAR
        and (determiner in _ALWAYS_PLURAL or determiner not in _MAYBE_PLURAL or dice.chance(0.2))
        and not (unique or profile in ("place", "goal", "the"))
    )
    adjectives = () if plain or noun.kind == "kin" else _draw_adjectives(dice, noun)
    if determiner == "'s":
        of = draw_name(dice)
        if dice.chance(0.5):
            of = noun_phrase("the", dice.zipf(KINDS["person"]))
        if of.noun is noun:
            of = draw_name(dice)
        return owned(of, noun, *adjectives, plural=plural)
    if determiner == "own":
        determiner = dice.weighted(_OWNERS)
        if owner and (not owner.noun or owner.noun.group == "person") and dice.chance(0.75):
            determiner = _OWNER_OF[owner.person, owner.gender, owner.plural]
    whole = noun_phrase(
        determiner, noun, *adjectives, plural=plural, negated=negated, generic=profile == "liked"
    )
    if determiner == "the" and not plural and noun.english[0] in _PART_OF and dice.chance(0.15):
        other = NOUNS[dice.among(_PART_OF[noun.english[0]].split())]
        return extended(whole, prepositional("of", "de", noun_phrase("the", other)))
    return whole


def _ownable(noun):
    return noun.kind in _OWNABLE or noun.english[0] in _OWNABLE_TOO


def _draw_adjectives(dice, noun):
    """None, one, or rarely two: one for each side of the French noun."""
    if not dice.chance(0.2):
        return ()
    before, after = attributes(noun)
    if before and after and dice.chance(0.12):
        return (dice.zipf(before), dice.zipf(after))
    either = before if before and (not after or dice.chance(0.5)) else after
    return (dice.zipf(either),) if either else ()


@functools.cache
def attributes(noun: Noun) -> tuple[tuple[Adjective, ...], tuple[Adjective, ...]]:
    """The adjectives that may stand with this noun: those before and those after the French noun."""
    fitting = [a for a in ADJECTIVES.values() if a.attributive and a.suits(noun)]
    return (
        tuple(a for a in fitting if a.before_noun),
        tuple(a for a in fitting if not a.before_noun),
    )


def draw_place(dice: Dice, subset: str) -> Phrase:
    """Where something happens: in the garden, at the station."""
    noun = dice.zipf(SUBSETS[subset])
    english, french = location(noun)
    profile = "goal" if french == "à" else "place"
    return prepositional(english, french, draw_nominal(dice, noun, profile, plain=dice.chance(0.8)))


def location(noun: Noun) -> tuple[str, str]:
    """The prepositions, English and French, that say that something is in, at or on this place."""
    return AT_PLACE.get(noun.english[0], ("in", "dans"))


_BESIDE = (
    ("near", "près de"),
    ("in front of", "devant"),
    ("behind", "derrière"),
    ("next to", "à côté de"),
)


def draw_beside(dice: Dice, subset: str, but: Noun | None = None) -> Phrase:
    """Near, behind, next to or in front of something else."""
    noun = dice.zipf(tuple(noun for noun in SUBSETS[subset] if noun is not but))
    return prepositional(
        *dice.zipf(_BESIDE), draw_nominal(dice, noun, "the", plain=dice.chance(0.8))
    )


def _times(*entries):
    return tuple(tuple(tuple(part.split("-")) for part in entry.split(", ")) for entry in entries)


# An entry is pairs English-French in the English order, with their places in the French order.
_TIMES = {
    "habit": _times(
        "every-tous_les-0, day-jours-1", "every-tous_les-0, morning-matins-1",
        "in_the-le-0, evening-soir-1", "on_Sundays-le_dimanche-0",
    ),
    "now": _times("now-maintenant-0", "this-ce-0, morning-matin-1", "today-aujourd'hui-0"),
    "past": _times(
        "yesterday-hier-0", "this-ce-0, morning-matin-1", "last_night-hier_soir-0",
        "last-dernière-2, week-semaine-1, -la-0", "on_Monday-lundi-0",
        "two-deux-1, days-jours-2, ago-il_y_a-0",
    ),
    "background": _times(
        "yesterday-hier-0", "this-ce-0, morning-matin-1", "last_night-hier_soir-0"
    ),
    "future": _times(
        "tomorrow-demain-0", "tonight-ce_soir-0", "soon-bientôt-0",
        "next-prochaine-2, week-semaine-1, -la-0", "on_Monday-lundi-0",
    ),
}  # fmt: skip


def draw_time(dice: Dice, frame: str) -> Phrase:
    """When: yesterday, hier; last week, la semaine dernière."""
    parts = dice.zipf(_TIMES[frame])
    words = {int(p): pair(e.replace("_", " "), f.replace("_", " ")) for e, f, p in parts}
    english = join(*words.values()).english
    return Phrase(english, join(*(words[place] for place in sorted(words))).french)
