"""What is source, target or text in the datasets of TFDS, and corpora of ours that come back from it."""

import pytest

from attention_lab.data.sources import digest_of, load
from attention_lab.data.tfds_builders import prepare
from attention_lab.data.tfds_features import Roles, example_of, roles_of, texts_of
from attention_lab.data.tfds_sources import load_library, open_builder
from tests.data.sources_test import message_of

PAIRS = {
    "xsum": ("document", "summary"),
    "cnn_dailymail": ("article", "highlights"),
    "gigaword": ("document", "summary"),
    "billsum": ("text", "summary"),
    "samsum": ("dialogue", "summary"),
    "multi_news": ("document", "summary"),
    "reddit_tifu/long": ("documents", "tldr"),
    "scientific_papers/pubmed": ("article", "abstract"),
    "scan/length": ("commands", "actions"),
    "media_sum": ("utt", "summary"),
    "opinosis": ("review_sents", "summaries"),
    "ted_hrlr_translate/pt_to_en": ("pt", "en"),
    "opus/medical": ("de", "en"),
    "para_crawl/enbg": ("en", "bg"),
}
TEXTS = {
    "lm1b": "text",
    "tiny_shakespeare": "text",
    "wiki40b/en": "text",
    "wikipedia/20230601.simple": "text",
    "c4/en": "text",
    "pg19": "book_text",
}
QUESTIONS = ("squad/v1.1", "squad/v2.0", "xquad/en", "tydi_qa")
ROLES = {name: Roles((source,), target) for name, (source, target) in PAIRS.items()}
ROLES |= {name: Roles(text=text) for name, text in TEXTS.items()}
ROLES |= dict.fromkeys(QUESTIONS, Roles(("context", "question"), "answers/text"))
ROLES["drop"] = Roles(("passage", "question"), "answer")


@pytest.mark.parametrize("name", ROLES)
def test_official_datasets_are_read_as_they_are_meant(name):
    info = open_builder(name).info
    assert roles_of(name, info) == ROLES[name]
    assert {*ROLES[name].source, *ROLES[name][1:]} - {""} <= {*texts_of(info.features)}


@pytest.mark.parametrize(
    "options, roles",
    [
        ({"source": "title"}, Roles(("title",), "summary")),
        ({"source": ["title", "text"]}, Roles(("title", "text"), "summary")),
        ({"source": "summary"}, Roles(("summary",), "text")),
        ({"target": "text"}, Roles(("summary",), "text")),
        ({"target": "title"}, Roles(("text",), "title")),
        ({"source": "title", "target": "text"}, Roles(("title",), "text")),
        ({"text": "summary"}, Roles(text="summary")),
    ],
)
def test_features_may_be_chosen(options, roles):
    assert roles_of("billsum", open_builder("billsum").info, **options) == roles


@pytest.mark.parametrize(
    "name, options, why",
    [
        ("billsum", {"source": "txt"}, "no text in tfds:billsum 'txt'; did you mean 'text'? known"),
        ("squad", {"target": "answers"}, "known are answers/text, context, question, title"),
        (
            "billsum",
            {"text": "title", "source": "text"},
            "a text without a second side has neither",
        ),
        ("billsum", {"source": ["text"], "target": "text"}, "source and target are both 'text'"),
        ("wiki40b/en", {"source": "text"}, "choose two with the options source and target, or one"),
        ("lm1b", {"target": "text"}, "has the texts text; choose two with the options source and"),
        ("newsroom", {"text": "url", "target": "title"}, "has neither"),
        ("quac", {"source": "context"}, "has the texts answers/text, background, context"),
        ("reddit", {}, "tfds:reddit has no features that are texts"),
    ],
)
def test_what_does_not_fit_is_reported(name, options, why):
    with pytest.raises(ValueError) as caught:
        roles_of(name, open_builder(name).info, **options)
    assert why in str(caught.value) and "\n" not in str(caught.value)


def test_answers_are_one_target_and_all_of_them(tmp_path):
    with load_library().testing.mock_data(num_examples=3):
        raw = load_library().data_source("squad", split="validation", data_dir=tmp_path)[1]
        example = load("tfds:squad", "validation", data_dir=tmp_path)[1]
    assert example["source"] == f"{raw['context']} {raw['question']}"
    assert example["targets"] == list(dict.fromkeys(map(str, raw["answers"]["text"])))
    assert example["target"] == example["targets"][0]
    assert set(example) == {"source", "target", "targets"}


def test_lists_bytes_and_missing_answers():
    row = {"story": [b"a", "b"], "asked": b"c?", "answers": {"text": [b"d", "e", "d"]}}
    roles = Roles(("story", "asked"), "answers/text")
    assert example_of(row, roles) == {"source": "a b c?", "target": "d", "targets": ["d", "e"]}
    row["answers"]["text"] = []
    assert example_of(row, roles) == {"source": "a b c?", "target": "", "targets": []}


def test_texts_are_read_without_a_second_side(tmp_path):
    with load_library().testing.mock_data(num_examples=2):
        source = load("tfds:lm1b", "train", data_dir=tmp_path)
        raw = load_library().data_source("lm1b", split="train", data_dir=tmp_path)
        assert [source[n] for n in range(2)] == [{"text": str(raw[n]["text"])} for n in range(2)]


CORPORA = {
    "documents": [{"text": " One\n\ntwo  "}, {"text": "three"}],
    "summaries": [
        {
            "source": "A b. C.",
            "target": "d",
            "targets": ["d", "e"][: n + 1],
            "source_words": ["A", "b.", "C."],
            "sentence_of": [0, 0, 1],
            "supporting": [1, 0][:n],
        }
        for n in range(2)
    ],
}


@pytest.mark.parametrize("name", CORPORA)
def test_a_corpus_of_ours_comes_back_with_all_that_its_digest_covers(tmp_path, name):
    prepare(name, tmp_path, {"train": CORPORA[name]})
    back = load(f"tfds:{name}", "train", data_dir=tmp_path)
    examples = [back[n] for n in range(len(back))]
    assert examples == CORPORA[name]
    assert digest_of(examples) == digest_of(CORPORA[name])


def test_a_dataset_with_several_texts_needs_a_choice(tmp_path):
    with load_library().testing.mock_data(num_examples=2):
        message = message_of("tfds:newsroom", "train", data_dir=tmp_path, source="txt")
        assert "no text in tfds:newsroom 'txt'; did you mean 'text'?" in message
        message = message_of("tfds:cosmos_qa", "train", data_dir=tmp_path)
        assert (
            "has the texts answer0, answer1, answer2, answer3, context, id, question; choose two"
            in message
        )
