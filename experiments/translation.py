"""What training and judging a translation model share: a config turned into data, model and judgement."""

import functools
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from tqdm import tqdm

from attention_lab import runs
from attention_lab.data import sources
from attention_lab.data.encoded import cached_encode
from attention_lab.data.pipeline import Batches, Pairs
from attention_lab.data.tokenizer import Tokenizer
from attention_lab.data.vocabularies import make_tokenizers
from attention_lab.decoding import COARSE, FINE, Search, decode, in_batches
from attention_lab.evaluation.alignment import (
    alignment_error,
    best_place,
    link_counts,
    predicted_links,
)
from attention_lab.evaluation.quality import quality
from attention_lab.evaluation.records import Record
from attention_lab.evaluation.records import save as save_records
from attention_lab.evaluation.statistics import bleu_parts
from attention_lab.mechanism.contracts import Params
from attention_lab.models import Model
from attention_lab.models.base import Limits, at_precision, computed_in
from attention_lab.training.finite import skip_nonfinite
from attention_lab.training.objectives import cross_entropy
from attention_lab.training.optimizer import SCHEDULES
from attention_lab.training.step import Batch, Metrics, TrainState, make_train_step

CACHE = Path("runs/cache")  # generated corpora, tokenizers, encoded pairs and compiled programs
# What is traced: runs that differ in these fields of `training` alone share their compiled programs.
TRACED = ("learning_rate", "weight_decay", "dropout", "label_smoothing")
COMPUTE = ("float32", "bfloat16")
PRECISIONS = ("highest", "high", "default")  # of `jax.default_matmul_precision`
ALIGNED = 500  # validation examples on which the place and rule of alignment are chosen

# progress(total, what): within, a function that is told how much more is done.
Progress = Callable[[int, str], AbstractContextManager[Callable[[int], Any]]]


@contextmanager
def bar(total: int, what: str) -> Iterator[Callable[[int], Any]]:
    """A progress bar on a terminal, nothing elsewhere."""
    with tqdm(
        total=total, desc=what, disable=not sys.stderr.isatty(), leave=False, unit=""
    ) as shown:
        yield shown.update


def prepare() -> None:
    """Keeps compiled programs on disk, so that the next start is a warm one; where that cannot be, does without."""
    warnings.filterwarnings(
        "ignore", message="Error (reading|writing) persistent compilation cache"
    )
    jax.config.update("jax_compilation_cache_dir", str((CACHE / "programs").absolute()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


class Corpus(NamedTuple):
    """What a model is trained and validated on."""

    pairs: Pairs
    validation: list[dict[str, Any]]
    source_tokenizer: Tokenizer
    target_tokenizer: Tokenizer
    data: dict[str, str]  # the digest of each split


def split_of(config: Any, split: str) -> list[dict[str, Any]]:
    """A split of the config's dataset. Raises ValueError where it is empty."""
    source = sources.opened(config["data"]["name"], split, config["data"]["options"], CACHE)
    if not len(source):
        given = ", ".join(f"{name}={value}" for name, value in config["data"]["options"].items())
        raise ValueError(f"the split {split} of {config['data']['name']} has no example ({given})")
    return [source[i] for i in range(len(source))]


def data_of(config: Any, also: Sequence[str] = ()) -> dict[str, str]:
    """The digest of each split on which a run of the config is trained and judged, as it is now."""
    splits = dict.fromkeys(("train", "validation", config["data"]["test"], *also))
    return {split: sources.digest_of(split_of(config, split)) for split in splits}


def corpus_of(config: Any, folder: Path | None = None) -> Corpus:
    """The config's corpus, encoded: with the tokenizers of the training in a folder, where one has started there.

    Raises ValueError where it cannot be read.
    """
    own = None if folder is None else runs.tokenizers_of(folder)
    # The last ones are kept: all arms of a study ask for them, again and again.
    return _corpus(json.dumps({name: config[name] for name in ("data", "tokenizer")}), own)


@functools.lru_cache(maxsize=2)
def _corpus(told: str, own: tuple[Tokenizer, Tokenizer] | None) -> Corpus:
    config = json.loads(told)
    examples, validation = (split_of(config, split) for split in ("train", "validation"))
    texts = [[example[side] for example in examples] for side in ("source", "target")]
    source, target = own or make_tokenizers(*texts, **config["tokenizer"], cache_dir=CACHE)
    limit = config["data"]["max_length"]
    pairs = cached_encode(examples, source, target, limit, cache_dir=CACHE)
    digests = {"train": examples, "validation": validation}
    data = {split: sources.digest_of(those) for split, those in digests.items()}
    return Corpus(pairs, validation, source, target, data)


def batches_of(config: Any, pairs: Pairs) -> Batches:
    """The batches of the config's seed."""
    training = config["training"]
    return Batches(
        pairs, tokens=training["batch_tokens"], buckets=training["buckets"], seed=config["seed"]
    )


def updates_of(config: Any, batches: Batches) -> int:
    """How many updates show the model as many target tokens as the budget allows.

    Raises ValueError where they are more than an int32 counts.
    """
    epoch = sum(map(len, batches.pairs.target))
    updates = max(1, config["training"]["tokens"] * batches.per_epoch // epoch)
    if updates >= 2**31:
        raise ValueError(
            f"training.tokens is {config['training']['tokens']:,}, which takes {updates:,} updates; fewer than "
            f"{2**31:,} can be counted"
        )
    return updates


def hyper_of(config: Any) -> dict[str, float]:
    """The numbers that are traced."""
    return {name: config["training"][name] for name in TRACED}


def step_of(
    config: Any, model: Model, optimizer: optax.GradientTransformation, updates: int
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
    """One update, as the config wants it; what is not finite is skipped."""
    training = config["training"]
    schedule = SCHEDULES[training["schedule"]](training["warmup"], updates)
    if training["compute"] != "float32":
        model = computed_in(model, training["compute"])
    step = make_train_step(model, optimizer, schedule, training["parts"])
    return skip_nonfinite(at_precision(step, training["matmul_precision"]))


class Judged(NamedTuple):
    """The validation sentences, as ids with END, and what a translation is compared with."""

    sources: dict[int, np.ndarray]  # that the model can read, by their place among all
    pairs: tuple[list[np.ndarray], list[np.ndarray]]  # sources and targets, where it can read both
    references: list[str]
    target_tokenizer: Tokenizer
    limits: Limits
    tokenize: str  # how, for BLEU
    greedy: Search  # how to translate them

    def texts(self, said: Iterable[np.ndarray]) -> list[str]:
        """A translation of each sentence, of what was said to the sources; empty where the model cannot read it."""
        texts = dict(zip(self.sources, map(self.target_tokenizer.decode, said), strict=True))
        return [texts.get(place, "") for place in range(len(self.references))]


def judged_on(config: Any, corpus: Corpus, model: Model) -> Judged:
    """The first validation sentences, as many as the config says. Raises ValueError where the model can read none."""
    examples = corpus.validation[: config["training"]["validation_sentences"]]
    sources = runs.with_end(corpus.source_tokenizer, (e["source"] for e in examples))
    targets = runs.with_end(corpus.target_tokenizer, (e["target"] for e in examples))
    limits = model.limits(jax.eval_shape(model.init, jax.random.key(0)))
    pairs = list(zip(sources, targets, strict=True))
    kept = [pair for pair in pairs if not limits.refusal(*pair)]
    if not kept:
        raise ValueError(
            f"none of {len(pairs)} validation pairs can be read: the first has {limits.refusal(*pairs[0])}; raise "
            "model.encoder.positions or model.decoder.positions"
        )
    return Judged(
        {place: ids for place, ids in enumerate(sources) if not limits.refusal(ids)},
        ([source for source, _ in kept], [target for _, target in kept]),
        [e["target"] for e in examples],
        corpus.target_tokenizer,
        limits,
        config["data"]["bleu_tokenize"],
        runs.search_of({**config["decoding"], "beam": 1, "coverage_penalty": 0.0}),
    )


def make_judge(model: Model, given: Judged) -> Callable[[Params], dict[str, float]]:
    """params -> {"bleu", "perplexity"} on the first validation sentences, greedily decoded."""

    def judge(params):
        answer = functools.partial(decode, model, params, search=given.greedy)
        batched = functools.partial(in_batches, step=COARSE, limits=given.limits)
        found = batched(answer, list(given.sources.values()))
        lost = batched(functools.partial(nats, model, params), *given.pairs)
        tokens = sum(map(len, given.pairs[1]))
        texts = given.texts(one.tokens[0] for one in found)
        return {
            "bleu": quality(texts, given.references, given.tokenize)["bleu"],
            "perplexity": float(np.exp(sum(float(n) for n in lost) / tokens)),
        }

    return judge


@functools.partial(jax.jit, static_argnums=0)
def nats(model: Model, params: Params, source: Any, target: Any) -> Any:
    """−log p(target) of each sentence [B], of sources and targets [B, K] and [B, T]."""

    def one(source, target):
        logits = model.apply(params, {"source": source, "target": target}).logits
        losses = cross_entropy(logits, target.values, 0.0)
        return jax.numpy.where(target.valid, losses, 0).sum()

    return jax.vmap(one)(source, target)


class Evaluation(NamedTuple):
    """Translations of a split, judged: scores, and what each sentence has to do with them."""

    results: dict[str, Any]  # scores with their signatures
    texts: list[str]  # the translations
    parts: dict[
        str, np.ndarray
    ]  # what each sentence contributes to BLEU and alignment, for statistics
    records: list[
        Record
    ]  # where the model looked, told the references; none where that is not known

    def save(self, workdir: Path) -> None:
        """Writes SPLIT.json, SPLIT.txt, SPLIT_parts.npz and SPLIT_records.* into `workdir`/evaluation.

        Raises OSError or ValueError where that cannot be.
        """
        folder, split = workdir / "evaluation", self.results["split"]
        folder.mkdir(parents=True, exist_ok=True)
        if self.records:
            save_records(self.records, folder / f"{split}_records")
        np.savez_compressed(folder / f"{split}_parts.npz", **self.parts)  # type: ignore[arg-type]
        text = "".join(f"{text}\n" for text in self.texts)
        (folder / f"{split}.txt").write_text(text, encoding="utf-8")
        told = json.dumps(self.results, indent=2) + "\n"
        (folder / f"{split}.json").write_text(told, encoding="utf-8")


def evaluate(
    run: runs.Run, split: str, progress: Progress, step: int = FINE, **search: Any
) -> Evaluation:
    """Translates a split and judges it; nothing is written."""
    examples = examples_of(run, split)
    told = looked_at(run, examples)
    started = time.perf_counter()
    with progress(len(examples), f"translating {split}") as tell:
        found = run.translate(sources_of(examples), step=step, progress=tell, **search)
    seconds = time.perf_counter() - started
    with progress(sum(map(len, told)), "aligning") as tell:
        records = [run.forced_records(part, tell) for part in told]
    return judged(run, split, examples, found, records, seconds=seconds, search=search)


def evaluate_together(
    all_: runs.Runs, split: str, progress: Progress, step: int = FINE
) -> list[Evaluation]:
    """`evaluate` of each run, side by side; all share the seconds equally."""
    examples = examples_of(all_.each[0], split)
    told = looked_at(all_.each[0], examples)
    started = time.perf_counter()
    with progress(len(examples), f"translating {split}") as tell:
        found = all_.translate(sources_of(examples), step=step, progress=tell)
    seconds = (time.perf_counter() - started) / len(all_.each)
    with progress(sum(map(len, told)), "aligning") as tell:
        records = [all_.forced_records(part, tell) for part in told]
    return [
        judged(run, split, examples, found[number], [r[number] for r in records], seconds=seconds)
        for number, run in enumerate(all_.each)
    ]


def examples_of(run: runs.Run, split: str) -> list[dict[str, Any]]:
    """A split on which a run is judged. Raises ValueError where the run was trained on other examples under its name."""
    examples = split_of(run.config, split)
    now = {split: sources.digest_of(examples)}
    runs.compare(run.data, now, "those with which the run was trained")
    return examples


def earlier(workdir: Path, split: str, examples: Sequence[dict[str, Any]]) -> None:
    """Raises ValueError where a folder has scores of other examples than these under the name of their split."""
    path = workdir / "evaluation" / f"{split}.json"
    try:
        known = json.loads(path.read_text(encoding="utf-8"))["data"]
    except (OSError, ValueError):  # none, or whoever wrote it was killed
        return
    except (KeyError, TypeError):
        known = {split: "unknown"}
    way_out = f"move {path} away, which has the scores of those"
    runs.compare(known, {split: sources.digest_of(examples)}, "those judged before", way_out)


def sources_of(examples: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is to be translated."""
    return [example["source"] for example in examples]


def looked_at(run: runs.Run, examples: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The validation examples on which an alignment is chosen, and the examples that it aligns.

    Nothing where there are no links, or they cannot be compared: see `unaligned`.
    """
    linked = all("links" in example for example in examples)
    return [] if not linked or unaligned(run, examples) else [_chosen_on(run), examples]


def unaligned(run: runs.Run, examples: Sequence[Mapping[str, Any]]) -> str | None:
    """Why linked examples have no alignment error; None where they have one."""
    if not any(place.startswith("cross/") for place in run.places()):
        return "the model does not attend to the source"
    if not any(len(example["links"]) for example in examples):
        return "no word of the split is linked"
    if not any(len(example["links"]) for example in _chosen_on(run)):
        return "no validation example has links, by which to choose where and how to read them"
    return None


def _chosen_on(run: runs.Run) -> list[dict[str, Any]]:
    """The first validation examples that have links."""
    examples = examples_of(run, "validation")
    return [example for example in examples if "links" in example][:ALIGNED]


def judged(
    run: runs.Run,
    split: str,
    examples: Sequence[dict[str, Any]],
    found: Sequence[runs.Translation],
    records: Sequence[list[Record]],
    *,
    seconds: float,
    search: Mapping[str, Any] = MappingProxyType({}),
) -> Evaluation:
    """Judges translations of a split.

    records: of what is `looked_at`; which layer and head align, and by what rule, is chosen on the first.
    """
    texts, references = [t.text for t in found], [example["target"] for example in examples]
    tokenize = run.config["data"]["bleu_tokenize"]
    results = {
        "split": split,
        "data": {split: sources.digest_of(examples)},
        "sentences": len(examples),
        **quality(texts, references, tokenize),
        "cut_off": sum(not t.ended and t.refused is None for t in found),
        "refused": sum(t.refused is not None for t in found),  # empty for all scores
        "seconds": seconds,
        "search": {**run.config["decoding"], **search},
        "device": jax.devices()[0].device_kind,
        "matmul_precision": run.config["training"].get("matmul_precision"),
    }
    parts: dict[str, Any] = {"bleu": bleu_parts(texts, references, tokenize)}
    looked: list[Record] = []
    if all("links" in example for example in examples):
        results["alignment"] = None
        if not records:
            results["unaligned"] = unaligned(run, examples)
    if records:
        chosen_on, looked = records
        results["alignment"], parts["aer"] = aligned(chosen_on, looked)
    return Evaluation(results, texts, parts, looked)


def aligned(
    chosen_on: Sequence[Record], records: Sequence[Record]
) -> tuple[dict[str, Any], np.ndarray]:
    """How well attention aligns words, in percent, and `link_counts`; its rule is the best of chosen_on."""
    choice = best_place(chosen_on)
    found = alignment_error(records, choice)
    told = {name: 100 * value for name, value in found._asdict().items()}
    rule = {"place": choice.place, "head": choice.head, "rule": str(choice.rule)}
    links = link_counts(predicted_links(records, choice), [r.links or () for r in records])
    refused = sum("refused" in record.info for record in records)  # which have no links
    return {**told, **rule, "refused": refused}, links
