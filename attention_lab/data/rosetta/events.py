"""Events that a story tells one after the other, each with the headline that it would have."""

from types import MappingProxyType
from typing import NamedTuple

from attention_lab.data.rosetta.draws import location, members
from attention_lab.data.rosetta.nouns import KINDS, NOUNS, SUBSETS
from attention_lab.data.rosetta.scenes import verbs_done_to
from attention_lab.data.rosetta.stories import PERIOD, Mention, Words, gender
from attention_lab.data.rosetta.verbs import INTRANSITIVE, SPECIAL, TRANSITIVE
from attention_lab.data.rosetta.words import Word, each


class Event(NamedTuple):
    """An event: its sentence, its headline, and the names of the people and things that take part."""

    sentence: tuple[Word, ...]
    headline: tuple[Word, ...]
    partakers: tuple[str, ...]


# A letter is written before somebody else reads it, and a cake is eaten at last.
_STAGES = MappingProxyType(
    dict.fromkeys(("write", "prepare", "draw"), 0)
    | dict.fromkeys(("see", "hear", "look for", "wait for"), 1)
    | dict.fromkeys(("find", "buy"), 2)
    | dict.fromkeys(("sell", "lose", "forget"), 4)
    | dict.fromkeys(("eat", "drink"), 5)
)
_USED = 3  # the stage of other verbs, of which several may be said of a thing
_VERBS = tuple(verb for verb in TRANSITIVE.values() if verb.kind != "state")
_DOING = tuple(verb for verb in INTRANSITIVE.values() if verb.kind == "activity")
_GIVING = tuple(SPECIAL[verb] for verb in ("give", "show", "bring", "send"))
_GOING = (
    (SPECIAL["go"], "to"),
    (SPECIAL["come back"], "from"),
    (INTRANSITIVE["arrive"], "at"),
)
_NOWHERE = frozenset(["swim", "go", "open", "close", "take"])  # where is not said of them
_PLACES = frozenset(noun.english[0] for noun in KINDS["place"])  # they take no part
_LEFT_OUT = frozenset({"kin", "thief"})  # whose son it is, would have to be said
_HOURS = ("In the morning", "At noon", "In the afternoon", "In the evening", "At night")
_DEEDS = MappingProxyType({"doing to": 11, "giving": 4, "going": 2, "doing": 3})


class Telling:
    """A story being told: who and what has been mentioned, and what was done to it."""

    def __init__(self, words: Words):
        self.words, self.dice = words, words.dice
        self.people: list[str] = []
        self.things: dict[str, int] = {}  # the stage of each
        self.done: set[tuple[str, str]] = set()  # things and verbs
        self.antecedent: Mention | None = None  # who may be he or she
        self.hour = 0

    def event(self) -> Event:
        """One more event."""
        kind = self.dice.weighted(_DEEDS)
        agent = self._agent()
        if kind == "doing to":
            event = self._doing_to(agent)
        elif kind == "giving":
            event = self._giving(agent)
        elif kind == "going":
            verb, preposition = self.words.any(_GOING)
            where = Mention(self.words.any(SUBSETS["goal"]).english[0])
            to = each(preposition)
            event = self._event(agent, verb, to + where.words, to + where.kept)
        else:
            verb = self.words.any(_DOING)
            event = self._event(agent, verb, self._place(verb, 0.5), ())
        # Who is mentioned again is he or she only if nobody else may be meant.
        alike = [n for n in event.partakers if n in self.people and gender(n) == gender(agent.name)]
        self.antecedent = agent if alike == [agent.name] else None
        return event

    def _event(self, agent, verb, rest, kept, *others):
        past, present = _forms(verb)
        sentence = self._begun(agent.words + past + rest)
        return Event(sentence, agent.kept + present + kept, (agent.name, *others))

    def _begun(self, words):
        """A sentence, sometimes with the hour before it."""
        hours = _HOURS[self.hour :]
        if not hours or not self.dice.chance(0.25):
            return words + PERIOD
        hour = self.dice.among(hours[:2])
        self.hour = _HOURS.index(hour) + 1
        return each(hour) + words + PERIOD

    def _doing_to(self, agent):
        verb, what = self._deed(agent.name)
        where = self._place(verb, 0 if article(what.name) == "the" else 0.2)
        pronoun = agent.words[-1].text in ("he", "she")
        active = pronoun or verb.particles or verb is TRANSITIVE["enter"]
        others = () if what.name in _PLACES else (what.name,)
        if active or not self.dice.chance(0.2):
            return self._event(agent, verb, what.words + where, what.kept, *others)
        act = (object(),)
        done = (*each("was"), Word(verb.english.participle, act), *each("by"))
        return Event(
            self._begun(what.words + done + agent.words + where),
            (*agent.kept, Word(verb.english.third, act), *what.kept),
            (agent.name, *others),
        )

    def _deed(self, agent):
        """What is done, and to whom or what: to something that has been mentioned, or else to something new."""
        verbs = _VERBS[: self.words.vocabulary]
        if self.things and self.dice.chance(0.45):
            name = self.dice.among(tuple(self.things))
            known = verbs_done_to(NOUNS[name], "past")
            possible = [verb for verb in verbs if verb in known and self._may(verb, name)]
            if possible:
                return self._did(self.dice.among(possible), name)
        while True:
            verb = self.dice.among(verbs)
            what = self.words.any([c for c in verb.objects["person"] if c not in _LEFT_OUT])
            noun = None if what == "name" else self.words.any(members(what))
            if noun is None or noun.kind == "person":
                return verb, self._somebody(agent)
            if self._may(verb, noun.english[0]):
                return self._did(verb, noun.english[0])

    def _may(self, verb, name):
        stage, before = _stage(verb), self.things.get(name, -1)
        return stage > before or (
            stage == before == _USED and (name, _called(verb)) not in self.done
        )

    def _did(self, verb, name):
        what = self._something(name)
        self.things[name] = _stage(verb)
        self.done.add((name, _called(verb)))
        return verb, what

    def _something(self, name):
        if name in self.things:
            return Mention(name)
        self.things[name] = _USED
        return Mention(name, article(name), self.words.adjective(name))

    def _giving(self, agent):
        verb = self.words.any(_GIVING)
        goods = members("sent" if verb is SPECIAL["send"] else "given")
        name = self.words.any(goods).english[0]
        while self.things.get(name, 0) > _USED:  # it has been sold, lost or eaten
            name = self.words.any(goods).english[0]
        what, receiver = self._something(name), self._somebody(agent.name)
        first, to, second = what, each("to"), receiver
        if self.dice.chance(0.3):
            first, to, second = receiver, (), what
        rest, kept = first.words + to + second.words, first.kept + to + second.kept
        return self._event(agent, verb, rest, kept, what.name, receiver.name)

    def _agent(self):
        """Who does it: he or she, if this is clear."""
        again = self.antecedent
        if again and self.dice.chance(0.3):
            return again.again("she" if gender(again.name) == "f" else "he")
        return self._somebody()

    def _somebody(self, *others):
        known = [name for name in self.people if name not in others]
        if known and self.dice.chance(0.35):
            return Mention(self.dice.among(known))
        name = self.words.person(*others)
        if name in self.people:
            return Mention(name)
        self.people.append(name)
        article = "a" if self.dice.chance(0.3) else "the"
        return Mention(name, article, self.words.adjective(name))

    def _place(self, verb, probability):
        """Where it happens, or nothing."""
        if verb.english.base in _NOWHERE or not self.dice.chance(probability):
            return ()
        noun = self.words.any(SUBSETS["outside"])
        return each(location(noun)[0]) + Mention(noun.english[0]).words


def _stage(verb):
    return _STAGES.get(_called(verb), _USED)


def _called(verb):
    return " ".join((verb.english.base, *verb.particles))


def _forms(verb):
    """The verb in the past and in the present, word by word of the same concepts."""
    act = (object(),)
    particles = each(" ".join(verb.particles))
    return (
        (Word(verb.english.past, act), *particles),
        (Word(verb.english.third, act), *particles),
    )


def article(name: str) -> str:
    """The article of what is mentioned first: a boat, some bread, the castle."""
    noun = NOUNS.get(name)
    if noun and not noun.english[1]:
        return "some"
    return "the" if noun and noun.kind in ("place", "instrument") else "a"
