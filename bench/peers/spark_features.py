"""What the Spark peer computes in Python: exact sliding-window features and two votes, vectorised over a batch.

No Spark in here: `spark.py` ships this file to its Python workers and trains with it. A history is an array of events,
in any order, of which the features of later events still depend.
"""

import numpy

EVENT = numpy.dtype([("host", "i8"), ("micros", "i8"), ("bytes", "f8")])
SECOND = 1_000_000
SPANS = {"1m": 60 * SECOND, "5m": 300 * SECOND, "1h": 3600 * SECOND}
WATERMARK = 90 * SECOND
MEASURES = ("count", "mean", "max", "std")
WIDTH = len(SPANS) * len(MEASURES)

TREES, SAMPLES, SEED = 100, 256, 1
# The share of normal traffic that may be flagged, by the two votes together: the default of `decide.alert_rate`.
ALERT_RATE = 0.003
# MAD × this estimates the standard deviation of normal data. Source: Rousseeuw, Croux 1993, section 1.
MAD_TO_DEVIATION = 1.4826


def events(hosts, micros, total_bytes):
    made = numpy.empty(len(hosts), EVENT)
    made["host"], made["micros"], made["bytes"] = hosts, micros, total_bytes
    return made


def window_features(history, batch):
    """Returns len(batch) × 12: each event's host over the spans that end with the event, which counts in them."""
    rows = numpy.concatenate([history, batch])
    order = numpy.lexsort((rows["micros"], rows["host"]))
    rank = numpy.empty(len(rows), "i8")
    rank[order] = numpy.arange(len(rows))
    last = rank[len(history) :]
    rows = rows[order]
    host = numpy.concatenate([[0], numpy.cumsum(rows["host"][1:] != rows["host"][:-1])])
    elapsed = rows["micros"] - rows["micros"].min()
    # Hosts lie so far apart on this axis that a window never reaches into the host before.
    axis = host * (int(elapsed.max()) + max(SPANS.values()) + 1) + elapsed
    centre = rows["bytes"].mean()
    sums = numpy.concatenate([[0.0], numpy.cumsum(rows["bytes"] - centre)])
    squares = numpy.concatenate([[0.0], numpy.cumsum((rows["bytes"] - centre) ** 2)])
    features = numpy.empty((len(batch), WIDTH), "f4")
    for place, span in enumerate(SPANS.values()):
        first = numpy.searchsorted(axis, axis[last] - span, side="right")
        count = last + 1 - first
        mean = (sums[last + 1] - sums[first]) / count
        variance = (squares[last + 1] - squares[first]) / count - mean**2
        columns = (count, mean + centre, range_maximum(rows["bytes"], first, count), numpy.sqrt(variance.clip(0)))
        features[:, len(MEASURES) * place : len(MEASURES) * (place + 1)] = numpy.column_stack(columns)
    return features


def range_maximum(values, first, count):
    """Largest of `count` values from `first` on, by doubling: two overlapping stretches of 2^level cover each range."""
    largest = numpy.empty(len(first))
    level_of = numpy.frexp(count)[1] - 1
    table = values
    for level in range(int(level_of.max()) + 1):
        if level:
            half = 1 << (level - 1)
            table = numpy.maximum(table[:-half], table[half:])
        here = level_of == level
        begin = first[here]
        largest[here] = numpy.maximum(table[begin], table[begin + count[here] - (1 << level)])
    return largest


def still_needed(history, batch, watermark_micros):
    """What later events can still look back on; anything behind the watermark will not come any more."""
    rows = numpy.concatenate([history, batch])
    return rows[rows["micros"] > watermark_micros - max(SPANS.values())]


def columns_of(features):
    """Places in `window_features` of the features of a pipeline file, by name."""
    known = {(measure, span): place for place, (span, measure) in enumerate((s, m) for s in SPANS for m in MEASURES)}
    found = {}
    for name, settings in features.items():
        measure, column = next((key, value) for key, value in settings.items() if key != "over")
        if (measure, settings["over"]) not in known or column != ("*" if measure == "count" else "total_bytes"):
            raise ValueError(f"feature {name}: the peer knows {MEASURES} of total_bytes over {list(SPANS)}, no others")
        found[name] = known[measure, settings["over"]]
    return found


class Votes:
    """Isolation forest and robust z-score, each with the threshold that flags half of the alert rate in training."""

    def __init__(self, rows, forest_width, z_columns):
        from sklearn.ensemble import IsolationForest

        self.forest_width, self.z_columns = forest_width, z_columns
        self.forest = IsolationForest(n_estimators=TREES, max_samples=SAMPLES, n_jobs=1, random_state=SEED)
        self.forest.fit(numpy.ascontiguousarray(rows[:, :forest_width], "f4"))
        chosen = rows[:, z_columns].astype("f8")
        self.medians = numpy.median(chosen, axis=0)
        scales = MAD_TO_DEVIATION * numpy.median(abs(chosen - self.medians), axis=0)
        self.scales = numpy.where(scales > 0, scales, numpy.maximum(chosen.std(axis=0), 1e-6))
        self.forest_limit = float(numpy.quantile(self.scores(rows), 1 - ALERT_RATE / 2))
        self.z_limit = float(numpy.quantile(self.largest_z(rows), 1 - ALERT_RATE / 2))

    def scores(self, rows):
        return -self.forest.score_samples(numpy.ascontiguousarray(rows[:, : self.forest_width], "f4"))

    def largest_z(self, rows):
        return (abs(rows[:, self.z_columns] - self.medians) / self.scales).max(axis=1)
