"""Compares the fused score with its members on sets that docs/quality.md does not report; columns' surprisals were chosen here.

Usage: python3 bench/quality/fresh.py [--program PROGRAM] [--seeds N] [GROUP ...]     (all groups if none is named)
Needs numpy and scikit-learn, and `lapwing`, or the example `evaluate` of the crate of that name. Nothing is fetched: real
sets are those inside scikit-learn, made ones come from seeded laws whose structure is known:

  classes   breast_cancer and wine, one class thinned to 5 %; digits, each in turn thinned to 5 %.
  novelty   digits and breast_cancer, learned from one class alone, asked about it and 5 % others.
  kinds     clusters with skewed, rounded and mostly-zero columns; anomalies are local, clustered, global, or break the
            dependency of columns (Steinbuss, Boehm 2021, "Benchmarking Unsupervised Outlier Detection with Realistic
            Synthetic Data"). Learned from the rows that are scored.
  traffic   records with heavy-tailed sizes, counts, rates of 0 to 1, constants and categories; floods, scans, rare
            categories, broken constants, leaks. Learned from normal rows alone.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
from sklearn import datasets

ROOT = Path(__file__).resolve().parent.parent.parent
LAPWING = ROOT / "target" / "release" / "lapwing"
RATE = 0.05
"""Share of anomalies among the rows of a real set, as ADBench's median."""


def thinned(rows, anomalous, rng):
    """All normal rows, and as many anomalies as make RATE of the whole."""
    normal, strange = numpy.flatnonzero(~anomalous), numpy.flatnonzero(anomalous)
    count = min(len(strange), max(5, round(len(normal) * RATE / (1 - RATE))))
    chosen = numpy.concatenate([normal, rng.choice(strange, count, replace=False)])
    chosen = rng.permutation(chosen)
    return rows[chosen], anomalous[chosen]


def classes(seed):
    """One class of several is thinned; nobody tells which rows are of it."""
    rng = numpy.random.default_rng(seed)
    rows, kinds = datasets.load_breast_cancer(return_X_y=True)
    yield "breast_cancer", None, thinned(rows, kinds == 0, rng)
    rows, kinds = datasets.load_wine(return_X_y=True)
    yield "wine", None, thinned(rows, kinds == 0, rng)
    rows, kinds = datasets.load_digits(return_X_y=True)
    for digit in range(10):
        yield f"digit {digit}", None, thinned(rows, kinds == digit, rng)


def novelty(seed):
    """Half of one class is learned from; the other half is asked about, with others among it."""
    rng = numpy.random.default_rng(seed)
    rows, kinds = datasets.load_breast_cancer(return_X_y=True)
    sets = [("benign", rows, kinds == 0)]
    rows, kinds = datasets.load_digits(return_X_y=True)
    sets += [(f"all but {digit}", rows, kinds == digit) for digit in range(10)]
    sets += [(f"only {digit}", rows, kinds != digit) for digit in range(10)]
    for name, rows, anomalous in sets:
        normal = rng.permutation(numpy.flatnonzero(~anomalous))
        taught, asked = normal[: len(normal) // 2], normal[len(normal) // 2 :]
        asked = numpy.concatenate([asked, numpy.flatnonzero(anomalous)])
        yield name, rows[taught], thinned(rows[asked], anomalous[asked], rng)


def shaped(rows, shapes):
    """Columns as they are met: some skewed, some whole numbers, some mostly zero, some with a heavy tail."""
    rows = rows.copy()
    for column, shape in enumerate(shapes):
        values = rows[:, column]
        rows[:, column] = [values, numpy.exp(values), numpy.round(2 * values), numpy.maximum(values - 1, 0),
                           numpy.sign(values) * numpy.expm1(numpy.abs(values) * 1.5)][shape]
    return rows


def kinds(seed):
    """Clusters of dependent columns, with four kinds of anomalies."""
    for width, clusters in [(5, 1), (10, 3), (30, 4)]:
        for kind in ("local", "cluster", "global", "dependency"):
            rng = numpy.random.default_rng([seed, width, ord(kind[0])])
            shapes = rng.integers(0, 5, width)
            centres = rng.normal(0, 1.5 if clusters > 1 else 0, (clusters, width))
            mixes = rng.normal(0, 1, (clusters, width, width)) / width**0.5
            which = rng.choice(clusters, 4000, p=rng.dirichlet(numpy.full(clusters, 4.0)))

            def drawn(which, spread=1.0, shift=0.0):
                noise = rng.normal(0, spread, (len(which), width))
                return centres[which] + shift + numpy.einsum("rc,rcd->rd", noise, mixes[which])

            normal, few = drawn(which), which[:120]
            if kind == "local":
                strange = drawn(few, spread=2.5)
            elif kind == "cluster":
                direction = rng.normal(0, 1, width)
                strange = drawn(few, 0.5, 4 * direction / numpy.linalg.norm(direction))
            elif kind == "global":
                strange = rng.uniform(normal.min(0), normal.max(0), (120, width))
            else:
                strange = numpy.stack([rng.choice(normal[:, column], 120) for column in range(width)], axis=1)
            rows = shaped(numpy.concatenate([normal, strange]), shapes)
            yield f"{kind} {width}", None, (rows, numpy.arange(len(rows)) >= len(normal))


SERVICES = ["http", "dns", "mail", "ftp", "ssh", "login", "time", "print", "chat", "news", "gopher", "backup"]
STATES = ["done", "refused", "reset", "half", "closed"]


def record(rng, day):
    """A normal record: columns of few kinds of behaviour, by service. Later days are busier."""
    service = min(int(rng.zipf(1.6)) - 1, len(SERVICES) - 1)
    state = int(rng.choice(5, p=[0.93, 0.03, 0.03, 0.005, 0.005]))
    failed = float(state != 0)
    count = min(1 + int(rng.negative_binomial(1, 0.12 / (1 + 0.3 * day))), 500)
    same = min(count, 1 + int(rng.binomial(count - 1, 0.85)))
    errors = rng.binomial(count, 0.01) / count if rng.random() < 0.1 else 0.0
    sent = float(int(rng.lognormal(4.5 + 0.3 * service % 3, 1.2))) * (1 - failed)
    got = float(int(rng.lognormal(6.5, 1.8))) * (1 - failed) * (service != 1)
    rare = [int(rng.random() < share) * int(1 + rng.exponential(2)) for share in (0.003, 0.0005, 0.02)]
    hosts = int(rng.integers(1, 256))
    spread = round(float(rng.beta(0.3, 3)), 2)
    return [0.0 if rng.random() < 0.85 else float(int(rng.lognormal(3, 2))), SERVICES[service], STATES[state], sent, got,
            0, *rare, 0, int(service in (3, 4, 5) and not failed), count, same, round(errors, 2), round(max(errors, failed * 0.5), 2),
            round(same / count, 2), round(1 - same / count, 2), hosts, spread, round(spread * rng.random(), 2), 0]


def struck(row, attack, rng):
    """The record as an attack makes it."""
    row = list(row)
    if attack == "flood":
        count = int(rng.integers(80, 300))
        row[2:5] = ["half", 0.0, 0.0]
        row[11:18] = [count, count, 1.0, 1.0, 1.0, 0.0, 255]
    elif attack == "volume":
        count = int(rng.integers(250, 500))
        row[1:5] = ["time", "done", 1032.0, 0.0]
        row[11:18] = [count, count, 0.0, 0.0, 1.0, 0.0, 255]
    elif attack == "scan":
        row[0:5] = [0.0, str(rng.choice(SERVICES)), "refused", 0.0, 0.0]
        row[11:17] = [int(rng.integers(1, 20)), 1, 0.0, 0.5, 0.06, 1.0]
        row[18:20] = [round(float(rng.uniform(0.5, 1)), 2), round(float(rng.uniform(0.5, 1)), 2)]
    elif attack == "category":
        row[1:3] = ["gopher" if rng.random() < 0.5 else "telemetry", "closed"]
    elif attack == "constant":
        row[int(rng.choice([5, 9, 20]))] = 1
    else:
        row[0], row[1], row[3] = float(int(rng.lognormal(6, 1))), "ftp", float(int(rng.lognormal(12, 1)))
    return row


def traffic(seed):
    """Records of two days of normal traffic, and attacks on the second; one set per attack and one with all."""
    attacks = ("flood", "volume", "scan", "category", "constant", "leak")
    for place, name in enumerate([*attacks, "all"]):
        rng = numpy.random.default_rng([seed, place])
        taught = [record(rng, 0) for _ in range(8000)]
        asked = [record(rng, 1) for _ in range(6000)]
        chosen = attacks if name == "all" else [name]
        strange = [struck(record(rng, 1), chosen[at % len(chosen)], rng) for at in range(600)]
        anomalous = numpy.arange(6600) >= 6000
        yield name, taught, (asked + strange, anomalous)


GROUPS = {"classes": classes, "novelty": novelty, "kinds": kinds, "traffic": traffic}


def write(path, rows, anomalous):
    """Rows as a file of comma-separated values, the label last."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"x{column}" for column in range(len(rows[0]))), "y"])
        writer.writerows([*row, int(label)] for row, label in zip(rows, anomalous))


def evaluated(program, folder, taught, asked, arguments):
    """What `lapwing evaluate` says of a set."""
    write(folder / "asked.csv", *asked)
    files = ["--data", folder / "asked.csv"]
    if taught is not None:
        write(folder / "taught.csv", taught, [False] * len(taught))
        files += ["--train", folder / "taught.csv"]
    command = [program, "evaluate", *files, "--label", "y", "--bootstrap", "0", "--json", *arguments]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=LAPWING, help="program that has the command `evaluate`")
    parser.add_argument("--detector", default="default", help="names of detectors, as `lapwing evaluate` takes them")
    parser.add_argument("--seeds", type=int, default=1, help="draws of each set")
    parser.add_argument("--each", action="store_true", help="a line for each set, too")
    parser.add_argument("groups", nargs="*", help=f"of {', '.join(GROUPS)}")
    options = parser.parse_args()
    unknown = [name for name in options.groups if name not in GROUPS]
    if unknown:
        sys.exit(f"no such group: {', '.join(unknown)}; there are {', '.join(GROUPS)}")
    print("| group | detector | ROC AUC | PR AUC | TPR at FPR 1 % |\n|---|---|---|---|---|")
    for group in options.groups or GROUPS:
        sums, sets = {}, 0
        for seed in range(options.seeds):
            for name, taught, asked in GROUPS[group](seed):
                with tempfile.TemporaryDirectory() as folder:
                    arguments = ["--detector", options.detector, "--seed", seed + 1]
                    result = evaluated(options.program, Path(folder), taught, asked, arguments)
                sets += 1
                told = {**result["detectors"], "**fused**": result["fused"]}
                for detector, figures in told.items():
                    values = [figures["roc_auc"], figures["pr_auc"], figures["tpr_at_fpr"]["0.01"]]
                    sums[detector] = sums.get(detector, numpy.zeros(3)) + values
                    if options.each:
                        print(f"| {group}: {name} | {detector} | " + " | ".join(f"{value:.3f}" for value in values) + " |")
        for detector, values in sums.items():
            print(f"| {group} ({sets} sets) | {detector} | " + " | ".join(f"{value / sets:.3f}" for value in values) + " |",
                  flush=True)


if __name__ == "__main__":
    main()
