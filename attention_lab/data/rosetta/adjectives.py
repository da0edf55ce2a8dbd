"""The adjectives, those before the French noun and those after it, the most frequent first.

A line is "English | French forms | nouns | remark". The French forms are the masculine and, if no
rule makes it, the feminine; = is a form that never changes, ~ the form of the masculine before a
vowel. The nouns are classes or groups that the adjective may be said of. The remark is the English
comparative, or attributive (it stands with its noun alone: a red hat), predicative (it does not:
the door is broken) or absolute (neither very nor more so: delicious).
"""

from types import MappingProxyType
from typing import NamedTuple

from attention_lab.data.rosetta.morphology import agree, french_plural

_BEFORE = """
small | petit | animal thing reading place | smaller
big | grand | animal thing place | bigger
old | vieux vieille ~vieil | person animal thing reading place | older
new | nouveau nouvelle ~nouvel | thing reading place | attributive
young | jeune | person animal | younger
beautiful | beau belle ~bel | animal thing place | more beautiful
good | bon bonne | food mass drink reading
tall | grand | person | taller
pretty | joli | clothing thing animal place | attributive
bad | mauvais | drink reading
"""

_AFTER = """
black | noir | animal thing | attributive
white | blanc blanche | animal thing | attributive
red | rouge | thing | attributive
tired | fatigué | person animal
happy | heureux heureuse | person
green | vert | thing grass | attributive
blue | bleu | thing | attributive
sad | triste | person reading
sick | malade | person animal
expensive | cher chère | thing | more expensive
heavy | lourd | thing | heavier
rich | riche | person | richer
cold | froid | drink
hot | chaud | drink
dirty | sale | pet thing
strong | fort | person wild | stronger
fresh | frais fraîche | food
kind | gentil gentille | person
delicious | délicieux délicieuse | food mass | absolute
famous | célèbre | person place | more famous
gray | gris | animal thing | attributive
clean | propre | thing
yellow | jaune | thing | attributive
brave | courageux courageuse | person
interesting | intéressant | reading
quiet | calme | place person
intelligent | intelligent | person animal
broken | cassé | vehicle instrument seat opening | predicative
late | en_retard = | person | predicative
ready | prêt | person | predicative
wooden | en_bois = | seat | attributive
French | français | person reading | attributive
English | anglais | person reading | attributive
funny | amusant | reading
Italian | italien italienne | person | attributive
dangerous | dangereux dangereuse | wild
empty | vide | place | predicative
shy | timide | person
modern | moderne | vehicle
German | allemand | person reading | attributive
useful | utile | reading
alone | seul | person animal | predicative
"""


class Adjective(NamedTuple):
    """An adjective: its French forms by (gender, plural), and how it may be used."""

    english: str
    french: dict[tuple[str, bool], str]
    before_vowel: str
    before_noun: bool
    nouns: frozenset[str]
    attributive: bool
    predicative: bool
    graded: bool
    comparative: str

    def suits(self, noun) -> bool:
        """Whether it may be said of this noun."""
        young = self.english == "old" and noun.english[0] in ("child", "girl", "boy")
        return not young and (noun.kind in self.nouns or noun.group in self.nouns)


def _adjective(line, before_noun):
    english, french, nouns, remark = [part.strip() for part in f"{line} |".split("|")][:4]
    graded = remark not in ("attributive", "predicative", "absolute")
    return Adjective(
        english,
        _forms(*(form.replace("_", " ") for form in french.split() if form[0] != "~")),
        "".join(form[1:] for form in french.split() if form[0] == "~"),
        before_noun,
        frozenset(nouns.split()),
        remark != "predicative",
        remark != "attributive",
        graded,
        remark if graded else "",
    )


def _forms(masculine, feminine=""):
    if feminine == "=":
        return {(gender, plural): masculine for gender in "mf" for plural in (False, True)}
    feminine = feminine or (masculine if masculine[-1] == "e" else agree(masculine, "f", False))
    return {
        ("m", False): masculine,
        ("f", False): feminine,
        ("m", True): french_plural(masculine),
        ("f", True): french_plural(feminine),
    }


ADJECTIVES = MappingProxyType(
    {
        adjective.english: adjective
        for table, before_noun in ((_BEFORE, True), (_AFTER, False))
        for line in table.strip().splitlines()
        for adjective in (_adjective(line, before_noun),)
    }
)
