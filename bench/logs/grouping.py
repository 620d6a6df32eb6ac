"""Group accuracy of learned templates, as loghub's benchmark defines it.

Usage: python bench/logs/grouping.py TRUTH.csv MESSAGES IDS

A line counts as right if the lines of its predicted template are exactly the lines of its true one (Zhu et al. 2019,
"Tools and Benchmarks for Automated Log Parsing"). TRUTH.csv lists `EventId,EventTemplate` with `[*]` for parameters; the
true template of a message is the one whose expression fits with the fewest characters left to its parameters. IDS has
one id per message. It shares no code with what it measures.
"""

import collections
import csv
import re
import sys


def expressions(path):
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            literals = [re.escape(part) for part in re.split(r"\[\*\]|<\*>", row["EventTemplate"])]
            yield row["EventId"], re.compile("(.*)".join(literals), re.DOTALL)


def true_id(message, known):
    fitting = ((sum(map(len, match.groups())), name) for name, one in known if (match := one.fullmatch(message)))
    return min(fitting, default=(0, None))[1]


def lines_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def main():
    truth_path, messages_path, ids_path = sys.argv[1:]
    known = list(expressions(truth_path))
    truth = [true_id(message, known) for message in lines_of(messages_path)]
    predicted = lines_of(ids_path)
    if len(truth) != len(predicted) or None in truth:
        sys.exit(f"{len(truth)} messages, {len(predicted)} ids, {truth.count(None)} messages without a true template")
    sizes_true, sizes = collections.Counter(truth), collections.Counter(predicted)
    pairs = collections.Counter(zip(truth, predicted))
    right = sum(n for (of, to), n in pairs.items() if n == sizes_true[of] == sizes[to])
    print(f"{len(truth)} lines, {len(sizes_true)} true templates, {len(sizes)} predicted: "
          f"group accuracy {right / len(truth):.4f}, lines in wrong groups {len(truth) - right}")


main()
