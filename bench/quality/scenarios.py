"""The synthetic scenarios: learned from one seed, measured on another.

Models see ordinary events only, except where the row says that they learn from labels.
"""

import csv

from figures import found_share, pr_auc, roc_auc, threshold
from program import ROOT, lapwing, pipeline

TRAIN_SEED, TEST_SEED = 101, 202
START = "2026-03-02T00:00:00Z"
RATES = (0.001, 0.003, 0.01)
ORDINARY = "where = \"label = 'normal'\""
LABELLED = """
[detect.labelled_forest]
method = "random_forest"
inputs = "features"
[detect.labelled_boosting]
method = "gradient_boosting"
inputs = "features"
"""


def scored(name, folder, replace=(), added=""):
    """Labels of the events of the test seed, and scores by detector; those of the ensemble are called `fused`."""
    text = (ROOT / "pipelines" / f"{name}.toml").read_text().replace("reference/", f"{ROOT}/pipelines/reference/")
    path = pipeline(name, folder, replace, text + added)
    lapwing("train", path, "--input", folder / "train.jsonl")
    out = folder / "scores.csv"
    lapwing("score", path, "--input", folder / "test.jsonl", "--output", out, "--with", "label")
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    scores = {"fused": [-float(row["tail_probability"]) for row in rows]}
    for column in rows[0]:
        if column.endswith("_score"):
            scores[column.removesuffix("_score")] = [float(row[column]) for row in rows]
    return [row["label"] for row in rows], scores


def line(name, scores, labels):
    """A row of the table, with the share found of each type where 0.3 % of normal events are flagged."""
    truth = [int(label != "normal") for label in labels]
    limits = [threshold(scores, truth, rate) for rate in RATES]
    values = [roc_auc(scores, truth), pr_auc(scores, truth)] + [found_share(scores, truth, limit) for limit in limits]
    for kind in kinds(labels):
        values.append(found_share(scores, [label == kind for label in labels], limits[1]))
    return f"| {name} | " + " | ".join(f"{value:.3f}" for value in values) + " |"


def kinds(labels):
    """The types of anomalies, by name."""
    return sorted(set(labels) - {"normal"})


def table(name, folder, variants):
    """A table of one scenario; a variant is a title, replacements, and tables that are added to the file."""
    for part, seed in (("train", TRAIN_SEED), ("test", TEST_SEED)):
        lapwing("produce", ROOT / "pipelines" / f"{name}.toml", "--scenario", name, "--seed", seed, "--start", START,
                "--output", folder / f"{part}.jsonl")
    lines = []
    for title, replace, added in variants:
        labels, scores = scored(name, folder, replace, added)
        if not lines:
            heads = ["", "ROC AUC", "PR AUC", "TPR at FPR 0.1 %", "0.3 %", "1 %", *kinds(labels)]
            lines += ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
        fused = scores.pop("fused")
        lines += [line(f"{title}: {detector}", values, labels) for detector, values in scores.items()]
        lines.append(line(f"**{title}, fused**", fused, labels))
    return lines


def telemetry(_, folder):
    """Telemetry: the shipped pipeline, with an autoencoder, and with detectors that learn from labels."""
    numeric = 'inputs = "numeric"\nexclude = ["index", "sequence_id"]\n'
    network = f'\n[detect.network]\nmethod = "autoencoder"\nepochs = 15\n{numeric}'
    labelled = LABELLED.replace('inputs = "features"\n', numeric)
    return [
        f"The synthetic scenario `telemetry`; one seed to learn from, another to measure ({TRAIN_SEED}, {TEST_SEED}), each "
        "an hour of a thousand hosts. By type: share found where 0.3 % of normal events are flagged.",
        "",
        *table("telemetry", folder, [
            ("shipped", (), ""),
            ("with an autoencoder", (), network),
            ("supervised", ((ORDINARY, 'label = "label"'),), labelled),
        ]),
    ]


def transactions(_, folder):
    """Transactions: the shipped pipeline, and with detectors that learn from labels."""
    return [
        f"The synthetic scenario `transactions`; one seed to learn from, another to measure ({TRAIN_SEED}, {TEST_SEED}), "
        "each sixty days of 4,000 customers. By type: share found where 0.3 % of normal events are flagged. Customers' own payments "
        "during a story are labelled normal.",
        "",
        *table("transactions", folder, [
            ("shipped", (), ""),
            ("supervised", ((ORDINARY, 'label = "label"\nsample = 1000000'),), LABELLED),
        ]),
    ]
