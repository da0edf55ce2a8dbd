"""Settings for all tests: float64 is at hand, and broadcasts of unequal ranks are errors."""

import gc
import os

from jaxlib import version

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Nearly all of the time here is compilation. LLVM's share of it, and fusing kernels in MLIR, make only the
# programs' speed; without them the whole takes two thirds of the time. Small programs are not worth splitting
# into 32 modules, which LLVM would compile in parallel: one takes a quarter less processor time.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    " --xla_cpu_parallel_codegen_split_count=1"
    # An unknown flag would end the process.
    + (" --xla_cpu_use_fusion_emitters=false" if version.__version_info__ < (0, 11) else ""),
)

import jax
import pytest

jax.config.update("jax_num_cpu_devices", 2)  # so that replicas can be spread
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_default_matmul_precision", "highest")


def pytest_itemcollected(item):
    """Runs the tests of one file in one process, unless they name a group: compiled programs are shared there."""
    if item.get_closest_marker("xdist_group") is None:
        item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


def pytest_collection_finish():
    """Leaves what was imported out of all later garbage collections: they would walk through JAX's modules."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _compiled_programs_are_forgotten():
    """After each module: kept, those of the whole suite take gigabytes."""
    yield
    jax.clear_caches()
