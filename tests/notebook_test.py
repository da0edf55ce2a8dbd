"""The notebooks run from first cell to last, and are stored without what a run leaves behind."""

import os
import sys
from pathlib import Path

import pytest

from attention_lab.mechanism import SCORES

nbformat = pytest.importorskip("nbformat", reason="reading a notebook needs nbformat")

ROOT = Path(__file__).resolve().parents[1]
# What makes a run of a notebook short enough for a test, where a reader waits two minutes.
SHORTER = {
    "attention_by_hand": {},
    "captions": {"SIZE = 12000": "SIZE = 60", "TOKENS = 500_000": "TOKENS = 2_000"},
    "chat": {"PAIRS = 12000": "PAIRS = 150", "TOKENS = 1_500_000": "TOKENS = 20_000"},
    "speech": {"SIZE = 12000": "SIZE = 60", "TOKENS = 600_000": "TOKENS = 4_000"},
    "study": {
        "TOKENS = 250_000": "TOKENS = 2_000",
        "validation_sentences=200": "validation_sentences=20",
    },
    "translate": {"PAIRS = 12000": "PAIRS = 200", "UPDATES = 900": "UPDATES = 4"},
}
notebooks = pytest.mark.parametrize("name", SHORTER)


def read(name):
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)


def test_every_notebook_is_tested():
    assert {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")} == set(SHORTER)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kernel_manager():
    """A manager whose only kernel is the Python that runs the tests: none needs to be registered."""
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]

    class ThisPython(AsyncKernelManager):
        @property
        def kernel_spec(self):
            return KernelSpec(argv=command, display_name="this Python", language="python")

    return ThisPython


# What Jupyter's packages deprecate among themselves is not ours to mend.
jupyter = pytest.mark.filterwarnings(
    r"ignore::DeprecationWarning:(jupyter_client|jupyter_core|nbclient|traitlets|zmq)(\.|$)"
)


def executed(name, package, folder):
    """The notebook's code cells after a run, shortened, in a folder where the package lies at that path."""
    nbclient = pytest.importorskip("nbclient", reason="running a notebook needs nbclient")
    pytest.importorskip("ipykernel", reason="running a notebook needs ipykernel")
    notebook = read(name)
    for long, short in SHORTER[name].items():
        (cell,) = [cell for cell in code_cells(notebook) if long in cell.source]
        cell.source = cell.source.replace(long, short)
    client = nbclient.NotebookClient(notebook, kernel_manager_class=kernel_manager(), timeout=900)
    env = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(package)}
    # A cell that raises makes `execute` raise, with the cell and its traceback in the message.
    client.execute(cwd=str(folder), env=env)
    return code_cells(notebook)


# .ci/run executes these with the installed package.
INSTALLED = ("captions", "chat", "speech", "study", "translate")


@jupyter
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in INSTALLED)) for name in SHORTER]
)
def test_every_cell_runs_and_every_assert_in_it_holds(name, tmp_path):
    cells = executed(name, ROOT, tmp_path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]


@notebooks
def test_the_notebook_is_stored_without_outputs_or_execution_counts(name):
    cells = code_cells(read(name))
    assert cells
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


@notebooks
def test_the_notebook_is_valid_and_opens_with_any_python_3_kernel(name):
    notebook = read(name)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"


def test_the_table_of_scores_names_every_registered_score():
    table = next(
        cell.source for cell in read("attention_by_hand").cells if cell.id == "scores-text"
    )
    for name in SCORES:
        assert f"| `{name}` |" in table


if __name__ == "__main__":
    executed(*sys.argv[1:])
