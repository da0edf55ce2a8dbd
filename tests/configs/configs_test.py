"""Every config is a config, and the Transformers of the paper are as large as the paper says."""

import importlib
import json
import pathlib

import jax
import pytest

from attention_lab import runs
from attention_lab.claims import translation
from attention_lab.data.objectives import make_objective
from attention_lab.models import make_model
from attention_lab.runs import setup
from attention_lab.studies import sizes
from attention_lab.studies.study import changed, study_of
from attention_lab.training.optimizer import SCHEDULES
from configs import defaults, text_to_text, vaswani

ROOT = pathlib.Path(__file__).parent.parent.parent
OTHER = ("__init__", "defaults", "fine_tuning")  # fine_tuning needs a folder: tests/pretrained
NAMES = [p.stem for p in (ROOT / "configs").glob("*.py") if p.stem not in OTHER]


def parameters(config, vocabulary):
    model = make_model(vocabulary, vocabulary, **config["model"])
    return sum(x.size for x in jax.tree.leaves(jax.eval_shape(model.init, jax.random.key(0))))


@pytest.mark.parametrize("name", NAMES)
def test_a_config_says_its_command_and_describes_a_run(name):
    module = importlib.import_module(f"configs.{name}")
    assert f"python -m experiments.train --config=configs/{name}.py" in module.__doc__
    config = json.loads(module.get_config().to_json())
    expected = defaults.language() if config["task"] == "language" else defaults.translation()
    assert set(config) == set(json.loads(expected.to_json()))
    assert parameters(config, 1000) > 0
    assert config["training"]["schedule"] in SCHEDULES
    runs.search_of(config.get("decoding", {}))
    runs.sampling_of(config.get("sampling", {}))


@pytest.mark.parametrize("stage", text_to_text.STAGES)
@pytest.mark.parametrize("name", text_to_text.MODELS)
def test_a_model_of_the_literature_is_pre_trained_and_fine_tuned_at_one_size(name, stage):
    config = json.loads(text_to_text.get_config(f"{name},{stage}").to_json())
    pretrained = json.loads(text_to_text.get_config(f"{name},pretraining").to_json())
    assert config["model"] == pretrained["model"] and config["name"] == f"{name}_{stage}"
    assert config["tokenizer"] == pretrained["tokenizer"]
    assert parameters(config, 500) < 600_000
    make_objective(pretrained["objective"], [499 - i for i in range(40)])  # else ValueError
    if name.startswith("t5"):  # 0.01 for the first 10,000 updates (§3.1.2)
        assert not setup.unfinished_warmup(config, 100)
        schedule = SCHEDULES[config["training"]["schedule"]](config["training"]["warmup"], 100)
        rates = [
            config["training"]["learning_rate"] * float(schedule(t)) for t in (0, 9999, 39_999)
        ]
        assert rates == pytest.approx([0.01, 0.01, 0.005], rel=1e-3)


def test_a_stage_that_is_not_there_is_reported():
    with pytest.raises(
        ValueError, match=r"'t5' is not MODEL,STAGE; models: t5_1_0, .* stages: pre"
    ):
        text_to_text.get_config("t5")


# Millions of parameters in table 3; where the table leaves a cell blank, it is as base.
PAPER = {
    "base": 65,
    "key_16": 58,
    "key_32": 60,
    "layers_2": 36,
    "layers_4": 50,
    "layers_8": 80,
    "features_256": 28,
    "features_1024": 168,
    "feed_forward_1024": 53,
    "feed_forward_4096": 90,
    "big": 213,
}


@pytest.mark.parametrize("variant", vaswani.MODEL)
def test_a_variant_has_as_many_parameters_as_the_paper_says(variant):
    config = json.loads(vaswani.get_config(variant).to_json())
    expected = 1e6 * PAPER.get(variant, PAPER["base"])
    # The paper says "about 37000" tokens: four thousand more are two million parameters.
    assert parameters(config, 37000) == pytest.approx(expected, rel=0.06, abs=2.5e6)


def test_the_learning_rate_is_the_paper_s_with_its_warm_up():
    config = vaswani.get_config("base").training
    schedule = SCHEDULES[config.schedule](4000, 10**6)
    for t in (1, 100, 3999, 4000, 10**5):
        paper = 512**-0.5 * min(t**-0.5, t * 4000**-1.5)
        assert config.learning_rate * float(schedule(t - 1)) == pytest.approx(paper, rel=1e-4)
    assert float(SCHEDULES[config.schedule](config.warmup, 10**6)(config.warmup - 1)) == 1


@pytest.mark.parametrize("variant", ["base", "big"])
def test_the_warm_up_is_over_within_half_of_the_run_on_the_embedded_corpus(variant):
    config = json.loads(vaswani.get_config(variant).to_json())
    updates = sizes.updates_of(config)
    assert 2 * config["training"]["warmup"] < updates
    assert not setup.unfinished_warmup(config, updates)
    longer = changed(config, {"training.warmup": updates}, variant)
    message = setup.unfinished_warmup(longer, updates)
    assert f"training.warmup is {updates:,} updates, and the run has {updates:,}" in message


STUDIES = [p.stem for p in (ROOT / "configs/ablations").glob("*.py") if p.stem != "__init__"]


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_says_its_command_and_describes_arms_that_can_be_built(name, tmp_path):
    module = importlib.import_module(f"configs.ablations.{name}")
    command = f"python -m experiments.ablate --config=configs/ablations/{name}.py"
    assert command in module.__doc__
    config = json.loads(module.get_config().to_json())
    study = study_of(config, tmp_path)
    assert len(study.arms) == len(study.groups) and len(study.seeds) >= 3
    for arm in study.arms:
        assert set(arm.config) == set(json.loads(defaults.translation().to_json()))
        assert parameters(arm.config, 1000) > 0


def test_every_claim_can_be_decided_on_the_embedded_corpus_and_six_on_multi30k():
    arms = {
        name: set(importlib.import_module(f"configs.claims.{name}").get_config().arms)
        for name in ("rosetta", "multi30k")
    }
    assert all(set(claim.arms) <= arms["rosetta"] for claim in translation.CLAIMS)
    assert sum(set(claim.arms) <= arms["multi30k"] for claim in translation.CLAIMS) >= 6


@pytest.mark.parametrize("name", ["rosetta", "multi30k"])
def test_a_study_of_claims_says_its_command_and_has_arms_that_can_be_built(name, tmp_path):
    module = importlib.import_module(f"configs.claims.{name}")
    assert f"python -m experiments.claims --config=configs/claims/{name}.py" in module.__doc__
    study = study_of(json.loads(module.get_config().to_json()), tmp_path)
    assert len(study.seeds) >= 3
    for arm in study.arms:
        assert parameters(arm.config, 1000) > 0
