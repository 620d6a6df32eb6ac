"""The score of the Numenta Anomaly Benchmark, standard profile.

Source: Lavin, Ahmad 2015, "Evaluating real-time anomaly detection algorithms - the Numenta Anomaly Benchmark". One threshold
serves all series; the corpus score uses the one that is best for the corpus, as the benchmark's own optimiser does. Rows of
the probationary part (15 %, at most 750) do not count.
"""

import csv
import datetime
import json
import math
from pathlib import Path

TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE = 1.0, 0.11, 1.0


def probation(rows):
    """Number of rows that only serve to learn."""
    return min(int(0.15 * rows), 750)


def moment(text):
    """Seconds of a time as the benchmark writes it."""
    return datetime.datetime.fromisoformat(text.split(".")[0]).replace(tzinfo=datetime.timezone.utc).timestamp()


def load(folder):
    """Every series that is there: name, rows as written, windows as pairs of row numbers."""
    windows = json.loads((folder / "combined_windows.json").read_text())
    series = []
    for name, spans in sorted(windows.items()):
        path = folder / "data" / name
        if not path.exists():
            continue
        with path.open(newline="") as file:
            rows = list(csv.reader(file))[1:]
        times = [moment(row[0]) for row in rows]
        within = []
        for first, last in spans:
            inside = [at for at, time in enumerate(times) if moment(first) <= time <= moment(last)]
            within.append((inside[0], inside[-1]))
        series.append((name, rows, within))
    return series


def sigmoid(position):
    """1 well before the end of a window, 0 at its end, -1 long after it."""
    return 2.0 / (1.0 + math.exp(5.0 * position)) - 1.0


def weights(rows, windows):
    """For each row: the window it lies in (or None), and what a detection there is worth."""
    found = [(None, -FALSE_POSITIVE)] * rows
    for number, (first, last) in enumerate(windows):
        width = last - first + 1
        for at in range(first, last + 1):
            found[at] = (number, TRUE_POSITIVE * sigmoid(-(last - at + 1) / width) / sigmoid(-1.0))
        following = windows[number + 1][0] if number + 1 < len(windows) else rows
        for at in range(last + 1, following):
            position = (at - last) / max(width - 1, 1)
            found[at] = (None, FALSE_POSITIVE * (-1.0 if position > 3.0 else sigmoid(position)))
    return found


def sweep(series, scores):
    """Every threshold with the total over all series; scores are one list per series."""
    events, total = [], 0.0
    for number, ((_, rows, windows), values) in enumerate(zip(series, scores)):
        worth = weights(len(rows), windows)
        events += [(values[at], number, *worth[at]) for at in range(probation(len(rows)), len(rows))]
        total -= FALSE_NEGATIVE * len(windows)
    events.sort(key=lambda event: -event[0])
    best = {}
    totals = []
    for place, (score, number, window, value) in enumerate(events):
        if window is None:
            total += value
        else:
            before = best.get((number, window), -FALSE_NEGATIVE)
            best[number, window] = max(before, value)
            total += best[number, window] - before
        if place + 1 == len(events) or events[place + 1][0] < score:
            totals.append((score, total))
    return totals


def normalised(series, total):
    """0 is what a detector gets that says nothing, 100 what a perfect one gets."""
    windows = sum(len(windows) for _, _, windows in series)
    nothing = -FALSE_NEGATIVE * windows
    return 100.0 * (total - nothing) / (TRUE_POSITIVE * windows - nothing)


def results(series, scores, shipped):
    """Score at the best threshold of the corpus, and at the shipped one (scores at least that are detections)."""
    totals = sweep(series, scores)
    nothing = -FALSE_NEGATIVE * sum(len(windows) for _, _, windows in series)
    threshold, best = max(totals, key=lambda entry: entry[1])
    at_shipped = [total for score, total in totals if score >= shipped]
    return {
        "standard": normalised(series, max(best, nothing)),
        "threshold": threshold,
        "at_shipped_threshold": normalised(series, at_shipped[-1] if at_shipped else nothing),
        "series": len(series),
        "windows": sum(len(windows) for _, _, windows in series),
    }


def write_input(path, rows):
    """A series as the pipeline reads it."""
    with Path(path).open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["series", "timestamp", "value"])
        out.writerows([["a", row[0].replace(" ", "T") + "Z", row[1]] for row in rows])
