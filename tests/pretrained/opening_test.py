"""A pre-trained model as a run: texts, commands, and what a folder without a tokenizer says."""

import json

import numpy as np
import pytest

import attention_lab
from attention_lab import pretrained, runs
from attention_lab.pretrained import settings
from attention_lab.pretrained.tokenizer import PretrainedTokenizer
from attention_lab.pretrained.tokenizer_files import TOKENIZER, codec_of
from attention_lab.pretrained.vocabulary import Specials, order_of
from attention_lab.runs.opening import licence_of
from attention_lab.special_tokens import END, PAD, START, UNKNOWN
from tests.experiments.commands import command
from tests.pretrained import conversion_test

tokenizers = pytest.importorskip("tokenizers", reason="needs pip install safetensors tokenizers")
pytest.importorskip("safetensors", reason="needs pip install safetensors tokenizers")

WORDS = ("<s>", "<pad>", "</s>", "<unk>", "the", "cat", "sat", "dog", "ran", ".", "naïve")
TEXT = "the cat sat ."


def tokenizer_json():
    """A tokenizer of words, whose texts begin and end as BART's do."""
    made = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({one: n for n, one in enumerate(WORDS)}, unk_token="<unk>")
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    made.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>"])
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return made.to_str()


@pytest.fixture(scope="module")
def bart(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "bart"
    pretrained.save(conversion_test.model_of("bart"), folder)
    (folder / TOKENIZER).write_text(tokenizer_json(), encoding="utf-8")
    (folder / "generation_config.json").write_text(json.dumps({"num_beams": 2, "max_length": 7}))
    return folder


@pytest.fixture(scope="module")
def run(bart):
    return attention_lab.from_pretrained(bart)


def test_ids_begin_with_our_special_tokens_and_their_words_are_known(run):
    tokenizer = run.codec.source
    encoded = tokenizer.encode(TEXT)
    order = np.array(tokenizer.theirs)
    assert order[encoded.ids].tolist() == [0, 4, 5, 6, 9]  # <s> is a token like others here
    assert encoded.pieces == ["<s>", "the", "cat", "sat", "."]
    assert encoded.word_of == [-1, 0, 1, 2, 3]
    assert tokenizer.encode(TEXT, ["the cat", "sat ."]).word_of == [-1, 0, 0, 1, 1]
    (ids,) = tokenizer.arrays([TEXT])
    assert ids.dtype == np.int32 and ids.tolist() == [*encoded.ids, END]
    assert tokenizer.decode(ids) == TEXT and tokenizer.decode([PAD, START, *ids[:3]]) == "the cat"
    assert tokenizer.encode("the xyz").ids[-1] == UNKNOWN
    assert len(tokenizer) == 12 and tokenizer.pieces[:4] == ("<pad>", "<unk>", "<s>", "</s>")
    assert tokenizer.encode("  ").word_of == [-1]
    with pytest.raises(ValueError, match="id 12 is not in a vocabulary of 12 pieces"):
        tokenizer.decode([12])
    with pytest.raises(ValueError, match="put it in a list"):
        tokenizer.arrays(TEXT)
    with pytest.raises(ValueError, match="a pre-trained tokenizer has none"):
        tokenizer.reserved(0)


def test_text_that_is_not_normalized_is_read_as_it_is(run):
    text = "nai\u0308ve  cat"  # decomposed, and two spaces
    encoded = run.codec.source.encode(text)
    assert encoded.ids[1] == UNKNOWN and encoded.word_of == [-1, 0, 1]
    assert run.codec.source.encode("naïve cat").ids[1] != UNKNOWN


def test_a_pre_trained_model_is_a_run_with_the_search_of_its_folder(run, bart):
    assert run.config["decoding"]["beam"] == 2 and run.config["decoding"]["longest"] == (6, 0.0)
    (found,) = run.translate([TEXT], weights=True)
    assert len(found.ids) <= 6
    record = run.record(TEXT, found)
    assert record.source == ("<s>", "the", "cat", "sat", ".", "</s>")
    assert {place.split("/")[0] for place in record.weights} == {"cross", "decoder"}
    (same,) = attention_lab.load(bart).translate([TEXT])
    np.testing.assert_array_equal(same.ids, found.ids)
    forced = run.teacher_forced([{"source": TEXT, "target": "the dog ran ."}])
    assert np.isfinite(forced.losses).all() and len(forced.records) == 1


def test_the_commands_open_it(bart, tmp_path):
    told = command("translate", f"--workdir={bart}", "--show_attention", TEXT)
    assert told.returncode == 0, told.stderr
    assert TEXT in told.stdout
    told = command("evaluate", f"--workdir={bart}")
    assert told.returncode == 2
    assert f"evaluate: {bart} is a pre-trained model and no run of this program" in told.stderr


def test_the_licence_is_shown_where_the_folder_has_one(bart, tmp_path, capsys):
    attention_lab.load(bart)
    assert capsys.readouterr().err == ""
    (bart / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\nIt reads.\n")
    attention_lab.load(bart)
    assert capsys.readouterr().err == "licence  apache-2.0 (README.md)\n"
    (tmp_path / "LICENSE.txt").write_text("\n  MIT License\n\nof no one\n")
    assert licence_of(tmp_path) == "MIT License (LICENSE.txt)"
    (tmp_path / "README.md").write_text("license: none, as this is no header\n")
    assert licence_of(tmp_path) == "MIT License (LICENSE.txt)"
    (bart / "README.md").unlink()


def test_its_search_is_that_of_its_folder(bart, capsys):
    path = bart / "generation_config.json"
    kept = path.read_text()
    told = {"num_beams": 4, "length_penalty": 2.0, "early_stopping": True, "max_length": 7}
    path.write_text(json.dumps({**told, "min_length": 5, "no_repeat_ngram_size": 0}))
    decoding = attention_lab.load(bart).config["decoding"]
    names = ("beam", "length_penalty", "length_offset", "full", "early", "longest")
    assert [decoding[name] for name in names] == [4, 2.0, 0.0, True, True, (6, 0.0)]
    assert capsys.readouterr().err == "not used min_length=5 of generation_config.json\n"
    wrong = {"num_beams": "4", "length_penalty": -1, "max_length": 0, "top_p": True}
    for name, value in wrong.items():
        path.write_text(json.dumps({name: value}))
        with pytest.raises(ValueError, match=f"{path}: {name} is .*; it must be a") as raised:
            attention_lab.load(bart)
        assert "\n" not in str(raised.value)
    path.write_text("[]")
    with pytest.raises(ValueError, match="is damaged: it must be a JSON object"):
        attention_lab.load(bart)
    path.write_text("{}")
    decoding = attention_lab.load(bart).config["decoding"]
    assert [decoding[name] for name in names] == [1, 1.0, 0.0, True, False, (9, 0.0)]
    path.write_text(kept)


def test_settings_are_those_of_searches_and_of_sampling_or_are_named():
    pad, end = {"pad_token_id": 1, "bad_words_ids": [[1]]}, {"forced_eos_token_id": 2}
    assert settings.longest_in({"max_length": 20, **end}, 64) == 18
    assert settings.longest_in({"max_length": 20, "max_new_tokens": 5}, 64) == 5
    assert (settings.longest_in({}, 64), settings.longest_in({"max_length": 1}, 64)) == (64, 1)
    assert settings.unused({**pad, "forced_bos_token_id": 0, "do_sample": True}, False) == [
        "forced_bos_token_id=0", "do_sample=True",
    ]  # fmt: skip
    told = {"eos_token_id": [2, 5], "early_stopping": "never", "bad_words_ids": [[3]]}
    assert settings.unused(told, False) == [
        "bad_words_ids=[[3]]", "early_stopping=never", "eos_token_id=[2, 5]",
    ]  # fmt: skip
    assert settings.unused({"num_beams": 4, "min_new_tokens": 3}, True) == ["num_beams=4"]
    groups = {"num_beam_groups": 3, "diversity_penalty": 0.5}
    assert settings.unused(groups, False) == ["num_beam_groups=3", "diversity_penalty=0.5"]
    assert settings.unused({"num_beam_groups": 1, "diversity_penalty": 0.0}, False) == []
    drawn = settings.sampling_in({"do_sample": True, "top_k": 5, "max_new_tokens": 3})
    assert runs.sampling_of(drawn)[:4] == (1.0, 5, 1.0, 1.0) and drawn["max_length"] == 3
    assert settings.sampling_in({})["temperature"] == 0.8


def test_a_folder_without_a_tokenizer_says_which_files_it_needs(tmp_path):
    order = order_of(Specials(1, 3, 2, 2), 11)
    with pytest.raises(
        ValueError, match=r"has no tokenizer\.json, and not source\.spm, target\.spm"
    ):
        codec_of(tmp_path, order)
    (tmp_path / TOKENIZER).write_text("{")
    with pytest.raises(ValueError, match=r"tokenizer.json is damaged"):
        codec_of(tmp_path, order)
    (tmp_path / TOKENIZER).unlink()
    for name in ("source.spm", "target.spm"):
        (tmp_path / name).write_bytes(b"nothing")
    (tmp_path / "vocab.json").write_text('{"a": 0, "b": 2}')
    with pytest.raises(ValueError, match=r"vocab.json is damaged"):
        codec_of(tmp_path, order)
    (tmp_path / "vocab.json").write_text('{"a": 0, "b": 1, "c": 2}')
    with pytest.raises(ValueError, match=r"vocab.json is of another model: its id 2 is not </s>"):
        codec_of(tmp_path, order)
    (tmp_path / "vocab.json").write_text('{"a": 0, "b": 1, "</s>": 2}')
    with pytest.raises(ValueError, match=r"source.spm is damaged"):
        codec_of(tmp_path, order)
    (tmp_path / TOKENIZER).write_text(tokenizer_json(), encoding="utf-8")
    with pytest.raises(ValueError, match=r"of another model: it has 11 ids, and the model 9"):
        codec_of(tmp_path, order_of(Specials(1, 3, 2, 2), 9))


def test_bytes_are_shown_as_text():
    made = tokenizers.Tokenizer(tokenizers.models.BPE({"Ġc": 0, "a": 1, "Ã¯": 2, "<end>": 3}, []))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    order = order_of(Specials(None, None, 3, 3), 4)
    one = PretrainedTokenizer(
        made.to_str().encode(), tuple(order.theirs.tolist()), tuple(order.written.tolist())
    )
    assert one.pieces[4:] == ("▁c", "a", "ï")
