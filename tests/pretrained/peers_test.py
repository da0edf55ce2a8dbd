"""Models that transformers made and saved, opened here: logits and every attention weight.

pip install -r requirements-peers.txt && python -m pytest -m slow tests/pretrained/peers_test.py
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab import pretrained
from attention_lab.padded import Padded
from attention_lab.special_tokens import START
from tests.pretrained.made import MODELS, V, kept

# Their libraries warn of what is theirs.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


SOURCES, TARGETS = (45, 31), (33, 40)


def padded(lengths, seed):
    rng = np.random.default_rng(seed)
    valid = np.arange(max(lengths)) < np.array(lengths)[:, None]
    return np.where(valid, rng.integers(4, V - 1, valid.shape), 0), valid


@pytest.mark.parametrize("name", MODELS)
def test_logits_and_weights_are_those_of_transformers(name, torch, folders):
    folder = folders / name.replace(" ", "_")
    theirs = kept(name, folder)
    ours = pretrained.load(folder)
    compare(name, torch, ours, theirs)


def compare(name, torch, ours, theirs):
    """Logits and weights of two models, which read the same."""
    source, target = padded(SOURCES, 1), padded(TARGETS, 2)
    read = np.roll(target[0], 1, axis=1)
    read[:, 0] = ours.order.theirs[START]
    asked = {"output_attentions": True}
    if name == "gpt2":
        asked |= {"input_ids": torch.tensor(read), "attention_mask": torch.tensor(target[1])}
    else:
        asked |= {
            "input_ids": torch.tensor(source[0]),
            "attention_mask": torch.tensor(source[1]),
            "decoder_input_ids": torch.tensor(read),
        }
    with torch.no_grad():
        expected = theirs(**asked)

    own = ours.order.ours
    batch = {
        "source": Padded(own[source[0]], source[1]),
        "target": Padded(own[target[0]], target[1]),
    }
    batch = jax.tree.map(jnp.asarray, batch)
    apply = jax.jit(
        jax.vmap(lambda one: ours.model.apply(ours.params, one, weights=True)._replace(losses=None))
    )
    found = apply(batch)
    logits = expected.logits.numpy()
    assert np.std(logits) > 0.1
    weights = (
        {"decoder": expected.attentions}
        if name == "gpt2"
        else {
            "encoder": expected.encoder_attentions,
            "decoder": expected.decoder_attentions,
            "cross": expected.cross_attentions,
        }
    )
    assert set(found.weights) == {
        f"{k}/{n}" for k, each in weights.items() for n in range(len(each))
    }
    for row, (there, here) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        np.testing.assert_allclose(
            found.logits[row, :here][:, own], logits[row, :here], atol=1e-5, rtol=0
        )
        probabilities = jax.nn.softmax(found.logits[row, :here])
        assert float(probabilities[:, ~ours.order.written].max(initial=0)) == 0
        lengths = {"encoder": (there, there), "decoder": (here, here), "cross": (here, there)}
        for kind, each in weights.items():
            q, k = lengths[kind]
            for n, one in enumerate(each):
                np.testing.assert_allclose(
                    found.weights[f"{kind}/{n}"][row, :, :q, :k],
                    one.numpy()[row, :, :q, :k],
                    atol=1e-5,
                )


@pytest.mark.parametrize("name", MODELS)
def test_what_is_saved_here_is_loaded_there(name, torch, folders):
    folder, copy = (folders / f"{name.replace(' ', '_')}{end}" for end in ("", "_copy"))
    theirs = kept(name, folder)
    pretrained.save(pretrained.load(folder), copy)
    back, report = type(theirs).from_pretrained(
        copy, output_loading_info=True, attn_implementation="eager"
    )
    assert not report["missing_keys"] and not report["unexpected_keys"]
    read = torch.tensor(padded(TARGETS, 2)[0])
    asked = {"input_ids": read} | ({} if name == "gpt2" else {"decoder_input_ids": read})
    with torch.no_grad():
        expected, found = (one.eval()(**asked).logits.numpy() for one in (theirs, back))
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", MODELS)
def test_what_is_learnt_here_is_loaded_there(name, torch, folders):
    folder, tuned = (folders / f"{name.replace(' ', '_')}{end}" for end in ("", "_tuned"))
    theirs, ours = kept(name, folder), pretrained.load(folder)
    rng = np.random.default_rng(3)  # as if every parameter had been learnt
    changed = jax.tree.map(lambda x: x + 0.05 * rng.normal(size=x.shape), ours.params)
    ours = ours._replace(params=jax.tree.map(jnp.float32, changed))
    pretrained.save(ours, tuned)
    compare(
        name, torch, ours, type(theirs).from_pretrained(tuned, attn_implementation="eager").eval()
    )
