"""Clauses: subject, verb, negation and object pronouns, in all tenses, both languages at once.

A tense is named in English; the French one follows from it and from the kind of the verb:

| English | activity, event | state | posture |
| --- | --- | --- | --- |
| present: eats | présent: mange | connaît | est assis |
| progressive: is eating | présent: mange (no event) | | est assis |
| past: ate | passé composé: a mangé | imparfait: connaissait | était assis |
| past progressive: was eating | imparfait: mangeait (no event) | | était assis |
| perfect: has eaten | passé composé: a mangé | | |
| pluperfect: had eaten | plus-que-parfait: avait mangé | | |
| future: will eat | futur: mangera | connaîtra | |
"""

from types import MappingProxyType

from attention_lab.data.rosetta.adjectives import Adjective
from attention_lab.data.rosetta.morphology import agree
from attention_lab.data.rosetta.phrases import Nominal, Pronoun, adjective_words
from attention_lab.data.rosetta.verbs import BE, CAN, MUST, SPECIAL, TALK, TRANSITIVE, Verb
from attention_lab.data.rosetta.words import Phrase, Word, join, mots, pair, spoken

NEGATIONS = MappingProxyType({"not": "pas", "never": "jamais", "no longer": "plus"})
ADVERBS = MappingProxyType({"often": "souvent", "always": "toujours", "already": "déjà"})
TENSES = MappingProxyType(
    {
        "activity": frozenset(
            [
                "present",
                "progressive",
                "past",
                "past progressive",
                "perfect",
                "pluperfect",
                "future",
            ]
        ),
        "event": frozenset(["present", "past", "perfect", "pluperfect", "future"]),
        "state": frozenset(["present", "past", "future"]),
        "ability": frozenset(["present", "past"]),
        "duty": frozenset(["present"]),
        "posture": frozenset(["present", "progressive", "past", "past progressive"]),
    }
)

# je, tu, il or elle, nous, ils or elles.
_IS = ("am", "are", "is", "are", "are")
_WAS = ("was", "were", "was", "were", "were")
_PERSONS = MappingProxyType(
    {(1, False): 0, (2, False): 1, (3, False): 2, (1, True): 3, (3, True): 4}
)
_AUXILIARIES = MappingProxyType({"être": SPECIAL["be"].french, "avoir": TRANSITIVE["have"].french})


def predicate(
    subject: Nominal,
    verb: Verb,
    tense: str,
    *,
    negation: str = "",
    adverb: str = "",
    modal: Verb | None = None,
    direct: Pronoun | None = None,
    indirect: Pronoun | None = None,
    antecedent: Nominal | None = None,
) -> Phrase:
    """Subject, verb and what stands between them: Marie does not see him, Marie ne le voit pas.

    negation: not, never or no longer. adverb: often, always or already. modal: a verb that takes
    this one as its infinitive. direct, indirect: an object that is a pronoun. antecedent: the
    direct object if it has come before (the apple that Marie ate), with which the participle
    agrees. Raises ValueError if the verb has no such tense.
    """
    first = modal or verb
    if tense not in TENSES[first.kind]:
        raise ValueError(
            f"{first.english.base!r} in the tense {tense!r}: expected, for {first.kind!r}, one of "
            f"{', '.join(sorted(TENSES[first.kind]))}"
        )
    act, helper, no, question = (object(),), (object(),), (object(),), (object(),)
    lead = (object(),) if modal else act
    english = _english_group(subject, first, tense, negation == "not")
    finite, participle = _french_group(subject, first, tense, direct or antecedent)
    # A French auxiliary answers an English one; if only one language has any, it joins the verb.
    apart = helper if participle and any(role == "auxiliary" for _, role in english) else lead

    meaning = {"auxiliary": apart, "head": lead, "do": no, "cannot": lead + no}
    group = [Word(text, meaning[role]) for text, role in english]
    between, insertion = _inserted(negation, adverb, no)
    if english[0][1] != "cannot":
        late = english[0][1] != "head" or first.english is BE.english or first in (CAN, MUST)
        group[late:late] = between
    if modal:
        group += spoken(("" if modal in (CAN, MUST) else "to ") + verb.english.base, act)
    group += spoken(" ".join(verb.particles), act)
    clitic: tuple[Word, ...] = ()
    if direct:
        group += spoken(direct.object, question)
        clitic = mots(direct.direct, question)
    if indirect:
        group += spoken(("to " if verb is TALK else "") + indirect.object, question)
        clitic = mots(indirect.indirect, question)

    french = subject.french + (mots("ne", no) if negation else ())
    if modal:
        french += mots(finite, lead) + insertion + clitic + mots(verb.french.infinitive, act)
    else:
        french += clitic + mots(finite, apart) + insertion + mots(participle, act)
    if verb.kind != "posture":
        french += mots(" ".join(verb.tail), act)
    return Phrase(subject.english + tuple(group), french)


def _english_group(subject, verb, tense, negated):
    """The finite verb with its auxiliaries: (word, role) each, without the negation."""
    who, forms = _PERSONS[subject.person, subject.plural], verb.english
    third = who == 2
    be = (_WAS if tense.startswith("past") else _IS)[who]
    if verb in (CAN, MUST):
        if negated and verb is CAN and tense == "present":
            return [("cannot", "cannot")]
        return [(forms.base if tense == "present" else forms.past, "head")]
    if tense.endswith("progressive"):
        return [(be, "auxiliary"), (forms.gerund, "head")]
    if tense == "future":
        return [("will", "auxiliary"), (forms.base, "head")]
    if tense.endswith("perfect"):
        have = "had" if tense == "pluperfect" else "has" if third else "have"
        return [(have, "auxiliary"), (forms.participle, "head")]
    if forms is BE.english:
        return [(be, "head")]
    if negated:
        return [
            ("did" if tense == "past" else "does" if third else "do", "do"),
            (forms.base, "head"),
        ]
    return [(forms.past if tense == "past" else forms.third if third else forms.base, "head")]


def _french_group(subject, verb, tense, object_before):
    """The finite verb, and the participle ("" in a simple tense) in agreement."""
    who, forms = _PERSONS[subject.person, subject.plural], verb.french
    past = tense.startswith("past")
    if verb.kind == "posture":
        posture = verb.tail[0]
        if posture != "debout":
            posture = agree(posture, subject.gender, subject.plural)
        return (forms.imperfect if past else forms.present)[who], posture
    if tense == "future":
        return forms.future[who], ""
    if tense in ("present", "progressive"):
        return forms.present[who], ""
    if tense == "past progressive" or (past and verb.kind in ("state", "ability")):
        return forms.imperfect[who], ""
    auxiliary = _AUXILIARIES[verb.auxiliary]
    leader = subject if verb.auxiliary == "être" else object_before
    participle = (
        agree(forms.participle, leader.gender, leader.plural) if leader else forms.participle
    )
    return (auxiliary.imperfect if tense == "pluperfect" else auxiliary.present)[who], participle


def _inserted(negation, adverb, no):
    """What stands beside the finite verb: the second part of the negation, or an adverb."""
    if negation:
        return spoken(negation, no), mots(NEGATIONS[negation], no)
    adverb_phrase = pair(adverb, ADVERBS[adverb]) if adverb else Phrase()
    return adverb_phrase.english, adverb_phrase.french


def described_as(subject: Nominal, adjective: Adjective, degree: Phrase = Phrase()) -> Phrase:
    """The adjective after être, agreeing with the subject: very tired, très fatiguée."""
    return join(degree, adjective_words(adjective, subject.gender, subject.plural))


def compared(subject: Nominal, adjective: Adjective, other: Nominal) -> Phrase:
    """Bigger than the cat, plus grand que le chat; more expensive than it, word by word."""
    more, _, rest = adjective.comparative.rpartition(" ")
    words = adjective_words(adjective, subject.gender, subject.plural)
    if more:
        degree = join(pair(more, "plus"), words)
    else:
        concepts = words.french[0].concepts
        degree = Phrase(spoken(rest, concepts), mots("plus", concepts) + words.french)
    return join(degree, pair("than", "que"), other.phrase)


def existential(thing: Nominal, tense: str, *, negated: bool = False) -> Phrase:
    """There is a cat, il y a un chat; negated, of a noun phrase with no: il n'y a pas de chat."""
    who = 4 if thing.plural else 2
    have = _AUXILIARIES["avoir"]
    english, french = {
        "present": (_IS[who], have.present[2]),
        "past": (_WAS[who], have.imperfect[2]),
        "future": ("will be", have.future[2]),
    }[tense]
    existence, no = (object(),), thing.english[0].concepts
    ne, pas = (mots("ne", no), mots("pas", no)) if negated else ((), ())
    words = mots("il", existence) + ne + mots(f"y {french}", existence) + pas
    return join(Phrase(spoken(f"there {english}", existence), words), thing.phrase)


_WEATHER = MappingProxyType(
    {
        ("rain", "progressive"): "it il, is_raining pleut",
        ("rain", "past progressive"): "it il, was_raining pleuvait",
        ("rain", "future"): "it il, will_rain pleuvra",
        ("snow", "progressive"): "it il, is_snowing neige",
        ("snow", "past progressive"): "it il, was_snowing neigeait",
        ("snow", "future"): "it il, will_snow neigera",
        ("nice", "progressive"): "the_weather il, is fait, nice beau",
        ("nice", "past progressive"): "the_weather il, was faisait, nice beau",
        ("nice", "future"): "the_weather il, will_be fera, nice beau",
    }
)


def weather(kind: str, tense: str) -> Phrase:
    """It is raining, il pleut; the weather was nice, il faisait beau."""
    entries = (entry.split() for entry in _WEATHER[kind, tense].split(","))
    return join(*(pair(e.replace("_", " "), f) for e, f in entries))


def relative_subject(head: Nominal, relative: str) -> Nominal:
    """Who, that or which as the subject of a relative clause: qui, agreeing with its head."""
    words = pair(relative, "qui")
    return head._replace(english=words.english, french=words.french, person=3)
