"""Small random models of transformers, saved in folders as people have them."""

import functools
import json
from typing import Any

V, D, H, F, N, P = 37, 16, 4, 24, 2, 64
T5 = {"d_model": D, "d_kv": 6, "d_ff": F, "num_layers": N, "num_heads": H, "vocab_size": V}
T5 |= {"relative_attention_num_buckets": 8, "relative_attention_max_distance": 20}
T5 |= {"decoder_start_token_id": 0}
BART: dict[str, Any] = {"d_model": D, "max_position_embeddings": P, "vocab_size": V}
for side in ("encoder", "decoder"):
    BART |= {f"{side}_layers": N, f"{side}_attention_heads": H, f"{side}_ffn_dim": F}
# name: the classes of the config and of the model, and what the config is told
MODELS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "gpt2": (
        "GPT2Config",
        "GPT2LMHeadModel",
        {"n_embd": D, "n_head": H, "n_layer": N, "n_positions": P, "vocab_size": V}
        | {"bos_token_id": V - 1, "eos_token_id": V - 1},
    ),
    "t5 1.0": ("T5Config", "T5ForConditionalGeneration", {**T5, "num_decoder_layers": 1}),
    "t5 1.1": (
        "T5Config",
        "T5ForConditionalGeneration",
        {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    ),
    "bart": ("BartConfig", "BartForConditionalGeneration", BART),
    "pegasus": (
        "PegasusConfig",
        "PegasusForConditionalGeneration",
        {**BART, "scale_embedding": True, "activation_function": "relu"},
    ),
    "marian": (
        "MarianConfig",
        "MarianMTModel",
        {**BART, "scale_embedding": True, "activation_function": "swish"}
        | {"pad_token_id": V - 1, "decoder_start_token_id": V - 1, "eos_token_id": 0}
        | {"forced_eos_token_id": 0, "bad_words_ids": [[V - 1]]},
    ),
}


def made(name, **more):
    """The model of that name, with random numbers in place of all parameters."""
    import torch
    import transformers

    config, model, options = MODELS[name]
    settings = {"attn_implementation": "eager", **options, **more}
    built = getattr(transformers, model)(getattr(transformers, config)(**settings)).eval()
    if name == "t5 1.1":
        built.lm_head.weight = torch.nn.Parameter(torch.zeros(settings["vocab_size"], D))
    generator = torch.Generator().manual_seed(0)
    for path, x in built.named_parameters():
        if x.requires_grad:  # else it is a table of constants
            torch.nn.init.normal_(x, 0.0, 0.2, generator)
        if x.ndim == 1 and path.endswith("weight"):
            torch.nn.init.normal_(x, 1.0, 0.3, generator)
    if hasattr(built, "final_logits_bias"):
        torch.nn.init.normal_(built.final_logits_bias, 0.0, 0.2, generator)
    return built


@functools.cache
def kept(name, folder):
    """The model of that name, saved in the folder."""
    built = made(name)
    built.save_pretrained(folder)
    return built


def tokenized(name, folder):
    """Saves a small tokenizer of the kind that the model has, and returns it as transformers reads it."""
    import sentencepiece
    import tokenizers
    import transformers
    from tokenizers import decoders, models, pre_tokenizers, processors, trainers

    texts = [f"the {a} {b} the {c}, naïve Füße {n}!" for n, (a, b, c) in enumerate(PHRASES)]
    if name == "marian":
        for side in ("source", "target"):
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(texts), model_prefix=str(folder / side), vocab_size=60,
                hard_vocab_limit=False, minloglevel=2,
            )  # fmt: skip
            (folder / f"{side}.model").rename(folder / f"{side}.spm")
        reader = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.spm"))
        pieces = [reader.id_to_piece(n) for n in range(len(reader))]
        kept = [one for one in pieces if one not in ("<unk>", "<s>", "</s>")]
        names = ["</s>", "<unk>", *kept, "<pad>"]
        (folder / "vocab.json").write_text(
            json.dumps({one: n for n, one in enumerate(names)}), encoding="utf-8"
        )
        return transformers.MarianTokenizer.from_pretrained(folder)
    if name in ("gpt2", "bart"):
        specials = ["<s>", "<pad>", "</s>", "<unk>"] if name == "bart" else []
        made = tokenizers.Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        ends = specials or ["<|endoftext|>"]
        alphabet = pre_tokenizers.ByteLevel.alphabet() if name == "gpt2" else []
        trainer = trainers.BpeTrainer(
            vocab_size=300, special_tokens=ends, initial_alphabet=alphabet
        )
        made.train_from_iterator(texts, trainer)
        if name == "bart":
            made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    else:
        made = tokenizers.Tokenizer(models.Unigram())
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        made.decoder = decoders.Metaspace()
        specials = ["<pad>", "</s>", "<unk>"]
        trainer = trainers.UnigramTrainer(vocab_size=60, special_tokens=specials, unk_token="<unk>")
        made.train_from_iterator(texts, trainer)
        made.post_processor = processors.TemplateProcessing(
            single="$A </s>", special_tokens=[("</s>", 1)]
        )
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=made)
    fast.save_pretrained(folder)
    return fast


PHRASES = [
    ("cat", "sat on", "mat"), ("dog", "ran to", "house"), ("bird", "ate", "apple"),
    ("old cat", "saw", "small dog"), ("cats", "like", "birds"),
] * 20  # fmt: skip
