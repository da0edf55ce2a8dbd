"""The house: who may import whom, what an import costs, and names that decide nothing."""

import ast
import pathlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.oldest

ROOT = pathlib.Path(__file__).parent.parent
ROOMS = {
    "files": {"files"},
    "special_tokens": {"special_tokens"},
    "padded": {"special_tokens", "padded"},
    "mechanism": {"mechanism"},
    "models": {"special_tokens", "padded", "mechanism", "models"},
    "decoding": {"special_tokens", "padded", "mechanism", "models", "decoding"},
    "data": {"files", "special_tokens", "padded", "mechanism", "data"},
    "views": {"files", "special_tokens", "mechanism", "models", "decoding", "data", "views"},
}
ROOMS["training"] = {*ROOMS["decoding"], *ROOMS["data"], "training"}
ROOMS["evaluation"] = {*ROOMS["decoding"], *ROOMS["data"], "evaluation"}
ROOMS["tasks"] = {*ROOMS["training"], *ROOMS["evaluation"], "views", "tasks"}
ROOMS["pretrained"] = {*ROOMS["models"], *ROOMS["data"], "pretrained"}
ROOMS["runs"] = {*ROOMS["tasks"], "pretrained", "runs"}
ROOMS["studies"] = {*ROOMS["runs"], "studies"}
ROOMS["claims"] = {*ROOMS["studies"], "claims"}
ROOMS["benchmarks"] = {*ROOMS["runs"], "benchmarks"}
ROOMS["__init__"] = {"runs", "studies", "claims"}
ONLY_IN = {
    "flax": {"models", "benchmarks"},
    "absl": set(),
    "ml_collections": set(),
    "configs": set(),
    "experiments": set(),
    "tests": set(),
    "matplotlib": {"views", "benchmarks"},
}
MECHANISM_MAY_USE = {"jax", "numpy", *sys.stdlib_module_names}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "attention_lab":
            yield from (f"attention_lab.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def sources():
    return sorted((ROOT / "attention_lab").rglob("*.py"))


def room_of(path):
    return path.relative_to(ROOT / "attention_lab").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_imports_only_what_the_plan_allows(path):
    room = room_of(path)
    for module in imports(path):
        top = module.split(".")[0]
        if top == "attention_lab":
            assert module.split(".")[1] in ROOMS[room]
        elif room == "mechanism":
            assert top in MECHANISM_MAY_USE
        assert room in ONLY_IN.get(top, {room})


@pytest.mark.parametrize(
    "path", sorted((ROOT / "attention_lab/mechanism").glob("*.py")), ids=lambda p: p.name
)
def test_nothing_in_the_mechanism_is_decided_by_a_name(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Compare | ast.Match):
            read = {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
            assert "name" not in read, f"{path.name}:{node.lineno} compares a piece's name"


def loaded_after(statement):
    code = f"import sys; {statement}; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    names = set(result.stdout.split())
    return names | {name.split(".")[0] for name in names}


@pytest.mark.parametrize("module", ["attention_lab", "attention_lab.mechanism"])
def test_an_import_brings_no_other_framework(module):
    heavy = {"flax", "tensorflow", "torch", "optax", "orbax", "grain", "matplotlib", "scipy.stats"}
    assert not heavy & loaded_after(f"import {module}")


def test_training_starts_without_what_only_evaluation_uses():
    loaded = loaded_after("import experiments.train, attention_lab.runs.training")
    assert "orbax" in loaded and not {"matplotlib", "scipy.stats", "tensorflow"} & loaded


def test_an_import_costs_little_more_than_jax():
    code = (
        "import time, jax, jax.numpy; start = time.perf_counter(); "
        "import attention_lab, attention_lab.mechanism; print(time.perf_counter() - start)"
    )
    seconds = [
        float(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT)) for _ in range(3)
    ]
    assert min(seconds) < 0.3


def test_text_files_have_an_encoding():
    rooms = ("attention_lab", "configs", "experiments", "tests")
    paths = [path for room in rooms for path in sorted((ROOT / room).rglob("*.py"))]
    ours = [path for path in paths if not path.name.endswith("_test.py")]
    lacking = [f"{path.name}:{line}" for path in ours for line in without_encoding(path)]
    assert len(ours) > 100 and not lacking


def without_encoding(path):
    """The lines that open, read or write text in whatever encoding the locale has."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or any(one.arg == "encoding" for one in node.keywords):
            continue
        words = ast.unparse(node.func).split(".")
        modes = [
            one.value
            for one in [*node.args, *(k.value for k in node.keywords)]
            if isinstance(one, ast.Constant) and isinstance(one.value, str)
        ]
        opens = words[-1] in ("open", "fdopen") and words[:-1] not in (
            ["os"],
            ["tarfile"],
            ["gzip"],
            ["pillow"],
        )
        if (
            words[-1] in ("read_text", "write_text")
            or any(
                one.arg in ("text", "universal_newlines")
                for one in node.keywords
                if words[0] == "subprocess"
            )
            or (opens and not any("b" in mode for mode in modes[-1:]))
        ):
            yield node.lineno


def test_every_source_is_imported_by_another():
    """What only its own test imports is of no use to anybody."""
    places = [
        path
        for room in ("attention_lab", "experiments", "configs")
        for path in (ROOT / room).rglob("*.py")
    ]
    used = {module for path in places for module in imports(path)}
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sources()
        if path.stem != "__init__"
    }
    by_name = {f"{package}.{name}" for package, name in imported_names(places)}
    assert not names - used - by_name


def imported_names(paths):
    """Each (package, name) of `from package import name`."""
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                yield from ((node.module, alias.name) for alias in node.names)


def test_every_source_is_short_enough_to_be_one_thing():
    long = {p.name: n for p in sources() if (n := len(p.read_text().splitlines())) > 300}
    assert not long


def test_commands_are_thin():
    lines = {
        path.name: path.read_text().count("\n") for path in (ROOT / "experiments").glob("*.py")
    }
    assert max(lines.values()) <= 120, lines
    assert sum(lines.values()) <= 1500
