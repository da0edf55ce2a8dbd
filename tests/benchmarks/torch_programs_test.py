"""PyTorch, which the tests do not need: a stand-in for its module decides where its programs run."""

import importlib
import sys
from types import ModuleType, SimpleNamespace

import jax
import pytest

MODULE = "attention_lab.benchmarks.torch_programs"


@pytest.fixture
def torch(monkeypatch):
    stand_in, attention = ModuleType("torch"), ModuleType("torch.nn.attention")
    stand_in.cuda = SimpleNamespace(is_available=lambda: True)
    attention.flex_attention = None
    functional = ModuleType("torch.nn.functional")
    stand_in.nn = SimpleNamespace(functional=functional, attention=attention)
    for module in (stand_in, attention, functional):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(sys.modules, "torch.nn", stand_in.nn)
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    return stand_in


@pytest.mark.parametrize(
    ("backend", "cuda", "device"),
    [("gpu", True, "cuda"), ("gpu", False, "cpu"), ("cpu", True, "cpu"), ("cpu", False, "cpu")],
)
def test_it_computes_on_the_gpu_only_if_jax_does(torch, monkeypatch, backend, cuda, device):
    programs = importlib.import_module(MODULE)
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    torch.cuda.is_available = lambda: cuda
    assert programs._device() == device
    torch.cuda.synchronize = lambda: waited.append(True)
    waited = []
    programs._wait()
    assert len(waited) == (device == "cuda")  # which the processor would otherwise not wait for
