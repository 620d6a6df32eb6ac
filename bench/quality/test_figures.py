"""Figures of scored rows against examples worked by hand. Usage: python3 bench/quality/test_figures.py"""

import unittest

import figures
import nab


class Figures(unittest.TestCase):
    SCORES = [0.9, 0.8, 0.8, 0.3, 0.1]
    LABELS = [1, 1, 0, 0, 1]

    def test_average_precision_takes_rows_of_equal_score_together(self):
        # One of one found, then two of three, then three of five.
        self.assertAlmostEqual(figures.pr_auc(self.SCORES, self.LABELS), (1 + 2 / 3 + 3 / 5) / 3)

    def test_a_row_that_weighs_two_counts_as_two_rows(self):
        twice = [score for score in self.SCORES for _ in range(2)]
        labels = [label for label in self.LABELS for _ in range(2)]
        weighed = figures.pr_auc(self.SCORES + [0.5], self.LABELS + [0], [2] * 5 + [0])
        self.assertAlmostEqual(weighed, figures.pr_auc(twice, labels))

    def test_the_area_under_the_curve_counts_ties_half(self):
        # Of six pairs: 2 won by 0.9, 1 and a half by 0.8, none by 0.1.
        self.assertAlmostEqual(figures.roc_auc(self.SCORES, self.LABELS), 3.5 / 6)

    def test_a_threshold_flags_at_most_its_share_of_normal_rows(self):
        normal = [at / 1000 for at in range(1000)]
        limit = figures.threshold(normal + [2.0], [0] * 1000 + [1], 0.003)
        self.assertEqual(sum(score > limit for score in normal), 3)

    def test_the_share_found_is_of_the_chosen_rows(self):
        self.assertAlmostEqual(figures.found_share(self.SCORES, self.LABELS, 0.5), 2 / 3)

    def test_a_benchmark_of_series_gives_nothing_to_a_detector_that_says_nothing(self):
        series = [("one", [["", ""]] * 1000, [(500, 510)])]
        self.assertEqual(nab.results(series, [[0.0] * 1000], 1.0)["at_shipped_threshold"], 0.0)


if __name__ == "__main__":
    unittest.main()
