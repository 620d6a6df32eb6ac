"""Figures of scored rows. Higher scores are stranger; labels are 0 and 1."""


def roc_auc(scores, labels):
    """The share of pairs of an anomaly and a normal row in which the anomaly scores higher, ties half."""
    order = sorted(range(len(scores)), key=scores.__getitem__)
    positives, ranks, start = sum(labels), 0.0, 0
    while start < len(order):
        end = start
        while end < len(order) and scores[order[end]] == scores[order[start]]:
            end += 1
        ranks += (start + end + 1) / 2 * sum(labels[order[at]] for at in range(start, end))
        start = end
    return (ranks - positives * (positives + 1) / 2) / (positives * (len(order) - positives))


def ranked(scores):
    """Row numbers, the strangest first."""
    return sorted(range(len(scores)), key=scores.__getitem__, reverse=True)


def pr_auc(scores, labels, weights=None, order=None):
    """Average precision; rows of equal score are one threshold, and a row counts as often as it weighs.

    Who asks often for the same scores gives their `ranked` order.
    """
    weights = weights or [1] * len(scores)
    order = order or ranked(scores)
    positives = sum(weight for weight, label in zip(weights, labels) if label)
    area = found = flagged = start = 0
    while start < len(order):
        end, before = start, found
        while end < len(order) and scores[order[end]] == scores[order[start]]:
            flagged += weights[order[end]]
            found += weights[order[end]] * labels[order[end]]
            end += 1
        if found > before:
            area += (found - before) / positives * found / flagged
        start = end
    return area


def threshold(scores, labels, rate):
    """The score that must be exceeded so that at most this share of normal rows is flagged."""
    normal = sorted((score for score, label in zip(scores, labels) if not label), reverse=True)
    return normal[int(rate * len(normal))]


def found_share(scores, chosen, limit):
    """The share of the chosen rows whose score exceeds the limit."""
    hits = [score > limit for score, is_chosen in zip(scores, chosen) if is_chosen]
    return sum(hits) / len(hits)
