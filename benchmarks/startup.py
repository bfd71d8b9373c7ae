"""How long importing phosphene and its shortest commands take, as ratios to `import torch`.

    PYTHONPATH=src python benchmarks/startup.py [--runs 5]

Each is a process of its own and every round runs all of them, so that a machine that is busy is
busy for all. Processor seconds, user and system: the least of the rounds, and the median and the
highest of the ratios to torch's import in the same round.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

IMPORTS = {
    "import torch": "import torch",
    "import phosphene": "import phosphene",
    "seven names": "from phosphene import Channel, Network, Recipe, Spectrum, Unit, draw, guided",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        commands = {name: [sys.executable, "-c", code] for name, code in IMPORTS.items()}
        commands |= shortest(stored(Path(folder)), Path(folder))
        rounds = [
            {name: seconds(command) for name, command in commands.items()} for _ in range(runs)
        ]
    print("| what | least, s | ratio to torch's import | highest |")
    print("| --- | --- | --- | --- |")
    for name in commands:
        ratios = [one[name] / one["import torch"] for one in rounds]
        least = min(one[name] for one in rounds)
        print(f"| {name} | {least:.2f} | {median(ratios):.2f} | {max(ratios):.2f} |")


def stored(folder: Path) -> Path:
    """A small atlas: Hvass's network, four units of conv2, of scikit-learn's digits."""
    (folder / "model.py").write_text("from phosphene.zoo import hvass as make\n")
    atlas = folder / "net.atlas"
    model = f"{folder / 'model.py'}:make"
    options = ["--input", "1x28x28", "--data", "digits", "--layers", "conv2", "--units", "*:0-3"]
    build = phosphene("build", model, *options, "--steps", "4", "--out", str(atlas))
    seconds(build)
    return atlas


def shortest(atlas: Path, folder: Path) -> dict[str, list[str]]:
    return {
        "--help": phosphene("--help"),
        "probe list": phosphene("probe", "list", str(atlas)),
        "probe --help": phosphene("probe", "--help"),
        "show a unit": phosphene("show", str(atlas), "conv2:3", "--out", str(folder / "unit.png")),
        "export": phosphene("export", str(atlas), str(folder / "site")),
    }


def phosphene(*words: str) -> list[str]:
    return [sys.executable, "-m", "phosphene", *words]


def seconds(command: list[str]) -> float:
    """Processor seconds of one process; its output is shown if it fails."""
    before = os.times()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    after = os.times()
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )


if __name__ == "__main__":
    main()
