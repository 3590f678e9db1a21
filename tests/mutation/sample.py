"""A sample of mutmut's mutants with a fixed seed; those that only change a text are left out.

``python -m tests.mutation.sample 450 > sample.txt`` after ``mutmut run`` has written ``mutants/``.
``--show NAME...`` prints what these mutants change.
"""

import ast
import difflib
import random
import sys
from collections.abc import Iterator
from pathlib import Path

CORE = Path("mutants/healthguard/core")
SEED = 3


class _NoTexts(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant("") if isinstance(node.value, str) else node


def mutants() -> Iterator[tuple[str, ast.FunctionDef, ast.FunctionDef]]:
    """(name, original, mutant) of each one that mutmut has written."""
    for path in sorted(CORE.glob("*.py")):
        tree = ast.walk(ast.parse(path.read_text()))
        functions = {node.name: node for node in tree if isinstance(node, ast.FunctionDef)}
        for name, node in functions.items():
            base, found, number = name.rpartition("__mutmut_")
            if found and number.isdigit():
                full = f"healthguard.core.{path.stem}.{name}"
                yield full, functions[f"{base}__mutmut_orig"], node


def _code(function: ast.FunctionDef, texts: bool) -> str:
    tree = ast.parse(ast.unparse(function))
    assert isinstance(tree.body[0], ast.FunctionDef)
    tree.body[0].name = "function"
    return ast.unparse(tree if texts else _NoTexts().visit(tree))


def sample(size: int) -> list[str]:
    """The names of ``size`` mutants, the same ones each time for the same source."""
    changed = [
        name for name, old, new in mutants() if _code(old, texts=False) != _code(new, texts=False)
    ]
    changed.sort()
    return random.Random(SEED).sample(changed, size)


def show(names: set[str]) -> None:
    """Print the changed lines of ``names``."""
    for name, old, new in mutants():
        if name in names:
            lines = [_code(each, texts=True).splitlines() for each in (old, new)]
            diff = difflib.unified_diff(*lines, lineterm="", n=0)
            print(name, *(each for each in diff if each[:3] not in ("---", "+++")), sep="\n  ")


if __name__ == "__main__":
    if sys.argv[1] == "--show":
        show(set(sys.argv[2:]))
    else:
        print("\n".join(sample(int(sys.argv[1]))))
