"""The embedded corpus: sentences that a person wrote come out of its grammar, with their links."""

import pytest

from attention_lab.data.rosetta.adjectives import ADJECTIVES
from attention_lab.data.rosetta.clauses import (
    compared,
    existential,
    predicate,
    relative_subject,
    weather,
)
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
)
from attention_lab.data.rosetta.verbs import (
    BE,
    CAN,
    FEEL,
    MUST,
    SPECIAL,
    TALK,
    TRANSITIVE,
)
from attention_lab.data.rosetta.words import join, pair, realize
from tests.data.phrases import IT, THEM, VERBS, clause, np, quality, that

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
    message = realize(phrase)
    assert (message.source, message.target) == (english, french)


def linked(message):
    return {(message.source_words[i], message.target_words[j]) for i, j in message.links}


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


def test_a_verb_without_that_tense_is_refused():
    with pytest.raises(ValueError, match="'know' in the tense 'progressive'"):
        clause("Paul", "know", "progressive")


def test_an_unknown_determiner_is_refused():
    with pytest.raises(ValueError, match="'which' with 'cat'"):
        np("which cat")
