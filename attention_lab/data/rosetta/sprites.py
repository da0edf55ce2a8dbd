"""The sprites of the pictures: 12 x 12 pixels each, drawn as text, for nouns of rosetta.

A # is the color that an adjective names, or the sprite's own, and a + a darker shade of it; a dot is transparent. The
other letters are colors of their own: k dark, w white, r red, g green, b brown, y yellow, s skin.
"""

import re
from types import MappingProxyType

import numpy as np

SIDE = 12
COLORS = MappingProxyType(
    {
        "black": (40, 40, 46),
        "white": (244, 244, 240),
        "red": (206, 44, 44),
        "green": (46, 150, 62),
        "blue": (46, 86, 200),
        "gray": (138, 138, 142),
        "yellow": (236, 204, 52),
    }
)
_FIXED = MappingProxyType(
    {
        "k": (28, 26, 30),
        "w": (244, 244, 240),
        "r": (206, 44, 44),
        "g": (46, 150, 62),
        "b": (128, 82, 44),
        "y": (236, 204, 52),
        "s": (232, 180, 140),
    }
)

# Noun: its own color, where no adjective names one, and its rows.
# Of each sprite its noun and its own color, and below it its rows.
_DRAWN = """
cat b         key y         apple r       car r
#.....#.....  ............  .......b....  ............
##...##.....  ..####......  ......b..gg.  ............
#######.....  .######.....  .....b.ggg..  ...######...
#k###k#....+  ##...##.....  .####b####..  ..#ww##ww#..
###s###....+  ##....######  ###########.  .#www##www#.
.#####.....+  ##....######  ##w########+  .#www##www#.
.########..+  ##...##..#.#  #w#########+  ############
.#########+.  .######..#.#  ###########+  ############
.##########.  ..####...+.+  ###########+  +##y####y##+
.##.##.##.#.  ............  .#########+.  ++kkk++kkk++
.##.##.##.#.  ............  ..#######+..  ..kwk..kwk..
.ss.ss.ss.s.  ............  ...##..##...  ..kkk..kkk..

book b        dog b         hat b         flower r
............  ............  ............  ....###.....
.##########.  ##........##  ....####....  ..###.###...
.#++++++++#.  #######...#.  ...######...  .##.yyy.##..
.#+wwwwww+#.  #k#####..#..  ...######...  .##yyyyy##..
.#+kkkkkk+#.  k######.##..  ...######...  .##yyyyy##..
.#+wwwwww+#.  kk########..  ...######...  .##.yyy.##..
.#+kkkkww+#.  .+########..  ...kkkkkk...  ..###.###...
.#+wwwwww+#.  ..########..  ...kkkkkk...  ....###.....
.#++++++++#.  ..##.##.##..  ..########..  .....g..gg..
.##########.  ..##.##.##..  ############  .gg..g.gg...
.#wwwwwwww#.  ..##.##.##..  ++++++++++++  ..gg.ggg....
.##########.  ..kk.kk.kk..  ............  .....g......

bird b        lamp y        ball r        box b
............  ....####....  ...######...  ............
......####..  ...######...  ..########..  ............
.....##k##yy  ..########..  .###www####.  ############
.....######.  ..########..  ###wwww####.  #++++##++++#
#...#######.  .##########.  ##www#####++  ############
##.########.  .##########.  ##########++  .##########.
.##+++#####.  ############  ++++++++++++  .####kk####.
.#+++++####.  .....kk.....  ###########+  .####kk####.
..#+++####..  .....kk.....  ##########+.  .##########.
...######...  .....kk.....  .########++.  .##########.
....y..y....  ...kkkkkk...  ..######++..  .##########.
...yy.yy....  ..kkkkkkkk..  ...++++++...  .++++++++++.

rabbit w      cup w         mushroom r    boat b
..##..##....  ............  ....####....  .....k......
..#s..#s....  ............  ..########..  .....kw.....
..#s..#s....  ..#######...  .##ww##ww##.  .....kww....
..######....  ..##########  ###ww##ww###  .....kwww...
..#k##k#....  ..#######..#  ####ww######  .....kwwww..
..##ss##....  ..#######..#  ##ww####ww##  .....kwwwww.
...####.....  ..#######..#  ++++++++++++  .....k......
..########..  ..#######.##  ....ssss....  ############
.##########.  ..########..  ....ssss....  .##########.
.###########  ..#######...  ....ssss....  .##########.
.##########.  ...#####....  ...ssssss...  ..########..
..ss....ss..  .++++++++++.  ............  ..++++++++..

mouse w       umbrella r    chair b       clock b
............  .....k......  .##.........  ...######...
............  ...#####....  .##.........  ..#wwwwww#..
............  ..#######...  .##.........  .#wwwkwwww#.
.##.##......  .#########..  .##.........  #wwwwkwwwww#
.#s#s#.....+  .#########..  .##.........  #wwwwkwwwww#
.#######...+  ##+##+##+##.  .##########.  #wwwwkkkkww#
#k#######..+  .....k......  .##########.  #wwwwwwwwww#
s#########+.  .....k......  .+########+.  #wwwwwwwwww#
.##########.  .....k......  .##......##.  .#wwwwwwww#.
.#########..  .....k......  .##......##.  ..#wwwwww#..
..s.s..s.s..  ...k.k......  .##......##.  ..########..
............  ....k.......  .##......##.  .##......##.

bottle g      duck y
.....##.....  ............
.....kk.....  ....###.....
.....##.....  ...##k##....
.....##.....  rrr#####....
....####....  ...####.....
...##w###...  ....###....#
...#w####...  ...#########
...#wyyyy...  ..##+++#####
...##yyyy...  ..##++++####
...######...  ...########.
...######...  ....######..
...++++++...  .....r.r....
"""


def _sprites():
    for block in _DRAWN.strip().split("\n\n"):
        head, *rows = block.split("\n")
        for number, named in enumerate(re.findall(r"(\w+) (\w)", head)):
            yield named[0], (named[1], [row.split()[number] for row in rows])


SPRITES = MappingProxyType(dict(_sprites()))


def sprite(noun: str, color: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Returns the pixels of a sprite, uint8 [12, 12, 3], and which of them are not transparent, bool[12, 12].

    color: one of COLORS, or "" for the sprite's own. Raises ValueError for a noun or a color that does not exist.
    """
    if noun not in SPRITES or (color and color not in COLORS):
        raise ValueError(f"there is no sprite of a {color} {noun}")
    own, rows = SPRITES[noun]
    main = np.array(COLORS[color] if color else _FIXED[own])
    shades = {"#": main, "+": main * 0.62, **{name: np.array(c) for name, c in _FIXED.items()}}
    letters = np.array([list(row) for row in rows])
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    for letter, shade in shades.items():
        pixels[letters == letter] = shade
    return pixels, letters != "."


def own_color(noun: str) -> str:
    """Returns the name of a sprite's own color, "" if it is none of COLORS."""
    shade = _FIXED[SPRITES[noun][0]]
    return next((name for name, color in COLORS.items() if color == shade), "")


def enlarged(array: np.ndarray, side: int) -> np.ndarray:
    """Returns a sprite [12, 12, ..] as [side, side, ..], each pixel repeated as often as needed."""
    index = np.arange(side) * SIDE // side
    return array[index][:, index]
