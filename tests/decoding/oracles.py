"""Sampling, written as loops over tokens: what `filtered` does, and which text a table of logits has."""

import math

import numpy as np

from attention_lab.special_tokens import PAD, START


def allowed(logits, text, generated, settings):
    """The logits from which the next token of a text (a list, START left out) is drawn, as {id: logit}."""
    left = {}
    for token, logit in enumerate(map(float, logits)):
        if token in text:
            penalty = settings.repetition_penalty
            logit = logit / penalty if logit > 0 else logit * penalty
        if token in (PAD, START, *settings.banned) or math.isnan(logit):
            continue
        if token in settings.end and generated < settings.min_length:
            continue
        if settings.no_repeat_ngram and repeats([*text, token], settings.no_repeat_ngram):
            continue
        if logit > -math.inf:
            left[token] = logit
    if not left:
        return {}
    order = sorted(left, key=lambda token: (-left[token], token))
    if settings.temperature == 0:
        return {order[0]: 0.0}
    left = {token: logit / settings.temperature for token, logit in left.items()}
    if settings.top_k:
        order = order[: settings.top_k]
    chances = probabilities({token: left[token] for token in order})
    kept, mass = [], 0.0
    for token in order:
        if kept and mass >= settings.top_p:
            break
        kept.append(token)
        mass += chances[token]
    return {token: left[token] for token in kept}


def repeats(text, n):
    """Whether the n-gram with which a text ends occurs before."""
    last = text[-n:]
    return len(text) > n - 1 and any(text[i : i + n] == last for i in range(len(text) - n))


def repeated(text, n):
    """Whether any n-gram occurs twice."""
    grams = [tuple(text[i : i + n]) for i in range(len(text) - n + 1)]
    return len(set(grams)) < len(grams)


def probabilities(logits):
    """{id: probability} of {id: logit}."""
    most = max(logits.values())
    powers = {token: math.exp(logit - most) for token, logit in logits.items()}
    return {token: power / sum(powers.values()) for token, power in powers.items()}


def log_softmax(logits):
    logits = np.asarray(logits, float)
    return logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())
