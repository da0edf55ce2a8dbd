"""Clauses drawn at random: who, with or without a relative clause, does what."""

import functools
from collections.abc import Callable, Mapping

from attention_lab.data.rosetta import actions, scenes, states
from attention_lab.data.rosetta.clauses import predicate, relative_subject
from attention_lab.data.rosetta.dice import Dice
from attention_lab.data.rosetta.draws import (
    draw_name,
    draw_nominal,
    draw_pronoun,
    members,
)
from attention_lab.data.rosetta.nouns import KINDS
from attention_lab.data.rosetta.phrases import (
    PRONOUNS,
    Nominal,
    coordinated,
    extended,
    referring_to,
    subject,
)
from attention_lab.data.rosetta.scenes import Scene
from attention_lab.data.rosetta.verbs import TRANSITIVE, Verb
from attention_lab.data.rosetta.words import Phrase, join, pair

Template = Callable[[Scene], Phrase]


def with_object_described(scene: Scene) -> Phrase:
    """Paul ate the apple that Marie had bought."""
    dice = scene.dice
    verb = dice.zipf(scenes.transitive_verbs(scene.kind, scene.frame, scene.name))
    what = scenes.draw_object(scene, verb, False)
    if restrictable(what):
        what = with_relative(dice, what, scene.frame, but=verb)
    return join(scene.says(verb, negation=""), what.phrase)


def doing_twice(scene: Scene) -> Phrase:
    """Marie bought an apple and ate it: l'a mangée, in the gender of the apple."""
    dice = scene.dice
    animal = scene.subject.noun and scene.subject.noun.group == "animal"
    if animal and scene.name not in _HUNTERS:
        return actions.transitive(scene)
    first, second, things = dice.zipf(_TWICE_WILD if animal else _TWICE)
    noun = dice.zipf(tuple(n for n in members(things) if n is not scene.subject.noun))
    what = draw_nominal(dice, noun, "new" if dice.chance(0.6) else "the")
    clause = predicate(scene.subject, TRANSITIVE[first], scene.frame)
    named = "".join(word.text for word in scene.subject.english)
    who = subject(PRONOUNS[named]) if named in PRONOUNS else unsaid(scene.subject)
    then = predicate(who, TRANSITIVE[second], scene.frame, direct=referring_to(what))
    return join(clause, what.phrase, pair("and", "et"), then)


_TWICE = (
    ("buy", "eat", "food"),
    ("find", "open", "opening"),
    ("write", "read", "written"),
    ("wash", "eat", "food"),
    ("break", "repair", "mended"),
    ("buy", "sell", "owned_vehicle"),
    ("find", "lose", "lost"),
    ("see", "follow", "pet"),
    ("buy", "wear", "clothing"),
)
_TWICE_WILD = (("catch", "eat", "prey"), ("see", "follow", "prey"))
_HUNTERS = frozenset(["cat", "dog", "fox", "wolf", "owl", "lion", "bear"])

_PERSON: Mapping[Template, int] = {
    actions.transitive: 36,
    with_object_described: 6,
    actions.pronominal: 9,
    actions.intransitive: 10,
    actions.motion: 9,
    states.posture: 7,
    states.quality: 8,
    states.feeling: 4,
    states.comparison: 2,
    states.trade: 2,
    actions.giving: 6,
    actions.talking: 3,
    actions.wishing: 8,
    actions.errand: 2,
    doing_twice: 3,
}
_PET: Mapping[Template, int] = {
    actions.transitive: 34,
    with_object_described: 5,
    actions.pronominal: 6,
    actions.intransitive: 20,
    states.posture: 16,
    states.quality: 8,
    states.feeling: 5,
    states.comparison: 3,
    actions.wishing: 4,
    doing_twice: 3,
}
_WILD: Mapping[Template, int] = {
    actions.transitive: 40,
    with_object_described: 5,
    actions.pronominal: 4,
    actions.intransitive: 30,
    states.posture: 7,
    states.quality: 12,
    states.feeling: 6,
    states.comparison: 6,
    actions.wishing: 3,
    doing_twice: 4,
}
_THING: Mapping[Template, int] = {
    states.quality: 50,
    states.lying_somewhere: 42,
    states.comparison: 8,
}
_REASON: Mapping[Template, int] = {
    states.quality: 22,
    states.feeling: 16,
    actions.wishing: 16,
    actions.transitive: 20,
    actions.pronominal: 8,
    actions.intransitive: 8,
}
_STILL = ("habit", "now", "past", "background", "future")
_TABLES: Mapping[str, Mapping[Template, int]] = {
    "person": _PERSON,
    "pet": _PET,
    "wild": _WILD,
    "thing": _THING,
    "reason person": _REASON,
    "reason pet": _REASON,
    "reason wild": _REASON,
    "reason thing": {states.quality: 1},
}
_BY_KIND = {"person": "person", "kin": "person", "pet": "pet", "cattle": "wild", "wild": "wild"}
_FRAMES_OF: Mapping[Template, tuple[str, ...]] = {
    actions.talking: (*_STILL, "before", "meanwhile", "during"),
    states.posture: ("now", "past", "background", "meanwhile", "during"),
    states.comparison: ("habit", "now", "past", "background"),
    states.trade: ("now", "background", "future"),
    actions.wishing: ("habit", "now", "past", "background"),
    doing_twice: ("past", "future"),
    **dict.fromkeys(
        (
            states.quality,
            states.feeling,
            states.lying_somewhere,
            actions.errand,
        ),
        _STILL,
    ),
}


def draw_clause(
    dice: Dice,
    frame: str,
    who: Nominal,
    *,
    first: bool,
    reason: bool = False,
    other_than: Template | None = None,
    known: Nominal | None = None,
) -> tuple[Phrase, bool, Template]:
    """A clause about a subject, whether a time may be added, and its template.

    reason: one that may follow because. other_than: a template that is not to be used again.
    known: who may be meant by a pronoun.
    """
    kind = who.noun.kind if who.noun else "person"
    table = _BY_KIND.get(kind, "thing")
    if table == "thing":
        frame = {"meanwhile": "now"}.get(frame, frame if frame in _STILL else "background")
    scene = Scene(dice, frame, who, first=first, plain=False, known=known)
    weights = _possible(f"reason {table}" if reason else table, frame)
    if other_than in weights and len(weights) > 1:
        weights = {key: weight for key, weight in weights.items() if key is not other_than}
    template = dice.weighted(weights)
    return template(scene), scene.timely, template


@functools.cache
def _possible(table, frame):
    """The templates of a table that can be told in this frame."""
    return {
        template: weight
        for template, weight in _TABLES[table].items()
        if frame in _FRAMES_OF.get(template, (frame,))
    }


def unsaid(who: Nominal) -> Nominal:
    """A subject that is not repeated: Paul sang and danced."""
    return who._replace(english=(), french=())


def restrictable(nominal: Nominal) -> bool:
    """Whether a relative clause may follow: the, a, numbers, and nothing after the noun."""
    words = [word.text for word in nominal.english]
    some = words[:1] and words[0] in ("the", "a", "two", "three", "several", "all")
    many = nominal.noun is not None and nominal.noun.kind != "grass"
    return bool(some and many) and not {"'s", "of"} & set(words)


def with_relative(dice: Dice, head: Nominal, frame: str, but: Verb | None = None) -> Nominal:
    """A noun and its relative clause: the man who is singing, the apple that Marie ate.

    but: a verb that is already in the sentence.
    """
    assert head.noun is not None
    inner = frame if frame in ("past", "background") else "now" if dice.chance(0.6) else "past"
    person = head.noun.group == "person"
    verbs = tuple(v for v in scenes.verbs_done_to(head.noun, inner) if v is not but)
    if verbs and dice.chance(0.4 if person or head.noun.group == "animal" else 0.85):
        who = _relative_agent(dice, head)
        scene = Scene(dice, inner, who, first=False, plain=True)
        that = pair("that" if dice.chance(0.6) else "", "que")
        return extended(head, that, scene.says(dice.zipf(verbs), antecedent=head))
    relative = "who" if person else "that" if dice.chance(0.75) else "which"
    who = relative_subject(head, relative)
    scene = Scene(dice, inner, who, first=False, plain=True)
    templates: Mapping[Template, int] = {actions.transitive: 5, actions.intransitive: 3}
    if head.noun.kind in ("person", "pet", "cattle"):
        templates = {**templates, states.posture: 2, states.quality: 1}
    elif head.noun.kind == "place":
        templates = {states.quality: 1}
    elif head.noun.kind != "wild":
        templates = {states.quality: 1, states.lying_somewhere: 1}
    return extended(head, dice.weighted(templates)(scene))


def _relative_agent(dice, head):
    """Who does it in the object relative: not they, which would look for an antecedent."""
    roll = dice.weighted({"name": 40, "pronoun": 38, "noun": 22})
    if roll == "pronoun":
        keys = {"I": 40, "you": 12, "he": 18, "she": 18, "we": 12}
        return subject(PRONOUNS[dice.weighted(keys)])
    noun = dice.zipf(KINDS["person"])
    if roll == "name" or noun is head.noun:
        return draw_name(dice)
    return draw_nominal(dice, noun, "the", plain=True)


def draw_subject(dice: Dice, frame: str, *, first: bool) -> Nominal:
    """Somebody or something to talk about; first: a pronoun without an antecedent will do."""
    kind = dice.weighted(
        {
            "name": 24,
            "pronoun": 26,
            "person": 20,
            "kin": 5,
            "pet": 9,
            "cattle": 4,
            "wild": 5,
            "thing": 8,
        }
    )
    if kind == "pronoun":
        later = subject(PRONOUNS[dice.weighted({"I": 55, "you": 20, "we": 25})])
        return draw_pronoun(dice) if first else later
    if kind == "name":
        one = draw_name(dice)
        return coordinated(one, draw_name(dice, one.english[0].text)) if dice.chance(0.1) else one
    thing = kind == "thing"
    if thing:
        kind = dice.weighted(_THINGS)
    noun = dice.zipf(members(kind))
    profile = "definite" if thing else "usual" if frame == "habit" else "subject"
    who = draw_nominal(dice, noun, profile)
    return with_relative(dice, who, frame) if restrictable(who) and dice.chance(0.09) else who


_THINGS = {
    "thing": 6, "reading": 3, "clothing": 2, "vehicle": 3, "food": 3, "drink": 2, "opening": 2,
    "instrument": 1, "seat": 1, "seen_place": 2,
}  # fmt: skip
