"""The exercises of lesson 04, Weighted fusion."""

import torch

from course_utils import fusion
from course_utils.exercises.core import Exercise, Mistake

# --- weighted_fusion -------------------------------------------------------------------------


def weighted_by_loop(features, weights):
    alpha = weights.exp() / weights.exp().sum()
    total = torch.zeros_like(features[0])
    for share, feature in zip(alpha, features, strict=True):
        total = total + share * feature
    return total


def weighted_by_broadcast(features, weights):
    return (weights.softmax(dim=0)[:, None, None] * torch.stack(features)).sum(dim=0)


def feature_cases(rng):
    """M features of shape (B, d); sometimes B or d equals M, so that a wrong axis gives numbers."""
    for modalities, rows, dim in [(2, 4, 3), (3, 3, 3), (3, 5, 3), (2, 2, 4), (4, 1, 6)]:
        features = [torch.randn(rows, dim, generator=rng) for _ in range(modalities)]
        yield features, torch.randn(modalities, generator=rng)


weighted_fusion = Exercise(
    reference=fusion.weighted_fusion,
    cases=feature_cases,
    also_right=(weighted_by_loop, weighted_by_broadcast),
    hints=(
        "`torch.stack(features)` has the shape (M, B, d). Which of its axes does `alpha` (M,) "
        "belong to?",
        "Turn the weights into `alpha` with `weights.softmax(dim=0)`, give it two more axes with "
        "`alpha[:, None, None]`, multiply, and add up over axis 0.",
    ),
    mistakes=(
        Mistake(
            lambda features, weights: torch.einsum("m,mbd->bd", weights, torch.stack(features)),
            "Your weights are used as they come. Send them through a softmax first, so that none "
            "is negative and they sum to 1.",
        ),
        Mistake(
            lambda features, weights: torch.einsum(
                "m,mbd->bd", weights.exp(), torch.stack(features)
            ),
            "Your weights are exp(w), which do not sum to 1. Divide them by their sum, as a "
            "softmax does.",
        ),
        Mistake(
            lambda features, weights: torch.einsum(
                "m,mbd->bd", weights / weights.sum(), torch.stack(features)
            ),
            "You divided the weights by their sum. That makes them sum to 1, but a negative one "
            "stays negative; use a softmax.",
        ),
        # Each product in both orders: where the sizes do not fit, torch's error names them in turn.
        Mistake(
            lambda features, weights: (weights.softmax(dim=0) * torch.stack(features)).sum(dim=0),
            "`alpha` met the wrong axis: broadcasting lines it up with the last one, the features' "
            "dimensions. It belongs to axis 0; `alpha[:, None, None]` puts it there.",
        ),
        Mistake(
            lambda features, weights: (torch.stack(features) * weights.softmax(dim=0)).sum(dim=0),
            "`alpha` met the wrong axis: `stacked * alpha` lines it up with the last one, the "
            "features' dimensions. It belongs to axis 0; `alpha[:, None, None]` puts it there.",
        ),
        Mistake(
            lambda features, weights: (weights.softmax(dim=0)[:, None] * torch.stack(features)).sum(
                dim=0
            ),
            "`alpha` met the wrong axis: `alpha[:, None]` lines it up with the rows of the batch. "
            "It needs two more axes, `alpha[:, None, None]`.",
        ),
        Mistake(
            lambda features, weights: (torch.stack(features) * weights.softmax(dim=0)[:, None]).sum(
                dim=0
            ),
            "`alpha` met the wrong axis: `stacked * alpha[:, None]` lines it up with the rows of "
            "the batch. It needs two more axes, `alpha[:, None, None]`.",
        ),
        Mistake(
            lambda features, weights: weighted_by_broadcast(features, weights) / len(features),
            "You took the mean of the weighted features. The weights sum to 1 already; add up.",
        ),
        Mistake(
            lambda features, weights: torch.stack(features).mean(dim=0),
            "This is the plain mean: the weights do not come into it.",
        ),
        Mistake(
            lambda features, weights: weights.softmax(dim=0)[:, None, None] * torch.stack(features),
            "You weighted each modality and did not add them up; sum over axis 0.",
        ),
    ),
)


# --- average_probabilities -------------------------------------------------------------------


def averaged_by_loop(logits):
    total = 0
    for scores in logits:
        total = total + scores.exp() / scores.exp().sum(dim=1, keepdim=True)
    return total / len(logits)


def logit_cases(rng):
    """Logits of M classifiers, (B, C), with a wide spread, so that averaging is not linear."""
    for classifiers, rows, classes in [(2, 3, 5), (3, 4, 2), (4, 1, 3), (3, 2, 4)]:
        yield ([3 * torch.randn(rows, classes, generator=rng) for _ in range(classifiers)],)


average_probabilities = Exercise(
    reference=fusion.average_probabilities,
    cases=logit_cases,
    also_right=(averaged_by_loop,),
    hints=(
        "Two steps, and their order matters: turn each classifier's logits into probabilities, "
        "then average over classifiers.",
        "`torch.stack(logits)` has the shape (M, B, C). The softmax runs over the classes, the "
        "last axis; the mean runs over the classifiers, axis 0.",
    ),
    mistakes=(
        Mistake(
            lambda logits: torch.stack(logits).mean(dim=0).softmax(dim=-1),
            "You averaged logits and took the softmax afterwards. One very sure classifier then "
            "outvotes the others; take each softmax first.",
        ),
        Mistake(
            lambda logits: torch.stack(logits).softmax(dim=-1).mean(dim=0).softmax(dim=-1),
            "One softmax too many: the mean of probabilities is a probability already. Leave out "
            "the softmax after the mean.",
        ),
        Mistake(
            lambda logits: torch.stack(logits).mean(dim=0),
            "These are averaged logits. The exercise asks for probabilities: a softmax for each "
            "classifier, then the mean.",
        ),
        Mistake(
            lambda logits: torch.stack(logits).softmax(dim=-1).sum(dim=0),
            "You added the probabilities up, so each row sums to the number of classifiers; "
            "divide by it.",
        ),
        Mistake(
            lambda logits: torch.stack(logits).softmax(dim=1).mean(dim=0),
            "Your softmax runs over the rows of the batch. It belongs over the classes, the last "
            "axis.",
        ),
        Mistake(
            lambda logits: torch.stack(logits).softmax(dim=0).mean(dim=0),
            "Your softmax runs over the classifiers, so every average is 1 / M. It belongs over "
            "the classes, the last axis.",
        ),
        Mistake(
            lambda logits: torch.stack(logits).sigmoid().mean(dim=0),
            "A sigmoid treats each class by itself, so a row does not sum to 1; classes that "
            "exclude each other need a softmax.",
        ),
        Mistake(
            lambda logits: torch.stack(logits).log_softmax(dim=-1).mean(dim=0),
            "You averaged log-probabilities; average the probabilities themselves.",
        ),
    ),
)


# --- inverse_variance_weights ----------------------------------------------------------------


def sigma_cases(rng):
    """Standard deviations from 0.3 to 3, never all alike, for two to five sensors."""
    yield (torch.tensor([1.0, 2.0]),)
    for sensors in (2, 3, 5):
        yield (0.3 + 2.7 * torch.rand(sensors, generator=rng),)


inverse_variance_weights = Exercise(
    reference=fusion.inverse_variance_weights,
    cases=sigma_cases,
    also_right=(
        lambda sigma: (1 / sigma.square()) / (1 / sigma.square()).sum(),
        lambda sigma: (-2 * sigma.log()).softmax(dim=0),
    ),
    hints=(
        "A variance is the square of a standard deviation, and `sigma` holds the latter.",
        "Compute `1 / sigma**2` for all sensors, then divide by the sum of these numbers.",
    ),
    mistakes=(
        Mistake(
            lambda sigma: (1 / sigma) / (1 / sigma).sum(),
            "You weighted by 1 / sigma, the standard deviation. The variance is its square.",
        ),
        Mistake(
            lambda sigma: sigma**-2,
            "Right proportions, but the weights do not sum to 1: divide by their sum.",
        ),
        Mistake(
            lambda sigma: 1 / sigma,
            "Two things are missing: the square (a variance is sigma squared) and the division "
            "by the sum.",
        ),
        Mistake(
            lambda sigma: sigma**2 / (sigma**2).sum(),
            "You weighted by the variance, so the noisiest sensor counts most. Invert it first.",
        ),
        Mistake(
            lambda sigma: sigma**-4 / (sigma**-4).sum(),
            "You squared twice: the weights are in proportion to 1 / sigma squared, not to the "
            "fourth power.",
        ),
        Mistake(
            lambda sigma: (sigma**-2).softmax(dim=0),
            "You sent the inverse variances through a softmax, which takes their exponential. "
            "Divide them by their sum instead.",
        ),
        Mistake(
            lambda sigma: (-(sigma**2)).softmax(dim=0),
            "A softmax of minus the variances falls off much faster than their inverses. Divide 1 "
            "by each variance, then by the sum.",
        ),
        Mistake(
            lambda sigma: 1 - sigma**2 / (sigma**2).sum(),
            "One minus the share of the variance is right for two sensors only: with three it "
            "does not sum to 1.",
        ),
    ),
)


# --- useless_second_sensor: break this claim ------------------------------------------------

LEAST_GAIN = 0.005


def best_pair(sigma_1, sigma_2, rho):
    """Best weight of the first of two sensors, and the share of squared error that it saves."""
    shared = rho * sigma_1 * sigma_2
    apart = sigma_1**2 + sigma_2**2 - 2 * shared
    fused = (1 - rho**2) * sigma_1**2 * sigma_2**2 / apart
    return (sigma_2**2 - shared) / apart, 1 - fused / min(sigma_1, sigma_2) ** 2


def unfit(sigma_1, sigma_2, rho):
    """A sentence on dials that are outside the bounds of the game, or None."""
    if min(sigma_1, sigma_2) <= 0:
        return "A standard deviation is positive."
    ratio = max(sigma_1, sigma_2) / min(sigma_1, sigma_2)
    if not 1.25 <= ratio <= 3:
        return (
            f"One sigma is {ratio:.2f} times the other; keep this between 1.25 and 3, so that the "
            "sensors are neither twins nor is one of them hopeless."
        )
    if abs(rho) > 0.95:
        return f"rho is {rho:g}; keep it between -0.95 and 0.95."
    return None


def second_sensor_is_useless(dials, seed):
    """Whether two such sensors, at their best weights, are no better than the better one alone.

    By the formula, so that no luck of a draw decides: ``seed`` plays no part.
    """
    if set(dials) != {"sigma_1", "sigma_2", "rho"}:
        return f"Give the dials sigma_1, sigma_2 and rho; you gave {', '.join(dials) or 'none'}."
    problem = unfit(**dials)
    if problem:
        return problem
    alpha, gain = best_pair(**dials)
    if gain < LEAST_GAIN:
        return True
    return (
        f"The claim still holds: with {alpha:.3f} of sensor 1 and {1 - alpha:.3f} of sensor 2, the "
        f"squared error is {100 * gain:.3f} % below the better sensor's. You win below "
        f"{100 * LEAST_GAIN:.3f} %."
    )


useless_second_sensor = Exercise(
    verify=second_sensor_is_useless,
    exact=True,
    right_dials={"sigma_1": 1.0, "sigma_2": 2.0, "rho": 0.5},
    wrong_dials=(
        {"sigma_1": 1.0, "sigma_2": 2.0, "rho": 0.0},
        {"sigma_1": 1.0, "sigma_2": 2.0, "rho": 0.95},
        {"sigma_1": 1.0, "sigma_2": 2.0, "rho": 0.56},  # saves 0.52 %: a near miss
        {"sigma_1": 2.0, "sigma_2": 1.0, "rho": 0.43},
        {"sigma_1": 1.0, "sigma_2": 2.0, "rho": -0.5},
        {"sigma_1": 1.0, "sigma_2": 3.0, "rho": 0.5},
        {"sigma_1": 1.0, "sigma_2": 1000.0, "rho": 0.0},
        {"sigma_1": 1.0, "sigma_2": 1.0, "rho": 0.9},
        {"sigma_1": 1.0, "sigma_2": 2.0, "rho": 1.0},
        {"sigma_1": 1.0, "sigma_2": 2.0},
    ),
    hints=(
        "More correlation is not the way: at rho = 0.95 the second sensor is used with a large "
        "negative weight. What would alpha_1 be if the second sensor were of no use?",
        "Set alpha_1 = 1 in the formula for correlated errors and solve it for rho.",
    ),
)


# --- add_log_posteriors ----------------------------------------------------------------------


def multiplied_posteriors(logits, prior):
    product = torch.ones_like(logits[0])
    for scores in logits:
        product = product * scores.softmax(dim=1)
    product = product / prior ** (len(logits) - 1)
    return (product / product.sum(dim=1, keepdim=True)).log()


def added_likelihood_ratios(logits, prior):
    ratios = torch.stack(logits).log_softmax(dim=-1) - prior.log()
    return (ratios.sum(dim=0) + prior.log()).log_softmax(dim=-1)


def with_prior_counted(logits, prior, times):
    """The sum less ``times`` log-priors, normalised."""
    posteriors = torch.stack(logits).log_softmax(dim=-1)
    return (posteriors.sum(dim=0) - times * prior.log()).log_softmax(dim=-1)


def posterior_cases(rng):
    """Two and more classifiers' logits (B, C), and priors (C,) that are far from equal."""
    for classifiers, rows, classes in [(2, 4, 3), (2, 2, 5), (3, 3, 2), (4, 2, 3)]:
        logits = [2 * torch.randn(rows, classes, generator=rng) for _ in range(classifiers)]
        yield logits, (1.5 * torch.randn(classes, generator=rng)).softmax(dim=0)


add_log_posteriors = Exercise(
    reference=fusion.add_log_posteriors,
    cases=posterior_cases,
    also_right=(
        multiplied_posteriors,
        added_likelihood_ratios,
        # Logits differ from log-posteriors by one number a row, which normalising takes away.
        lambda logits, prior: (
            torch.stack(logits).sum(dim=0) - (len(logits) - 1) * prior.log()
        ).log_softmax(dim=-1),
    ),
    hints=(
        "`log_softmax` turns logits into log-posteriors. M of them contain the prior M times; it "
        "should be in the sum once.",
        "Add the M log-posteriors, subtract `(len(logits) - 1) * prior.log()`, and normalise with "
        "one more `log_softmax` over the classes.",
    ),
    mistakes=(
        Mistake(
            lambda logits, prior: with_prior_counted(logits, prior, 0),
            "You did not take the prior out: each classifier has counted it, so it is in the sum "
            "M times. Subtract its logarithm M - 1 times.",
        ),
        Mistake(
            lambda logits, prior: with_prior_counted(logits, prior, 1),
            "You subtracted the prior once, which is right for two modalities. With M of them it "
            "is in the sum M - 1 times too often.",
        ),
        Mistake(
            lambda logits, prior: with_prior_counted(logits, prior, len(logits)),
            "You subtracted the prior M times, so now it is not counted at all; once should stay.",
        ),
        Mistake(
            lambda logits, prior: (
                torch.stack(logits).log_softmax(dim=-1).mean(dim=0) - prior.log()
            ).log_softmax(dim=-1),
            "You averaged the log-posteriors. Independent evidence adds up; averaging would make "
            "two witnesses no more convincing than one.",
        ),
        Mistake(
            lambda logits, prior: (
                torch.stack(logits).log_softmax(dim=-1).mean(dim=0)
                - (len(logits) - 1) * prior.log()
            ).log_softmax(dim=-1),
            "You took the mean of the log-posteriors where their sum belongs. Each sense counts 1, "
            "not 1 / M: two witnesses who agree convince more than one.",
        ),
        Mistake(
            lambda logits, prior: with_prior_counted(logits, prior, 1 - len(logits)),
            "You added the log-prior M - 1 times. It is in the sum too often already: subtract it.",
        ),
        Mistake(
            lambda logits, prior: (
                torch.stack(logits).log_softmax(dim=-1).sum(dim=0) - (len(logits) - 1) * prior.log()
            ).log_softmax(dim=0),
            "Your last `log_softmax` runs over the rows of the batch. It belongs over the classes, "
            "`dim=1`.",
        ),
        Mistake(
            lambda logits, prior: torch.stack(logits).sum(dim=0) - (len(logits) - 1) * prior.log(),
            "Each row is right up to a constant: logits are not log-probabilities yet. End in "
            ".log_softmax(dim=1), and the constants of all senses fall out together.",
        ),
        Mistake(
            lambda logits, prior: (
                torch.stack(logits).log_softmax(dim=-1).sum(dim=0) - (len(logits) - 1) * prior.log()
            ),
            "Right up to the last step: the probabilities of a row do not sum to 1 yet. One more "
            "`log_softmax` over the classes does it.",
        ),
        Mistake(
            lambda logits, prior: (
                torch.stack(logits).log_softmax(dim=-1).sum(dim=0) - (len(logits) - 1) * prior
            ).log_softmax(dim=-1),
            "You subtracted the prior itself from logarithms; subtract `prior.log()`.",
        ),
        Mistake(
            lambda logits, prior: with_prior_counted(logits, prior, len(logits) - 1).exp(),
            "These are the right probabilities; the exercise asks for their logarithms, so leave "
            "the `exp` out.",
        ),
    ),
)
