"""What somebody does, drawn at random: people eat apples, dogs sleep, Marie gives Paul a book."""

import functools

from attention_lab.data.rosetta.clauses import (
    predicate,
)
from attention_lab.data.rosetta.draws import (
    draw_name,
    draw_nominal,
    draw_place,
    members,
)
from attention_lab.data.rosetta.nouns import KINDS, NOUNS, SUBSETS
from attention_lab.data.rosetta.phrases import PRONOUNS, prepositional
from attention_lab.data.rosetta.scenes import (
    Scene,
    does,
    draw_object,
    possible,
    surroundings,
    transitive_verbs,
)
from attention_lab.data.rosetta.verbs import (
    CAN,
    INTRANSITIVE,
    MUST,
    SPECIAL,
    TALK,
    TRANSITIVE,
)
from attention_lab.data.rosetta.words import Phrase, join, mots, pair, spoken


def transitive(scene: Scene) -> Phrase:
    """Paul ate an apple."""
    verb = scene.dice.zipf(transitive_verbs(scene.kind, scene.frame, scene.name))
    negation = scene.negation(verb)
    what = draw_object(scene, verb, bool(negation))
    return join(scene.says(verb, negation=negation), what.phrase)


def pronominal(scene: Scene) -> Phrase:
    """Paul saw her."""
    fitting = _done_to_persons(scene.kind, scene.frame, scene.name)
    if not fitting:
        return transitive(scene)
    return scene.says(scene.dice.zipf(fitting), direct=_draw_pronoun(scene))


@functools.cache
def _done_to_persons(kind, frame, name):
    return tuple(
        v for v in transitive_verbs(kind, frame, name) if "name" in v.objects[does(v, kind, name)]
    )


def _draw_pronoun(scene):
    """An object pronoun, not the subject's, and in a later clause not without an antecedent."""
    odds = {"I": 20, "you": 12, "he": 22, "she": 22, "we": 10, "they": 14}
    if not scene.first:
        odds = {"I": 20, "you": 12, "we": 10}
    me, us = (1, False), (1, True)
    who = (scene.subject.person, scene.subject.plural)
    excluded = {me: {"I", "we"}, us: {"I", "we"}, (2, False): {"you"}}.get(who, set())
    left = {key: odd for key, odd in odds.items() if key not in excluded}
    return PRONOUNS[scene.dice.weighted(left)]


def intransitive(scene: Scene) -> Phrase:
    """Marie is sleeping in the garden."""
    verbs = _intransitive_verbs(scene.kind, scene.name, scene.frame)
    if not verbs:
        return transitive(scene)
    verb = scene.dice.zipf(verbs)
    phrase = scene.says(verb)
    if verb.kind == "activity" and not verb.particles:
        if not scene.plain and verb.english.base != "swim" and scene.dice.chance(0.55):
            phrase = join(phrase, surroundings(scene, outside=verb.english.base in _OUTSIDE))
        elif verb.english.base in _TOGETHER and scene.dice.chance(0.3):
            phrase = join(phrase, _companion(scene))
    return phrase


@functools.cache
def _lasting(kind):
    return tuple(v for v in INTRANSITIVE.values() if does(v, kind) and v.auxiliary == "avoir")


@functools.cache
def _intransitive_verbs(kind, name, frame):
    return tuple(v for v in INTRANSITIVE.values() if does(v, kind, name) and possible(v, frame))


# Walking at the station is walking to it in French, and who laughs at a school mocks it in English.
_OUTSIDE = frozenset({"walk", "run", "laugh", "smile"})
_TOGETHER = frozenset({"work", "play", "sing", "dance"})


def _companion(scene):
    other = draw_name(scene.dice, scene.taken)
    if scene.dice.chance(0.6):
        noun = scene.dice.zipf(KINDS[scene.dice.weighted({"person": 3, "kin": 2})])
        other = draw_nominal(scene.dice, noun, "definite", owner=scene.subject, plain=True)
    return prepositional("with", "avec", other)


def motion(scene: Scene) -> Phrase:
    """Paul went to the market; the cat came out of the house."""
    dice = scene.dice
    verb, english, french, subset = dice.zipf(_motions(scene.frame))
    if not english:
        return join(scene.says(verb), draw_place(dice, dice.weighted({"inside": 2, "outside": 1})))
    place = draw_nominal(dice, dice.zipf(SUBSETS[subset]), "goal", plain=dice.chance(0.85))
    return join(scene.says(verb), prepositional(english, french, place))


@functools.cache
def _motions(frame):
    """Verb, English and French preposition, places."""
    motions = (
        (SPECIAL["go"], "to", "à", "goal"),
        (SPECIAL["come back"], "from", "de", "goal"),
        (SPECIAL["stay"], "", "", "inside"),
        (SPECIAL["go out"], "of", "de", "room"),
        (INTRANSITIVE["arrive"], "at", "à", "goal"),
        (SPECIAL["come"], "from", "de", "goal"),
    )
    return tuple(motion for motion in motions if possible(motion[0], frame))


def giving(scene: Scene) -> Phrase:
    """Paul gave the book to the girl; Paul gave her the book; Paul gave the girl the book."""
    dice = scene.dice
    verbs = [SPECIAL[base] for base in ("give", "show", "bring", "send")]
    verb = dice.zipf([verb for verb in verbs if possible(verb, scene.frame)])
    what = dice.zipf(members("sent" if verb is SPECIAL["send"] else "given"))
    negation = scene.negation(verb, 0.08)
    to_pronoun = dice.chance(0.45)
    # Not "brought her books", whose books may be hers.
    profile = "negated" if negation else "to you" if to_pronoun else "object"
    thing = draw_nominal(dice, what, profile, owner=scene.subject)
    if to_pronoun:
        clause = scene.says(verb, negation=negation, indirect=_recipient_pronoun(scene))
        return join(clause, thing.phrase)
    clause = scene.says(verb, negation=negation)
    receiver = _receiver(scene)
    if dice.chance(0.25):
        recipient = join(pair("", "à"), receiver.phrase)
        return Phrase(
            clause.english + recipient.english + thing.english,
            clause.french + thing.french + recipient.french,
        )
    return join(clause, thing.phrase, prepositional("to", "à", receiver))


def _receiver(scene):
    if scene.dice.chance(0.35):
        return draw_name(scene.dice, scene.taken)
    kind = scene.dice.weighted({"person": 3, "kin": 2})
    noun = scene.dice.zipf(KINDS[kind])
    return draw_nominal(scene.dice, noun, "definite", owner=scene.subject, plain=True)


def _recipient_pronoun(scene):
    """An indirect object pronoun of another person than the subject."""
    keys: tuple[str, ...] = ("he", "she") if scene.first else ()
    if scene.subject.person == 3:
        keys += ("I", "you", "we")
    elif scene.first:
        keys += ("they",)
    return PRONOUNS[scene.dice.among(keys or ("he",))]


def talking(scene: Scene) -> Phrase:
    """Marie is talking to the baker; Marie is talking to him."""
    if scene.dice.chance(0.35) and (scene.first or scene.subject.person == 3):
        return scene.says(TALK, indirect=_recipient_pronoun(scene))
    return join(scene.says(TALK), prepositional("to", "à", _receiver(scene)))


def wishing(scene: Scene) -> Phrase:
    """Paul wants to eat an apple; Marie cannot see him; the dog must sleep."""
    dice, frame = scene.dice, "now" if scene.frame in ("now", "habit") else "past"
    person = scene.kind == "person"
    modal = SPECIAL[dice.weighted({"can": 35, "must": 20, "want": 35, "like": 10})]
    if modal is MUST and frame == "past":
        modal = CAN
    negation = "not" if dice.chance(0.2) and modal in (CAN, SPECIAL["want"]) else ""
    tense = "present" if frame == "now" else "past"
    if dice.chance(0.3):
        verb = dice.zipf(_lasting(scene.kind))
        return predicate(scene.subject, verb, tense, modal=modal, negation=negation)
    verbs = _wishes(scene.kind, scene.name)
    if modal is SPECIAL["like"]:
        verbs = tuple(verb for verb in verbs if verb.kind == "activity")
    if modal is SPECIAL["like"] or not person or dice.chance(0.75):
        verb = dice.zipf(verbs)
        what = draw_object(scene, verb, bool(negation))
        clause = predicate(scene.subject, verb, tense, modal=modal, negation=negation)
        return join(clause, what.phrase)
    verb = dice.zipf(tuple(v for v in verbs if "name" in v.objects["person"]))
    keys: tuple[str, ...] = ("he", "she") if scene.first else ()
    keys += ("I", "you", "we") if scene.subject.person == 3 else ()
    pronoun = PRONOUNS[dice.among(keys or ("he",))]
    return predicate(scene.subject, verb, tense, modal=modal, negation=negation, direct=pronoun)


@functools.cache
def _wishes(kind, name):
    """What one can want to do: no states, and nothing that just happens."""
    unwilling = {"hear", "lose", "forget", "break", "wait"}
    return tuple(
        verb
        for verb in transitive_verbs(kind, "past", name)
        if verb.kind != "state" and verb.english.base not in unwilling
    )


def errand(scene: Scene) -> Phrase:
    """Marie went to the market to buy some apples."""
    dice = scene.dice
    verb, places, things = dice.zipf(_ERRANDS)
    place = draw_nominal(dice, NOUNS[dice.zipf(places.split())], "the", plain=True)
    noun = dice.zipf(members(things))
    thing = draw_nominal(dice, noun, "object", owner=scene.subject, plain=True)
    purpose, act = pair("to", "pour"), (object(),)
    english = spoken(" ".join((verb.english.base, *verb.particles)), act)
    infinitive = Phrase(english, mots(verb.french.infinitive, act))
    going = scene.says(SPECIAL["go"], negation="")
    return join(going, prepositional("to", "à", place), purpose, infinitive, thing.phrase)


_ERRANDS = (
    (TRANSITIVE["buy"], "market store farm", "food"),
    (TRANSITIVE["look for"], "station school library park", "lost"),
    (TRANSITIVE["buy"], "market store", "clothing"),
    (TRANSITIVE["see"], "zoo", "wild"),
    (TRANSITIVE["wait for"], "station airport school", "kin"),
    (TRANSITIVE["read"], "library park beach", "reading"),
)
