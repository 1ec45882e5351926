"""Makes curves.json: what scikit-learn says of scores that are hard on a ROC curve: ties, tiny classes, all equal, perfect.

    pip install numpy scikit-learn
    python make_curves_golden.py > curves.json

Beside make_golden.py and not within it, because one stream of random numbers would change every case after a new one.
"""

import json

import numpy
import sklearn
from sklearn.metrics import average_precision_score, roc_auc_score

random = numpy.random.default_rng(7)


def drawn(count, shift, digits):
    """Scores of a gamma distribution, as reconstruction errors are; few digits make ties."""
    return numpy.round(random.gamma(4.0, 1.0, count) + shift, digits).tolist()


CASES = {
    "continuous": (drawn(60, 0.0, 9), drawn(80, 1.5, 9)),
    "continuous and useless": (drawn(150, 0.0, 9), drawn(150, 0.0, 9)),
    "worse than chance": (drawn(40, 3.0, 9), drawn(40, 0.0, 9)),
    "heavy ties": (drawn(90, 0.0, 0), drawn(70, 1.0, 0)),
    "two scores only": ([0.0] * 30 + [1.0] * 10, [0.0] * 10 + [1.0] * 30),
    "ties across a false-positive rate of 0.1": ([1.0] * 17 + [2.0] * 3, [2.0] * 5 + [0.5] * 5),
    "a corner exactly at a false-positive rate of 0.1": ([1.0] * 18 + [5.0, 6.0], [5.5, 4.0, 0.5, 7.0]),
    "one abnormal clip": (drawn(200, 0.0, 3), drawn(1, 2.0, 3)),
    "one normal clip": (drawn(1, 0.0, 3), drawn(200, 2.0, 3)),
    "one clip of each": ([1.0], [2.0]),
    "all equal": ([3.0] * 12, [3.0] * 7),
    "perfect": (drawn(50, 0.0, 6), drawn(50, 100.0, 6)),
    "perfectly wrong": (drawn(50, 100.0, 6), drawn(50, 0.0, 6)),
    "scores below zero": (drawn(40, -20.0, 2), drawn(40, -19.0, 2)),
}

cases = []
for name, (normal, abnormal) in CASES.items():
    truth = [0] * len(normal) + [1] * len(abnormal)
    scores = normal + abnormal
    cases.append({
        "name": name,
        "normal": normal,
        "abnormal": abnormal,
        "auc": float(roc_auc_score(truth, scores)),
        "pauc": float(roc_auc_score(truth, scores, max_fpr=0.1)),
        "average_precision": float(average_precision_score(truth, scores)),
    })

print(json.dumps({
    "made_with": {"numpy": numpy.__version__, "scikit-learn": sklearn.__version__},
    "cases": cases,
}))
