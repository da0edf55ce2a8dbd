"""English words as phrases of the embedded corpus's grammar: clause("Paul", "eat", "past", np("the apple"))."""

from attention_lab.data.rosetta.adjectives import ADJECTIVES
from attention_lab.data.rosetta.clauses import described_as, predicate
from attention_lab.data.rosetta.nouns import NOUNS
from attention_lab.data.rosetta.phrases import (
    PRONOUNS,
    Nominal,
    extended,
    named,
    noun_phrase,
    referring_to,
    subject,
)
from attention_lab.data.rosetta.verbs import BE, INTRANSITIVE, SPECIAL, TRANSITIVE
from attention_lab.data.rosetta.words import join, pair

VERBS = {**SPECIAL, **INTRANSITIVE, **TRANSITIVE}


def np(words, plural=False, **options):
    """A noun phrase from English words in their plain forms: "a small black cat", "a egg"."""
    *rest, noun = words.split()
    determiner = "all the" if words.startswith("all the ") else rest.pop(0) if rest else ""
    adjectives = [ADJECTIVES[word] for word in rest if word in ADJECTIVES]
    return noun_phrase(determiner, NOUNS[noun], *adjectives, plural=plural, **options)


def who(name):
    return subject(PRONOUNS[name]) if name in PRONOUNS else named(name)


def clause(agent, verb, tense, *rest, **options):
    agent = who(agent) if isinstance(agent, str) else agent
    message = predicate(agent, VERBS[verb] if isinstance(verb, str) else verb, tense, **options)
    return join(message, *(r.phrase if isinstance(r, Nominal) else r for r in rest))


def that(head, agent, verb, tense, word="that"):
    """The head and an object relative clause."""
    agent = who(agent) if isinstance(agent, str) else agent
    return extended(head, pair(word, "que"), predicate(agent, VERBS[verb], tense, antecedent=head))


def quality(agent, tense, adjective, **options):
    agent = who(agent) if isinstance(agent, str) else agent
    return join(predicate(agent, BE, tense, **options), described_as(agent, ADJECTIVES[adjective]))


THEM, IT = PRONOUNS["they"], referring_to
