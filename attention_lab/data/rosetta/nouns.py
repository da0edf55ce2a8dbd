"""The nouns and names: a table of each class, the most frequent first.

An entry is "English French gender". A slash gives a plural that no rule makes, - a noun without
one, an underscore a space, an asterisk a French word before which nothing is elided (le héros, le
hibou).
"""

import re
from types import MappingProxyType
from typing import NamedTuple

from attention_lab.data.rosetta.morphology import english_plural, french_plural
from attention_lab.data.rosetta.words import HELD_APART

_TABLES = {
    "person": """
        man/men homme m, woman/women femme f, child/children enfant m, girl fille f,
        boy garçon m, friend ami m, teacher professeur m, doctor médecin m,
        neighbor voisin m, lady dame f, king roi m, student étudiant m, queen reine f,
        farmer fermier m, baker boulanger m, nurse infirmière f, prince prince m,
        princess princesse f, hero *héros m, fisherman/fishermen pêcheur m,
        gardener jardinier m, painter peintre m, soldier soldat m, musician musicien m,
        actress actrice f, thief/thieves voleur m, waitress serveuse f, witch sorcière f""",
    "kin": """
        mother mère f, father père m, brother frère m, sister sœur f, son fils m,
        daughter fille f, uncle oncle m, aunt tante f,
        grandmother grand-mère/grands-mères f, grandfather grand-père/grands-pères m""",
    "pet": """
        cat chat m, dog chien m, mouse/mice souris f, rabbit lapin m, hamster *hamster m,
        turtle tortue f""",
    "cattle": """
        horse cheval m, cow vache f, hen poule f, duck canard m, goat chèvre f,
        donkey âne m""",
    "wild": """
        bird oiseau m, wolf/wolves loup m, bear ours m, fox renard m, lion lion m,
        elephant éléphant m, owl *hibou/hiboux m, monkey singe m, squirrel écureuil m,
        hedgehog *hérisson m""",
    "food": """
        apple pomme f, cake gâteau m, egg œuf m, orange orange f, pear poire f,
        potato pomme_de_terre/pommes_de_terre f, sandwich sandwich m, tomato tomate f,
        banana banane f, carrot carotte f, strawberry fraise f, cherry cerise f,
        onion oignon m, pancake crêpe f, mushroom champignon m, yogurt *yaourt m,
        bean *haricot m, pineapple ananas m, lobster *homard m""",
    "mass": """
        bread/- pain m, soup/- soupe f, cheese/- fromage m, meat/- viande f,
        chocolate/- chocolat m, rice/- riz m, ice_cream/- glace f, butter/- beurre m,
        honey/- miel m, jam/- confiture f""",
    "drink": """
        water/- eau f, milk/- lait m, coffee/- café m, tea/- thé m, wine/- vin m,
        juice/- jus m, beer/- bière f""",
    "reading": """
        book livre m, letter lettre f, newspaper journal m, story histoire f,
        message message m, poem poème m""",
    "clothing": """
        hat chapeau m, dress robe f, coat manteau m, shirt chemise f,
        scarf/scarves écharpe f, uniform uniforme m""",
    "opening": """
        door porte f, window fenêtre f, box boîte f, bag sac m, suitcase valise f,
        umbrella parapluie m""",
    "thing": """
        key clé f, flower fleur f, lamp lampe f, ball balle f, cup tasse f,
        knife/knives couteau m, glass verre m, picture tableau m, toy jouet m,
        phone téléphone m, photo/photos photo f, gift cadeau m, plate assiette f,
        bottle bouteille f, computer ordinateur m, ring bague f, basket panier m,
        clock horloge f, mirror miroir m, ladder échelle f, axe *hache f""",
    "instrument": """
        piano/pianos piano m, guitar guitare f, violin violon m, accordion accordéon m,
        harp *harpe f""",
    "vehicle": """
        car voiture f, train/trains train m, bicycle vélo m, boat bateau m, plane avion m,
        bus autobus m, helicopter hélicoptère m""",
    "seat": """
        chair chaise f, table table f, bed lit m, mat tapis m, bench banc m,
        sofa canapé m, armchair fauteuil m, wall mur m, hammock *hamac m""",
    "place": """
        garden jardin m, house maison f, park parc m, school école f, kitchen cuisine f,
        street rue f, market marché m, forest forêt f, station gare f, beach plage f,
        village village m, city ville f, restaurant restaurant m, bedroom chambre f,
        hotel hôtel m, hospital hôpital m, church église f, library bibliothèque f,
        river rivière f, museum musée m, castle château m, bridge pont m, store magasin m,
        farm ferme f, island île f, airport aéroport m, zoo zoo m""",
    "grass": "grass/- herbe f",
}

NAMES = MappingProxyType(
    {
        "Paul": "m",
        "Marie": "f",
        "Pierre": "m",
        "Anne": "f",
        "Jean": "m",
        "Sophie": "f",
        "Antoine": "m",
        "Julie": "f",
        "Marc": "m",
        "Alice": "f",
        "Olivier": "m",
        "Claire": "f",
        "Victor": "m",
        "Emma": "f",
        "Simon": "m",
        "Isabelle": "f",
        "Arthur": "m",
        "Louise": "f",
        "David": "m",
        "Charlotte": "f",
        "Adrien": "m",
        "Jeanne": "f",
        "Martin": "m",
        "Agathe": "f",
    }
)

# What the classes have in common: which adjectives go with a noun.
_GROUPS = {
    "person": "person",
    "kin": "person",
    "pet": "animal",
    "cattle": "animal",
    "wild": "animal",
    "food": "food",
    "mass": "mass",
    "drink": "drink",
    "reading": "reading",
    "place": "place",
    "grass": "grass",
}


class Noun(NamedTuple):
    """A noun: its singular and plural ("" for none) in both languages, gender and class."""

    english: tuple[str, str]
    french: tuple[str, str]
    gender: str
    kind: str
    group: str


def _noun(kind, entry):
    english, french, gender = (part.replace("_", " ") for part in entry)
    held_apart, french = french.startswith("*"), french.removeprefix("*")
    one, _, many = english.partition("/")
    un, _, des = french.partition("/")
    many = "" if many == "-" else many or english_plural(one)
    des = "" if not many else des or french_plural(un)
    if held_apart:
        HELD_APART.update((un, des))
    return Noun((one, many), (un, des), gender, kind, _GROUPS.get(kind, "thing"))


def _nouns():
    for kind, table in _TABLES.items():
        for entry in re.sub(r"/\s+", "/", table).split(","):
            noun = _noun(kind, entry.split())
            yield noun.english[0], noun


NOUNS = MappingProxyType(dict(_nouns()))
KINDS = MappingProxyType(
    {kind: tuple(noun for noun in NOUNS.values() if noun.kind == kind) for kind in _TABLES}
)


def _some(names):
    return tuple(NOUNS[name.replace("_", " ")] for name in names.split())


# Parts of the classes that some verbs and prepositions ask for, the most frequent first.
SUBSETS = MappingProxyType(
    KINDS
    | {
        "feed": _some("apple carrot bread grass cheese pear meat"),
        "still": _some("water milk"),
        "dish": _some("cake soup coffee tea sandwich pancake meat rice jam"),
        "written": _some("letter book story poem message"),
        "sent": _some("letter gift message photo newspaper flower book"),
        "lost": _some("key bag hat ring umbrella phone suitcase book ball scarf"),
        "fragile": _some("cup plate glass window lamp bottle mirror toy"),
        "mended": _some("bicycle clock car lamp door computer bridge chair toy"),
        "washed": _some("car shirt dog apple cup plate glass dress window carrot coat"),
        "carried": _some("bag box suitcase book basket chair gift ladder umbrella bottle"),
        "prey": _some("mouse bird rabbit"),
        "given": _some("book flower gift letter key apple hat toy ring cake photo ball"),
        "seen_place": _some("castle museum city village church island garden farm zoo"),
        "owned_place": _some("house garden farm castle"),
        "room": _some("kitchen house bedroom garden church library store castle"),
        "goal": _some(
            "market park school station beach museum restaurant library hospital village church "
            "zoo hotel store castle farm airport river"
        ),
        "trade": _some(
            "teacher doctor baker student nurse gardener farmer painter fisherman musician soldier "
            "actress waitress"
        ),
        "drunk_from": _some("glass cup bottle"),
        "owned_vehicle": _some("car bicycle boat"),
        "under_it": _some("table bed chair bench sofa"),
        "in_it": _some("box bag basket suitcase"),
        "on_it": _some("table chair bed wall bench sofa"),
        "by_it": _some("door window bed wall car house"),
        "sat_on": _some("mat chair bench sofa bed table wall"),
        "slept_on": _some("bed sofa mat bench"),
        "sat_in": _some("armchair hammock"),
        "outside": _some("garden park street village beach city forest bridge"),
        "inside": _some("kitchen house bedroom library church store"),
        "public": _some("market school station restaurant museum hotel hospital zoo airport farm"),
        "nature": _some("forest garden park zoo island"),
        "grassland": _some("garden farm street park village"),
        "landmark": _some(
            "house park station river church castle bridge school beach hotel museum hospital "
            "island airport"
        ),
    }
)

# What each animal eats, the most frequent first.
DIETS = MappingProxyType(
    {
        animal: _some(food)
        for animal, food in {
            "cat": "meat cheese",
            "dog": "meat bread cake sandwich",
            "mouse": "cheese bread strawberry",
            "rabbit": "carrot apple grass",
            "hamster": "carrot apple banana",
            "turtle": "grass strawberry tomato",
            "horse": "apple carrot grass pear",
            "cow": "grass apple pear",
            "hen": "bread grass rice",
            "duck": "bread grass",
            "goat": "grass apple carrot",
            "donkey": "carrot apple grass",
            "bird": "bread cherry apple",
            "wolf": "meat",
            "bear": "honey apple strawberry",
            "fox": "meat egg cherry",
            "lion": "meat",
            "elephant": "banana grass apple",
            "owl": "meat",
            "monkey": "banana orange pineapple",
            "squirrel": "mushroom apple cherry",
            "hedgehog": "apple pear",
        }.items()
    }
)

# in the garden, at the station, on the beach: (English, French) where it is not "in" and "dans".
AT_PLACE = MappingProxyType(
    dict.fromkeys(
        [
            "market",
            "school",
            "station",
            "restaurant",
            "museum",
            "hotel",
            "hospital",
            "zoo",
            "airport",
            "farm",
            "library",
        ],
        ("at", "à"),
    )
    | dict.fromkeys(["beach", "bridge", "island"], ("on", "sur"))
)
