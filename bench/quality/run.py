"""Measures the quality of detection on real data and writes docs/quality.md.

Usage: LAPWING_DATA=FOLDER python3 bench/quality/run.py [--binary LAPWING] [NAME ...]
Names are kdd, tabular, nab, darpa, cards, telemetry, transactions, "HDFS sessions"; all if none is given. Tables that are not named stay as
they are. Needs Python 3.11 or newer, cargo (unless a binary is given), the data, and for one row of cards scikit-learn. Nothing
is chosen by looking at labels of the rows that are measured.
"""

import csv
import gzip
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cards
import hdfs
import nab
import scenarios
from figures import roc_auc
from program import HERE, ROOT, evaluate, lapwing, pipeline, use


def row_of(name, figures):
    """A line of the table for one detector."""
    tpr = figures["tpr_at_fpr"]
    values = [figures["roc_auc"], figures["pr_auc"], tpr["0.001"], tpr["0.003"], tpr["0.01"]]
    return f"| {name} | " + " | ".join(f"{value:.3f}" for value in values) + " |"


HEAD = "| | ROC AUC | PR AUC | TPR at FPR 0.1 % | 0.3 % | 1 % |\n|---|---|---|---|---|---|"


def kdd(data, folder):
    """KDD Cup 1999: the official test set where it is there, else the later part of the training set."""
    train = data / "kdd99" / "kddcup.data_10_percent.gz"
    test = data / "kdd99" / "corrected.gz"
    split = ["--data", test, "--train", train] if test.exists() else ["--data", train, "--split", "0.6"]
    where = "official test set" if test.exists() else "the last 40 % of the rows of the 10 % set, learned from the first 60 %"
    lines = [f"KDD Cup 1999; {where}.", "", HEAD]
    for choice in ("default", "supervised"):
        result = evaluate(*split, "--label", "label", "--detector", choice, "--bootstrap", "0")
        lines += [row_of(f"{choice}: {name}", figures) for name, figures in result["detectors"].items()]
        lines.append(row_of(f"**{choice}, fused**", result["fused"]))
    return lines


def tabular(data, folder):
    """Classical sets, fitted on all rows without labels."""
    lines = ["| set | forest ROC AUC | default ROC AUC | forest PR AUC | default PR AUC |", "|---|---|---|---|---|"]
    sums = [0.0] * 4
    files = sorted((data / "tabular").glob("*.npz"))
    for path in files:
        forest = evaluate("--data", path, "--label", "y", "--detector", "isolation_forest", "--bootstrap", "0")
        ensemble = evaluate("--data", path, "--label", "y", "--detector", "default", "--bootstrap", "0")
        values = [forest["fused"]["roc_auc"], ensemble["fused"]["roc_auc"]]
        values += [forest["fused"]["pr_auc"], ensemble["fused"]["pr_auc"]]
        sums = [total + value for total, value in zip(sums, values)]
        lines.append(f"| {path.stem} | " + " | ".join(f"{value:.3f}" for value in values) + " |")
    lines.append("| **mean** | " + " | ".join(f"{total / len(files):.3f}" for total in sums) + " |")
    return lines


def nab_series(data, folder):
    """Every series through train and score, one setting for all."""
    series = nab.load(data / "nab")
    scores = []
    for name, rows, _ in series:
        text = folder / "series.csv"
        nab.write_input(text, rows)
        path = pipeline("nab", folder)
        out = folder / "scores.csv"
        lapwing("train", path, "--input", text, "--limit", nab.probation(len(rows)))
        lapwing("score", path, "--input", text, "--output", out)
        with out.open(newline="") as file:
            # The order of arrival is that of the series.
            scored = {int(row["id"].rsplit("@", 1)[1]): float(row["tail_probability"]) for row in csv.DictReader(file)}
        # A row behind the watermark has no score.
        scores.append([-math.log(max(scored.get(at, 1.0), 1e-300)) for at in range(len(rows))])
    shipped = -math.log(0.001)
    found = nab.results(series, scores, shipped)
    return [
        f"Numenta Anomaly Benchmark, standard profile, {found['series']} series with {found['windows']} windows: "
        f"**{found['standard']:.1f}** with the best threshold of the corpus (surprisal {found['threshold']:.1f}), "
        f"{found['at_shipped_threshold']:.1f} with the shipped one (`alert_rate = 0.001`).",
    ]


def darpa(data, folder):
    """DARPA 1998 connections, the model trained on the first 300,000 events without labels."""
    text = folder / "edges.csv"
    with gzip.open(data / "darpa98" / "edges_first_1821738.csv.gz", "rt") as source, text.open("w") as out:
        out.write("src,dst,at,attack\n")
        for line in source:
            src, dst, at, attack = line.rstrip("\n").split(",")
            month, day, rest = at.split("/")
            year, clock = rest.split("-")
            out.write(f"{src},{dst},{year}-{month}-{day}T{clock}:00Z,{0 if attack == '-' else 1}\n")
    path = pipeline("darpa", folder)
    lapwing("train", path, "--input", text, "--limit", 300_000)
    out = folder / "scores.csv"
    lapwing("score", path, "--input", text, "--output", out, "--with", "attack")
    with out.open(newline="") as file:
        rows = [(float(row["tail_probability"]), int(float(row["attack"]))) for row in csv.DictReader(file)]
    auc = roc_auc([-tail for tail, _ in rows], [label for _, label in rows])
    return [f"DARPA 1998 connections, {len(rows):,} events as a stream keyed by destination, without labels: "
            f"ROC AUC **{auc:.3f}** on the whole stream."]


def hdfs_sessions(data, folder):
    """Log sessions: each block of HDFS is a row."""
    return hdfs.table(evaluate, data, folder)


TABLES = {
    "kdd": kdd,
    "tabular": tabular,
    "nab": nab_series,
    "darpa": darpa,
    "cards": cards.table,
    "telemetry": scenarios.telemetry,
    "transactions": scenarios.transactions,
    "HDFS sessions": hdfs_sessions,
}
REPORT = ROOT / "docs" / "quality.md"


def sections():
    """The tables that the report holds now, by name."""
    if not REPORT.exists():
        return {}
    parts = REPORT.read_text().split("\n## ")[1:]
    return {part.split("\n", 1)[0]: f"## {part.rstrip()}\n" for part in parts}


def write(found):
    """Writes the report: tables in their order, those that were not measured now as they were."""
    head = (HERE / "head.md").read_text().replace("../../docs/", "")
    REPORT.write_text(head + "\n" + "\n".join(found[name] for name in TABLES if name in found))


def main():
    data = os.environ.get("LAPWING_DATA")
    if not data or not Path(data).is_dir():
        folders = "kdd99/, tabular/, nab/, darpa98/, cards/"
        sys.exit(f"LAPWING_DATA does not name a folder\nhint: it holds {folders} as their publishers pack them")
    wanted = sys.argv[1:]
    if wanted[:1] == ["--binary"] and len(wanted) > 1:
        use(wanted[1])
        wanted = wanted[2:]
    else:
        subprocess.run(["cargo", "build", "--release"], cwd=ROOT, check=True)
    unknown = [name for name in wanted if name not in TABLES]
    if unknown:
        sys.exit(f"no such table: {', '.join(unknown)}; there are {', '.join(TABLES)}")
    for name in wanted or list(TABLES):
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            lines = TABLES[name](Path(data), Path(folder))
        part = "\n".join([f"## {name}", "", *lines, ""])
        print(f"{part}\n({time.monotonic() - started:.0f} s)\n", flush=True)
        write(sections() | {name: part})


if __name__ == "__main__":
    main()
