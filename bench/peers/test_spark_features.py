"""The vectorised window features against an obvious loop. Usage: python bench/peers/test_spark_features.py"""

import unittest

import numpy

from spark_features import EVENT, SECOND, SPANS, WIDTH, columns_of, events, still_needed, window_features


def draw(seed, count, start):
    generator = numpy.random.default_rng(seed)
    micros = start + generator.permutation(numpy.arange(count)) * 7 * SECOND
    return events(generator.integers(-3, 3, count), micros, generator.integers(0, 10_000, count))


def slow_twin(history, batch):
    known, rows = list(history) + list(batch), []
    for event in batch:
        row = []
        for span in SPANS.values():
            near = [o["bytes"] for o in known if o["host"] == event["host"] and 0 <= event["micros"] - o["micros"] < span]
            row += [len(near), numpy.mean(near), max(near), numpy.std(near)]
        rows.append(row)
    return numpy.array(rows)


class WindowFeatures(unittest.TestCase):
    def test_they_equal_the_obvious_loop(self):
        history, batch = draw(1, 300, 0), draw(2, 200, 1000 * SECOND + 1)
        numpy.testing.assert_allclose(window_features(history, batch), slow_twin(history, batch), rtol=1e-4, atol=0.1)

    def test_they_do_not_depend_on_where_batches_end(self):
        rows = numpy.sort(draw(3, 900, 0), order="micros")
        whole, history, parts = window_features(rows[:0], rows), numpy.empty(0, EVENT), []
        for batch in (rows[:100], rows[100:101], rows[101:700], rows[700:]):
            parts.append(window_features(history, batch))
            history = still_needed(history, batch, int(batch["micros"].max()) - 90 * SECOND)
        numpy.testing.assert_allclose(numpy.concatenate(parts), whole, rtol=1e-4, atol=0.1)

    def test_a_lone_event_is_its_own_window(self):
        row = window_features(numpy.empty(0, EVENT), events([5], [10], [42.0]))[0]
        self.assertEqual(row.tolist(), [1, 42, 42, 0] * len(SPANS))
        self.assertEqual(len(row), WIDTH)

    def test_features_of_a_pipeline_file_are_found_by_name(self):
        features = {"bytes_max_5m": {"max": "total_bytes", "over": "5m"}, "connections_1m": {"count": "*", "over": "1m"}}
        self.assertEqual(columns_of(features), {"bytes_max_5m": 6, "connections_1m": 0})

    def test_a_feature_that_is_not_computed_is_refused(self):
        with self.assertRaisesRegex(ValueError, "feature errors_1m"):
            columns_of({"errors_1m": {"mean": "serror_rate", "over": "1m"}})


if __name__ == "__main__":
    unittest.main()
