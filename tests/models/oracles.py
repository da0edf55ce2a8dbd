"""NumPy oracles of whole models, one position at a time, from the papers' equations; attention is that of reference.py.

`drop` stands where a model drops out: it is called for the same arrays, in the same order.
"""

import math
from functools import partial

import numpy as np

from attention_lab.special_tokens import START
from tests import reference
from tests.reference import logistic


def sigmoid(x):
    """σ(x)_c = σ(x_c)."""
    return np.array([logistic(entry) for entry in x])


def gru(params, x, h):
    """Cho et al. 2014, the reset gate after the product: the gates r, z, n side by side."""
    (n, W, U, b), (h,) = (len(h[0]), params["W"], params["U"], params["b"]), h
    r = sigmoid(x @ W[:, :n] + b[:n] + h @ U[:, :n])
    z = sigmoid(x @ W[:, n : 2 * n] + b[n : 2 * n] + h @ U[:, n : 2 * n])
    new = np.tanh(x @ W[:, 2 * n :] + b[2 * n :] + r * (h @ U[:, 2 * n :] + params["b_n"]))
    return (np.array([(1 - z[c]) * new[c] + z[c] * h[c] for c in range(n)]),)


def lstm(params, x, state):
    """Hochreiter & Schmidhuber 1997 with a forget gate: the gates i, f, g, o side by side."""
    h, c = state
    n = len(h)
    i, f, g, o = (
        (x @ params["W"] + h @ params["U"] + params["b"])[k * n : (k + 1) * n] for k in range(4)
    )
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


CELLS = {"gru": gru, "lstm": lstm}


def begun(cell, h, c=None):
    """The state before the first step, h_0; an LSTM's memory is empty, or c_0."""
    return (h,) if cell == "gru" else (h, np.zeros_like(h) if c is None else c)


def deep_output(params, y, state, context, kind):
    """Bahdanau et al. 2015, A.2.2, and with tanh in place of maxout; linear: Xu et al. 2015, equation 7."""
    if kind == "linear":
        return y + np.concatenate([state, context]) @ params["W"]
    product = np.concatenate([state, context, y]) @ params["W"]
    if kind == "tanh":
        return np.tanh(product)
    return np.array([max(product[n], product[n + len(y)]) for n in range(len(y))])


def recurrent_encoder(params, x, drop, *, cell, layers=1, **_):
    """h_j = [h→_j; h←_j], and [h→_K; h←_1]: Bahdanau et al. 2015, A.2.1."""
    for number in range(layers):
        x, found = drop(x), {}
        for direction, order in (("forward", range(len(x))), ("backward", reversed(range(len(x))))):
            own = params[f"layer_{number}"][direction]
            state, outputs = begun(cell, np.zeros(len(own["U"]))), [None] * len(x)
            for j in order:
                state = CELLS[cell](own, x[j], state)
                outputs[j] = state[0]
            found[direction] = outputs, state[0]
        pairs = zip(found["forward"][0], found["backward"][0], strict=True)
        x = np.array([np.concatenate(pair) for pair in pairs])
    return x, np.concatenate([found["forward"][1], found["backward"][1]])


def recurrent_decoder(
    params,
    encoded,
    y,
    drop,
    *,
    kind,
    cell,
    layers=1,
    score="additive",
    options={},
    coverage=False,
    feeding=True,
    gate=False,
    readout="tanh",
    initial_memory=False,
    hard=False,
):
    """Readouts [T, E] and weights [T, K]: Cho et al. 2014; Bahdanau et al. 2015; Luong et al. 2015."""
    states, summary = encoded
    hidden = len(params["cell_0"]["U"])
    bridges = ["bridge", *["memory_bridge"] * initial_memory]
    first = [np.split(np.tanh(summary @ params[name]), layers) for name in bridges]
    state = [begun(cell, *vectors) for vectors in zip(*first, strict=True)]
    y = drop(y)
    keep = drop(np.ones((len(y), layers - 1, hidden)))
    fed, rows, readouts = np.zeros(y.shape[1] if feeding else 0), [], []

    def look(t):
        own = params["attention"]
        extra = reference.coverage(own["feedback"], rows, len(states)) if coverage else None
        asked = {"score": score, "score_params": own["score"], "extra": extra, **options}
        context, weights = reference.attend(state[-1][0], t, states, states, **asked)
        rows.append(weights)
        return states[np.argmax(weights)] if hard else context  # Xu et al. 2015, section 4.1

    def advance(t, x):
        for n in range(layers):
            below = x if n == 0 else state[n - 1][0] * keep[t, n - 1]
            state[n] = CELLS[cell](params[f"cell_{n}"], below, state[n])

    for t in range(len(y)):
        if kind == "luong":
            advance(t, np.concatenate([y[t], fed]))
            context = look(t)
            out = np.tanh(np.concatenate([context, state[-1][0]]) @ params["readout"]["W_c"])
            fed = out if feeding else fed
        else:
            before = state[-1][0]
            context = look(t) if kind == "bahdanau" else summary
            if gate:  # Xu et al. 2015, section 4.2.1
                own = params["readout"]["gate"]
                context = logistic(reference.dot(own["w"], before) + own["b"][0]) * context
            advance(t, np.concatenate([y[t], context]))
            out = deep_output(params["readout"], y[t], state[-1][0], context, readout)
        readouts.append(out)
    return drop(np.array(readouts)), {"cross/0": np.array(rows)[None]} if rows else {}


def normed(params, x, kind="layer", epsilon=1e-6):
    """Layer normalization of each row: Ba et al. 2016; rms, without mean and bias: Zhang & Sennrich 2019."""
    rows = []
    for row in x:
        mean = sum(row) / len(row) if kind == "layer" else 0.0
        variance = sum((entry - mean) ** 2 for entry in row) / len(row)
        row = (row - mean) / math.sqrt(variance + epsilon) * params["scale"]
        rows.append(row + params["bias"] if "bias" in params else row)
    return np.array(rows)


def gelu(x):
    """The tanh form of Hendrycks & Gimpel 2016."""
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def gelu_exact(x):
    """x Φ(x): Hendrycks & Gimpel 2016."""
    return np.array([[e * (1 + math.erf(e / math.sqrt(2))) / 2 for e in row] for row in x])


ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "relu2": lambda x: np.maximum(x, 0) ** 2,
    "gelu": gelu,
    "gelu_exact": gelu_exact,
    "silu": lambda x: x / (1 + np.exp(-x)),
}
GATED = {"swiglu": "silu", "geglu": "gelu", "reglu": "relu"}


def dense(params, x):
    """x W + b, or x W."""
    return x @ params["kernel"] + params.get("bias", 0.0)


def feed_forward(params, activation, x):
    """W_2 a(W_1 x + b_1) + b_2; gated, W_2 (a(W_1 x + b_1) (W_3 x + b_3)) + b_2: Shazeer 2020."""
    inner = ACTIVATIONS[GATED.get(activation, activation)](dense(params["W_1"], x))
    if activation in GATED:
        inner = inner * dense(params["W_3"], x)
    return dense(params["W_2"], inner)


def around(params, x, drop, norm, normal, f):
    """x + f(norm(x)) where norm is "pre", norm(x + f(x)) where it is "post"."""
    if norm == "pre":
        return x + drop(f(normed(params["norm"], x, *normal)))
    return normed(params["norm"], x + drop(f(x)), *normal)


def asked(params, rows, x, memory=None, score="scaled_dot", **options):
    """Many-headed attention of x to itself or a memory; its weights are appended to rows."""
    heads, memory = params["heads"], x if memory is None else memory
    options = {"score": score, "head_params": [{}] * len(heads["W_K"]), **options}
    vectors, weights = reference.multi_head(heads, x, range(len(x)), memory, **options)
    rows.append(weights)
    return vectors


def positioned(params, x, encoding, embedding_norm, normal):
    """Embeddings with their positions, normalized where the stack has a norm for them: Lewis et al. 2020."""
    encode = reference.ENCODINGS[encoding]
    x = np.array([encode(params["positions"], row, i) for i, row in enumerate(x)])
    return normed(params["embedding_norm"], x, *normal) if embedding_norm else x


def shared(params, options):
    """What attention is told of a T5 bias with these options, whose tables [H, buckets] all layers share."""
    if options is None:
        return {}
    tables = params["bias"]["heads"]["attention"]["bias"]["table"]
    return {
        "bias": "t5",
        "bias_options": options,
        "head_params": [{"bias_params": {"table": table}} for table in tables],
    }


def transformer_encoder(
    params,
    x,
    drop,
    *,
    layers=2,
    norm="post",
    normal=(),
    activation="relu",
    encoding="sinusoidal",
    embedding_norm=False,
    score="scaled_dot",
    bias=None,
):
    """Vaswani et al. 2017, §3.1; the summary is the mean of the states. Returns the weights too."""
    x, rows = drop(positioned(params, x, encoding, embedding_norm, normal)), []
    for number in range(layers):
        own = params[f"layer_{number}"]
        look = partial(asked, own["attend"], rows, score=score, **shared(params, bias))
        feed = partial(feed_forward, own["feed"], activation)
        x = around(own["around_attend"], x, drop, norm, normal, look)
        x = around(own["around_feed"], x, drop, norm, normal, feed)
    x = normed(params["norm"], x, *normal) if norm == "pre" else x
    return x, sum(x) / len(x), {f"encoder/{n}": row for n, row in enumerate(rows)}


def transformer_decoder(
    params,
    states,
    y,
    drop,
    *,
    layers=2,
    norm="post",
    normal=(),
    activation="relu",
    encoding="sinusoidal",
    embedding_norm=False,
    score="scaled_dot",
    cross="scaled_dot",
    bias=None,
    mask=None,
    turn=reference.identity,
):
    """Vaswani et al. 2017, §3.1; without states, a language model. Returns the weights too."""
    x = drop(positioned(params, y, encoding, embedding_norm, normal))
    own_rows, cross_rows = [], []
    told = {"score": score, "turn": turn, "mask": mask or reference.causal()}
    for number in range(layers):
        own = params[f"layer_{number}"]
        past = partial(asked, own["attend_past"], own_rows, **told, **shared(params, bias))
        x = around(own["around_past"], x, drop, norm, normal, past)
        if states is not None:
            source = partial(asked, own["attend_source"], cross_rows, memory=states, score=cross)
            x = around(own["around_source"], x, drop, norm, normal, source)
        feed = partial(feed_forward, own["feed"], activation)
        x = around(own["around_feed"], x, drop, norm, normal, feed)
    x = normed(params["norm"], x, *normal) if norm == "pre" else x
    rows = {f"decoder/{n}": row for n, row in enumerate(own_rows)}
    return x, rows | {f"cross/{n}": row for n, row in enumerate(cross_rows)}


def looked_up(table, ids, scaled):
    """√D E[id]: Vaswani et al. 2017, §3.4; not scaled, E[id]."""
    return np.array([(math.sqrt(len(table[i])) if scaled else 1.0) * table[i] for i in ids])


def model(params, source, target, drop, *, encoder, decoder, tie, scaled=True, divided=False):
    """Logits [T, V] and weights of a model with these options of both sides.

    scaled, divided: whether embeddings are multiplied, and logits divided, by √D.
    """
    tables = params["embeddings"]
    write = tables["target"]
    read = write if tie in ("all", "inputs") else tables.get("source")
    encoder, decoder, weights = dict(encoder), dict(decoder), {}
    kind = encoder.pop("kind")
    if kind == "recurrent":
        embedded = looked_up(read, source, scaled)
        encoded = recurrent_encoder(params["encoder"], embedded, drop, **encoder)
    elif kind == "transformer":
        embedded = looked_up(read, source, scaled)
        *encoded, weights = transformer_encoder(params["encoder"], embedded, drop, **encoder)
    else:
        encoded = (None, None)
    y = looked_up(write, [START, *target[:-1]], scaled)
    if decoder["kind"] == "transformer":
        del decoder["kind"]
        readouts, more = transformer_decoder(params["decoder"], encoded[0], y, drop, **decoder)
    else:
        readouts, more = recurrent_decoder(params["decoder"], encoded, y, drop, **decoder)
    out = tables["output"] if tie in ("nothing", "inputs") else write
    logits = np.array([[reference.dot(row, word) for word in out] for row in readouts])
    return logits / math.sqrt(readouts.shape[1]) if divided else logits, weights | more
