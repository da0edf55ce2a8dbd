"""Records: parts that fit, a round trip, and damage that is noticed."""

import json

import numpy as np
import pytest

from attention_lab.evaluation.records import load, make_record, save, sides


def ones(*shape):
    return np.ones(shape) / shape[-1]


def some_record(**changes):
    given = {
        "source": ["▁das", "▁Hä", "us", "chen", "</s>"],
        "target": ["▁cott", "age", "</s>"],
        "weights": {
            "cross/0": ones(2, 3, 5),
            "encoder/1": ones(4, 5, 5),
            "decoder/0": ones(1, 3, 3),
        },
        "source_words": ["das", "Häuschen"],
        "target_words": ["cottage"],
        "source_word_of": [0, 1, 1, 1, -1],
        "target_word_of": [0, 0, -1],
        "links": [(1, 0)],
        "info": {"model": "λ", "score": -1.25, "beam": [4, None]},
    }
    return make_record(**{**given, **changes})


def same(one, other):
    assert one._replace(weights={}) == other._replace(weights={})
    assert one.weights.keys() == other.weights.keys()
    for layer, array in one.weights.items():
        assert array.dtype == other.weights[layer].dtype == np.float32
        np.testing.assert_array_equal(array, other.weights[layer])


def test_records_come_back_as_they_were_saved(tmp_path):
    rng = np.random.default_rng(0)
    plain = make_record(
        ["a", "b"], ["c"], {"cross/0": rng.random((3, 1, 2))}, info={"tuple": (1, 2)}
    )
    empty = make_record([], [], {"cross/0": np.zeros((1, 0, 0))}, links=[])
    random = {p: rng.random(w.shape) for p, w in some_record().weights.items()}
    records = [some_record(weights=random), plain, some_record(weights={}), empty]
    save(records, tmp_path / "new" / "valid")
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["valid.json", "valid.npz"]
    again = load(tmp_path / "new" / "valid")
    assert len(again) == len(records)
    for one, other in zip(again, records, strict=True):
        same(one, other)


def test_either_half_names_both(tmp_path):
    save([some_record()], tmp_path / "run.v2.npz")
    for name in ("run.v2", "run.v2.json", "run.v2.npz"):
        same(load(tmp_path / name)[0], some_record())


def test_no_records_are_a_list_too(tmp_path):
    save([], tmp_path / "none")
    assert load(tmp_path / "none") == []


def test_the_same_records_are_the_same_files(tmp_path):
    for name in ("one", "two"):
        save([some_record()], tmp_path / name)
    for half in ("npz", "json"):
        one, two = (tmp_path / f"{name}.{half}" for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_files_need_no_pickle(tmp_path):
    save([some_record()], tmp_path / "r")
    with np.load(tmp_path / "r.npz", allow_pickle=False) as file:
        assert sorted(file.files) == ["cross/0", "decoder/0", "encoder/1"]
        assert {file[name].dtype for name in file.files} == {np.dtype(np.float32)}


@pytest.mark.parametrize("half", ["npz", "json"])
def test_a_missing_half_is_named(tmp_path, half):
    save([some_record()], tmp_path / "r")
    (tmp_path / f"r.{half}").unlink()
    with pytest.raises(ValueError, match=rf"records cannot be read from .*r\.{half}: No such file"):
        load(tmp_path / "r")


@pytest.mark.parametrize("half", ["npz", "json"])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_damage_is_noticed(tmp_path, half, damage):
    save([some_record()], tmp_path / "r")
    path = tmp_path / f"r.{half}"
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle] ^= 1 if damage == "flipped" else 0
    path.write_bytes({"truncated": data[:middle], "flipped": data, "empty": b""}[damage])
    with pytest.raises(ValueError, match=rf"r\.{half} is damaged"):
        load(tmp_path / "r")


def test_halves_of_two_saves_are_not_read_as_one(tmp_path):
    save([some_record()], tmp_path / "r")
    save([some_record(weights={"cross/0": 2 * ones(2, 3, 5)})], tmp_path / "other")
    (tmp_path / "other.npz").replace(tmp_path / "r.npz")
    with pytest.raises(ValueError, match=r"was not saved with r\.json"):
        load(tmp_path / "r")


def test_another_version_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr("attention_lab.evaluation.records.VERSION", 99)
    save([some_record()], tmp_path / "r")
    monkeypatch.undo()
    with pytest.raises(ValueError, match="has version 99, but this program reads version 2"):
        load(tmp_path / "r")


def test_another_version_is_reported_whatever_its_digest_is_of(tmp_path):
    save([some_record()], tmp_path / "r")
    (tmp_path / "r.json").write_text('{"version": 99, "sha256": "of something else"}')
    with pytest.raises(ValueError, match="has version 99, but this program reads version 2"):
        load(tmp_path / "r")


@pytest.mark.parametrize("text", ["{}", "[]", "null", "[" * 100_000, json.dumps({"sha256": 0})])
def test_other_json_is_no_records(tmp_path, text):
    save([some_record()], tmp_path / "r")
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(ValueError, match="contains no records"):
        load(tmp_path / "r")


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path):
    (tmp_path / "r.npz").mkdir()
    with pytest.raises(ValueError, match=r"r\.npz cannot be written"):
        save([some_record()], tmp_path / "r")
    assert [p.name for p in tmp_path.iterdir()] == ["r.npz"]


def test_tokens_without_words_are_words():
    record = make_record(["a", "b"], ["c"], {})
    assert record.source_words == ("a", "b") and record.source_word_of == (0, 1)
    assert record.links is None and record.info == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": {"cross/0": ones(2, 5, 3)}}, r"\(2, 5, 3\), expected \[heads, 3 target"),
        ({"weights": {"cross/0": ones(0, 3, 5)}}, r"\(0, 3, 5\), expected \[heads, 3 target"),
        ({"weights": {"cross/0": ones(3, 5)}}, r"cross/0 have shape \(3, 5\)"),
        ({"weights": {"encoder/0": ones(1, 3, 5)}}, "expected .heads, 5 source tokens, 5 source"),
        ({"weights": {"cross": ones(1, 3, 5)}}, "'cross' does not name an attention layer"),
        ({"weights": {"cross/0": -ones(1, 3, 5)}}, "not negative"),
        ({"weights": {"cross/0": ones(1, 3, 5) * np.nan}}, "must be finite"),
        ({"source_word_of": [0, 1, 1]}, "3 entries for 5 tokens"),
        ({"source_word_of": [0, 1, 1, 2, -1]}, "'chen' belongs to word 2, but the 2 words"),
        ({"target_word_of": [0, -2, -1]}, "'age' belongs to word -2"),
        ({"source_word_of": None}, "belong together"),
        ({"source": "das"}, "lists of strings"),
        ({"links": [(0, 1)]}, "link 0-1 refers to a word that does not exist"),
        ({"links": [(-1, 0)]}, "link -1-0 refers"),
        ({"info": {"loss": float("nan")}}, "info must be data that JSON can represent"),
        ({"info": {"array": np.ones(2)}}, "info must be data that JSON can represent"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as raised:
        some_record(**changes)
    assert "\n" not in str(raised.value)


def test_a_place_says_who_looks_at_whom():
    assert sides("cross/3") == ("target", "source")
    assert sides("encoder/0") == ("source", "source")
    assert sides("decoder/10") == ("target", "target")
