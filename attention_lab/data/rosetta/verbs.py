"""The verbs: their forms, and who does them to what.

A line is "English | French | kind | subjects: objects; subjects: objects ...", the most frequent
first. English forms are "base past participle", the last two if irregular, + particles (look +
for); French forms are as in `morphology.french_verb`, + what follows the verb (avoir + besoin de).
An asterisk says that its compound tenses take être. Subjects are person, animal (pet, cattle or
wild), or one class; objects are classes or subsets of nouns, "name" for people's names; nothing
where the verb has no direct object.

The kind of a verb decides its tenses. An activity has them all; an event has no progressive (he
finds); a state has no progressive and no compound tense (he knew: il connaissait).
"""

from types import MappingProxyType
from typing import NamedTuple

from attention_lab.data.rosetta.morphology import (
    EnglishVerb,
    FrenchVerb,
    english_verb,
    french_verb,
)

_TRANSITIVE = """
see saw seen | voir vois vois voit voyons voient verr vu | event |
    person: person name pet wild cattle thing vehicle clothing seen_place;
    animal: pet cattle wild person food
eat ate eaten | manger | activity | person: food mass; animal: feed
buy bought | acheter achèt | activity |
    person: food mass drink book clothing thing owned_vehicle newspaper carried
love | aimer | state |
    person: kin name food mass drink person pet reading; animal: feed still person name
like | aimer | state |
    person: food mass drink reading name kin pet; animal: feed still
drink drank drunk | boire bois bois boit buvons boivent boir bu | activity |
    person: drink; animal: still
have had | avoir ai as a avons ont aur eu | state |
    person: pet owned_vehicle thing clothing book owned_place instrument
read read | lire lis lis lit lisons lisent lir lu | activity | person: reading
find found | trouver | event | person: lost thing pet clothing; pet: feed
look + for | chercher | activity | person: lost person name pet; animal: feed
open | ouvrir ouvre ouvres ouvre ouvrons ouvrent ouvrir ouvert | activity | person: opening
know knew known | connaître connais connais connaît connaissons connaissent connaîtr connu |
    state | person: name person kin seen_place written
look + at | regarder | activity |
    person: thing name person pet cattle wild seen_place; animal: pet wild person name
close | fermer | activity | person: opening
write wrote written | écrire écris écris écrit écrivons écrivent écrir écrit | activity |
    person: written
wait + for | attendre attends attends attend attendons attendent attendr attendu | activity |
    person: name person kin vehicle
want | vouloir veux veux veut voulons veulent voudr voulu | state |
    person: food drink mass thing clothing pet; pet: still feed
help | aider | activity | person: name person kin
need | avoir ai as a avons ont aur eu + besoin de | state | person: lost owned_vehicle
wash | laver | activity | person: washed
follow | suivre suis suis suit suivons suivent suivr suivi | activity |
    person: name person pet; animal: name person
lose lost | perdre perds perds perd perdons perdent perdr perdu | event | person: lost
hear heard | entendre entends entends entend entendons entendent entendr entendu | event |
    person: name person pet cattle wild vehicle; animal: pet wild person cattle
carry | porter | activity | person: carried
listen + to | écouter | activity | person: name person kin story
draw drew drawn | dessiner | activity | person: wild pet flower cattle seen_place
break broke broken | casser | event | person: fragile; cat: fragile; dog: fragile
repair | réparer | activity | person: mended
wear wore worn | porter | activity | person: clothing
sell sold | vendre vends vends vend vendons vendent vendr vendu | activity |
    person: food book clothing owned_vehicle drink thing
prepare | préparer | activity | person: dish
meet met | rencontrer | event | person: name person
visit | visiter | activity | person: seen_place
catch caught | attraper | event | person: thief ball; cat: mouse bird; dog: ball rabbit;
    fox: hen duck; wolf: rabbit goat; owl: mouse; lion: goat horse; bear: rabbit
forget forgot forgotten | oublier | event | person: lost
enter | entrer * + dans | event | person: room; pet: room
play | jouer + de | activity | person: instrument
call | appeler appell | activity | person: name person kin
invite | inviter | event | person: name person kin
take took taken | prendre prends prends prend prenons prennent prendr pris | event |
    person: lost reading clothing train
"""

_INTRANSITIVE = """
sleep slept | dormir dors dors dort dormons dorment dormir dormi | activity | person; animal
work | travailler | activity | person
play | jouer | activity | person; pet
sing sang sung | chanter | activity | person; bird
run ran run | courir cours cours court courons courent courr couru | activity | person; animal
dance | danser | activity | person
walk | marcher | activity | person; animal
laugh | rire ris ris rit rions rient rir ri | activity | person
swim swam swum | nager | activity | person; duck; dog
cry | pleurer | activity | person
smile | sourire souris souris sourit sourions sourient sourir souri | activity | person
wait | attendre attends attends attend attendons attendent attendr attendu | activity | person; pet
arrive | arriver * | event | person
leave left | partir * pars pars part partons partent partir parti | event | person
go went gone + home | rentrer * | activity | person
fall fell fallen | tomber * | event | person; pet
"""

_SPECIAL = """
be was been | être suis es est sommes sont ser été | state |
go went gone | aller * vais vas va allons vont ir allé | activity |
come came come | venir * viens viens vient venons viennent viendr venu | activity |
come came come + back | revenir * reviens reviens revient revenons reviennent reviendr revenu |
    activity |
go went gone + out | sortir * sors sors sort sortons sortent sortir sorti | activity |
stay | rester * | activity |
talk | parler | activity |
give gave given | donner | event |
show showed shown | montrer | activity |
bring brought | apporter | activity |
send sent | envoyer envoie envoies envoie envoyons envoient enverr envoyé | event |
say said | dire dis dis dit disons disent dir dit | event |
think thought | penser | state |
know knew known | savoir sais sais sait savons savent saur su | state |
believe | croire crois crois croit croyons croient croir cru | state |
can could | pouvoir peux peux peut pouvons peuvent pourr pu | ability |
must must | devoir dois dois doit devons doivent devr dû | duty |
want | vouloir veux veux veut voulons veulent voudr voulu | state |
like | aimer | state |
sit sat | être suis es est sommes sont ser été + assis | posture |
stand stood | être suis es est sommes sont ser été + debout | posture |
lie lay lain | être suis es est sommes sont ser été + couché | posture |
"""


class Verb(NamedTuple):
    """A verb: its forms, what belongs to it in either language, its kind, and its selection."""

    english: EnglishVerb
    particles: tuple[str, ...]
    french: FrenchVerb
    auxiliary: str
    tail: tuple[str, ...]
    kind: str
    objects: MappingProxyType[str, tuple[str, ...]]


def _verb(line):
    english, french, kind, selection = (part.strip() for part in line.split("|"))
    english, _, particles = english.partition(" + ")
    french, _, tail = french.partition(" + ")
    uses = (use.partition(":") for use in selection.split(";") if use)
    return Verb(
        english_verb(english),
        tuple(particles.split()),
        french_verb(french.replace(" *", "")),
        "être" if "*" in french else "avoir",
        tuple(tail.split()),
        kind,
        MappingProxyType({who.strip(): tuple(what.split()) for who, _, what in uses}),
    )


def _table(text):
    lines = text.strip().replace("\n    ", " ").splitlines()
    verbs = [_verb(line) for line in lines]
    return MappingProxyType(
        {" ".join((verb.english.base, *verb.particles)): verb for verb in verbs}
    )


TRANSITIVE = _table(_TRANSITIVE)
INTRANSITIVE = _table(_INTRANSITIVE)
SPECIAL = _table(_SPECIAL)
BE, CAN, MUST, TALK = (SPECIAL[verb] for verb in ("be", "can", "must", "talk"))

# To be hungry, avoir faim: the English forms of one verb, the French forms of another.
FEEL = BE._replace(french=TRANSITIVE["have"].french)
FEELINGS = MappingProxyType(
    {
        "hungry": "faim",
        "thirsty": "soif",
        "cold": "froid",
        "afraid": "peur",
        "right": "raison",
        "wrong": "tort",
        "sleepy": "sommeil",
    }
)
