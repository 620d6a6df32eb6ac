"""Random forest and gradient boosting: Lapwing against scikit-learn and LightGBM, on the same rows and two threads.

Usage: LAPWING_DATA=folder python bench/detect/trees.py [quality] [few] [unsupervised] [speed]

Needs numpy, scikit-learn and lightgbm. Builds and runs `crates/detect/examples/trees.rs`; rows reach it as temporary
files of 32-bit numbers. All methods have their default options. Labels serve only to train and to measure.

`quality`: the KDD Cup 1999 10 % set, text columns as codes in the order of their frequency in training. The splits are
by time (the last 30 % of the rows) and by type of attack: every third type is held out, three times; the other types
are learned from with 70 % of the normal rows, and the held-out types are found among the other 30 %.
`few`: sets of tabular/ with 3, 10 or 30 labelled anomalies in training, half the rows kept for the test.
`unsupervised`: the KDD set without labels, trained on 70 % of the normal rows.
`speed`: training on 500,000 rows of 41 columns that overlap, and scoring. Seconds are those of all processors together,
so that other programs on the machine hardly count. The peers' threads wait without spinning, for the same reason.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy

# Read by OpenMP when it is loaded: spinning threads would count as work.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
THREADS = 2
FALSE_POSITIVE_RATE = 0.003
TEXT_COLUMNS = (1, 2, 3)


def fail(text):
    print(text, file=sys.stderr)
    sys.exit(2)


def data_folder():
    folder = os.environ.get("LAPWING_DATA")
    if not folder:
        fail("LAPWING_DATA is not set: set it to the folder that holds kdd99/ and tabular/")
    return pathlib.Path(folder)


def kdd():
    """Rows as text and the types of their labels, in the order of time."""
    import pandas

    path = data_folder() / "kdd99" / "kddcup.data_10_percent.gz"
    frame = pandas.read_csv(path, header=None)
    return frame.iloc[:, :41], frame.iloc[:, 41].str.rstrip(".").to_numpy()


def encoded(frame, train):
    """Text as codes in the order of frequency among the training rows; what they do not have gets the next code."""
    frame = frame.copy()
    for column in TEXT_COLUMNS:
        codes = {text: code for code, text in enumerate(frame.loc[train, column].value_counts().index)}
        frame[column] = frame[column].map(codes).fillna(len(codes))
    return frame.to_numpy("float32")


def example():
    """Builds the example and returns the path of its binary."""
    command = ["cargo", "build", "--release", "-p", "lapwing-detect", "--example", "trees", "--message-format=json"]
    built = subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True)
    messages = [json.loads(line) for line in built.stdout.splitlines()]
    return [m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == "trees"][-1]


def ours(binary, method, train, test, options=()):
    """Scores of the test rows and what the example says of itself; `train` and `test` are pairs of rows and labels."""
    with tempfile.TemporaryDirectory() as folder:
        for name, (rows, labels) in (("train", train), ("test", test)):
            numpy.column_stack([rows, labels]).astype("<f4").tofile(f"{folder}/{name}")
        files = [f"{folder}/{name}" for name in ("train", "test", "scores")]
        command = [binary, method, str(train[0].shape[1]), *files, str(THREADS), *options]
        run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        return numpy.fromfile(files[2], "<f8"), json.loads(run.stdout)


def peers():
    from lightgbm import LGBMClassifier
    from sklearn.ensemble import RandomForestClassifier

    return {
        "random_forest": ("scikit-learn", lambda: RandomForestClassifier(100, n_jobs=THREADS, random_state=1)),
        "gradient_boosting": ("LightGBM", lambda: LGBMClassifier(n_jobs=THREADS, random_state=1, verbose=-1)),
    }


def theirs(make, train, test):
    model = make()
    wall, start = time.perf_counter(), time.process_time()
    model.fit(*train)
    said = {
        "train_seconds": time.perf_counter() - wall,
        "train_processor_seconds": time.process_time() - start,
    }
    start = time.process_time()
    scores = model.predict_proba(test[0])[:, 1]
    said["rows_per_second"] = len(scores) / (time.process_time() - start)
    return scores, said


def measures(scores, labels):
    """ROC AUC, and the share of anomalies above the score that the given share of normal rows exceeds."""
    from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

    false, true, _ = roc_curve(labels, scores, drop_intermediate=False)
    found = true[false <= FALSE_POSITIVE_RATE].max()
    return roc_auc_score(labels, scores), found, average_precision_score(labels, scores)


def compare(binary, split, train, test):
    """Prints a line for Lapwing and one for the peer, for each method."""
    for method, (peer, make) in peers().items():
        for name, result in (("Lapwing", ours(binary, method, train, test)), (peer, theirs(make, train, test))):
            auc, found, precision = measures(result[0], test[1])
            print(
                f"| {split} | {method} | {name} | {auc:.4f} | {found:.4f} | {precision:.4f} "
                f"| {result[1]['train_processor_seconds']:.1f} |",
                flush=True,
            )


def header():
    print("| split | method | system | ROC AUC | TPR at FPR 0.3 % | AUPRC | training, processor seconds |")
    print("|---|---|---|---|---|---|---|")


def type_splits(kinds):
    """Three times training and test rows: every third type of attack only in the test, and 30 % of the normal rows."""
    normal = numpy.flatnonzero(kinds == "normal")
    kept = numpy.random.default_rng(1).random(len(normal)) < 0.7
    types = sorted(set(kinds) - {"normal"})
    for fold in range(3):
        out = numpy.isin(kinds, types[fold::3])
        attacks = numpy.flatnonzero((kinds != "normal") & ~out)
        train = numpy.sort(numpy.concatenate([normal[kept], attacks]))
        yield f"types {fold + 1} of 3", train, numpy.concatenate([normal[~kept], numpy.flatnonzero(out)])


def quality(binary):
    frame, kinds = kdd()
    labels = (kinds != "normal").astype("int64")
    later = int(len(labels) * 0.7)
    splits = [("later", numpy.arange(later), numpy.arange(later, len(labels))), *type_splits(kinds)]
    header()
    for name, train, test in splits:
        rows = encoded(frame, train)
        compare(binary, name, (rows[train], labels[train]), (rows[test], labels[test]))


def few(binary):
    header()
    for path in sorted((data_folder() / "tabular").glob("*.npz")):
        with numpy.load(path) as arrays:
            rows, labels = arrays["X"].astype("float32"), arrays["y"].astype("int64").ravel()
        order = numpy.random.default_rng(1).permutation(len(labels))
        half, test = order[: len(order) // 2], order[len(order) // 2 :]
        for count in (3, 10, 30):
            train = numpy.concatenate([half[labels[half] == 0], half[labels[half] == 1][:count]])
            name = f"{path.stem}, {count}"
            compare(binary, name, (rows[train], labels[train]), (rows[test], labels[test]))


def unsupervised(binary):
    frame, kinds = kdd()
    normal = numpy.flatnonzero(kinds == "normal")
    kept = numpy.random.default_rng(1).random(len(normal)) < 0.7
    rows, labels = encoded(frame, normal[kept]), (kinds != "normal").astype("int64")
    test = numpy.setdiff1d(numpy.arange(len(labels)), normal[kept])
    everything = (rows, labels)
    print("| trained on | method | ROC AUC | TPR at FPR 0.3 % | training, seconds | rows/s |")
    print("|---|---|---|---|---|---|")
    for method in ("isolation_forest", "extended_isolation_forest", "unsupervised_forest"):
        trainings = {"normal rows": (rows[normal[kept]], labels[normal[kept]]), "all rows": everything}
        for name, train in trainings.items():
            scores, said = ours(binary, method, train, (rows[test], labels[test]))
            auc, found, _ = measures(scores, labels[test])
            speed, seconds = said["rows_per_second"], said["train_seconds"]
            print(f"| {name} | {method} | {auc:.4f} | {found:.4f} | {seconds:.1f} | {speed:,.0f} |", flush=True)


def overlapping(count, seed):
    """Rows of 41 columns of which a dozen matter, with noise, ties and skew; one in ten is an anomaly."""
    generator = numpy.random.default_rng(seed)
    rows = generator.standard_normal((count, 41), dtype="float32")
    pull = rows[:, 0] * rows[:, 1] + rows[:, 2] ** 2 + rows[:, 3:12].sum(axis=1) / 2 + generator.standard_normal(count)
    labels = (pull > numpy.quantile(pull, 0.9)).astype("int64")
    rows[:, 12:20] = rows[:, 12:20].round(1)
    rows[:, 20:25] = numpy.exp(rows[:, 20:25] * 2)
    return rows, labels


def speed(binary):
    train, test = overlapping(500_000, 1), overlapping(100_000, 2)
    print("| method | system | training, processor seconds | training, seconds | rows/s per core | ROC AUC | explain, µs |")
    print("|---|---|---|---|---|---|---|")
    for method, (peer, make) in peers().items():
        for name, (scores, said) in (("Lapwing", ours(binary, method, train, test)), (peer, theirs(make, train, test))):
            auc, _, _ = measures(scores, test[1])
            print(
                f"| {method} | {name} | {said['train_processor_seconds']:.1f} | {said['train_seconds']:.1f} "
                f"| {said['rows_per_second']:,.0f} | {auc:.4f} | {said.get('explain_micros', '–')} |",
                flush=True,
            )


def main():
    parts = {"quality": quality, "few": few, "unsupervised": unsupervised, "speed": speed}
    chosen = sys.argv[1:] or list(parts)
    unknown = [name for name in chosen if name not in parts]
    if unknown:
        fail(f"there is no part {unknown[0]}; there are {', '.join(parts)}")
    binary = example()
    for name in chosen:
        parts[name](binary)


if __name__ == "__main__":
    main()
