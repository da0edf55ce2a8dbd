"""Noun phrases in both languages: determiners, adjectives, possessors, pronouns, prepositions."""

from types import MappingProxyType
from typing import NamedTuple

from attention_lab.data.rosetta.adjectives import Adjective
from attention_lab.data.rosetta.nouns import NAMES, Noun
from attention_lab.data.rosetta.words import Phrase, Word, join, mots, pair, spoken

# (masculine, feminine, plural), and what the first two become before a vowel.
_DETERMINERS = {
    "a": ("un", "une", "des"),
    "this": ("ce", "cette", "ces"),
    "these": ("ce", "cette", "ces"),
    "my": ("mon", "ma", "mes"),
    "your": ("ton", "ta", "tes"),
    "his": ("son", "sa", "ses"),
    "her": ("son", "sa", "ses"),
    "our": ("notre", "notre", "nos"),
    "their": ("leur", "leur", "leurs"),
    "every": ("chaque", "chaque", "chaque"),
    "two": ("deux", "deux", "deux"),
    "three": ("trois", "trois", "trois"),
    "several": ("plusieurs", "plusieurs", "plusieurs"),
    "many": ("beaucoup de", "beaucoup de", "beaucoup de"),
    "all the": ("tous les", "toutes les", ""),
}
_BEFORE_VOWEL = {"ce": "cet", "ma": "mon", "ta": "ton", "sa": "son"}
_INDEFINITE = frozenset({"a", "some", "any", "no", ""})


class Nominal(NamedTuple):
    """What can be a subject or an object: its words in both languages, and what agrees with it.

    person is 1, 2 or 3; noun is its head, or None for a name or a pronoun.
    """

    english: tuple[Word, ...]
    french: tuple[Word, ...]
    gender: str
    plural: bool
    person: int = 3
    noun: Noun | None = None

    @property
    def phrase(self) -> Phrase:
        """Its words alone."""
        return Phrase(self.english, self.french)


class Pronoun(NamedTuple):
    """A personal pronoun: English subject and object; French subject, direct, indirect object."""

    subject: str
    object: str
    sujet: str
    direct: str
    indirect: str
    gender: str
    plural: bool
    person: int


PRONOUNS = MappingProxyType(
    {
        "I": Pronoun("I", "me", "je", "me", "me", "m", False, 1),
        "you": Pronoun("you", "you", "tu", "te", "te", "m", False, 2),
        "he": Pronoun("he", "him", "il", "le", "lui", "m", False, 3),
        "she": Pronoun("she", "her", "elle", "la", "lui", "f", False, 3),
        "we": Pronoun("we", "us", "nous", "nous", "nous", "m", True, 1),
        "they": Pronoun("they", "them", "ils", "les", "leur", "m", True, 3),
    }
)


def referring_to(antecedent: Nominal) -> Pronoun:
    """It or they, in the French gender of the noun that they stand for."""
    feminine = antecedent.gender == "f"
    if antecedent.plural:
        return Pronoun(
            "they",
            "them",
            "elles" if feminine else "ils",
            "les",
            "leur",
            antecedent.gender,
            True,
            3,
        )
    sujet, direct = ("elle", "la") if feminine else ("il", "le")
    return Pronoun("it", "it", sujet, direct, "lui", antecedent.gender, False, 3)


def subject(pronoun: Pronoun) -> Nominal:
    """A pronoun as a subject."""
    words = pair(pronoun.subject, pronoun.sujet)
    return Nominal(words.english, words.french, pronoun.gender, pronoun.plural, pronoun.person)


def named(name: str) -> Nominal:
    """A person by name."""
    words = pair(name, name)
    return Nominal(words.english, words.french, NAMES[name], False)


def noun_phrase(
    determiner: str,
    noun: Noun,
    *adjectives: Adjective,
    plural: bool = False,
    negated: bool = False,
    generic: bool = False,
) -> Nominal:
    """A determiner, a noun and adjectives: a small black cat, un petit chat noir.

    determiner: English; "" for none (apples, water). negated: the object of a negated verb, whose
    indefinite determiner is de (pas de pommes). generic: without a determiner, all there is (cats,
    les chats) rather than some of it (des chats).
    """
    one, any_before = (object(),), any(adjective.before_noun for adjective in adjectives)
    if determiner in _INDEFINITE and negated:
        french = mots("de", one)
    elif determiner == "the" or (determiner == "" and generic):
        french = _definite(noun, plural, one)
    elif determiner in ("some", "") and plural:
        french = mots("de" if any_before else "des", one)
    elif determiner in ("some", ""):
        french = mots("de", one) + _definite(noun, plural, one)
    elif determiner in _DETERMINERS:
        form = _DETERMINERS[determiner][
            2 if plural and determiner != "all the" else noun.gender == "f"
        ]
        french = mots(form, one)
        if form in _BEFORE_VOWEL:
            french = (Word(form, one, _BEFORE_VOWEL[form]),)
    else:
        raise ValueError(
            f"determiner {determiner!r} with {noun.english[plural]!r}: expected the, some, none, "
            f"{', '.join(_DETERMINERS)}, or, where negated, any or no"
        )
    whole = join(Phrase(spoken(determiner, one), french), _described(noun, plural, adjectives))
    return Nominal(whole.english, whole.french, noun.gender, plural, noun=noun)


def owned(owner: Nominal, noun: Noun, *adjectives: Adjective, plural: bool = False) -> Nominal:
    """The man's black cat, le chat noir de l'homme: 's is de, and le has no counterpart."""
    of = (object(),)
    described = _described(noun, plural, adjectives)
    return Nominal(
        owner.english + spoken("'s", of) + described.english,
        _definite(noun, plural, ()) + described.french + mots("de", of) + owner.french,
        noun.gender,
        plural,
        noun=noun,
    )


def extended(head: Nominal, *phrases: Phrase) -> Nominal:
    """A noun phrase and what follows it: of the man, that Marie bought."""
    whole = join(head.phrase, *phrases)
    return head._replace(english=whole.english, french=whole.french)


def coordinated(first: Nominal, second: Nominal) -> Nominal:
    """Paul and Marie: plural, and masculine unless both are feminine."""
    gender = "f" if first.gender == second.gender == "f" else "m"
    whole = join(first.phrase, pair("and", "et"), second.phrase)
    return Nominal(whole.english, whole.french, gender, plural=True)


def prepositional(english: str, french: str, nominal: Nominal) -> Phrase:
    """A preposition of one or more words, and what it governs: in front of, devant."""
    return join(pair(english, french), nominal.phrase)


def adjective_words(adjective: Adjective, gender: str, plural: bool) -> Phrase:
    """An adjective, agreeing."""
    return pair(adjective.english, adjective.french[gender, plural])


def _described(noun, plural, adjectives):
    """Adjectives and noun: the English adjectives all come first, the French around the noun."""
    ordered = sorted(adjectives, key=lambda adjective: not adjective.before_noun)
    words = [adjective_words(adjective, noun.gender, plural) for adjective in ordered]
    before = [word for word, adjective in zip(words, ordered, strict=True) if adjective.before_noun]
    if ordered and ordered[0].before_vowel and not plural and noun.gender == "m":
        first = words[0].french[0]._replace(before_vowel=ordered[0].before_vowel)
        before[0] = words[0]._replace(french=(first,))
    called = pair(noun.english[plural], noun.french[plural])
    return Phrase(
        join(*words, called).english,
        join(*before, called, *words[len(before) :]).french,
    )


def _definite(noun, plural, concepts):
    form = "les" if plural else "la" if noun.gender == "f" else "le"
    return tuple(word._replace(article=True) for word in mots(form, concepts))
