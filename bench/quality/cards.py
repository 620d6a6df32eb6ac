"""Card payments of the Fraud Detection Handbook, as two pipelines in a row.

Source: Le Borgne, Siblini, Lebichot, Bontempi 2022. The rules are the handbook's: split by time, a week between training and
test, because fraud is known a week later; a terminal's risk is made of reports that are as late. Reports are events of
their own, seven days after their payments.
"""

import csv
import datetime
import gzip
import heapq
import json
import random

from figures import found_share, pr_auc, ranked, roc_auc, threshold
from program import lapwing, pipeline

DELAY_DAYS = 7
TRAIN_SHARE = 0.6
SEEDS = (1, 2, 3)
RESAMPLES = 100
CARDS_PER_DAY = 100
ALONE = (
    ('[detect.boosting]\nmethod = "gradient_boosting"', '[detect.fence]\nmethod = "iqr_fence"'),
    ('[detect.forest]\nmethod = "random_forest"', '[detect.forest]\nmethod = "isolation_forest"'),
    ('label = "fraud"\n', ""),
)


def moment(text):
    """A time as the file writes it."""
    return datetime.datetime.fromisoformat(text)


def write_events(path, rows):
    """Payments, and what became known of them, in the order of time; a report counts before a payment of its second."""
    delay, last = datetime.timedelta(days=DELAY_DAYS), moment(rows[-1]["TX_DATETIME"])

    def event(row, at, **more):
        entities = {"terminal": row["TERMINAL_ID"], "customer": row["CUSTOMER_ID"]}
        return at, {"at": f"{at.isoformat()}Z", **entities, **more}

    def payments():
        for row in rows:
            yield *event(row, moment(row["TX_DATETIME"]), id=row["TRANSACTION_ID"], kind="payment",
                         amount=float(row["TX_AMOUNT"]), fraud=int(row["TX_FRAUD"])), 1

    def reports():
        for row in rows:
            at = moment(row["TX_DATETIME"]) + delay
            if at <= last:
                name = f"report of {row['TRANSACTION_ID']}"
                yield *event(row, at, id=name, kind="report", reported=int(row["TX_FRAUD"])), 0

    with path.open("w") as out:
        for _, fields, _ in heapq.merge(payments(), reports(), key=lambda entry: (entry[0], entry[2])):
            out.write(json.dumps(fields) + "\n")


def enriched(folder):
    """Runs the pipeline of terminals; the file of its enriched events."""
    path = pipeline("cards-terminals", folder)
    with path.open("a") as out:
        out.write('\n[connect.files]\ninputs = ["events.jsonl"]\noutputs = "."\n')
    lapwing("run", path, "--until-end", "--no-page")
    return folder / "cards-terminals.enriched.jsonl"


def inputs(path):
    """The columns and features that the first detector reads, as `lapwing check` says."""
    lines = lapwing("check", path).splitlines()
    place = next(at for at, text in enumerate(lines) if text.startswith("# detector "))
    return lines[place + 1].removeprefix("#").replace(" ", "").split(",")


def between(rows, first, end):
    """The rows of payments from a moment on, to before another."""
    return [row for row in rows if first.isoformat() <= row["time"][:19] < end.isoformat()]


def measure(folder, source, until, replace=(), more=()):
    """Trains on the payments before a moment; rows of all payments, as `lapwing score` writes them."""
    path = pipeline("cards", folder, replace)
    lapwing("train", path, "--input", source, "--until", f"{until.isoformat()}Z")
    out = folder / "scores.csv"
    lapwing("score", path, "--input", source, "--output", out, "--with", ",".join(["fraud", *more]))
    with out.open(newline="") as file:
        return list(csv.DictReader(file))


def card_precision(scores, rows):
    """Of the cards with the highest scores of each day, the share that paid a fraud that day; the mean over days."""
    days = {}
    for score, row in zip(scores, rows):
        cards = days.setdefault(row["time"][:10], {})
        before, fraud = cards.get(row["entity"], (float("-inf"), 0))
        cards[row["entity"]] = max(before, score), max(fraud, int(row["fraud"]))
    shares = []
    for cards in days.values():
        first = sorted(cards.values(), key=lambda card: -card[0])[:CARDS_PER_DAY]
        shares.append(sum(fraud for _, fraud in first) / CARDS_PER_DAY)
    return sum(shares) / len(shares)


def resampled(rows, labels, scores, other=None):
    """95 % of the average precision, or of the gain over another score, when customers are drawn anew.

    Customers, not payments: frauds of one card belong together.
    """
    customers = sorted({row["entity"] for row in rows})
    order, other_order = ranked(scores), ranked(other) if other else None
    generator, areas = random.Random(1), []
    for _ in range(RESAMPLES):
        drawn = dict.fromkeys(customers, 0)
        for customer in generator.choices(customers, k=len(customers)):
            drawn[customer] += 1
        weights = [drawn[row["entity"]] for row in rows]
        area = pr_auc(scores, labels, weights, order)
        areas.append(area - pr_auc(other, labels, weights, other_order) if other else area)
    areas.sort()
    return areas[round(0.025 * (RESAMPLES - 1))], areas[round(0.975 * (RESAMPLES - 1))]


def line(name, scores, labels, rows):
    """A row of the table."""
    limits = [threshold(scores, labels, rate) for rate in (0.001, 0.003, 0.01)]
    values = [pr_auc(scores, labels), roc_auc(scores, labels)] + [found_share(scores, labels, limit) for limit in limits]
    values.append(card_precision(scores, rows))
    return f"| {name} | " + " | ".join(f"{value:.3f}" for value in values) + " |"


def peers(train, test, columns):
    """Scores of scikit-learn's random forest, its defaults, one list per seed; none if it is not installed."""
    try:
        import numpy
        from sklearn.ensemble import RandomForestClassifier
    except ImportError:
        return []

    def matrix(rows):
        return numpy.array([[float(row[name] or "nan") for name in columns] for row in rows], dtype="float32")

    learned, asked, labels = matrix(train), matrix(test), [int(row["fraud"]) for row in train]
    fit = (RandomForestClassifier(n_jobs=-1, random_state=seed).fit(learned, labels) for seed in SEEDS)
    return [forest.predict_proba(asked)[:, 1].tolist() for forest in fit]


def fused(rows):
    """The score of the ensemble."""
    return [-float(row["tail_probability"]) for row in rows]


def table(data, folder):
    """Both pipelines, trained on the first part of the days; measured after a week's gap."""
    with gzip.open(data / "cards" / "transactions_to_2018-06-15.csv.gz", "rt", newline="") as file:
        payments = list(csv.DictReader(file))
    write_events(folder / "events.jsonl", payments)
    source = enriched(folder)
    begin = moment(payments[0]["TX_DATETIME"][:10])
    days = (moment(payments[-1]["TX_DATETIME"]) - begin).days + 1
    end = begin + datetime.timedelta(days=days)
    until = begin + datetime.timedelta(days=int(TRAIN_SHARE * days))
    first = until + datetime.timedelta(days=DELAY_DAYS)
    columns = inputs(pipeline("cards", folder))

    lines, ours = [], []
    for seed in SEEDS:
        rows = measure(folder, source, until, [("sample = 1000000", f"sample = 1000000\nseed = {seed}")], columns)
        train, test = between(rows, begin, until), between(rows, first, end)
        labels = [int(row["fraud"]) for row in test]
        ours.append(fused(test))
        if seed == SEEDS[0]:
            for name in ("boosting", "forest"):
                scores = [float(row[f"{name}_score"]) for row in test]
                lines.append(line(f"{name} alone, seed {seed}", scores, labels, test))
        lines.append(line(f"**both, fused, seed {seed}**", ours[-1], labels, test))
    theirs = peers(train, test, columns)
    for seed, scores in zip(SEEDS, theirs):
        lines.append(line(f"scikit-learn's random forest, seed {seed}", scores, labels, test))
    alone = between(measure(folder, source, until, ALONE), first, end)
    lines.append(line("without labels: isolation forest and fences", fused(alone), [int(row["fraud"]) for row in alone], alone))
    low, high = resampled(test, labels, ours[0])
    gain = "scikit-learn is not installed, so its random forest was not measured."
    if theirs:
        under, over = resampled(test, labels, ours[0], theirs[0])
        gain = (
            "Gain over scikit-learn's random forest (100 trees, defaults, the same features and rows; seed "
            f"{SEEDS[0]}): {under:+.4f} to {over:+.4f}."
        )
    return [
        f"Card payments of the Fraud Detection Handbook, simulated, to 2018-06-15: {len(payments):,} payments through two "
        f"pipelines in a row, `cards-terminals.toml` and `cards.toml`. Learned from the first "
        f" {(until - begin).days} days, measured from day {(first - begin).days} on ({len(labels):,} payments, "
        f"{sum(labels):,} frauds); what became known of a fraud reaches features {DELAY_DAYS} days later, as an event of its "
        "own.",
        "",
        f"| | PR AUC | ROC AUC | TPR at FPR 0.1 % | 0.3 % | 1 % | card precision, {CARDS_PER_DAY} a day |",
        "|---|---|---|---|---|---|---|",
        *lines,
        "",
        f"95 % of the PR AUC of seed {SEEDS[0]} when customers are drawn anew ({RESAMPLES} times): {low:.3f} to {high:.3f}. "
        f"{gain}",
    ]
