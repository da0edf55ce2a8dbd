"""The embedded pictures: what a caption says is what is drawn, and where the gold says that it is."""

import itertools

import numpy as np
import pytest

from attention_lab.data import sources
from attention_lab.data.rosetta import drawings, pictures, sprites
from attention_lab.data.rosetta.adjectives import ADJECTIVES
from attention_lab.data.rosetta.drawings import Drawing, Placed
from attention_lab.data.rosetta.nouns import NOUNS
from attention_lab.data.rosetta.pictures import rosetta_pictures

SOME = rosetta_pictures("train", 400)
NUMBERS = {"a": 1, "an": 1, "two": 2, "three": 3}


def named(words):
    """What each noun phrase of an English caption says: its number, size, color and noun, and the place of each word."""
    plurals = {NOUNS[noun].english[1]: noun for noun in sprites.SPRITES}
    found, open_ = [], None
    for place, word in enumerate(words):
        word = word.lower()
        if word in NUMBERS:
            open_ = {"number": NUMBERS[word], "size": "", "color": "", "words": [place]}
        elif open_ is not None:
            open_["words"].append(place)
            if word in ("small", "big"):
                open_["size"] = word
            elif word in sprites.COLORS:
                open_["color"] = word
            else:
                found.append(open_ | {"noun": plurals.get(word, word)})
                open_ = None
    return found


def test_a_sprite_is_twelve_by_twelve_pixels_in_the_color_that_it_is_given():
    assert len(sprites.SPRITES) == 22
    for noun, (own, rows) in sprites.SPRITES.items():
        assert noun in NOUNS and own in sprites._FIXED
        assert len(rows) == 12 and {len(row) for row in rows} == {12}
        assert set("".join(rows)) <= {"#", "+", ".", *sprites._FIXED}
        pixels, opaque = sprites.sprite(noun, "blue")
        main = [(y, x) for y, x in np.ndindex(12, 12) if rows[y][x] == "#"]
        assert len(main) > 8
        for y, x in main:
            assert tuple(pixels[y, x]) == sprites.COLORS["blue"] and opaque[y, x]
        assert not opaque[0].all() and opaque.sum() == sum(
            len(row) - row.count(".") for row in rows
        )
    for noun, color in (("unicorn", ""), ("cat", "pink")):
        with pytest.raises(ValueError, match=f"no sprite of a {color} {noun}"):
            sprites.sprite(noun, color)
    assert (sprites.own_color("car"), sprites.own_color("cat")) == ("red", "")
    big = sprites.enlarged(np.arange(144).reshape(12, 12), 24)
    np.testing.assert_array_equal(big, np.arange(144).reshape(12, 12).repeat(2, 0).repeat(2, 1))


def test_a_caption_names_each_group_with_its_number_size_and_color():
    for example in SOME:
        groups = named(example["target_words"])
        drawn = list(example["source"].sprites)
        assert sum(group["number"] for group in groups) == len(drawn) == len(example["regions"])
        for group in groups:
            own = [one for one in drawn if one.noun == group["noun"]]
            assert len(own) == group["number"]
            assert {one.color for one in own} == {group["color"]}
            assert {one.side for one in own} == {pictures.SIDES[group["size"] or "medium"]}


def nouns_of(words):
    """For each word of an English caption the noun of its phrase, None for articles and for words of no phrase."""
    found = [None] * len(words)
    for group in named(words):
        for place in group["words"]:
            found[place] = group["noun"]
    return [
        None if w.lower() in ("a", "an") else noun for w, noun in zip(words, found, strict=True)
    ]


def test_a_word_is_linked_to_the_sprites_that_it_describes_and_to_no_others():
    either = 0
    for example in SOME:
        words = example["target_words"]
        captions = [text.replace(",", " ,").split() for text in example["targets"]]
        assert captions[0] == list(words)
        expected = set()
        for place, own in enumerate(nouns_of(words)):
            if own is None:
                continue
            nouns = {
                nouns_of(one)[place] for one in captions if one[:place] == captions[0][:place]
            } - {None}
            assert own in nouns and len(nouns) <= 2
            either += len(nouns) == 2
            expected |= {
                (n, place) for n, r in enumerate(example["regions"]) if r["label"] in nouns
            }
        assert set(map(tuple, example["links"])) == expected
        for region, one in zip(example["regions"], example["source"].sprites, strict=True):
            assert region["box"] == (one.y, one.x, one.y + one.side, one.x + one.side)
    assert either > 50


def test_a_relation_is_true_of_what_is_drawn():
    seen = set()
    for example in SOME:
        text = example["target"]
        middle = {}
        for one in example["source"].sprites:
            middle.setdefault(one.noun, []).append((one.y + one.side / 2, one.x + one.side / 2))
        if len(middle) != 2:
            continue
        first, second = (
            np.array(middle[group["noun"]]) for group in named(example["target_words"])
        )
        for words, axis, sign in (
            ("to the left of", 1, -1),
            ("to the right of", 1, 1),
            ("above", 0, -1),
            ("under", 0, 1),
        ):
            if f" {words} " in text:
                seen.add(words)
                assert all(
                    sign * (a[axis] - b[axis]) > 0 for a, b in itertools.product(first, second)
                )
    assert len(seen) == 4


def test_the_other_caption_says_the_same_from_the_other_side():
    turned = {"left": "right", "right": "left", "above": "under", "under": "above"}
    for example in SOME:
        groups = len({one.noun for one in example["source"].sprites})
        assert len(example["targets"]) == (2 if groups == 2 else 1)
        assert example["targets"][0] == example["target"]
        if groups == 2:
            one, other = (text.lower().split() for text in example["targets"])
            assert {turned.get(word) for word in one} & set(other) - {None}
            assert [g["noun"] for g in named(one)] == [g["noun"] for g in named(other)][::-1]


def test_sprites_lie_in_the_picture_and_do_not_overlap():
    for example in SOME:
        taken = np.zeros((drawings.SIZE, drawings.SIZE), int)
        for region in example["regions"]:
            top, left, bottom, right = region["box"]
            assert 0 <= top < bottom <= drawings.SIZE and 0 <= left < right <= drawings.SIZE
            taken[top:bottom, left:right] += 1
        assert taken.max() == 1


def test_what_is_drawn_is_where_its_box_is_on_the_colors_of_its_place():
    box = Placed("box", "blue", 24, 8, 20)
    pixels = Drawing("beach", (box,), 3).pixels().astype(int)
    assert pixels.shape == (64, 64, 3) and pixels.dtype == int
    for (top, bottom), color in (((0, 8), (150, 200, 232)), ((48, 64), (236, 220, 170))):
        np.testing.assert_allclose(pixels[top:bottom].mean((0, 1)), color, atol=2)
    blue = np.abs(pixels - sprites.COLORS["blue"]).max(-1) < 40
    rows, columns = np.nonzero(blue)
    assert (rows.min(), columns.min(), columns.max()) == (12, 20, 43)
    plain = Drawing("beach", (box,), 3)
    np.testing.assert_array_equal(plain.pixels(), pixels)
    assert plain.digest == Drawing("beach", (box,), 3).digest
    others = Drawing("beach", (box,), 4), Drawing("street", (box,), 3), Drawing("beach", (), 3)
    assert len({plain.digest, *(one.digest for one in others)}) == 4
    assert str(plain) == "picture of blue box, beach"


def test_noise_is_the_same_on_every_machine():
    pixels = Drawing("street", (), 0).pixels()
    assert pixels[0, :4, 0].tolist() == NOISE


NOISE = [206, 198, 201, 209]


def test_nothing_looks_as_if_it_had_a_color_that_its_caption_does_not_name():
    for example in SOME:
        for one in example["source"].sprites:
            own = sprites.own_color(one.noun)
            assert one.color or not (own and ADJECTIVES[own].suits(NOUNS[one.noun]))


def test_splits_share_no_caption_in_either_language_and_grow_without_change():
    splits = {name: rosetta_pictures(name, 300) for name in pictures.SIZES}
    for one, other in itertools.combinations(splits.values(), 2):
        texts = [{text for example in each for text in example["targets"]} for each in (one, other)]
        assert not texts[0] & texts[1]
    french = rosetta_pictures("test", 300, language="french")
    assert [e["source"] for e in french] == [e["source"] for e in splits["test"]]
    assert [e["regions"] for e in french] == [e["regions"] for e in splits["test"]]
    assert not {e["target"] for e in french} & {e["target"] for e in splits["test"]}
    assert rosetta_pictures("test", 40) == splits["test"][:40]
    assert rosetta_pictures("test", 40, seed=1) != splits["test"][:40]


def test_french_words_are_linked_as_english_ones_are():
    texts = {}
    for example in rosetta_pictures("train", 300, language="french"):
        for region, word in example["links"]:
            noun = NOUNS[example["regions"][region]["label"]]
            texts.setdefault(noun.english[0], set()).add(example["target_words"][word].lower())
    for name, words in texts.items():
        assert words & set(NOUNS[name].french[:2])
        assert not words & {
            "à",
            "gauche",
            "de",
            "d'",
            "dans",
            "est",
            "sont",
            "il",
            "y",
            "sous",
            "et",
            "un",
            "une",
        }


def test_a_smaller_vocabulary_has_fewer_nouns():
    few = rosetta_pictures("train", 200, vocabulary=4)
    assert {one.noun for e in few for one in e["source"].sprites} == set(list(sprites.SPRITES)[:4])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "dev"}, "split 'dev': expected one of train, validation, test"),
        ({"size": 0}, "size 0: expected 1 or more"),
        ({"vocabulary": 3}, "vocabulary 3: expected 4 or more"),
        ({"language": "German"}, "language 'German': expected one of english, french"),
    ],
)
def test_what_is_not_possible_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        rosetta_pictures(**{"split": "train", **options})


def test_it_is_a_corpus_by_name_whose_digest_is_of_pictures_and_gold():
    opened = sources.load("rosetta_pictures", "test", size={"test": 5}, vocabulary=6)
    assert opened == rosetta_pictures("test", 5, vocabulary=6)
    digest = sources.digest_of(opened)
    moved = [{**opened[0], "regions": []}, *opened[1:]]
    other = Drawing("garden", (), 1)
    assert (
        len({digest, sources.digest_of(moved), sources.digest_of([{**opened[0], "source": other}])})
        == 3
    )
    with pytest.raises(
        ValueError, match="no option of rosetta_pictures 'colour'; known are size, seed"
    ):
        sources.load("rosetta_pictures", "test", colour="red")
