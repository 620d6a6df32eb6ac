"""Runs the program that is measured."""

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BINARY = ROOT / "target" / "release" / "lapwing"


def use(binary):
    """Measures another binary than the one that is built here."""
    global BINARY
    BINARY = Path(binary).resolve()


def lapwing(*arguments):
    """Runs a command; its output."""
    done = subprocess.run([BINARY, "--log", "error", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"lapwing {' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def evaluate(*arguments):
    """The result of `lapwing evaluate`."""
    return json.loads(lapwing("evaluate", *arguments, "--json").splitlines()[-1])


def pipeline(name, folder, replace=(), text=None):
    """A copy of a pipeline file that keeps its state and models in a folder; each old text must be there."""
    text = text or (HERE / f"{name}.toml").read_text()
    for old, new in replace:
        if old not in text:
            sys.exit(f"{name}.toml does not hold what shall be replaced: {old!r}")
        text = text.replace(old, new)
    path = folder / f"{name}.toml"
    path.write_text(f'{text}\n[state]\npath = "{folder}/state"\n[models]\npath = "{folder}/models"\n')
    return path
