"""Isolation forest: Lapwing against scikit-learn, on the same rows, one thread each.

Usage: LAPWING_DATA=folder python bench/peers/forest.py [SEEDS]

Needs numpy and scikit-learn. Builds and runs `crates/detect/examples/forest.rs`; the rows reach it as temporary CSV
files. Both get 100 trees of 256 rows. Quality is the mean ROC AUC over the seeds on the rows trained on, as in
Liu, Ting, Zhou 2008; speed is rows per second of the thread's processor time (so other programs on the machine hardly
count), the best of five runs over rows that are in memory. Linux only.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
# ROC AUC of Liu, Ting, Zhou 2008, table 3.
PUBLISHED = {"shuttle": 1.00, "mammography": 0.86, "cover": 0.88}
SPEED_ROWS, SPEED_COLUMNS, SPEED_RUNS = 100_000, 38, 5


def fail(text):
    print(text, file=sys.stderr)
    sys.exit(2)


def data_folder():
    folder = os.environ.get("LAPWING_DATA")
    if not folder:
        fail("LAPWING_DATA is not set: set it to the folder that holds tabular/*.npz (shuttle, mammography, cover)")
    return pathlib.Path(folder) / "tabular"


def load(name):
    import numpy

    found = sorted(data_folder().glob(f"*_{name}.npz"))
    if not found:
        fail(f"{data_folder()} holds no *_{name}.npz")
    with numpy.load(found[0]) as arrays:
        return arrays["X"].astype("float32"), arrays["y"].astype("int64")


def synthetic():
    """Rows for the speed figure; one in a hundred is moved away so that both classes exist."""
    import numpy

    generator = numpy.random.default_rng(1)
    rows = generator.standard_normal((SPEED_ROWS, SPEED_COLUMNS), dtype="float32")
    labels = (generator.random(SPEED_ROWS) < 0.01).astype("int64")
    rows[labels == 1] *= 3
    return rows, labels


def example():
    """Builds the example and returns the path of its binary."""
    command = ["cargo", "build", "--release", "-p", "lapwing-detect", "--example", "forest", "--message-format=json"]
    built = subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True)
    messages = [json.loads(line) for line in built.stdout.splitlines()]
    return [m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == "forest"][-1]


def ours(binary, rows, labels, seeds):
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        for row, label in zip(rows.tolist(), labels.tolist()):
            file.write(",".join(map(repr, row)) + f",{label}\n")
        file.flush()
        run = subprocess.run([binary, file.name, str(seeds)], check=True, stdout=subprocess.PIPE, text=True)
    result = json.loads(run.stdout)
    return result["auroc"], result["rows_per_second"]


def theirs(rows, labels, seeds):
    from sklearn.ensemble import IsolationForest
    from sklearn.metrics import roc_auc_score

    aurocs, speed = [], 0.0
    for seed in range(1, seeds + 1):
        forest = IsolationForest(n_estimators=100, max_samples=256, n_jobs=1, random_state=seed).fit(rows)
        aurocs.append(roc_auc_score(labels, -forest.score_samples(rows)))
        if seed == 1:
            repeats = -(-SPEED_ROWS // len(rows))
            for _ in range(SPEED_RUNS):
                start = time.thread_time()
                for _ in range(repeats):
                    forest.score_samples(rows)
                speed = max(speed, repeats * len(rows) / (time.thread_time() - start))
    return aurocs, speed


def summary(values):
    mean = sum(values) / len(values)
    spread = (sum((value - mean) ** 2 for value in values) / max(len(values) - 1, 1)) ** 0.5
    return f"{mean:.4f} ± {spread:.4f}"


def main():
    data_folder()
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    binary = example()
    print("| set | rows × columns | published | Lapwing AUROC | scikit-learn AUROC | Lapwing rows/s | scikit-learn rows/s | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for name in [*PUBLISHED, "synthetic"]:
        rows, labels = synthetic() if name == "synthetic" else load(name)
        runs = 1 if name == "synthetic" else seeds
        (quality, speed), (peer_quality, peer_speed) = ours(binary, rows, labels, runs), theirs(rows, labels, runs)
        print(
            f"| {name} | {rows.shape[0]:,} × {rows.shape[1]} | {PUBLISHED.get(name, '–')} | {summary(quality)} "
            f"| {summary(peer_quality)} | {speed:,.0f} | {peer_speed:,.0f} | {speed / peer_speed:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
