"""Makes statistics.json: what scikit-learn and SciPy say of the same numbers as the crate's tests.

    pip install numpy scipy scikit-learn
    python make_golden.py > statistics.json
"""

import json
import warnings

import numpy
import scipy
import sklearn
from scipy.stats import gamma, ks_2samp
from sklearn.metrics import roc_auc_score

warnings.simplefilter("ignore")
random = numpy.random.default_rng(20)


def rounded(values, digits):
    return [float(value) for value in numpy.round(values, digits)]


def metrics():
    cases = []
    for n_normal, n_abnormal, shift, digits in [(50, 120, 0.8, 6), (40, 30, 0.3, 1), (7, 3, 0.0, 0), (1, 1, 1.0, 3), (200, 9, 2.0, 2)]:
        normal = rounded(random.normal(0, 1, n_normal), digits)
        abnormal = rounded(random.normal(shift, 1.3, n_abnormal), digits)
        truth = [0] * n_normal + [1] * n_abnormal
        scores = normal + abnormal
        cases.append({
            "normal": normal,
            "abnormal": abnormal,
            "auc": roc_auc_score(truth, scores),
            "pauc_0.1": roc_auc_score(truth, scores, max_fpr=0.1),
            "pauc_0.37": roc_auc_score(truth, scores, max_fpr=0.37),
        })
    return cases


def best_three_parameter_fit(scores):
    """SciPy's own optimum depends on where it starts: the best of several, with a shape of at least 1."""
    best = None
    for distance in [0.01, 0.1, 0.5, 1, 3, 10, 30]:
        start = min(scores) - distance * numpy.std(scores)
        shape, location, scale = gamma.fit(scores, loc=start)
        loss = gamma.nnlf((shape, location, scale), numpy.asarray(scores))
        if shape >= 1 and numpy.isfinite(loss) and (best is None or loss < best[0]):
            best = (loss, shape, location, scale)
    return best


def gamma_fits():
    cases = []
    for shape, location, scale, count in [(3.0, 6.0, 0.4, 100), (2.0, 0.0, 5.0, 400), (8.0, 1.0, 0.5, 1000), (200.0, 0.0, 0.03, 60)]:
        scores = rounded(gamma.rvs(shape, location, scale, size=count, random_state=random), 4)
        shape0, _, scale0 = gamma.fit(scores, floc=0)
        loss, shape3, location3, scale3 = best_three_parameter_fit(scores)
        cases.append({
            "scores": scores,
            "from_zero": {"shape": shape0, "scale": scale0},
            "located": {"shape": shape3, "location": location3, "scale": scale3},
            "from_zero_loss": gamma.nnlf((shape0, 0.0, scale0), numpy.asarray(scores)),
            "located_loss": loss,
        })
    return cases


def gamma_tails():
    cases = []
    for shape, location, scale in [(1.0, 0.0, 1.0), (3.1, 5.6, 0.31), (209.3, 0.0, 0.03), (1e6, -1000.0, 0.001)]:
        for probability in [0.9, 0.5, 0.1, 1e-2, 1e-3, 1e-4]:
            value = gamma.isf(probability, shape, location, scale)
            cases.append({"shape": shape, "location": location, "scale": scale, "value": value, "survival": gamma.sf(value, shape, location, scale)})
    return cases


def kolmogorov_smirnov():
    cases = []
    for n, m, shift, digits in [(50, 100, 0.0, 6), (50, 100, 0.5, 6), (50, 37, 2.0, 6), (8, 5, 0.3, 6), (50, 400, 0.2, 6), (30, 30, 0.0, 6)]:
        first = rounded(random.normal(shift, 1, n), digits)
        second = rounded(random.normal(0, 1, m), digits)
        result = ks_2samp(first, second, method="exact")
        cases.append({"first": first, "second": second, "statistic": result.statistic, "p_value": result.pvalue})
    return cases


print(json.dumps({
    "made_with": {"numpy": numpy.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__},
    "metrics": metrics(),
    "gamma_fits": gamma_fits(),
    "gamma_tails": gamma_tails(),
    "kolmogorov_smirnov": kolmogorov_smirnov(),
}, indent=None, separators=(",", ":")))
