"""Whole sentences: one clause or many, reports, times, and who is meant by he, she, it and they."""

from typing import NamedTuple

from attention_lab.data.rosetta.clauses import predicate
from attention_lab.data.rosetta.dice import Dice
from attention_lab.data.rosetta.draws import draw_time
from attention_lab.data.rosetta.nouns import NAMES
from attention_lab.data.rosetta.phrases import PRONOUNS, Nominal, referring_to, subject
from attention_lab.data.rosetta.sentences import Template, draw_clause, draw_subject, unsaid
from attention_lab.data.rosetta.states import liking, sky, there_is
from attention_lab.data.rosetta.verbs import SPECIAL
from attention_lab.data.rosetta.words import Phrase, join, pair

_FRAMES = {"past": 34, "now": 24, "habit": 17, "background": 14, "future": 11}

# What may follow a clause of each frame: the conjunction and the frame of what it brings.
_NEXT = {
    "past": {
        ("and", "past"): 40,
        ("but", "past"): 16,
        ("because", "background"): 18,
        ("because", "before"): 8,
        ("while", "during"): 10,
    },
    "now": {
        ("and", "now"): 40,
        ("but", "now"): 18,
        ("because", "now"): 24,
        ("while", "meanwhile"): 8,
    },
    "habit": {("and", "habit"): 40, ("but", "habit"): 22, ("because", "habit"): 24},
    "background": {
        ("and", "background"): 34,
        ("but", "background"): 14,
        ("because", "background"): 14,
        ("because", "before"): 8,
        ("when", "suddenly"): 20,
    },
    "future": {("and", "future"): 44, ("but", "future"): 22, ("because", "now"): 24},
}
_CONJUNCTIONS = {
    "and": ("and", "et"),
    "but": (", but", ", mais"),
    "because": ("because", "parce que"),
    "while": ("while", "pendant que"),
    "when": ("when", "quand"),
}
_REPORTS = {
    "now": (("say", "present"), ("think", "present"), ("know", "present"), ("believe", "present")),
    "past": (("say", "past"), ("think", "past"), ("know", "past"), ("believe", "past")),
}


class Draft(NamedTuple):
    """A sentence so far.

    Its words, the frame of its main clause, its subject (None in there is a cat, it is raining),
    the last conjunction ("there" or "sky" after such a clause), the template of the last clause,
    and whether that clause is about something that takes place at a time.
    """

    phrase: Phrase
    frame: str
    who: Nominal | None
    last: str = ""
    template: Template | None = None
    timely: bool = False

    @property
    def length(self) -> int:
        """English words, commas included."""
        return len(self.phrase.english)


def draw_sentence(dice: Dice, clauses: int) -> Phrase:
    """A sentence of so many clauses."""
    draft = opened(dice, times=clauses < 3)
    for _ in range(clauses - 1):
        draft = continued(dice, draft)
    return draft.phrase


def opened(dice: Dice, *, times: bool = True) -> Draft:
    """A first clause, sometimes a report or a time with it."""
    frame = dice.weighted(_FRAMES)
    if frame == "habit" and dice.chance(0.12):
        return Draft(liking(dice), frame, None, "sky")
    if dice.chance(0.06):
        if dice.chance(0.8):
            return Draft(
                there_is(dice, frame), "now" if frame == "habit" else _known(frame), None, "there"
            )
        frame = "now" if frame == "habit" else frame
        return Draft(sky(dice, frame), _known(frame), None, "sky")
    who = draw_subject(dice, frame, first=True)
    if who.noun is None and dice.chance(0.09):
        return _report(dice, who)
    phrase, timely, template = draw_clause(dice, frame, who, first=True)
    if timely and times and dice.chance(0.3):
        when = draw_time(dice, frame)
        fronted = join(when, pair(",", ","), phrase)
        phrase = fronted if dice.chance(0.3) else join(phrase, when)
    return Draft(phrase, frame, who, "", template, timely)


def _known(frame):
    """There was and it was raining set a background."""
    return "background" if frame == "past" else frame


def _report(dice, who):
    """Paul thinks that Marie is tired; Paul said that Marie was tired."""
    frame = "now" if dice.chance(0.6) else "past"
    verb, tense = dice.zipf(_REPORTS[frame])
    clause = predicate(who, SPECIAL[verb], tense)
    if frame == "now":
        inner = dice.weighted({"now": 40, "past": 25, "future": 20, "habit": 6})
    else:
        inner = dice.weighted({"background": 60, "before": 40})
    about = _pronoun_for(who) if dice.chance(0.3) else None
    about = about or _somebody_else(dice, inner, who)
    phrase, _, _ = draw_clause(dice, inner, about, first=False, known=who)
    that = pair("that" if dice.chance(0.7) else "", "que")
    return Draft(join(clause, that, phrase), "now" if frame == "now" else "background", who, "that")


def continued(dice: Dice, draft: Draft) -> Draft:
    """One clause more: and, but, because, while, when."""
    options = _NEXT[draft.frame]
    if draft.last not in ("", "and"):
        left: tuple[str, ...] = ("and",) if draft.last == "but" else ("and", "but")
        if draft.last == "but":
            left += ("because",)
        options = {key: odds for key, odds in options.items() if key[0] in left}
    if not draft.timely:
        options = {key: odds for key, odds in options.items() if key[0] not in ("while", "when")}
    word, frame = dice.weighted(options)
    conjunction = pair(*_CONJUNCTIONS[word])
    if word == "but":
        conjunction = join(pair(",", ","), pair("but", "mais"))
    reason = word == "because"
    if reason and dice.chance(0.12) and frame != "before":
        phrase = sky(dice, frame)
        return Draft(join(draft.phrase, conjunction, phrase), draft.frame, draft.who, word)
    who, main = _next_subject(dice, draft, word, frame)
    phrase, timely, template = draw_clause(
        dice, frame, who, first=False, reason=reason, other_than=draft.template, known=draft.who
    )
    whole = join(draft.phrase, conjunction, phrase)
    return Draft(whole, draft.frame, main, word, template, timely)


def _next_subject(dice, draft, word, frame):
    """The subject of the next clause, and whom a later pronoun will mean."""
    roll = dice.weighted({"same": 30, "unsaid": 24, "new": 46})
    if (
        roll == "unsaid"
        and word == "and"
        and draft.last in ("", "and")
        and draft.who is not None
        and _alive(draft.who)
        and draft.who.english[0].text not in PRONOUNS
    ):
        return unsaid(draft.who), draft.who
    if draft.who is not None and roll == "same" and word != "while":
        again = _pronoun_for(draft.who)
        if again is not None:
            return again, draft.who
    who = _somebody_else(dice, frame, draft.who)
    while word in ("while", "when") and not _alive(who):
        who = _somebody_else(dice, frame, draft.who)
    keep = word in ("because", "while", "when") or who.person < 3
    return who, draft.who if keep else who


def _somebody_else(dice, frame, who):
    """A new subject, which has no name or noun in common with the one before."""
    known = {word.text for word in who.english} if who else set()
    while True:
        other = draw_subject(dice, frame, first=False)
        named = {word.text for word in other.english if word.text in NAMES}
        if not known & {*named, other.english[-1].text}:
            return other


def _alive(who):
    return who.noun is None or who.noun.group in ("person", "animal")


def _pronoun_for(who):
    """The pronoun for somebody or something already named, as the subject of a further clause."""
    if who.person < 3:
        return subject(
            PRONOUNS[{(1, False): "I", (2, False): "you"}.get((who.person, who.plural), "we")]
        )
    if who.plural:
        return subject(PRONOUNS["they"])._replace(noun=who.noun) if who.gender == "m" else None
    person = who.noun is None or who.noun.group == "person"
    again = PRONOUNS["he" if who.gender == "m" else "she"] if person else referring_to(who)
    return subject(again)._replace(noun=who.noun)
