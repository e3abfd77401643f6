"""`make mutants`: a random sample of mutations of the physics and the money, each against the behaviour tests of its room.

mutmut makes the mutations; a mutant is killed when a test fails or does not end. Words of error lines are left alone, and so
are tests that read source or documents: neither says what a number should be. Prints a table and every survivor as a diff.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

from mutmut.mutation.file_mutation import create_mutations, deep_replace

ROOT = Path(__file__).parent.parent
SOURCE = Path("src") / "headway"
STEPS = ["roofline", "batching", "parallel", "test_lecture.py", "plan", "serving"]
ROOMS = {  # files, and tests in the order in which they run
    "roofline": ("roofline/*.py", STEPS),
    "parallel/memory": ("parallel/memory.py", ["parallel", *STEPS, "cli/test_cli.py"]),
    "batching": ("batching/*.py", ["batching", "test_lecture.py", "plan", "cli/test_cli.py"]),
    "economics": ("economics/*.py", ["economics", "test_lecture.py", "plan", "cli/test_cli.py"]),
    "models": ("models/**/*.py", ["models", "parallel", "roofline", "serving", "plan"]),
}
SLOW = [
    "odd_value",
    "rule_6_layouts",
    "every_number_of_the_record",
    "busiest_group_of_experts",
    "one_question_has",
    "formats_and_machines",
]
READS_SOURCE = ["constant_outside"]
LIMIT = 300  # seconds; a mutant whose tests take longer does not end


def mutations(file):
    """Every mutation of a file, with what it takes to write it: (source, module, mutation, lines of errors)."""
    code = (ROOT / file).read_text()
    module, found, *_ = create_mutations(str(file), code)
    words = {
        n
        for x in ast.walk(ast.parse(code))
        if isinstance(x, ast.Raise)
        for n in range(x.lineno, (x.end_lineno or x.lineno) + 1)
    }
    for mutation in found:
        yield code, module, mutation, words


def written(code, module, mutation, words):
    """The mutated source and its diff; None where only an error line changes."""
    changed = deep_replace(module, mutation.original_node, mutation.mutated_node).code
    before, after = code.splitlines(), changed.splitlines()
    touched = [
        n
        for tag, a, b, *_ in difflib.SequenceMatcher(None, before, after, False).get_opcodes()
        if tag != "equal"
        for n in range(a + 1, max(b, a + 1) + 1)
    ]
    if not touched or set(touched) <= words:
        return None
    return changed, "\n".join(
        x for x in difflib.unified_diff(before, after, lineterm="", n=0) if x[:3] not in ("---", "+++", "@@ ")
    )


def copied(folder):
    """A copy of the repository to mutate, its byte code checked by content."""
    ignore = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".hypothesis", "*.html")
    shutil.copytree(ROOT, folder, ignore=ignore, dirs_exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "compileall",
        "-q",
        "--invalidation-mode",
        "checked-hash",
        folder / "src",
        folder / "tests",
    ]
    subprocess.run(command, check=True)
    return folder


def survives(folder, file, code, tests):
    """Whether the tests of a room pass on a mutated file; the file is put back."""
    place = folder / file
    whole = place.read_text()
    place.write_text(code)
    slow = " and ".join(f"not {x}" for x in [*SLOW, *READS_SOURCE])
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "--no-header",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-k",
        slow,
    ]
    env = os.environ | {
        "PYTHONPATH": str(folder / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    try:
        done = subprocess.run(
            [*command, *(f"tests/{t}" for t in dict.fromkeys(tests))],
            cwd=folder,
            env=env,
            capture_output=True,
            timeout=LIMIT,
            check=False,
        )
        return done.returncode == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        place.write_text(whole)


def sample(room, count, rng):
    """So many mutations of a room's files, drawn evenly."""
    pattern, _ = ROOMS[room]
    files = [f.relative_to(ROOT) for f in sorted((ROOT / SOURCE).glob(pattern)) if f.name != "__init__.py"]
    every = [(file, m) for file in files for m in mutations(file)]
    rng.shuffle(every)
    found = []
    for file, m in every:
        if len(found) == count:
            break
        changed = written(*m)
        if changed is not None:
            found.append((room, file, *changed))
    return found, len(every)


def main():
    """Draw, run, and say what survived."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--each", type=int, default=120, help="mutations of each room")
    options.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    rng = random.Random(asked.seed)
    drawn, sizes = [], {}
    for room in ROOMS:
        found, sizes[room] = sample(room, asked.each, rng)
        drawn += found
    rng.shuffle(drawn)
    done = []
    with tempfile.TemporaryDirectory() as folder:
        copies = Queue()
        for i in range(asked.workers):
            copies.put(copied(Path(folder) / str(i)))

        def run(one):
            room, file, code, diff = one
            place = copies.get()
            try:
                lives = survives(place, file, code, ROOMS[room][1])
            finally:
                copies.put(place)
            done.append(lives)
            print(f"{len(done)} of {len(drawn)}, {len(done) - sum(done)} killed", end="\r", file=sys.stderr, flush=True)
            if lives:
                print(f"survived: {file}\n{diff}", flush=True)
            return room, lives

        with ThreadPoolExecutor(asked.workers) as pool:
            seen = Counter(pool.map(run, drawn))
    print(f"\nseed {asked.seed}\nroom             mutations  drawn  killed")
    for room in ROOMS:
        killed, total = seen[room, False], seen[room, False] + seen[room, True]
        print(f"{room:<15}  {sizes[room]:>9,}  {total:>5}  {killed:>4} = {killed / max(total, 1):.0%}")
    killed = sum(n for (_, lives), n in seen.items() if not lives)
    print(
        f"all              {sum(sizes.values()):>9,}  {len(drawn):>5}  {killed:>4} = {killed / max(len(drawn), 1):.0%}"
    )


if __name__ == "__main__":
    main()
