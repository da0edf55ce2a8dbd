"""A small world for questions: people go to places, and take, give and leave things, one sentence each."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from attention_lab.data.rosetta.dice import Choice, Dice
from attention_lab.data.rosetta.nouns import KINDS
from attention_lab.data.rosetta.stories import Mention, Words, people

Parts = tuple[str | Mention, ...]
COLORS = ("red", "blue", "green", "yellow", "black", "white", "gray")
THINGS = tuple(noun.english[0] for kind in ("thing", "clothing") for noun in KINDS[kind])
PLACES = tuple(noun.english[0] for noun in KINDS["place"] if noun.english[0] != "street")
_GOING, _TAKING = ("went", "walked", "ran"), ("took", "picked up")
_GIVING, _LEAVING = ("gave", "handed"), ("dropped", "put down", "left")
_DOING = ("laughed", "sang", "danced", "waited")


class Plan(NamedTuple):
    """How many people there are, how likely one goes to where another is, and how often they do what."""

    fewest: int
    most: int
    together: float
    actions: Mapping[str, int]


def _plan(fewest, most, together, **actions):
    return Plan(fewest, most, together, MappingProxyType(actions))


ORDINARY = _plan(2, 4, 0.5, go=10, take=7, give=7, leave=3, do=1)
CARRYING = _plan(2, 3, 0.2, go=14, take=14, give=6, leave=4, do=1)
RESTLESS = _plan(2, 3, 0.5, go=30, take=14, give=1, leave=1, do=1)
GENEROUS = _plan(3, 4, 0.5, go=6, take=10, give=20, leave=1, do=1)
SWAPPING = _plan(2, 3, 0.5, go=3, take=30, give=30, leave=1, do=1)


class Fact(NamedTuple):
    """What a sentence settles: the mention of the place where somebody is, of who has a thing, of a colored thing."""

    sentence: int
    mention: Mention


class Gift(NamedTuple):
    """Somebody gave something to somebody."""

    sentence: int
    giver: Mention
    thing: Mention
    receiver: Mention


class World:
    """Who is where and has what, and which sentences have said so."""

    def __init__(self, words: Words, plan: Plan = ORDINARY):
        dice = words.dice
        self.dice, self.vocabulary, self.plan = dice, words.vocabulary, plan
        number = plan.fewest + int((plan.most - plan.fewest + 1) * dice.fraction())
        self.cast = _some(dice, people(words.vocabulary), number)
        self.places = _some(dice, PLACES[: words.vocabulary], 3 + int(2 * dice.fraction()))
        self.things = _some(dice, THINGS[: words.vocabulary], 2 + int(2 * dice.fraction()))
        self.at: dict[str, str] = {}  # where people are, as their own steps say or those of a giver
        self.steps: dict[str, list[Fact]] = {}  # of each person
        self.owner: dict[str, Fact] = {}  # of each thing that somebody has
        self.given: set[str] = set()  # those of these things that were given to their owner
        self.passed: dict[str, list[str]] = {}  # the places where each thing has been
        self.left: dict[str, tuple[Fact, int]] = {}  # where other things lie: the step, the leaving
        self.gifts: list[Gift] = []
        self.colors: dict[str, Fact] = {}
        self.mentioned: dict[str, None] = {}  # people, things and places
        self.number = -1

    def sentence(self) -> Parts:
        """One more sentence, in which something happens, as its parts."""
        self.number += 1
        actions = {
            "go": self._go,
            "take": self._take,
            "give": self._give,
            "leave": self._leave,
            "do": self._do,
        }
        action = None
        while action is None:
            action = actions[self.dice.weighted(self.plan.actions)]()
        then = ("then",) if self.number and self.dice.chance(0.15) else ()
        return (*then, *action, ".")

    def _mention(self, name):
        self.mentioned[name] = None
        return Mention(name)

    def _thing(self, name):
        """A red ball at first, and the ball from then on."""
        if name in self.mentioned:
            return Mention(name)
        self.mentioned[name] = None
        if not self.dice.chance(0.7):
            return Mention(name, "a")
        color = self.dice.among(COLORS[: self.vocabulary])
        thing = Mention(name, "a", color)
        self.colors[name] = Fact(self.number, thing)
        return thing

    def _go(self):
        who = self.dice.among(self.cast)
        here = self.at.get(who)
        company = [p for one, p in self.at.items() if one != who and p != here]
        if company and self.dice.chance(self.plan.together):
            there = self.dice.among(company)
        else:
            there = self.dice.among([place for place in self.places if place != here])
        person, place = self._mention(who), self._mention(there)
        self.at[who] = there
        self.steps.setdefault(who, []).append(Fact(self.number, place))
        for thing, owner in self.owner.items():
            if owner.mention.name == who:
                self.passed[thing].append(there)
        return person, self.dice.among(_GOING), "to", place

    def _take(self):
        free = [
            (who, thing)
            for thing in self.things
            for who in self.cast
            if thing not in self.owner and self._reaches(who, thing)
        ]
        if not free:
            return None
        who, what = self.dice.among(free)
        person, thing = self._mention(who), self._thing(what)
        self.owner[what] = Fact(self.number, person)
        self.given.discard(what)
        self.left.pop(what, None)
        self.passed.setdefault(what, []).append(self.at.get(who, ""))
        return person, self.dice.among(_TAKING), thing

    def _reaches(self, who, thing):
        """Whether somebody is where a thing lies. Where those lie that were not mentioned, nobody knows."""
        return thing not in self.left or self.left[thing][0].mention.name == self.at.get(who)

    def _give(self):
        possible = [
            (fact.mention.name, thing, other)
            for thing, fact in self.owner.items()
            for other in self.cast
            if other != fact.mention.name
            and fact.mention.name in self.at
            and self.at.get(other, self.at[fact.mention.name]) == self.at[fact.mention.name]
        ]
        if not possible:
            return None
        who, what, other = self.dice.among(possible)
        giver, thing, receiver = self._mention(who), self._thing(what), self._mention(other)
        self.at[other] = self.at[who]
        self.owner[what] = Fact(self.number, receiver)
        self.given.add(what)
        self.gifts.append(Gift(self.number, giver, thing, receiver))
        gave = self.dice.among(_GIVING)
        if self.dice.chance(0.3):
            return giver, gave, receiver, thing
        return giver, gave, thing, "to", receiver

    def _leave(self):
        carried = [
            (fact.mention.name, thing)
            for thing, fact in self.owner.items()
            if fact.mention.name in self.steps
        ]
        if not carried:
            return None
        who, what = self.dice.among(carried)
        person, thing = self._mention(who), self._thing(what)
        del self.owner[what]
        self.left[what] = (self.steps[who][-1], self.number)
        verb = self.dice.among(_LEAVING)
        return person, verb, thing, "there" if verb == "left" else ""

    def _do(self):
        person = self._mention(self.dice.among(self.cast))
        return person, self.dice.among(_DOING)


def _some(dice: Dice, options: Sequence[Choice], number: int) -> tuple[Choice, ...]:
    """So many different options, or all."""
    left = list(options)
    return tuple(left.pop(int(dice.fraction() * len(left))) for _ in range(min(number, len(left))))
