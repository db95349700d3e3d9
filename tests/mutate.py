"""Mutation test of the decisions (docs/testing.md): each change of `decision/` must be noticed by its unit tests.

mutmut finds no tests under a source root called `operator/`, so it works on a copy with `src/` in its place. Properties
are plain methods there, since mutmut leaves decorated functions alone; none is cached, since the forks of mutmut
inherit the tests' situations, and with them what the unchanged code found. What only changes a sentence for people does
not count. `mutation_harmless.toml` names the survivors that change nothing that can be seen, and why.
"""

import ast
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from copy import deepcopy
from difflib import unified_diff
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
HARMLESS = ROOT / "tests" / "mutation_harmless.toml"
_PACKAGE = "novita_operator.decision."
_NOTICED = {"killed", "timeout"}
_PYPROJECT = """
[tool.pytest.ini_options]
addopts = ["--import-mode=importlib", "--strict-markers"]
pythonpath = ["tests"]

[tool.mutmut]
source_paths = ["src"]
only_mutate = ["src/novita_operator/decision/*"]
pytest_add_cli_args_test_selection = ["tests/unit/decision"]
"""


class Change(NamedTuple):
    """What a mutant changes, in words that stay when lines move: a function, its lines before and after."""

    function: str
    before: str
    after: str


class Mutant(NamedTuple):
    """One mutant and mutmut's word for what became of it."""

    change: Change
    is_sentence: bool
    outcome: str


def stage(folder: Path) -> None:
    """Copy the operator and the unit tests of its decisions into the folder, as mutmut wants them."""
    leftovers = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "operator" / "novita_operator", folder / "src" / "novita_operator", ignore=leftovers)
    shutil.copytree(ROOT / "tests" / "unit" / "decision", folder / "tests" / "unit" / "decision", ignore=leftovers)
    shutil.copy(ROOT / "tests" / "build.py", folder / "tests")
    (folder / "pyproject.toml").write_text(_PYPROJECT)
    for path in (folder / "src" / "novita_operator" / "decision").rglob("*.py"):
        path.write_text(with_plain_properties(path.read_text()))


def with_plain_properties(source: str) -> str:
    """The same module with `name = property(name)` after each method instead of `@property` above it."""
    lines = source.splitlines()
    for node in sorted(_functions(source), key=lambda node: node.lineno, reverse=True):
        names = [ast.unparse(decorator) for decorator in node.decorator_list]
        if len(names) == 1 and names[0] in {"property", "cached_property"}:
            assert node.end_lineno is not None, "it was parsed"
            lines.insert(node.end_lineno, f"{' ' * node.col_offset}{node.name} = property({node.name})")
            del lines[node.decorator_list[0].lineno - 1]
    return "\n".join(lines) + "\n"


def mutants(folder: Path) -> Iterator[Mutant]:
    """Let mutmut make and try them in the folder; OSError or CalledProcessError if it cannot."""
    mutmut = Path(sys.executable).with_name("mutmut")
    with (folder / "log").open("w") as log:
        subprocess.run([mutmut, "run"], cwd=folder, stdout=log, stderr=log, check=True)
    told = subprocess.run([mutmut, "results", "--all", "true"], cwd=folder, capture_output=True, text=True, check=True)
    modules: dict[str, _Module] = {}
    for line in told.stdout.splitlines():
        name, _, outcome = line.strip().partition(": ")
        module, _, mutated = name.rpartition(".")
        if module not in modules:
            modules[module] = _Module.read(folder / "mutants" / "src" / f"{module.replace('.', '/')}.py")
        where = f"{module.removeprefix(_PACKAGE)}.{_plain(mutated)}"
        before, after = modules[module].difference(mutated)
        yield Mutant(Change(where, before, after), modules[module].is_sentence(mutated), outcome)


def harmless() -> dict[Change, str]:
    """The changes that no test can notice, and why."""
    listed = tomllib.loads(HARMLESS.read_text())["harmless"]
    return {Change(entry["function"], entry["before"], entry["after"]): entry["reason"] for entry in listed}


class _Module(NamedTuple):
    """A module as mutmut wrote it: each function beside all its mutants."""

    source: str
    functions: dict[str, ast.FunctionDef]

    @classmethod
    def read(cls, path: Path) -> "_Module":
        source = path.read_text()
        return cls(source, {node.name: node for node in _functions(source)})

    def difference(self, mutated: str) -> tuple[str, str]:
        """The lines that only the original has, and those that only the mutant has."""
        before, after = (self._lines(name) for name in (_original(mutated), mutated))
        changed = [line for line in unified_diff(before, after, lineterm="", n=0) if not line.startswith("@@")][2:]
        gone, come = ([line[1:].strip() for line in changed if line[0] == sign] for sign in "-+")
        return " ".join(gone), " ".join(come)

    def is_sentence(self, mutated: str) -> bool:
        """Whether only the wording of a sentence is another, or it is gone."""
        before, after = (_Hushed().visit(deepcopy(self.functions[name])) for name in (_original(mutated), mutated))
        return [ast.dump(line) for line in before.body] == [ast.dump(line) for line in after.body]

    def _lines(self, name: str) -> list[str]:
        node = self.functions[name]
        return self.source.splitlines()[node.body[0].lineno - 1 : node.end_lineno]


class _Hushed(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant(None) if isinstance(node.value, str) and " " in node.value else node


def _functions(source: str) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]


def _original(mutated: str) -> str:
    return f"{mutated.partition('__mutmut_')[0]}__mutmut_orig"


def _plain(mutated: str) -> str:
    """The name as people know it: `x_find__mutmut_3` is `find`, `xǁBrakeǁsee__mutmut_1` is `Brake.see`."""
    return mutated.partition("__mutmut_")[0].removeprefix("x").removeprefix("_").lstrip("ǁ").replace("ǁ", ".")


def _tell(line: str = "") -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Print the figure, the survivors and what is listed in vain; 1 if there are any."""
    _tell("Trying each mutant of the decisions against their unit tests: some minutes on two cores.")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        stage(Path(folder))
        try:
            made = list(mutants(Path(folder)))
        except subprocess.CalledProcessError as error:
            _tell((Path(folder) / "log").read_text()[-4000:])
            _tell(f"mutmut failed: {error}")
            return 1
    counted = [mutant for mutant in made if not mutant.is_sentence]
    survivors = [mutant for mutant in counted if mutant.outcome not in _NOTICED]
    known = harmless()
    unknown = [mutant for mutant in survivors if mutant.change not in known]
    idle = known.keys() - {mutant.change for mutant in survivors}
    for mutant in unknown:
        _tell(f"\n{mutant.outcome}: {mutant.change.function}\n  - {mutant.change.before}\n  + {mutant.change.after}")
    for change in sorted(idle):
        _tell(f"\nlisted as harmless, but it did not survive: {change.function}\n  + {change.after}")
    _tell(
        f"\n{len(counted)} mutants: {len(counted) - len(survivors)} killed, {len(survivors) - len(unknown)} harmless, "
        f"{len(unknown)} survived; {len(made) - len(counted)} of sentences not counted; "
        f"{time.monotonic() - began:.0f} s."
    )
    return 1 if unknown or idle or not counted else 0


if __name__ == "__main__":
    sys.exit(main())
