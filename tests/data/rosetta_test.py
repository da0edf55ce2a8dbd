"""The embedded corpus: its French is French, its links exact, its splits apart, and it stays so."""

import collections
import functools
import hashlib
import itertools
import json
import os
import re
import subprocess
import sys

import numpy
import pytest

from attention_lab.data.rosetta import RESERVED, SIZES, STRATA, rosetta, split_of
from attention_lab.data.rosetta.adjectives import ADJECTIVES
from attention_lab.data.rosetta.clauses import (
    compared,
    described_as,
    existential,
    predicate,
    relative_subject,
    weather,
)
from attention_lab.data.rosetta.draws import Dice
from attention_lab.data.rosetta.nouns import NOUNS
from attention_lab.data.rosetta.phrases import (
    PRONOUNS,
    Nominal,
    coordinated,
    extended,
    named,
    noun_phrase,
    owned,
    prepositional,
    referring_to,
    subject,
)
from attention_lab.data.rosetta.verbs import (
    BE,
    CAN,
    FEEL,
    INTRANSITIVE,
    MUST,
    SPECIAL,
    TALK,
    TRANSITIVE,
)
from attention_lab.data.rosetta.words import join, pair, realize, spell

pytestmark = pytest.mark.xdist_group("rosetta")  # one process draws the corpus once

# sha256 of the first 1,000 examples of train.
SEAL = "cf6a95fa835beda1eccb33c82caa5c0e228c4c7e64b4ac4921a437a88d8bb6d1"

VERBS = {**SPECIAL, **INTRANSITIVE, **TRANSITIVE}
ASPIRATED = r"(?:héros|hibou|hérisson|hamster|haricot|homard|hamac|hache|harpe|yaourt)"
VOWEL = rf"(?!{ASPIRATED})[aeiouyhàâéèêîôœ]"


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
    said = predicate(agent, VERBS[verb] if isinstance(verb, str) else verb, tense, **options)
    return join(said, *(r.phrase if isinstance(r, Nominal) else r for r in rest))


def that(head, agent, verb, tense, word="that"):
    """The head and an object relative clause."""
    agent = who(agent) if isinstance(agent, str) else agent
    return extended(head, pair(word, "que"), predicate(agent, VERBS[verb], tense, antecedent=head))


def quality(agent, tense, adjective, **options):
    agent = who(agent) if isinstance(agent, str) else agent
    return join(predicate(agent, BE, tense, **options), described_as(agent, ADJECTIVES[adjective]))


THEM, IT = PRONOUNS["they"], referring_to
HAND_WRITTEN = [
    # determiners, gender and number, before vowels and h
    (np("the man"), "The man", "L'homme"),
    (np("the hero"), "The hero", "Le héros"),
    (np("this man"), "This man", "Cet homme"),
    (np("this owl"), "This owl", "Ce hibou"),
    (np("this friend"), "This friend", "Cet ami"),
    (np("these horse", plural=True), "These horses", "Ces chevaux"),
    (np("my orange"), "My orange", "Mon orange"),
    (np("her axe"), "Her axe", "Sa hache"),
    (np("a egg"), "An egg", "Un œuf"),
    (np("his story"), "His story", "Son histoire"),
    (np("their egg", plural=True), "Their eggs", "Leurs œufs"),
    (np("every church"), "Every church", "Chaque église"),
    (np("all the girl", plural=True), "All the girls", "Toutes les filles"),
    (np("many bird", plural=True), "Many birds", "Beaucoup d'oiseaux"),
    (np("some water"), "Some water", "De l'eau"),
    (np("some bread"), "Some bread", "Du pain"),
    (np("some soup"), "Some soup", "De la soupe"),
    # adjectives
    (np("a small black cat"), "A small black cat", "Un petit chat noir"),
    (np("a white cow"), "A white cow", "Une vache blanche"),
    (np("this old man"), "This old man", "Ce vieil homme"),
    (np("a new hotel"), "A new hotel", "Un nouvel hôtel"),
    (np("the beautiful bird"), "The beautiful bird", "Le bel oiseau"),
    (np("a beautiful hedgehog"), "A beautiful hedgehog", "Un beau hérisson"),
    (np("the old friend", plural=True), "The old friends", "Les vieux amis"),
    (np("some small cat", plural=True), "Some small cats", "De petits chats"),
    (np("two happy queen", plural=True), "Two happy queens", "Deux reines heureuses"),
    (quality(np("the hat"), "past", "beautiful"), "The hat was beautiful", "Le chapeau était beau"),
    (
        join(quality(np("the castle"), "present", "old"), pair("and", "et"), pair("quiet", "calme")),
        "The castle is old and quiet",
        "Le château est vieux et calme",
    ),
    # possession and contraction
    (owned(np("the man"), NOUNS["cat"]), "The man's cat", "Le chat de l'homme"),
    (owned(np("the boy"), NOUNS["cat"]), "The boy's cat", "Le chat du garçon"),
    (owned(named("Anne"), NOUNS["hat"]), "Anne's hat", "Le chapeau d'Anne"),
    (
        extended(np("the cat"), prepositional("of", "de", np("the child", plural=True))),
        "The cat of the children",
        "Le chat des enfants",
    ),
    (
        clause("Marie", "go", "past", prepositional("to", "à", np("the market"))),
        "Marie went to the market",
        "Marie est allée au marché",
    ),
    (
        clause("they", "go", "past", prepositional("to", "à", np("the school"))),
        "They went to the school",
        "Ils sont allés à l'école",
    ),
    (
        clause("I", "talk", "past", prepositional("to", "à", np("the hero", plural=True))),
        "I talked to the heroes",
        "J'ai parlé aux héros",
    ),
    (
        clause("he", TRANSITIVE["play"], "present", np("the piano")),
        "He plays the piano",
        "Il joue du piano",
    ),
    # tenses
    (clause("I", "eat", "progressive", np("a apple")), "I am eating an apple", "Je mange une pomme"),
    (clause("we", "eat", "present", np("the cake")), "We eat the cake", "Nous mangeons le gâteau"),
    (
        clause("we", "eat", "past progressive", np("the cake")),
        "We were eating the cake",
        "Nous mangions le gâteau",
    ),
    (clause("she", "go out", "perfect"), "She has gone out", "Elle est sortie"),
    (clause("they", "sleep", "pluperfect"), "They had slept", "Ils avaient dormi"),
    (clause("Anne", "leave", "pluperfect"), "Anne had left", "Anne était partie"),
    (clause("you", "see", "future", named("Paul")), "You will see Paul", "Tu verras Paul"),
    (clause("I", "have", "past", np("a dog")), "I had a dog", "J'avais un chien"),
    (
        clause(np("the cat"), "sit", "past", prepositional("on", "sur", np("the mat"))),
        "The cat sat on the mat",
        "Le chat était assis sur le tapis",
    ),
    (
        clause("Marie", "lie", "past progressive", prepositional("on", "sur", np("the bed"))),
        "Marie was lying on the bed",
        "Marie était couchée sur le lit",
    ),
    (
        clause(
            np("the woman", plural=True),
            "stand",
            "progressive",
            prepositional("in front of", "devant", np("the house")),
        ),
        "The women are standing in front of the house",
        "Les femmes sont debout devant la maison",
    ),
    # negation
    (clause("I", "like", "present", negation="not"), "I do not like", "Je n'aime pas"),
    (
        clause("Paul", "eat", "past", np("any apple", plural=True, negated=True), negation="not"),
        "Paul did not eat any apples",
        "Paul n'a pas mangé de pommes",
    ),
    (
        clause("he", "have", "present", np("a friend", negated=True), negation="not"),
        "He does not have a friend",
        "Il n'a pas d'ami",
    ),
    (clause("she", "arrive", "perfect", negation="not"), "She has not arrived", "Elle n'est pas arrivée"),
    (clause("they", "sing", "past", negation="never"), "They never sang", "Ils n'ont jamais chanté"),
    (
        clause("Marie", "sleep", "progressive", negation="no longer"),
        "Marie is no longer sleeping",
        "Marie ne dort plus",
    ),
    # pronouns
    (clause("Paul", "see", "present", direct=PRONOUNS["he"]), "Paul sees him", "Paul le voit"),
    (clause("Paul", "see", "past", direct=PRONOUNS["she"]), "Paul saw her", "Paul l'a vue"),
    (
        clause("I", "see", "past", direct=THEM, negation="not"),
        "I did not see them",
        "Je ne les ai pas vus",
    ),
    (clause("I", "love", "present", direct=PRONOUNS["you"]), "I love you", "Je t'aime"),
    (clause("Anne", "look at", "past", direct=PRONOUNS["we"]), "Anne looked at us", "Anne nous a regardés"),
    (
        clause("she", "give", "past", np("the key"), indirect=PRONOUNS["he"]),
        "She gave him the key",
        "Elle lui a donné la clé",
    ),
    (
        clause("you", TALK, "progressive", indirect=THEM),
        "You are talking to them",
        "Tu leur parles",
    ),
    (
        clause("Paul", "take", "past", direct=IT(np("the letter"))),
        "Paul took it",
        "Paul l'a prise",
    ),
    # modals
    (
        clause("Paul", "help", "present", modal=SPECIAL["want"], direct=PRONOUNS["she"], negation="not"),
        "Paul does not want to help her",
        "Paul ne veut pas l'aider",
    ),
    (
        clause("I", "see", "present", modal=CAN, direct=PRONOUNS["he"], negation="not"),
        "I cannot see him",
        "Je ne peux pas le voir",
    ),
    (clause("we", "work", "present", modal=MUST), "We must work", "Nous devons travailler"),
    (clause("you", "sing", "past", modal=CAN), "You could sing", "Tu pouvais chanter"),
    # relative clauses
    (
        that(np("the apple"), "Marie", "eat", "past"),
        "The apple that Marie ate",
        "La pomme que Marie a mangée",
    ),
    (that(np("the apple"), "he", "eat", "past", ""), "The apple he ate", "La pomme qu'il a mangée"),
    (
        that(np("the key", plural=True), np("the friend"), "lose", "pluperfect"),
        "The keys that the friend had lost",
        "Les clés que l'ami avait perdues",
    ),
    (
        extended(
            np("the woman", plural=True),
            predicate(relative_subject(np("the woman", plural=True), "who"), VERBS["leave"], "past"),
        ),
        "The women who left",
        "Les femmes qui sont parties",
    ),
    # sentences
    (
        join(
            clause("Marie", "laugh", "progressive"),
            pair("because", "parce que"),
            quality("she", "present", "happy"),
        ),
        "Marie is laughing because she is happy",
        "Marie rit parce qu'elle est heureuse",
    ),
    (
        join(
            clause("Paul", "say", "past"), pair("that", "que"), clause("Anne", "sleep", "past progressive")
        ),
        "Paul said that Anne was sleeping",
        "Paul a dit qu'Anne dormait",
    ),
    (
        quality(coordinated(named("Anne"), named("Marie")), "past", "tired"),
        "Anne and Marie were tired",
        "Anne et Marie étaient fatiguées",
    ),
    (
        quality(coordinated(named("Anne"), named("Paul")), "past", "tired"),
        "Anne and Paul were tired",
        "Anne et Paul étaient fatigués",
    ),
    (
        join(clause("I", FEEL, "present", negation="not"), pair("hungry", "faim")),
        "I am not hungry",
        "Je n'ai pas faim",
    ),
    (
        join(clause(np("the dog"), BE, "present"), compared(np("the dog"), ADJECTIVES["old"], named("Anne"))),
        "The dog is older than Anne",
        "Le chien est plus vieux qu'Anne",
    ),
    (
        existential(np("no milk", negated=True), "past", negated=True),
        "There was no milk",
        "Il n'y avait pas de lait",
    ),
    (
        existential(np("two owl", plural=True), "present"),
        "There are two owls",
        "Il y a deux hiboux",
    ),
    (weather("rain", "past progressive"), "It was raining", "Il pleuvait"),
    (clause("he", "need", "present", np("the book")), "He needs the book", "Il a besoin du livre"),
    (clause("we", "call", "future", named("Anne")), "We will call Anne", "Nous appellerons Anne"),
    (clause("they", "buy", "present", np("a hat")), "They buy a hat", "Ils achètent un chapeau"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("phrase", "english", "french"), HAND_WRITTEN, ids=[e for _, e, _ in HAND_WRITTEN]
)
def test_the_grammar_writes_what_a_person_would_write(phrase, english, french):
    phrase = phrase.phrase if isinstance(phrase, Nominal) else phrase
    told = realize(phrase)
    assert (told.source, told.target) == (english, french)


def linked(told):
    return {(told.source_words[i], told.target_words[j]) for i, j in told.links}


def test_links_follow_the_policy():
    mangera = realize(clause("Paul", "eat", "future", np("the apple")))
    assert linked(mangera) == {
        ("Paul", "Paul"), ("will", "mangera"), ("eat", "mangera"), ("the", "la"), ("apple", "pomme"),
    }  # fmt: skip
    perfect = realize(clause("Paul", "eat", "perfect"))
    assert linked(perfect) == {("Paul", "Paul"), ("has", "a"), ("eaten", "mangé")}
    past = realize(clause("Paul", "eat", "past"))
    assert linked(past) == {("Paul", "Paul"), ("ate", "a"), ("ate", "mangé")}
    negated = realize(clause("Paul", "sleep", "present", negation="not"))
    assert linked(negated) == {
        ("Paul", "Paul"), ("sleep", "dort"),
        ("does", "ne"), ("does", "pas"), ("not", "ne"), ("not", "pas"),
    }  # fmt: skip
    sitting = realize(clause("Paul", "sit", "past progressive"))
    assert linked(sitting) == {("Paul", "Paul"), ("was", "était"), ("sitting", "assis")}
    cats = realize(owned(np("the boy"), NOUNS["cat"], ADJECTIVES["black"]).phrase)
    assert linked(cats) == {
        ("The", "du"), ("'s", "du"), ("boy", "garçon"), ("black", "noir"), ("cat", "chat"),
    }  # fmt: skip
    water = realize(clause("I", "drink", "present", noun_phrase("", NOUNS["water"])))
    assert water.target_words == ("Je", "bois", "de", "l'", "eau")
    assert linked(water) == {("I", "Je"), ("drink", "bois"), ("water", "eau")}
    some = realize(clause("I", "drink", "present", np("some water")))
    assert linked(some) == linked(water) | {("some", "de"), ("some", "l'")}
    hers = realize(clause("Paul", "see", "past", direct=PRONOUNS["she"]))
    assert linked(hers) == {("Paul", "Paul"), ("saw", "a"), ("saw", "vue"), ("her", "l'")}


@functools.cache
def sample(number=6000):
    """Examples of every split."""
    return [*rosetta("train")[:number], *rosetta("test"), *rosetta("test_long")]


def test_every_word_is_found_in_its_text_in_order():
    for example in sample():
        for side in ("source", "target"):
            text, place = example[side], 0
            for word in example[f"{side}_words"]:
                found = text.find(word, place)
                assert found >= 0 and not text[place:found].strip(), (text, word)
                place = found + len(word)
            assert place == len(text)


def test_words_joined_are_the_text():
    assert all(spell(example["target_words"]) == example["target"] for example in sample())


def test_links_are_sorted_positions_of_words():
    for example in sample():
        assert example["links"] == sorted(set(example["links"]))
        for i, j in example["links"]:
            assert 0 <= i < len(example["source_words"])
            assert 0 <= j < len(example["target_words"])


# Words that may be linked to nothing, as the policy says, in lower case.
ALONE = {"source": {"a", "an"}, "target": {"le", "la", "l'", "les", "de", "d'", "du", "des", "que", "qu'", "à", "au", "aux"}}  # fmt: skip


def test_every_content_word_is_linked():
    for example in sample():
        for end, side in enumerate(("source", "target")):
            joined = {link[end] for link in example["links"]}
            words = enumerate(example[f"{side}_words"])
            left = {word.lower() for place, word in words if place not in joined}
            assert left <= ALONE[side], (example, left)


def test_names_commas_and_numbers_are_linked_to_themselves():
    same = {",": {","}, "two": {"deux"}, "Anne": {"Anne"}, "hamster": {"hamster"}}
    for example in sample():
        for i, word in enumerate(example["source_words"]):
            if word in same:
                there = {example["target_words"][j] for k, j in example["links"] if k == i}
                assert there == same[word], example


NEVER = [
    rf"\b(?:le|la|je|me|te|ne|de|que|ce) {VOWEL}",  # elision missed
    rf"\b(?:ma|ta|sa) {VOWEL}",  # mon, ...
    rf"\b(?:un|le|ce|mon|ton|son|notre|leur|chaque) (?:beau|vieux|nouveau) {VOWEL}",  # bel, ...
    rf"'{ASPIRATED}|\b(?:cet|bel|vieil|nouvel) {ASPIRATED}",  # elision where there is none
    r"\b(?:de|à) (?:le|les)\b(?! (?:voi|regard|attend|aid|suiv|écout|entend|appel|invit))",
    r"\b(?:du|au|des|aux|le|les) (?:le|la|les|l'|du|au|un|une)\b",
    r"(?:l|j|n|d|qu|m|t)' |  | ,|,[^ ]|\b(?:a a|à à) ",
    rf"\b(?:l|j|n|d|qu|m|t)'(?!{VOWEL})",
    rf"\b(?:cet|bel|vieil|nouvel) (?!{VOWEL})",
    r"\b(?:un|le|ce|mon|ton|son) (?:pomme|femme|fille|vache|voiture|maison|clé|souris)\b",
    r"\b(?:une|la|cette|ma|ta|sa) (?:chat|chien|livre|homme|garçon|gâteau|roi|tapis)\b",
    r"\bils (?:est|a|était)\b|\b(?:il|elle) (?:sont|ont|étaient)\b|\bje (?:est|a)\b|\btu (?:est|a)\b",
    r"\b(?:elle) (?:est|était) (?:assis|couché|fatigué|allé|parti|sorti|arrivé)\b",
    r"\bne (?!.*\b(?:pas|plus|jamais)\b)",
    r"\bl'a (?:mangés|vus|vues)\b|\bles a (?:mangé|mangée|vu|vue)\b",
]  # fmt: skip


@pytest.mark.parametrize("wrong", NEVER)
def test_the_french_never_has(wrong):
    pattern = re.compile(wrong, re.IGNORECASE)
    for example in sample():
        found = pattern.search(example["target"])
        assert not found, (found, example["target"])


def test_a_past_participle_agrees_with_what_came_before():
    nouns = [noun for noun in NOUNS.values() if noun.french[0] != noun.french[1]]
    genders = {form: noun.gender for noun in nouns for form in noun.french}
    several = {noun.french[1] for noun in nouns}
    had = r"qu(?:e |')(?:\w+ |[jt]')?(?:ai|as|a|avons|avais|avait|avions|avaient) (\w+)"
    clause = re.compile(rf"\b(\w+) {had}\b(?! \w+er\b)")
    forms = collections.Counter()
    for example in rosetta("train"):
        for noun, participle in clause.findall(example["target"]):
            if noun in genders and participle not in ("pas", "déjà", "une", "un", "faim", "soif"):
                feminine, plural = genders[noun] == "f", noun in several
                assert re.search("es$" if feminine and plural else "e$", participle) or not feminine
                assert participle.endswith("s") or not plural, example
                forms[feminine, plural] += 1
    assert len(forms) == 4 and min(forms.values()) > 10


def test_the_english_never_has():
    wrong = re.compile(
        r"\b[Aa] (?!uniform)[aeiouEI]|\b[Aa]n (?![aeiouEI])|\b(?:he|she) (?:are|have|do)\b|\bhaves\b"
        r"|\b(?:they|we|you) (?:is|has|was|does)\b|\bI (?:is|are|has|does)\b"
    )
    for example in sample():
        assert not wrong.search(example["source"]), example["source"]


def test_every_phenomenon_is_common_in_train():
    text = collections.Counter()
    signs = {
        "ne": r"\bn[e']", "negation of the past": r"\bn'(?:a|ai|as|ont) (?:pas|jamais)", "être": r"\best allée?\b",
        "future": r"\w+(?:rai|ra|ras|rons|ront)\b", "du": r"\bdu\b", "au": r"\bau\b", "des": r"\bdes\b",
        "bel": r"\b(?:bel|vieil|nouvel)\b", "cet": r"\bcet\b", "qui": r"\bqui\b", "que": r"\b(?:que |qu')",
        "le voit": r"\b(?:le|la|les) (?:voi|regard|cherch|aide|suit)", "lui": r"\blui\b", "parce": r"parce qu",
        "agreeing before": r"\b(?:que|qu')\b[^,]* a \w+(?:ée|ue|ise)s?\b", "faim": r"\bfaim\b", "il y a": r"[Ii]l y a",
        "aspirated": rf"\b(?:le|la|du|au) {ASPIRATED}", "comma": ", mais",
    }  # fmt: skip
    for example in rosetta("train"):
        for name, sign in signs.items():
            text[name] += bool(re.search(sign, example["target"]))
    assert {name for name in signs if text[name] < 30} == set(), text


def test_nouns_follow_zipf_so_that_some_are_rare():
    counts = collections.Counter(w for e in rosetta("train") for w in e["source_words"])
    nouns = sorted((counts[noun] for noun in NOUNS if " " not in noun), reverse=True)
    assert nouns[0] > 500 and nouns[-1] > 0
    assert sum(count < 60 for count in nouns) > 20


def test_sizes_seeds_and_slices():
    assert len(rosetta("validation")) == SIZES["validation"]
    small, large = rosetta("train", 50), rosetta("train", 200)
    assert small[:] == large[:50]
    assert rosetta("train", 50, seed=1)[:] != small[:]
    assert small[-1] == small[49] and small[numpy.int64(3)] == small[3]
    with pytest.raises(IndexError):
        small[50]
    small[0]["links"].clear()
    assert small[0]["links"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("dev",), "'dev': expected one of train"),
        (("train", 0), "size 0: expected 1 or more"),
        (("test_long", 10), "multiple of 6"),
    ],
)
def test_a_bad_request_is_answered_in_one_line(arguments, said):
    with pytest.raises(ValueError, match=said) as error:
        rosetta(*arguments)
    assert "\n" not in str(error.value)


def test_a_verb_without_that_tense_is_refused():
    with pytest.raises(ValueError, match="'know' in the tense 'progressive'"):
        clause("Paul", "know", "progressive")


def test_an_unknown_determiner_is_refused():
    with pytest.raises(ValueError, match="'which' with 'cat'"):
        np("which cat")


def test_no_sentence_of_either_language_is_in_two_splits():
    others = {split: rosetta(split, SIZES[split] // 4, seed=1) for split in ("train", "test")}
    for side in ("source", "target"):
        sets = {split: {example[side] for example in rosetta(split)} for split in SIZES}
        for split, more in others.items():
            sets[split] |= {example[side] for example in more}
        for one, other in itertools.combinations(sets.values(), 2):
            assert not one & other


def test_each_example_says_its_split():
    for split in SIZES:
        assert all(split_of(example["target"]) == split for example in rosetta(split))


def test_train_repeats_no_sentence():
    assert len({example["source"] for example in rosetta("train")}) == len(rosetta("train"))


def one_translation_each(examples):
    translations: dict[str, str] = {}
    return all(translations.setdefault(e["source"], e["target"]) == e["target"] for e in examples)


def test_one_english_sentence_has_one_translation():
    assert one_translation_each(example for split in SIZES for example in rosetta(split))


@pytest.mark.slow
def test_train_offers_100_000_distinct_pairs_and_one_translation_each():
    some, others = rosetta("train", 100_000), rosetta("train", 25_000, seed=7)
    assert len({example["source"] for example in some}) == 100_000
    assert one_translation_each([*some, *others, *rosetta("test", 5_000)])


def test_train_is_short_and_test_long_reaches_60_words_with_every_stratum_full():
    lengths = [len(example["source_words"]) for example in rosetta("train")]
    assert max(lengths) <= 30 and 8 <= sum(lengths) / len(lengths) <= 10
    strata = collections.Counter()
    for example in rosetta("test_long"):
        length = len(example["source_words"])
        strata[next(s for s in STRATA if s[0] <= length <= s[1])] += 1
    assert set(strata.values()) == {SIZES["test_long"] // len(STRATA)} and len(strata) == len(
        STRATA
    )


def test_the_showcase_is_reserved():
    mat = realize(clause(np("the cat"), "sit", "past", prepositional("on", "sur", np("the mat"))))
    apple = realize(clause("I", "eat", "progressive", np("a apple")))
    assert [mat.target.lower(), apple.target.lower()] == list(RESERVED)
    for split in SIZES:
        for example in rosetta(split):
            assert not any(kept in example["target"].lower() for kept in RESERVED)
    assert split_of(mat.target) == split_of(apple.target) == ""


def test_the_words_of_the_showcase_are_common_in_train():
    counts = collections.Counter(w.lower() for e in rosetta("train") for w in e["source_words"])
    assert all(
        counts[word] > 100
        for word in ["the", "cat", "sat", "on", "mat", "i", "am", "eating", "an", "apple"]
    )


DIGEST = """
import hashlib, json
from attention_lab.data.rosetta import rosetta
print(hashlib.sha256(json.dumps(rosetta("train", 1000)[:]).encode()).hexdigest())
"""


def digest():
    return hashlib.sha256(json.dumps(rosetta("train", 1000)[:]).encode()).hexdigest()


def test_another_process_with_another_hash_seed_draws_the_same():
    for hash_seed in ("1", "2"):
        told = subprocess.run(
            [sys.executable, "-c", DIGEST],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        )
        assert told.stdout.strip() == digest(), told.stderr


def test_the_corpus_is_frozen():
    assert digest() == SEAL, (
        "the corpus has changed: every figure that was published on it no longer holds; undo the change, "
        "or measure everything again and say so where the figures stand"
    )


def test_dice_follow_their_weights():
    dice = Dice("weights")
    rolls = collections.Counter(dice.weighted({"a": 1, "b": 3}) for _ in range(4000))
    assert abs(rolls["b"] / 4000 - 0.75) < 0.03
    ranks = collections.Counter(dice.zipf("abcd") for _ in range(8000))
    assert abs(ranks["a"] / ranks["b"] - 2) < 0.3
