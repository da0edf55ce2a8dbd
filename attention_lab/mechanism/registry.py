"""The registry of pieces by name, and mechanisms built from names.

    make_attention(score="additive")
    make_attention(score="rotary(scaled_dot)", mask="both(causal, window(8))", bias="alibi")

An entry is a piece, or a cached factory that returns one for given options.
"""

import ast
import difflib
import inspect
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from attention_lab.mechanism.attention import Attention
from attention_lab.mechanism.feedback import FEEDBACKS
from attention_lab.mechanism.locality import LOCALITIES
from attention_lab.mechanism.masks import MASKS, both, either
from attention_lab.mechanism.normalizers import NORMALIZERS
from attention_lab.mechanism.positions import BIASES, ENCODINGS, rotary
from attention_lab.mechanism.scores import SCORES, qk_norm

# Functions that build pieces from pieces.
COMBINATORS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "score": MappingProxyType({"rotary": rotary, "qk_norm": qk_norm}),
        "mask": MappingProxyType({"both": both, "either": either}),
    }
)

# The fields of Attention, each with its registry.
PIECES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "score": SCORES,
        "normalize": NORMALIZERS,
        "mask": MASKS,
        "bias": BIASES,
        "locality": LOCALITIES,
        "feedback": FEEDBACKS,
    }
)


def make_attention(**words: str) -> Attention:
    """Returns the attention whose pieces are named by field; the others have their defaults.

    Raises ValueError if a field, a name or an option does not exist, and suggests the nearest that does.
    """
    for field in words:
        if field not in PIECES:
            raise ValueError(unknown("part of an attention", field, PIECES))
    return Attention(**{field: choose(field, words[field]) for field in words})


def choose(kind: str, words: str) -> Any:
    """Returns the piece that `words` names, such as "dot", "local_p(10)" or "both(causal, window(3))".

    kind: a field of Attention, or "encoding". Raises ValueError if it does not exist.
    """
    if not isinstance(words, str):
        raise ValueError(
            f"{kind} must be the name of a piece; a piece itself goes into Attention({kind}=...)"
        )
    names = {"encoding": ENCODINGS, **PIECES}[kind]
    known = {**names, **COMBINATORS.get(kind, {})}
    try:
        tree = ast.parse(words, mode="eval").body
    except SyntaxError:
        raise ValueError(f"{kind} {words!r} is not of the form name or name(options)") from None
    return _build(kind, known, words, tree)


def _build(kind, known, words, tree):
    called = isinstance(tree, ast.Call)
    head = tree.func if called else tree
    if not isinstance(head, ast.Name):
        raise ValueError(f"{kind} {words!r} is not of the form name or name(options)")
    if head.id not in known:
        raise ValueError(unknown(kind, head.id, known))
    entry = known[head.id]
    if not _is_factory(entry):
        if called:
            raise ValueError(f"{kind} {head.id!r} takes no options, but {words!r} gives some")
        return entry

    def option(value):
        if isinstance(value, ast.Name | ast.Call):
            return _build(kind, known, words, value)
        return ast.literal_eval(value)

    signature = inspect.signature(entry)
    try:
        args = [option(value) for value in tree.args] if called else []
        kwargs = {str(word.arg): option(word.value) for word in tree.keywords} if called else {}
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            _check_option(kind, name, signature.parameters[name].annotation, value)
    except (TypeError, ValueError) as error:
        options = ", ".join(
            _described(kind, parameter) for parameter in signature.parameters.values()
        )
        raise ValueError(f"{kind} {words!r} does not fit {head.id}({options}): {error}") from None
    return entry(*args, **kwargs)


# The types of options of factories, by annotation; any other annotation is that of a piece.
NUMBERS = MappingProxyType({int: "a whole number", float: "a number", bool: "True or False"})


def _check_option(kind, name, wanted, value):
    """Raises ValueError if an option is not of the type in the factory's signature."""
    of_the_type = type(value) is wanted or (wanted is float and type(value) is int)
    if wanted in NUMBERS and not of_the_type:
        raise ValueError(f"{name} must be {NUMBERS[wanted]}")
    if wanted not in NUMBERS and not callable(value) and not hasattr(value, "_fields"):
        raise ValueError(f"{name} must be the name of a {kind}")


def _described(kind, parameter):
    """Returns an option as a user writes it: "clip=16", "a mask"."""
    if parameter.default is not inspect.Parameter.empty:
        return f"{parameter.name}={parameter.default}"
    return parameter.name if parameter.annotation in NUMBERS else f"a {kind}"


def sample(entry: Any) -> Any:
    """Returns the piece of an entry, or one that its factory makes, with 1 for options without a default."""
    if not _is_factory(entry):
        return entry
    options = inspect.signature(entry).parameters.values()
    return entry(*(1 for option in options if option.default is inspect.Parameter.empty))


def _is_factory(entry):
    return hasattr(entry, "cache_info")


def unknown(kind: str, name: str, known: Collection[str]) -> str:
    """Returns the message for a name that does not exist, with the nearest that does, and all others."""
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"there is no {kind} {name!r}; {hint}known are {', '.join(known)}"
