"""Sessions of HDFS_v1 as rows: one per block, its lines counted by template, and their order.

Data: LAPWING_DATA/hdfs/sessions_first_230024.csv.gz, blocks in the order in which they first appear; events are E1 to E29.
"""

import csv
import gzip
import random

TEMPLATES = 29
PLACES = 64
# That of pipelines. Half of a hundredth of the blocks is held out: enough to tell three in a thousand, not fewer.
ALERT_RATE = 0.003
# What a detector that learns from labels may be held to; which, its own earlier half says.
ALERT_RATES = [0.003, 0.001, 0.0003, 0.0001]
COUNTS, ORDER = "events_*", "order_*"
# Every place of a row is masked in turn, so the transformer is measured on every so many-th session only.
THIN = 20
# What reads counts, and what reads the order of lines.
READS = {
    "pca": COUNTS,
    "isolation_forest": COUNTS,
    "autoencoder": COUNTS,
    "count_distance": COUNTS,
    "transitions": ORDER,
    "transformer": ORDER,
    "random_forest": COUNTS,
}
LOG = "count_distance,transitions"
SETTINGS = {"transformer": ["masked_key=true"]}

HEAD = "| | precision | recall | F1 | ROC AUC | PR AUC |\n|---|---|---|---|---|---|"


def sessions(data):
    """Label and template codes of each block."""
    with gzip.open(data / "hdfs" / "sessions_first_230024.csv.gz", "rt", newline="") as file:
        for row in csv.DictReader(file):
            yield row["label"], [int(event[1:]) for event in row["events"].split()]


def header():
    counts = [f"events_E{template}" for template in range(1, TEMPLATES + 1)]
    order = [f"order_{place}" for place in range(1, PLACES + 1)]
    return [*counts, "events_other", *order, "window_events", "label"]


def row(label, codes):
    """A session as a row of a file; a template outside the list is code 0."""
    codes = [code if 1 <= code <= TEMPLATES else 0 for code in codes]
    counts = [codes.count(template) for template in [*range(1, TEMPLATES + 1), 0]]
    order = [*codes[:PLACES], *[""] * (PLACES - len(codes))]
    return [*counts, *order, len(codes), label]


def write(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header())
        writer.writerows(row(*session) for session in rows)


def divisions(everything):
    """Ways to learn from a hundredth: name, rows to learn from, rows to measure."""
    first = len(everything) // 100
    normal = [at for at, (label, _) in enumerate(everything) if label == "0"]
    drawn = set(random.Random(1).sample(normal, len(normal) // 100))
    learned = [everything[at] for at in sorted(drawn)]
    rest = [session for at, session in enumerate(everything) if at not in drawn]
    earliest = [session for session in everything[:first] if session[0] == "0"]
    return [
        ("a hundredth of the normal blocks, drawn from all of them", learned, rest),
        ("the normal ones among the first hundredth of the blocks", earliest, everything[first:]),
    ]


def choice(names, alert_rate=ALERT_RATE):
    """Arguments of `lapwing evaluate` for these detectors."""
    arguments = ["--label", "label", "--alert-rate", alert_rate, "--exclude", "window_events", "--detector", names]
    for name in names.split(","):
        arguments += ["--inputs", f"{name}={READS[name]}"]
        for setting in SETTINGS.get(name, []):
            arguments += ["--set", f"{name}.{setting}"]
    return arguments


def line(name, figures):
    at = figures["at_threshold"]
    values = [at["precision"], at["recall"], at["f1"], figures["roc_auc"], figures["pr_auc"]]
    return f"| {name} | " + " | ".join(f"{value:.3f}" for value in values) + " |"


def unsupervised(evaluate, learned, measured, folder):
    """Each detector by itself and the log detectors fused, then the transformer beside them on fewer rows."""
    train, test, thin = folder / "train.csv", folder / "test.csv", folder / "thin.csv"
    write(train, learned)
    write(test, measured)
    write(thin, measured[::THIN])
    lines = [HEAD]
    for name in ["pca", "isolation_forest", "autoencoder", "count_distance", "transitions"]:
        result = evaluate("--data", test, "--train", train, *choice(name), "--bootstrap", 0)
        lines.append(line(name, result["fused"]))
    result = evaluate("--data", test, "--train", train, *choice(LOG), "--bootstrap", 0)
    lines.append(line(f"**{LOG.replace(',', ' + ')}, fused**", result["fused"]))
    result = evaluate("--data", thin, "--train", train, *choice(f"{LOG},transformer"), "--ablation")
    lines.append(line(f"transformer, every {THIN}th session", result["detectors"]["transformer"]))
    lines.append(line(f"all three fused, every {THIN}th session", result["fused"]))
    lines.append("")
    for part in result["ablation"]:
        if part["against"] == "others":
            gain = part["pr_auc_gain"]
            lines.append(f"- {part['detector']} beside {' and '.join(part['to'])}: PR AUC {part['without']['pr_auc']:.3f} → "
                         f"{part['with']['pr_auc']:.3f} ({gain['low']:+.3f} – {gain['high']:+.3f})")
    return lines


def supervised(evaluate, everything, folder):
    """A random forest: the alert rate chosen within the earlier half, measured on the later one."""
    earlier, later = folder / "earlier.csv", folder / "later.csv"
    half = len(everything) // 2
    write(earlier, everything[:half])
    write(later, everything[half:])

    def forest(rate, *rows):
        return evaluate(*rows, *choice("random_forest", rate), "--bootstrap", 0)["fused"]

    def within(rate):
        return forest(rate, "--data", earlier, "--split", 0.5)["at_threshold"]["f1"]

    rate = max(ALERT_RATES, key=within)
    figures = forest(rate, "--data", later, "--train", earlier)
    told = f"random_forest, `alert_rate = {rate}`"
    return ["Learned from the earlier half with its labels, measured on the later half; the alert rate is the one of "
            f"{', '.join(map(str, ALERT_RATES))} with the best F1 within the earlier half:", "", HEAD, line(told, figures)]


def table(evaluate, data, folder):
    """The section of docs/quality.md."""
    everything = list(sessions(data))
    anomalies = sum(label == "1" for label, _ in everything)
    lines = [f"HDFS_v1 by block: {len(everything):,} sessions, {anomalies:,} of them anomalies, in the order in which they "
             f"begin. Precision, recall and F1 are those of the shipped threshold, set by `alert_rate = {ALERT_RATE}` and "
             "rows held out of the training rows; no label of a measured row chooses anything.", ""]
    for name, learned, measured in divisions(everything):
        lines += [f"Learned from {name} ({len(learned):,}), measured on the others:", ""]
        lines += [*unsupervised(evaluate, learned, measured, folder), ""]
    return lines + supervised(evaluate, everything, folder)
