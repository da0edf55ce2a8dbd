"""NumPy float64 oracles for attention, one per piece, written as loops from the papers' equations.

Everything here favors being obviously right over being fast: one query at a time, one key at a
time; NumPy multiplies and adds single vectors. The oracles share no code with the package they are compared against.

Throughout, `i` is the integer position of a query and `j` that of a key; parameters come as
dictionaries of arrays. Shapes: Q queries, K keys, D features, A features of a share.
"""

import math

import numpy as np

# Linear algebra on single vectors. A mismatch of sizes is an error: nothing is broadcast.


def vector(entries):
    """The entries as a float64 vector."""
    entries = np.asarray(entries, dtype=np.float64)
    assert entries.ndim == 1, f"a vector was expected, not the shape {entries.shape}"
    return entries


def dot(a, b):
    """a . b = sum_c a_c b_c."""
    return float(vector(a) @ vector(b))


def matvec(matrix, x):
    """(M x)_r = sum_c M_rc x_c."""
    matrix = np.asarray(matrix, dtype=np.float64)
    assert matrix.ndim == 2, f"a matrix was expected, not the shape {matrix.shape}"
    return matrix @ vector(x)


def add(a, b):
    """(a + b)_c = a_c + b_c."""
    a, b = vector(a), vector(b)
    assert a.shape == b.shape, f"vectors of {len(a)} and {len(b)} entries are not added"
    return a + b


def scale(factor, x):
    """(s x)_c = s x_c."""
    return float(factor) * vector(x)


def tanh(x):
    """tanh(x)_c = tanh(x_c)."""
    return np.tanh(vector(x))


def logistic(s):
    """1 / (1 + exp(-s)), written so that neither tail overflows."""
    if s >= 0.0:
        return 1.0 / (1.0 + math.exp(-s))
    return math.exp(s) / (1.0 + math.exp(s))


# Scores: compare a query's share with a key's share.
#
# Both shares are first turned by their positions; then `extra`, if any, is added to the key's.


def identity(share, position):
    """x -> x: no rotation."""
    return share


def rotary_turn(base, halves=False):
    """Rotate (x_2m, x_2m+1) by position * base^(-2m/A): Su et al. 2021, eq. 14-15; or (x_m, x_m+A/2)."""

    def turn(share, position):
        size = len(share)
        assert size % 2 == 0, "rotary turns pairs of features"
        turned = [0.0] * size
        for m in range(size // 2):
            angle = int(position) * float(base) ** (-2 * m / size)
            one, other = (m, m + size // 2) if halves else (2 * m, 2 * m + 1)
            x, y = float(share[one]), float(share[other])
            turned[one] = x * math.cos(angle) - y * math.sin(angle)
            turned[other] = x * math.sin(angle) + y * math.cos(angle)
        return vector(turned)

    return turn


def shares(query_share, key_share, i, j, turn, extra):
    """turn(query_share, i) and turn(key_share, j) + extra: what a score compares."""
    query_share, key_share = turn(query_share, i), turn(key_share, j)
    return query_share, key_share if extra is None else add(key_share, extra)


def dot_score(params, query, key, i, j, turn=identity, extra=None):
    """q . k: Luong et al. 2015, section 3.1 (dot)."""
    return dot(*shares(query, key, i, j, turn, extra))


def scaled_dot_score(params, query, key, i, j, turn=identity, extra=None):
    """q . k / sqrt(d): Vaswani et al. 2017, eq. 1."""
    return dot(*shares(scale(1.0 / math.sqrt(len(query)), query), key, i, j, turn, extra))


def general_score(params, query, key, i, j, turn=identity, extra=None):
    """q . W k: Luong et al. 2015, section 3.1 (general)."""
    return dot(*shares(query, matvec(params["W"], key), i, j, turn, extra))


def additive_score(params, query, key, i, j, turn=identity, extra=None):
    """v . tanh(W_q q + W_k k): Bahdanau et al. 2015, appendix A.1.2."""
    query_share, key_share = matvec(params["W_q"], query), matvec(params["W_k"], key)
    return dot(params["v"], tanh(add(*shares(query_share, key_share, i, j, turn, extra))))


def concat_score(params, query, key, i, j, turn=identity, extra=None):
    """v . tanh(W [q; k]): Luong et al. 2015, section 3.1 (concat)."""
    if turn is identity and extra is None:
        return dot(params["v"], tanh(matvec(params["W"], [*query, *key])))
    query_share = matvec([row[: len(query)] for row in params["W"]], query)
    key_share = matvec([row[len(query) :] for row in params["W"]], key)
    return dot(params["v"], tanh(add(*shares(query_share, key_share, i, j, turn, extra))))


def location_score(params, query, key, i, j, turn=identity, extra=None):
    """(W q)_j, whatever the key holds: Luong et al. 2015, section 3.1 (location)."""
    return dot(*shares(query, params["W"][j], i, j, turn, extra))


def cosine_score(params, query, key, i, j, turn=identity, extra=None):
    """beta q . k / (|q| |k|): Graves et al. 2014, eq. 5-6."""
    query_share = scale(float(params["beta"]) / math.sqrt(dot(query, query)), query)
    return dot(*shares(query_share, scale(1.0 / math.sqrt(dot(key, key)), key), i, j, turn, extra))


def distance_score(params, query, key, i, j, turn=identity, extra=None):
    """-|q - k|^2 / (2 sqrt(d)), the log of a Gaussian kernel: Tsai et al. 2019."""
    a, b = shares(query, key, i, j, turn, extra)
    gap = add(a, scale(-1.0, b))
    return -dot(gap, gap) / (2.0 * math.sqrt(len(query)))


SCORES = {
    "dot": dot_score, "scaled_dot": scaled_dot_score, "general": general_score,
    "additive": additive_score, "concat": concat_score, "location": location_score,
    "cosine": cosine_score, "distance": distance_score,
}  # fmt: skip


def score_of(words):
    """The score of that name; qk_norm(name) divides query and key by their root mean square first: Dehghani et al. 2023."""
    if not words.startswith("qk_norm("):
        return SCORES[words]
    inner = SCORES[words.removeprefix("qk_norm(").removesuffix(")")]

    def normalized(x):
        return scale(1.0 / math.sqrt(dot(x, x) / len(x) + 1e-6), x)

    def score(params, query, key, i, j, turn=identity, extra=None):
        return inner(params, normalized(query), normalized(key), i, j, turn, extra)

    return score


# Normalizers: from scores to weights. Keys that are not allowed weigh exactly zero.


def on_allowed(scores, where, normalize):
    """normalize(the allowed scores), each weight in its key's place; zeros elsewhere."""
    places = [n for n in range(len(scores)) if where[n]]
    weights = np.zeros(len(scores))
    if places:
        for n, p in zip(places, normalize([float(scores[n]) for n in places]), strict=True):
            weights[n] = p
    return weights


def softmax(scores, where):
    """p_k = exp(z_k) / sum_n exp(z_n): Vaswani et al. 2017, eq. 1."""

    def normalize(z):
        top = max(z)  # cancels in the quotient; keeps every exponential at most one
        powers = [math.exp(z_k - top) for z_k in z]
        total = math.fsum(powers)
        return [power / total for power in powers]

    return on_allowed(scores, where, normalize)


def sigmoid(scores, where):
    """p_k = 1 / (1 + exp(-z_k)), each key on its own: Ramapuram et al. 2024."""
    return on_allowed(scores, where, lambda z: [logistic(z_k) for z_k in z])


def smoothing(scores, where):
    """p_k = sigma(z_k) / sum_n sigma(z_n): Chorowski et al. 2015, eq. 15."""

    def normalize(z):
        # By their logarithms, of which the greatest cancels: each sigma alone may be 0 in floating point.
        logs = [-math.log1p(math.exp(-z_k)) if z_k > -30 else z_k for z_k in z]
        powers = [math.exp(log - max(logs)) for log in logs]
        return [power / math.fsum(powers) for power in powers]

    return on_allowed(scores, where, normalize)


def threshold(z, share):
    """p_k = share(z_k, tau), with the tau found by bisection at which sum_k p_k = 1."""
    top = max(z)  # tau moves along with the scores: below, it lies between -1 and 0
    low, high = -1.0, 0.0
    while low < (middle := (low + high) / 2.0) < high:
        if math.fsum(share(z_k - top, middle) for z_k in z) >= 1.0:
            low = middle
        else:
            high = middle
    return [share(z_k - top, low) for z_k in z]


def sparsemax(scores, where):
    """p_k = max(0, z_k - tau), sum_k p_k = 1: Martins & Astudillo 2016, proposition 1."""
    return on_allowed(scores, where, lambda z: threshold(z, lambda x, tau: max(0.0, x - tau)))


def entmax15(scores, where):
    """p_k = max(0, z_k / 2 - tau)^2, sum_k p_k = 1: Peters et al. 2019, at alpha = 1.5."""

    def share(x, tau):
        return max(0.0, x / 2.0 - tau) ** 2

    return on_allowed(scores, where, lambda z: threshold(z, share))


NORMALIZERS = {
    "softmax": softmax, "sigmoid": sigmoid, "smoothing": smoothing, "sparsemax": sparsemax, "entmax15": entmax15,
}  # fmt: skip


# Masks: may query i see key j?


def everything():
    """Always: Vaswani et al. 2017, section 3.2.3 (encoder)."""
    return lambda i, j: True


def causal():
    """j <= i: Vaswani et al. 2017, section 3.2.3 (decoder)."""
    return lambda i, j: bool(j <= i)


def window(w):
    """|i - j| <= w: Beltagy et al. 2020, section 3.1."""
    return lambda i, j: abs(int(i) - int(j)) <= w


def prefix(n):
    """j < n or j <= i: Raffel et al. 2020, section 3.2 (prefix LM)."""
    return lambda i, j: bool(j < n or j <= i)


def both(a, b):
    """a and b."""
    return lambda i, j: a(i, j) and b(i, j)


def either(a, b):
    """a or b."""
    return lambda i, j: a(i, j) or b(i, j)


def grid_window(columns, reach):
    """The square of 2 reach + 1 cells around that of i, on a grid read row by row: Parmar et al. 2018, section 3.1."""

    def mask(i, j):
        (y, x), (v, u) = divmod(int(i), columns), divmod(int(j), columns)
        return abs(y - v) <= reach and abs(x - u) <= reach

    return mask


MASKS = {
    "everything": everything,
    "causal": causal,
    "window": window,
    "grid_window": grid_window,
    "prefix": prefix,
}


# Biases: what positions add to a score.


def shaw(params, query, i, j, *, clip):
    """q . a_r / sqrt(d), r = clip(j - i, -k, k): Shaw et al. 2018, eq. 4-5."""
    r = max(-clip, min(clip, int(j) - int(i)))
    return dot(query, params["a"][r + clip]) / math.sqrt(len(query))


def alibi(params, query, i, j):
    """-|i - j| / 2^8, the slope of a head that is alone: Press et al. 2022, section 3."""
    return -(2.0**-8) * abs(int(i) - int(j))


def t5_bucket(distance, buckets=32, max_distance=128, bidirectional=True):
    """e + floor((B - e) log(n / e) / log(max_distance / e)) for n >= e: Raffel et al. 2020, 2.1."""
    distance, max_distance = int(distance), int(max_distance)  # integers without overflow
    first = 0
    if bidirectional:
        buckets //= 2
        first = buckets if distance > 0 else 0
        n = abs(distance)
    else:
        n = max(-distance, 0)
    max_exact = buckets // 2
    if n < max_exact:
        return first + n
    # With e = max_exact and B = buckets, the floor is at least t exactly when
    # (n / e)^(B - e) >= (max_distance / e)^t. Clearing the denominators leaves a comparison of
    # integers, which no rounding can tip.
    rest = buckets - max_exact
    t = 0
    while t < rest - 1 and (
        n**rest * max_exact ** (t + 1) >= max_distance ** (t + 1) * max_exact**rest
    ):
        t += 1
    return first + max_exact + t


def t5(params, query, i, j, *, buckets=32, max_distance=128, bidirectional=True):
    """table[bucket(j - i)]: Raffel et al. 2020, section 2.1."""
    bucket = t5_bucket(int(j) - int(i), buckets, max_distance, bidirectional)
    return float(params["table"][bucket])


BIASES = {"no_bias": lambda params, query, i, j: 0.0, "shaw": shaw, "alibi": alibi, "t5": t5}


# Encodings: what positions add to an embedding.


def sinusoidal(params, embedding, i, *, halves=False):
    """x_2m + sin(i / 10000^(2m/d)), x_2m+1 + cos(the same): Vaswani et al. 2017, section 3.5.

    halves: the features in the order 0, 2, 4, .., 1, 3, 5, ..
    """
    d = len(embedding)
    wave = []
    for c in [*range(0, d, 2), *range(1, d, 2)] if halves else range(d):
        m = c // 2
        angle = int(i) / 10000.0 ** (2 * m / d)
        wave.append(math.sin(angle) if c % 2 == 0 else math.cos(angle))
    return add(embedding, wave)


def learned(params, embedding, i):
    """x + table[i]: Gehring et al. 2017, section 3.1."""
    return add(embedding, params["table"][i])


ENCODINGS = {
    "no_encoding": lambda params, embedding, i: vector(embedding),
    "sinusoidal": sinusoidal,
    "learned": learned,
}


# Localities: which keys lie inside a query's neighborhood, and how much each weight is scaled.


def global_():
    """Every key is inside, gain 1: Luong et al. 2015, section 3.1."""

    def around(params, query, i, length):
        return (lambda j: True), (lambda j: 1.0)

    return around


def local_m(half_width):
    """Inside |j - p| <= D, p = i or the last key where there is none at i, gain 1: section 3.2 (local-m)."""

    def around(params, query, i, length):
        p = int(i) if int(i) < length else length - 1
        return (lambda j: abs(int(j) - p) <= half_width), (lambda j: 1.0)

    return around


def local_p(half_width):
    """p = S sigmoid(v . tanh(W q)), gain exp(-(j-p)^2 / 2(D/2)^2): Luong et al. 2015, eq. 9-10."""

    def around(params, query, i, length):
        p = length * logistic(dot(params["v"], tanh(matvec(params["W"], query))))
        sigma = half_width / 2.0

        def inside(j):
            return abs(int(j) - math.floor(p)) <= half_width

        def gain(j):
            return math.exp(-((int(j) - p) ** 2) / (2.0 * sigma**2))

        return inside, gain

    return around


def local_grid(columns, half_width):
    """local_p along rows and columns: the gain is the product of both."""

    def around(params, query, i, length):
        hidden = tanh(matvec(params["W"], query))
        rows = math.ceil(length / columns)
        p_y = rows * logistic(dot(params["V"][0], hidden))
        p_x = columns * logistic(dot(params["V"][1], hidden))
        sigma = half_width / 2.0

        def inside(j):
            y, x = divmod(int(j), columns)
            down, across = abs(y - math.floor(p_y)), abs(x - math.floor(p_x))
            return down <= half_width and across <= half_width

        def gain(j):
            y, x = divmod(int(j), columns)
            down = math.exp(-((y - p_y) ** 2) / (2.0 * sigma**2))
            return down * math.exp(-((x - p_x) ** 2) / (2.0 * sigma**2))

        return inside, gain

    return around


LOCALITIES = {
    "global_": global_,
    "local_m": local_m,
    "local_p": local_p,
    "local_grid": local_grid,
}


# Feedbacks: what earlier weights add to each key's share. Before the first step every earlier
# weight is zero, so nothing is added: zeros if the number of keys is given, otherwise None.


def location_aware(params, past_weights, keys=None):
    """U f_j, f = F * alpha convolves the newest weights: Chorowski et al. 2015, eq. 8-9."""
    if len(past_weights) == 0 and keys is None:
        return None
    alpha = past_weights[-1] if len(past_weights) > 0 else [0.0] * keys
    rows = []
    for j in range(len(alpha)):
        features = []
        for taps in params["F"]:
            assert len(taps) % 2 == 1, "a filter is centered on its key"
            r = (len(taps) - 1) // 2
            total = 0.0
            for t in range(-r, r + 1):
                if 0 <= j - t < len(alpha):
                    total += float(taps[t + r]) * float(alpha[j - t])
            features.append(total)
        rows.append(matvec(params["U"], features))
    return np.array(rows)


def coverage(params, past_weights, keys=None):
    """c_j w, c_j = sum of all earlier weights on j: See et al. 2017, eq. 10-11."""
    if len(past_weights) == 0 and keys is None:
        return None
    count = len(past_weights[-1]) if len(past_weights) > 0 else keys
    covered = [sum(float(weights[j]) for weights in past_weights) for j in range(count)]
    return np.array([scale(c_j, params["w"]) for c_j in covered])


FEEDBACKS = {
    "no_feedback": lambda params, past_weights, keys=None: None,
    "location_aware": location_aware,
    "coverage": coverage,
    "windowed": lambda params, past_weights, keys=None: None,
}


def around_median(past_weights, keys, width):
    """Whether each key is in m - width .. m + width - 1, m the median of the newest weights: Chorowski et al. 2015, 2.3."""
    weights = past_weights[-1] if len(past_weights) > 0 else [0.0] * keys
    passed, median = 0.0, 0
    for j in range(keys):
        passed += float(weights[j])
        if passed >= sum(map(float, weights)) / 2:
            median = j
            break
    return [median - width <= j <= median + width - 1 for j in range(keys)]


# Attention


def attend(
    query, i, keys, values, *, score="dot", score_params={}, turn=identity,
    normalizer="softmax", mask=everything(), bias="no_bias", bias_params={}, bias_options={},
    locality=global_(), locality_params={}, extra=None, positions=None, valid=None,
):  # fmt: skip
    """One query: sum_n w_n v_n, w = gain * normalize(score + bias): Vaswani et al. 2017, eq. 1."""
    count = len(keys)
    positions = list(range(count)) if positions is None else [int(j) for j in positions]
    valid = [True] * count if valid is None else [bool(here) for here in valid]

    length = 0
    for n in range(count):
        if valid[n] and mask(i, positions[n]):
            length = max(length, 1 + positions[n])
    inside, gain = locality(locality_params, query, i, length)

    seen, scores = [False] * count, [0.0] * count
    for n in range(count):
        j = positions[n]
        if valid[n] and mask(i, j) and inside(j):
            seen[n] = True
            added = None if extra is None else extra[n]
            scores[n] = score_of(score)(score_params, query, keys[n], i, j, turn, added)
            scores[n] += BIASES[bias](bias_params, query, i, j, **bias_options)

    weights = NORMALIZERS[normalizer](scores, seen)
    result = np.zeros(np.shape(values)[1])
    for n in range(count):
        if seen[n]:
            weights[n] *= gain(positions[n])
            result = add(result, scale(weights[n], values[n]))
    return result, weights


def attention(queries, query_positions, keys, values, **same):
    """Each query attends on its own: vectors [Q, Dv] and weights [Q, K]."""
    vectors = np.zeros((len(queries), np.shape(values)[1]))
    weights = np.zeros((len(queries), len(keys)))
    for row, (query, i) in enumerate(zip(queries, query_positions, strict=True)):
        vectors[row], weights[row] = attend(query, int(i), keys, values, **same)
    return vectors, weights


def multi_head(params, queries_x, query_positions, keys_x, *, head_params, **same):
    """sum_h W_O^h attend_h, and biases where there are some: Vaswani et al. 2017, section 3.2.2; groups: Ainslie et al. 2023."""
    heads, groups = len(params["W_Q"]), len(params["W_K"])
    assert heads % groups == 0, "every key-value head serves equally many query heads"
    outputs = np.zeros((len(queries_x), len(params["W_O"])))
    weights = np.zeros((heads, len(queries_x), len(keys_x)))
    for h in range(heads):
        g = h // (heads // groups)
        into_output = [row[h] for row in params["W_O"]]
        queries = [matvec(params["W_Q"][h], x) for x in queries_x]
        keys = [matvec(params["W_K"][g], x) for x in keys_x]
        values = np.zeros((len(keys_x), len(params["W_V"][g])))
        for n, x in enumerate(keys_x):
            values[n] = matvec(params["W_V"][g], x)
            if "b_V" in params:
                values[n] = add(values[n], params["b_V"][g])
        if "b_Q" in params:
            queries = [add(query, params["b_Q"][h]) for query in queries]
        options = {**same, **head_params[g]}
        vectors, weights[h] = attention(queries, query_positions, keys, values, **options)
        for row in range(len(queries_x)):
            outputs[row] = add(outputs[row], matvec(into_output, vectors[row]))
    if "b_O" in params:
        outputs = np.array([add(row, params["b_O"]) for row in outputs])
    return outputs, weights


# Gradients


def central_difference(f, x, step=1e-6):
    """df/dx_c = (f(x + h e_c) - f(x - h e_c)) / 2h, one entry at a time."""
    x = np.array(x, dtype=np.float64)
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        above, below = x.copy(), x.copy()
        above[index] += step
        below[index] -= step
        gradient[index] = (float(f(above)) - float(f(below))) / (2.0 * step)
    return gradient
