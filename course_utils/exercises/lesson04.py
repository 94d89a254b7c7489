"""The exercises of lesson 04, Weighted fusion."""

import inspect
import math
from typing import NamedTuple

import torch
from torch import nn

from course_utils import fusion
from course_utils.exercises.core import Broken, Exercise, Mistake, Part, other_names
from course_utils.exercises.running import Unfit, module_of

# --- weighted_fusion -------------------------------------------------------------------------


def shares_by_hand(weights):
    """A softmax by exponentials, of weights that are made small first."""
    powers = (weights - weights.max()).exp()
    return powers / powers.sum()


def weighted_by_loop(features, weights):
    total = torch.zeros_like(features[0])
    for share, feature in zip(shares_by_hand(weights), features, strict=True):
        total = total + share * feature
    return total


def weighted_by_broadcast(features, weights):
    return (weights.softmax(dim=0)[:, None, None] * torch.stack(features)).sum(dim=0)


def weighted_by_einsum(features, weights):
    return torch.einsum("m,mbd->bd", weights.softmax(dim=0), torch.stack(features))


def weighted_by_dot(features, weights):
    return torch.stack(features, dim=-1) @ weights.softmax(dim=0)


def two_unpacked(features, weights):
    one, other = features
    alpha = weights.softmax(dim=0)
    return alpha[0] * one + alpha[1] * other


def feature_cases(rng):
    """M features of shape (B, d); sometimes B or d equals M, so that a wrong axis gives numbers.

    Sizes of 1 come in turn. The last weights are too large for an exponential.
    """
    sizes = [(2, 4, 3), (3, 3, 3), (3, 5, 3), (2, 2, 4), (4, 1, 6), (3, 4, 1), (1, 2, 3)]
    for modalities, rows, dim in sizes:
        features = [torch.randn(rows, dim, generator=rng) for _ in range(modalities)]
        yield features, torch.randn(modalities, generator=rng)
    features = [torch.randn(2, 3, generator=rng) for _ in range(3)]
    yield features, torch.tensor([120.0, 119.0, 118.0]) + torch.rand(3, generator=rng)


weighted_fusion = Exercise(
    reference=fusion.weighted_fusion,
    cases=feature_cases,
    also_right=(weighted_by_loop, weighted_by_broadcast, weighted_by_einsum, weighted_by_dot),
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
        Mistake(
            lambda features, weights: torch.stack(features).mean(dim=0),
            "This is the plain mean: the weights do not come into it.",
        ),
        Mistake(
            lambda features, weights: (
                weights.softmax(dim=0)[0] * features[0] + weights.softmax(dim=0)[1] * features[1]
            ),
            "Your sum has two modalities written into it. There may be one, or four: go through "
            "all that are in `features`.",
        ),
        Mistake(
            lambda features, weights: (
                features[0] * weights.softmax(dim=0)[0] + features[1] * weights.softmax(dim=0)[1]
            ),
            "Two modalities are written into your sum, `features[0]` and `features[1]`. There may "
            "be one, or four: go through all of them.",
        ),
        Mistake(
            two_unpacked,
            "You take `features` apart into two names. There may be one modality, or four: go "
            "through the list, or stack it.",
        ),
        Mistake(
            lambda features, weights: weights.softmax(dim=0)[-1] * features[-1],
            "Only the last modality is in your answer. In a loop, add each one to a total.",
        ),
        Mistake(
            lambda features, weights: torch.einsum(
                "m,mbd->bd", weights.sigmoid(), torch.stack(features)
            ),
            "A sigmoid treats each weight by itself, so they do not sum to 1. Weights that share "
            "need a softmax.",
        ),
    ),
)


# --- average_probabilities -------------------------------------------------------------------


def averaged_by_loop(logits):
    total = 0
    for scores in logits:
        total = total + scores.softmax(dim=1)
    return total / len(logits)


def averaged_logarithms(logits):
    return torch.stack(logits).log_softmax(dim=-1).exp().mean(dim=0)


def two_averaged(logits):
    one, other = logits
    return (one.softmax(dim=-1) + other.softmax(dim=-1)) / 2


def logit_cases(rng):
    """Logits of M classifiers, (B, C), with a wide spread, so that averaging is not linear.

    Sizes of 1 come in turn, two classes as well as five. The last logits are too large for an
    exponential.
    """
    for classifiers, rows, classes in [(2, 3, 5), (3, 4, 2), (4, 1, 3), (3, 2, 4), (1, 3, 2)]:
        yield ([3 * torch.randn(rows, classes, generator=rng) for _ in range(classifiers)],)
    yield ([200 + 3 * torch.randn(2, 3, generator=rng) for _ in range(3)],)


average_probabilities = Exercise(
    reference=fusion.average_probabilities,
    cases=logit_cases,
    also_right=(averaged_by_loop, averaged_logarithms),
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
            lambda logits: torch.stack(logits).sigmoid().mean(dim=0),
            "A sigmoid treats each class by itself, so a row does not sum to 1; classes that "
            "exclude each other need a softmax.",
        ),
        Mistake(
            lambda logits: (logits[0].softmax(dim=-1) + logits[1].softmax(dim=-1)) / 2,
            "Your mean has two classifiers written into it. There may be one, or four: take all "
            "that are in `logits`, and divide by how many they are.",
        ),
        Mistake(
            two_averaged,
            "You take `logits` apart into two names. There may be one classifier, or four: go "
            "through the list, or stack it.",
        ),
        Mistake(
            lambda logits: sum(logits).softmax(dim=-1),
            "You added the logits up and took one softmax. Each classifier's softmax comes first, "
            "then the mean.",
        ),
        Mistake(
            lambda logits: sum(logits).softmax(dim=-1) / len(logits),
            "You added the logits up, took one softmax, and divided that. Each classifier's "
            "softmax comes first, then the mean.",
        ),
        Mistake(
            lambda logits: torch.stack(logits).logsumexp(dim=0).softmax(dim=-1),
            "You added the exponentials of all classifiers and divided at the end, so one with "
            "large logits outvotes the others. Divide each classifier's by its own sum first.",
        ),
    ),
)


# --- inverse_variance_weights ----------------------------------------------------------------


def sigma_cases(rng):
    """Standard deviations of one to five sensors, never all alike; the last far apart."""
    yield (torch.tensor([1.0, 2.0]),)
    for sensors in (2, 3, 5):
        yield (0.3 + 2.7 * torch.rand(sensors, generator=rng),)
    yield (0.5 + torch.rand(1, generator=rng),)
    yield (torch.tensor([0.01, 0.02, 30.0]) * (1 + torch.rand(3, generator=rng)),)


def two_sensors(sigma):
    one, other = sigma
    return torch.stack([other**2, one**2]) / (one**2 + other**2)


inverse_variance_weights = Exercise(
    reference=fusion.inverse_variance_weights,
    cases=sigma_cases,
    also_right=(
        lambda sigma: (1 / sigma.square()) / (1 / sigma.square()).sum(),
        lambda sigma: (-2 * sigma.log()).softmax(dim=0),
        lambda sigma: torch.tensor([s.item() ** -2 for s in sigma]) / (sigma**-2).sum().item(),
    ),
    unaffected={
        "detached result": "how far sensors err is measured; nobody learns it through this"
    },
    hints=(
        "A variance is the square of a standard deviation, and `sigma` holds the latter.",
        "Compute `1 / sigma**2` for all sensors, then divide by the sum of these numbers.",
    ),
    mistakes=(
        Mistake(
            lambda sigma: sigma**2 / (sigma**2).sum(),
            "You weighted by the variance, so the noisiest sensor counts most. Invert it first.",
        ),
        Mistake(
            lambda sigma: (1 / sigma) / (1 / sigma).sum(),
            "You weighted by 1 / sigma, the standard deviation. The variance is its square.",
        ),
        Mistake(
            lambda sigma: 1 / sigma,
            "Two things are missing: the square (a variance is sigma squared) and the division "
            "by the sum.",
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
        Mistake(
            lambda sigma: (1 / sigma).softmax(dim=0),
            "You sent 1 / sigma through a softmax, which takes its exponential. Divide each 1 / "
            "sigma**2 by their sum instead.",
        ),
        Mistake(
            two_sensors,
            "You take `sigma` apart into two numbers. There may be one sensor, or five: take 1 / "
            "sigma**2 of all, and divide by its sum.",
        ),
        Mistake(
            lambda sigma: sigma[[1, 0]].square() / (sigma[0] ** 2 + sigma[1] ** 2),
            "Your formula is the one for two sensors. There may be one, or five: take 1 / sigma**2 "
            "of all, and divide by its sum.",
        ),
        Mistake(
            lambda sigma: sigma / sigma.sum(),
            "You weighted by sigma, so the noisiest sensor counts most. Take 1 / sigma**2 first.",
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


def no_number(dials):
    """A sentence on the first dial that is no number, or None."""
    for name, value in dials.items():
        if isinstance(value, str):
            return f"{name} is the text {value!r}; write a number, without quotes."
        try:
            finite = math.isfinite(float(value))
        except Exception:  # whatever the learner's object raises
            return f"{name} is of the kind {type(value).__name__}; write a number."
        if not finite:
            return f"{name} is not a finite number."
    return None


def second_sensor_is_useless(dials, seed):
    """Whether two such sensors, at their best weights, are no better than the better one alone.

    By the formula, so that no luck of a draw decides: ``seed`` plays no part.
    """
    if problem := other_names(dials, "sigma_1", "sigma_2", "rho") or no_number(dials):
        return problem
    dials = {name: float(value) for name, value in dials.items()}
    problem = unfit(**dials)
    if problem:
        return problem
    alpha, gain = best_pair(**dials)
    numbers = (
        f"with {alpha:.2f} of sensor 1 and {1 - alpha:.2f} of sensor 2, the squared error is "
        f"{100 * gain:.3g} % below the better sensor's"
    )
    if gain < LEAST_GAIN:
        return Broken(numbers)
    return f"The claim still holds: {numbers}. You win below {100 * LEAST_GAIN:g} %."


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
        {"sigma_1": "1", "sigma_2": 2.0, "rho": 0.5},
        {"sigma_1": 1.0, "sigma_2": 2.0, "rho": math.nan},
        {"sigma_1": 1.0, "sigma_2": 2.0, "rho": None},
    ),
    hints=(
        "More correlation is not the way: at rho = 0.95 the second sensor is used with a large "
        "negative weight. What would alpha be if the second sensor were of no use?",
        "Set alpha = 1 in the formula for correlated errors and solve it for rho.",
    ),
)


# --- add_log_posteriors ----------------------------------------------------------------------


def multiplied_posteriors(logits, prior):
    product = torch.ones_like(logits[0])
    for scores in logits:
        product = product * scores.softmax(dim=1)
    product = product / prior ** (len(logits) - 1)
    return (product / product.sum(dim=1, keepdim=True)).log()


def two_added(logits, prior):
    one, other = logits
    return (one.log_softmax(dim=1) + other.log_softmax(dim=1) - prior.log()).log_softmax(dim=1)


def added_likelihood_ratios(logits, prior):
    ratios = torch.stack(logits).log_softmax(dim=-1) - prior.log()
    return (ratios.sum(dim=0) + prior.log()).log_softmax(dim=-1)


def with_prior_counted(logits, prior, times):
    """The sum less ``times`` log-priors, normalised."""
    posteriors = torch.stack(logits).log_softmax(dim=-1)
    return (posteriors.sum(dim=0) - times * prior.log()).log_softmax(dim=-1)


def posterior_cases(rng):
    """One and more classifiers' logits (B, C), and priors (C,) that are far from equal.

    The last has a classifier so sure that a softmax rounds all other classes to 0.
    """
    sizes = [(2, 4, 3), (2, 2, 5), (3, 3, 2), (4, 2, 3), (3, 1, 4), (1, 2, 3)]
    for classifiers, rows, classes in sizes:
        logits = [2 * torch.randn(rows, classes, generator=rng) for _ in range(classifiers)]
        yield logits, (1.5 * torch.randn(classes, generator=rng)).softmax(dim=0)
    logits = [2 * torch.randn(2, 3, generator=rng) for _ in range(2)]
    logits[0][:, 0] += 150
    yield logits, torch.tensor([0.001, 0.009, 0.99])


add_log_posteriors = Exercise(
    reference=fusion.add_log_posteriors,
    cases=posterior_cases,
    also_right=(
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
            lambda logits, prior: with_prior_counted(logits, prior, len(logits)),
            "You subtracted the prior M times, so now it is not counted at all; once should stay.",
        ),
        Mistake(
            lambda logits, prior: with_prior_counted(logits, prior, 1),
            "You subtracted the prior once, which is right for two modalities. With M of them it "
            "is in the sum M - 1 times too often.",
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
                torch.stack(logits).log_softmax(dim=-1).sum(dim=0) - prior
            ).log_softmax(dim=-1),
            "You subtracted the prior itself, once. From logarithms take a logarithm, "
            "`prior.log()`, and take it M - 1 times.",
        ),
        Mistake(
            lambda logits, prior: with_prior_counted(logits, prior, -1),
            "You added the log-prior once more. It is in the sum M times already: subtract it M - "
            "1 times.",
        ),
        Mistake(
            lambda logits, prior: fusion.average_probabilities(logits).log(),
            "These are the logarithms of averaged probabilities. Add the log-posteriors instead: "
            "two witnesses who agree convince more than one.",
        ),
        Mistake(
            multiplied_posteriors,
            "Right, but for a classifier that is very sure: there `softmax` rounds small "
            "probabilities to 0, whose logarithm is minus infinity. Stay in logarithms: add "
            "`log_softmax`.",
        ),
        Mistake(
            lambda logits, prior: (
                logits[0].log_softmax(dim=1) + logits[1].log_softmax(dim=1) - prior.log()
            ).log_softmax(dim=1),
            "Your sum has two classifiers written into it. There may be one, or four: add up all "
            "that are in `logits`, and subtract the log-prior one time less.",
        ),
        Mistake(
            two_added,
            "You take `logits` apart into two names. There may be one classifier, or four: go "
            "through the list, or stack it.",
        ),
        Mistake(
            lambda logits, prior: (torch.stack(logits).log_softmax(dim=-1).mean(dim=0)).log_softmax(
                dim=-1
            ),
            "You averaged the log-posteriors and left the prior in. Independent evidence adds up; "
            "then subtract the log-prior M - 1 times.",
        ),
    ),
)


# --- WeightedFusion: a build -----------------------------------------------------------------

# Names of modalities are not the lesson's own, and not in the order of the alphabet.
_SIZES = ({"touch": 5, "image": 3, "sound": 6}, {"text": 2, "image": 6}, {"sound": 3})
_DIM = 4


def seeded(seed, part):
    """Random numbers of one part, the same for those who run and for those who judge."""
    return torch.Generator().manual_seed(10 * seed + part)


def made(attempt, dims, dim):
    """The learner's module. Raises Unfit, in a sentence, for what is no module or takes no dims."""
    if isinstance(attempt, type) and not accepts(attempt, dims, dim):
        raise Unfit(
            "The constructor should take `dims` and `dim`: `def __init__(self, dims, dim=64)`."
        )
    return module_of(attempt, dict(dims), dim)


def accepts(fn, *arguments):
    """Whether a function or class can be called with these arguments."""
    try:
        inspect.signature(fn).bind(*arguments)
    except TypeError:
        return False
    return True


def kind_of(model, name):
    """What an attribute of a module is, in a word for messages; "" where there is none."""
    held = getattr(model, name, None)
    return "" if held is None else type(held).__name__


def what_is_made(attempt, seed):
    """The parameters and attributes of fresh modules; the second must share nothing with the first.

    Of each: names and shapes of parameters, what the attributes are, the first weights.
    """
    dims = _SIZES[0]
    model, other = made(attempt, dims, _DIM), made(attempt, dims, _DIM)
    found = dict(model.named_parameters())
    own = {id(parameter) for parameter in model.parameters()}
    weights = getattr(model, "weights", None)
    return {
        "shapes": {name: list(value.shape) for name, value in found.items()},
        "learns": {name: value.requires_grad for name, value in found.items()},
        "kinds": {name: kind_of(model, name) for name in ("weights", "project")},
        "computed": torch.is_tensor(weights) and weights.grad_fn is not None,
        "names": [str(name) for name in getattr(model, "names", None) or ()],
        "dim_out": getattr(model, "dim_out", None),
        "weights": weights.detach().clone() if torch.is_tensor(weights) else None,
        "shared": any(id(parameter) in own for parameter in other.parameters()),
    }


def judge_made(seen, seed):
    problems = (about_project, about_weights, about_the_rest)
    return next(filter(None, (problem(seen) for problem in problems)), None)


def about_project(seen):
    """A sentence on the projections, or None."""
    shapes, kind = seen["shapes"], seen["kinds"]["project"]
    of_project = {name: shape for name, shape in shapes.items() if name.startswith("project.")}
    if not kind:
        return "Your module has no `self.project`; keep the linear layers there, by name."
    if not of_project:
        return (
            f"`project` is a plain {kind}, and `.parameters()` does not look into it: no optimizer "
            "would train these layers. Put them into an `nn.ModuleDict`."
        )
    if any(name.split(".")[1].isdigit() for name in of_project):
        return (
            f"The layers in `project` are numbered (a {kind}). Ask for them by the names of the "
            "modalities: use an `nn.ModuleDict`."
        )
    for name, size in _SIZES[0].items():
        if problem := about_layer(name, size, of_project):
            return problem
    return None


def about_layer(name, size, shapes):
    weight = shapes.get(f"project.{name}.weight")
    if weight is None and len(shapes) <= 2:
        return (
            "All modalities share one layer in `project`. They differ in size and in meaning: make "
            "an `nn.Linear` for each name."
        )
    if weight is None:
        return f"`project` has no linear layer for {name!r}; each name in `dims` needs one."
    if weight == [size, _DIM]:
        return (
            f"`project[{name!r}]` goes from {_DIM} numbers to {size}. It is the other way round: "
            "`nn.Linear(size, dim)` takes `size` numbers in and gives `dim`."
        )
    if weight != [_DIM, size]:
        return (
            f"`project[{name!r}]` has weights of shape {tuple(weight)}. With dims[{name!r}] = "
            f"{size} and dim = {_DIM} it should be `nn.Linear({size}, {_DIM})`, {(_DIM, size)}."
        )
    if f"project.{name}.bias" not in shapes:
        return f"`project[{name!r}]` has no bias; leave `nn.Linear` as it comes."
    return None


def about_weights(seen):
    """A sentence on the weights, or None."""
    kind, shape = seen["kinds"]["weights"], seen["shapes"].get("weights")
    modalities = len(_SIZES[0])
    if not kind:
        return "Your module has no `self.weights`; keep the M numbers for the softmax there."
    if any(name.startswith("weights.") for name in seen["shapes"]):
        return (
            f"`weights` is a {kind}. The exercise asks for one `nn.Parameter` of shape (M,), so "
            "that a softmax can run over it."
        )
    if seen["computed"]:
        return (
            "`weights` is computed from something else, so it is no parameter itself. Keep the "
            "`nn.Parameter`, and take the softmax in `forward`."
        )
    if shape is None:
        return (
            f"`weights` is a {kind}, which `.parameters()` does not find, so no optimizer would "
            "learn it. Wrap the tensor: `nn.Parameter(torch.zeros(M))`."
        )
    if shape != [modalities] and _DIM in shape:
        return (
            f"`weights` has the shape {tuple(shape)}, a weight for each feature. The formula has "
            f"one alpha a modality: ({modalities},) here."
        )
    if shape != [modalities]:
        return (
            f"`weights` has the shape {tuple(shape)}; with {modalities} modalities it should be "
            f"({modalities},), one number each."
        )
    if not seen["learns"]["weights"]:
        return "`weights` has `requires_grad=False`, so it would keep its first values."
    if float(seen["weights"].max() - seen["weights"].min()) > 1e-6:
        return (
            "`weights` starts with unequal numbers, so one modality is favoured before anything "
            "is learnt. Start with `torch.zeros(M)`."
        )
    if float(seen["weights"].abs().max()) > 1e-6:
        return "`weights` should start at zeros; a softmax makes equal shares of them."
    return None


def about_the_rest(seen):
    """A sentence on names, dim_out, and what is there without need, or None."""
    if seen["names"] != list(_SIZES[0]):
        given = ", ".join(seen["names"]) or "missing"
        return (
            f"The attribute `names` should be a tuple of the names in `dims`, in their order: "
            f"`tuple(dims)`. Yours: {given}."
        )
    if seen["dim_out"] != _DIM:
        return (
            f"The attribute `dim_out` should be `dim`, {_DIM} here: the layer above asks for it. "
            f"Yours: {seen['dim_out']}."
        )
    if seen["shared"]:
        return (
            "Two modules of your class share their parameters. Make them in `__init__`, not in the "
            "body of the class."
        )
    known = {f"project.{name}.{part}" for name in _SIZES[0] for part in ("weight", "bias")}
    if spare := sorted(seen["shapes"].keys() - known - {"weights"}):
        return f"Your module has a parameter that the exercise does not ask for: `{spare[0]}`."
    return None


# --- what forward gives: parts two and three ---


def drawn_state(dims, rng):
    """Weights and projections far from their first values, {name: tensor}."""
    state = {"weights": torch.randn(len(dims), generator=rng)}
    for name, size in dims.items():
        state[f"project.{name}.weight"] = torch.randn(_DIM, size, generator=rng)
        state[f"project.{name}.bias"] = torch.randn(_DIM, generator=rng)
    return state


def drawn_features(dims, rows, rng):
    """Features in another order than that of dims, and one modality that is not in dims."""
    names = [*dims][::-1]
    features = {name: torch.randn(rows, dims[name], generator=rng) for name in names}
    return {"other": torch.randn(rows, 7, generator=rng)} | features


def value_calls(seed):
    """Three modules and what they are called with: [(dims, state, [(features, present)])]."""
    rng, calls = seeded(seed, 1), []
    for dims, counts in zip(_SIZES, ((3, 1), (2,), (2,)), strict=True):
        state = drawn_state(dims, rng)
        calls.append((dims, state, [(drawn_features(dims, rows, rng), None) for rows in counts]))
    return calls


def mask_calls(seed):
    """Two modules, called with a mask of all names, one that lacks a name, one of empty rows.

    As ``value_calls`` gives them. Masks name the modalities in another order than dims, and the
    second module has weights so far apart, and so large, that no share may be rounded away and an
    exponential is infinite.
    """
    rng, dims = seeded(seed, 2), _SIZES[0]
    near, far = (drawn_state(dims, rng) for _ in range(2))
    far["weights"] = torch.tensor([95.0, 35.0, 34.0]) + torch.rand(3, generator=rng)
    return [(dims, state, masked_inputs(dims, rng)) for state in (near, far)]


def masked_inputs(dims, rng):
    """Pairs (features, present)."""
    inputs = []
    for patterns in (
        {"sound": (1, 1, 0, 0), "touch": (1, 0, 1, 1), "image": (1, 1, 0, 1)},
        {"image": (0, 1, 1), "other": (0, 0, 0), "touch": (1, 0, 1)},
        {"image": (0, 0, 1), "sound": (0, 1, 1), "touch": (0, 1, 0)},
    ):
        present = {name: torch.tensor(row).bool() for name, row in patterns.items()}
        inputs.append((drawn_features(dims, len(patterns["touch"]), rng), present))
    return inputs


def copied(named):
    return None if named is None else {name: value.clone() for name, value in named.items()}


def same_tensors(some, others):
    """Whether two dicts of tensors, or two Nones, are the same."""
    if some is None or others is None:
        return some is others
    return some.keys() == others.keys() and all(map(torch.equal, some.values(), others.values()))


def outputs_of(attempt, calls):
    """What the attempt's modules give, and whether they left their inputs alone."""
    outputs = []
    for dims, state, inputs in calls:
        model = made(attempt, dims, _DIM)
        if type(model).forward is nn.Module.forward:
            raise Unfit(
                "Your class has no `forward`. It stands inside the class, as far to the right as "
                "`__init__`, and is spelled so."
            )
        if not accepts(type(model).forward, model, {}, None):
            raise Unfit(
                "`forward` should take two things: `def forward(self, features, present=None)`."
            )
        model.load_state_dict(state)
        for features, present in inputs:
            mine = copied(features), copied(present)
            value = asked(model, *mine)
            tensor = value.detach().clone() if torch.is_tensor(value) else None
            kept = same_tensors(mine[0], features) and same_tensors(mine[1], present)
            outputs.append({"kind": type(value).__name__, "value": tensor, "kept": kept})
    return outputs


def asked(model, features, present):
    """Call a module. Raises Unfit, in a sentence, where the form of its inputs stops it."""
    try:
        return model(features) if present is None else model(features, present)
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        if problem := about_inputs(error, model, present) or about_mask(error, model, features):
            raise Unfit(problem) from None
        raise


def about_inputs(error, model, present):
    """What an error says of how a module takes its inputs, or None."""
    if present is None and "NoneType" in str(error):
        return (
            "Without a mask `present` is None, and your module looks into it all the same. Then "
            "everything is there: ask for this case first."
        )
    name = error.args[0] if isinstance(error, KeyError) and error.args else None
    if name == "other":
        return (
            "`features` and `present` may hold names that are not in `dims`, here 'other'. Go "
            "through `self.names`, and ask for each by name."
        )
    if name in model.names and name not in (present or {}):
        return (
            f"`present` has no {name!r}, and your module asked it for that name. A name that it "
            "lacks counts as there in every row: `present.get(name)`."
        )
    return None


def about_mask(error, model, features):
    """What an error says of the mask's dtype or axes, or None."""
    if "operator.invert" in str(error) or "only supports boolean masks" in str(error):
        return (
            "A mask of yours holds floats. Masks are bool: make those of your own with "
            "`dtype=torch.bool`."
        )
    modalities, rows = len(model.names), len(next(iter(features.values())))
    clash = "The size of tensor a ({}) must match the size of tensor b ({}) at non-singleton dim"
    both = (clash.format(modalities, rows), clash.format(rows, modalities))
    if str(error).startswith(both) and str(error).endswith("dimension 1"):
        return (
            f"`weights` is (M,), ({modalities},) here, and meets something (M, B), ({modalities}, "
            f"{rows}): your mask? Write `weights[:, None]`, or stack the mask to (B, M)."
        )
    return None


class Given(NamedTuple):
    """What a way of joining gets: projected (B, M, dim), weights (M,), there (B, M) bool.

    bias (M, dim): what the layers make of zeros. in_turn (B, M): the masks as they come, where
    they are M. listed (M,): whether present holds the name.
    """

    projected: torch.Tensor
    weights: torch.Tensor
    there: torch.Tensor
    bias: torch.Tensor
    in_turn: torch.Tensor
    listed: torch.Tensor


def weighed(share, projected):
    return (share[..., None] * projected).sum(dim=1)


def masked_shares(weights, there):
    return weights.expand(there.shape).masked_fill(~there, -torch.inf).softmax(dim=1).nan_to_num()


def joined(given):
    """As it should be."""
    return weighed(masked_shares(given.weights, given.there), given.projected)


def unmasked(given):
    return weighed(given.weights.softmax(dim=0)[None], given.projected)


def zeroed_first(given):
    kept = torch.where(given.there[:, :, None], given.projected, given.bias)
    return weighed(given.weights.softmax(dim=0)[None], kept)


def empty_rows_nan(given):
    return joined(given).masked_fill(~given.there.any(dim=1)[:, None], torch.nan)


def empty_rows_as_if_full(given):
    there = given.there | ~given.there.any(dim=1, keepdim=True)
    return joined(given._replace(there=there))


def empty_rows_mean(given):
    some = given.there.any(dim=1)[:, None]
    return torch.where(some, joined(given), given.projected.mean(dim=1))


def scores_times_mask(given):
    return (given.weights * given.there).softmax(dim=1)


def shared_over_the_batch(given):
    share = given.weights.softmax(dim=0) * given.there
    return weighed(share / share.sum(), given.projected)


def one_for_the_batch(given):
    return joined(given._replace(there=given.there.all(dim=0).expand_as(given.there)))


def upside_down(given):
    return given._replace(there=~given.there)


def upside_down_by_name(given):
    """A name that present lacks stays there."""
    return given._replace(there=given.there ^ given.listed)


def turned(given):
    return joined(upside_down(given))


def turned_nan(given):
    return empty_rows_nan(upside_down(given))


def listed_turned(given):
    return joined(upside_down_by_name(given))


def listed_turned_nan(given):
    return empty_rows_nan(upside_down_by_name(given))


UPSIDE_DOWN = (
    "Your mask is upside down: what is present gets no share. `masked_fill` fills where its mask "
    "is True."
)

# What is said of wrong values, and the way to join that gives them.
VALUE_FAULTS = (
    (UPSIDE_DOWN, lambda given: torch.zeros_like(given.projected[:, 0])),
    (
        "Your weights are used as they come. Send them through a softmax first, so that none is "
        "negative and they sum to 1.",
        lambda given: weighed(given.weights[None], given.projected),
    ),
    (
        "Your weights are exp(w), which do not sum to 1. Use a softmax over the modalities.",
        lambda given: weighed(given.weights.exp()[None], given.projected),
    ),
    (
        "This is the plain mean of the projections: the weights do not come into it.",
        lambda given: given.projected.mean(dim=1),
    ),
    (
        "This is the plain sum of the projections: the weights do not come into it, or their "
        "softmax runs over an axis of size 1.",
        lambda given: given.projected.sum(dim=1),
    ),
    (
        "Your softmax runs over the rows of the batch. It belongs over the modalities.",
        lambda given: given.projected.sum(dim=1) / len(given.projected),
    ),
    (
        "You divide the weighted sum by the number of modalities. The shares sum to 1 already; add "
        "up.",
        lambda given: unmasked(given) / len(given.weights),
    ),
    (
        "Each share meets another modality: features come in any order. Go through `self.names`, "
        "and ask for features by name.",
        lambda given: unmasked(given._replace(weights=given.weights.flip(0))),
    ),
    (
        "Your projections go through a relu. The formula has the linear layer's numbers as they "
        "are, negative ones too.",
        lambda given: unmasked(given._replace(projected=given.projected.relu())),
    ),
    (
        "Your result goes through a relu. The sum is the answer, negative numbers too; what comes "
        "above a fusion is not its part.",
        lambda given: unmasked(given).relu(),
    ),
    (
        "Only the first modality is in your answer. If you go through them in a loop, its `return` "
        "belongs after the loop.",
        lambda given: given.weights.softmax(dim=0)[0] * given.projected[:, 0],
    ),
    (
        "Only the last modality is in your answer: in a loop, add to a total.",
        lambda given: given.weights.softmax(dim=0)[-1] * given.projected[:, -1],
    ),
)

MASK_FAULTS = (
    (
        "The mask changes nothing: an absent modality keeps its share. Its share has to be 0, and "
        "those of the others sum to 1.",
        unmasked,
    ),
    (
        "An absent modality gets no share, as it should, but what it had is lost: the shares of "
        "such a row sum to less than 1. Divide them by their sum, or mask the scores with -inf "
        "before the softmax.",
        lambda given: weighed(given.weights.softmax(dim=0) * given.there, given.projected),
    ),
    (
        "You put zeros in place of absent features, but the layer makes its bias of them, and they "
        "keep their share. Take the share away, after the projection.",
        zeroed_first,
    ),
    (
        "A row with nothing present gives nan: a softmax of nothing but -inf, or 0 divided by 0. "
        "It should give zeros. Mask with -inf before the softmax, then `nan_to_num`.",
        empty_rows_nan,
    ),
    (
        "A row with nothing present gets the projections as if all were there. It should give "
        "zeros.",
        empty_rows_as_if_full,
    ),
    (
        "A row with nothing present gets the mean of the projections, as a softmax over equal "
        "scores does. It should give zeros.",
        empty_rows_mean,
    ),
    (
        "The scores of what is absent are set to 0 before the softmax, or multiplied by the mask, "
        "and 0 is a score like any other. The score of what is absent has to be -inf.",
        lambda given: weighed(scores_times_mask(given), given.projected),
    ),
    (
        "The scores of what is absent are 0 in your softmax, so they take part in its sum, and the "
        "shares that are left sum to less than 1. Mask them with -inf before the softmax.",
        lambda given: weighed(scores_times_mask(given) * given.there, given.projected),
    ),
    *((UPSIDE_DOWN, way) for way in (turned, turned_nan, listed_turned, listed_turned_nan)),
    (
        "Each mask meets another modality: `present` names them in any order, and may hold other "
        "names. Go through `self.names`, and ask `present` for each.",
        lambda given: joined(given._replace(there=given.in_turn)),
    ),
    (
        "Which modalities are there differs from row to row; yours asks it once for the whole "
        "batch.",
        one_for_the_batch,
    ),
    (
        "You divide the shares by their sum over the whole batch. Each row has a sum of its own: "
        "`sum(dim=1, keepdim=True)`.",
        shared_over_the_batch,
    ),
    (
        "The shares of what is present are equal: the weights do not come into them.",
        lambda given: joined(given._replace(weights=torch.zeros_like(given.weights))),
    ),
)


def projected_by(dims, state, features):
    """(B, M, dim), by the formula."""
    parts = [
        features[name] @ state[f"project.{name}.weight"].T + state[f"project.{name}.bias"]
        for name in dims
    ]
    return torch.stack(parts, dim=1)


def there_in(dims, present, rows):
    """(B, M) bool; a name that present lacks is there."""
    everywhere = torch.ones(rows, dtype=torch.bool)
    return torch.stack([(present or {}).get(name, everywhere) for name in dims], dim=1)


def joined_by(way, calls):
    """What a way of joining gives for all calls."""
    outputs = []
    for dims, state, inputs in calls:
        bias = torch.stack([state[f"project.{name}.bias"] for name in dims])
        for features, present in inputs:
            projected = projected_by(dims, state, features)
            there = there_in(dims, present, len(projected))
            masks = [*(present or {}).values()]
            in_turn = torch.stack(masks, dim=1) if len(masks) == len(dims) else there
            listed = torch.tensor([name in (present or {}) for name in dims])
            given = Given(projected, state["weights"], there, bias, in_turn, listed)
            outputs.append(way(given))
    return outputs


def judge_outputs(seen, calls, ways):
    """A sentence on what came out of the calls, or None. ways: pairs (sentence, way to join)."""
    expected = joined_by(joined, calls)
    for output, wanted in zip(seen, expected, strict=True):
        if problem := about_form(output, wanted):
            return problem
    values = [output["value"] for output in seen]
    if all(map(alike, values, expected)):
        return None if all(output["kept"] for output in seen) else CHANGED
    for sentence, way in ways:
        if all(map(alike, values, joined_by(way, calls))):
            return sentence
    return about_far_weights(values, expected, calls) or about_numbers(values, expected, calls)


def about_far_weights(values, expected, calls):
    """A sentence on a module that is right but for the last of several, with large weights."""
    first = sum(len(inputs) for _, _, inputs in calls[:-1])
    if not (first and all(map(alike, values[:first], expected[:first]))):
        return None
    if not all(value.isfinite().all() for value in values):
        return (
            "Right for small weights. For large ones `exp` is infinity, and infinity divided by "
            "infinity is nan: use `softmax`, which takes the largest weight away first."
        )
    if calls[-1][2][0][1] is None:
        return None
    return (
        "Where an absent modality has by far the largest weight, the shares that are left do not "
        "sum to 1: their sum is tiny, and you do not divide by it as it is (`clamp`, `max`, a "
        "small number added?). Mask the scores with -inf before the softmax."
    )


CHANGED = "Your module changes the features or the mask that it is given; work on copies."


def alike(value, wanted):
    return torch.allclose(value, wanted, rtol=1e-4, atol=1e-5, equal_nan=True)


def about_form(output, wanted):
    """A sentence on kind, shape and dtype of what came out, or None."""
    value = output["value"]
    if output["kind"] == "NoneType":
        return "`forward` gave None; is a `return` missing?"
    if value is None:
        return f"`forward` gave a {output['kind']}; it should give a tensor (B, dim)."
    if value.shape != wanted.shape:
        return (
            f"`forward` gave the shape {tuple(value.shape)} for {len(wanted)} rows and dim = "
            f"{_DIM}; expected is {tuple(wanted.shape)}. {advice_on(value, wanted)}"
        ).strip()
    if value.dtype != wanted.dtype:
        return f"`forward` gave {value.dtype}; features in {wanted.dtype} should stay so."
    return None


def advice_on(value, wanted):
    if value.numel() == wanted.numel():
        return "An axis of size 1 is lost or added: name the axis that you sum over."
    if value.ndim == 3:
        return "Add up over the modalities."
    if value.ndim == 2 and len(value) == len(wanted) and value.shape[1] % _DIM == 0:
        return "Side by side is another fusion: add up over the modalities."
    return ""


def about_numbers(values, expected, calls):
    """A sentence on the first value that is wrong for a reason that is not known."""
    place = next(k for k, pair in enumerate(zip(values, expected, strict=True)) if not alike(*pair))
    present = [present for _, _, inputs in calls for _, present in inputs][place]
    row = int((values[place] - expected[place]).abs().nan_to_num(torch.inf).amax(dim=1).argmax())
    got, wanted = ([round(x, 3) for x in side[place][row].tolist()] for side in (values, expected))
    where = f"row {row}"
    if present:
        there = [name for name, mask in present.items() if mask[row] and name in _SIZES[0]]
        there += [name for name in _SIZES[0] if name not in present]
        verb = "are" if len(there) > 1 else "is"
        where = f"a row in which {' and '.join(there) or 'nothing'} {verb} present"
    return f"For {where} your module gives {got}; by the formula it is {wanted}."


# --- whether it learns: part four ---

_ROWS, _STEPS = 240, 80
_TOY = {"image": 6, "text": 4}


def toy(seed):
    """Three classes that neither modality tells apart alone; a fifth of the rows lack one of them.

    A few rows lack both. Features, mask and label; the same for all who ask.
    """
    rng = seeded(seed, 3)
    label = torch.randint(3, (_ROWS,), generator=rng)
    features = {name: torch.randn(_ROWS, size, generator=rng) for name, size in _TOY.items()}
    features["image"][:, 0] += 3.0 * (label == 0)
    features["text"][:, 0] += 3.0 * (label == 1)
    lot = torch.rand(_ROWS, generator=rng)
    present = {"image": (lot > 0.12), "text": (lot < 0.1) | (lot > 0.2)}
    present["text"][:4] = present["image"][:4] = False
    return features, present, label


def learns(attempt, seed):
    """How a module and a linear layer above it learn the toy."""
    features, present, label = toy(seed)
    torch.manual_seed(seed)
    model = made(attempt, _TOY, 8)
    head = nn.Linear(8, 3)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    optimizer = torch.optim.Adam([*model.parameters(), *head.parameters()], lr=0.03)
    losses = []
    for _ in range(_STEPS):
        logits = head(model(copied(features), copied(present)))
        loss = nn.functional.cross_entropy(logits, label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    after = dict(model.named_parameters())
    return {
        "losses": losses,
        "moved": {n: float((after[n] - old).detach().abs().max()) for n, old in before.items()},
        "right": float((logits.argmax(dim=1) == label).float().mean()),
    }


def judge_learnt(seen, seed):
    stuck = [name for name, far in seen["moved"].items() if far == 0]
    if any(not math.isfinite(far) for far in (*seen["moved"].values(), *seen["losses"])):
        return (
            "After some steps its numbers are nan. A row with nothing present gives zeros, but "
            "sends a nan backwards: never divide by 0 on the way, not even where the result is "
            "replaced. Mask with -inf before the softmax, then `nan_to_num`."
        )
    if "weights" in stuck:
        return (
            "The loss falls, but `weights` stays where it started: no gradient reaches it. Look "
            "for `.detach()`, `.data`, `.item()`, `.tolist()` or `torch.no_grad()`."
        )
    if stuck:
        return (
            f"No gradient reaches `{stuck[0]}`: it stays where it started. Look for `.detach()`, "
            "`.data` or `torch.no_grad()`."
        )
    reference = learns(fusion.WeightedFusion, seed)
    if seen["losses"][-1] > 0.8 * seen["losses"][0] or seen["right"] < reference["right"] - 0.08:
        return (
            f"It hardly learns: right on {seen['right']:.2f} of the rows that it trained on, where "
            f"the reference reaches {reference['right']:.2f}."
        )
    return None


# --- ways to build it, right and wrong ---


class SharedOut(fusion.WeightedFusion):
    """Masks the shares, then divides them by their sum, however small it is."""

    def forward(self, features, present=None):
        there = dict.fromkeys(self.names, 1.0) | (present or {})
        alpha = self.weights.softmax(dim=0)
        total, shares = 0, 0
        for name, share in zip(self.names, alpha, strict=True):
            share = torch.as_tensor(share * there[name]).expand(len(features[name]))[:, None]
            total = total + share * self.project[name](features[name])
            shares = shares + share
        return total / torch.where(shares > 0, shares, 1.0)


class PlainDict(nn.Module):
    def __init__(self, dims, dim=64):
        super().__init__()
        self.names, self.dim_out = tuple(dims), dim
        self.project = {name: nn.Linear(size, dim) for name, size in dims.items()}
        self.weights = nn.Parameter(torch.zeros(len(dims)))


class PlainList(PlainDict):
    def __init__(self, dims, dim=64):
        super().__init__(dims, dim)
        self.project = [*self.project.values()]


class Numbered(PlainDict):
    def __init__(self, dims, dim=64):
        super().__init__(dims, dim)
        self.project = nn.ModuleList(self.project.values())


class OneLayer(PlainDict):
    def __init__(self, dims, dim=64):
        super().__init__(dims, dim)
        self.project = nn.Linear(max(dims.values()), dim)


class TurnedRound(PlainDict):
    def __init__(self, dims, dim=64):
        super().__init__(dims, dim)
        self.project = nn.ModuleDict({name: nn.Linear(dim, size) for name, size in dims.items()})


class PlainWeights(fusion.WeightedFusion):
    def __init__(self, dims, dim=64):
        super().__init__(dims, dim)
        del self.weights
        self.weights = torch.zeros(len(dims))


class WeightEachFeature(fusion.WeightedFusion):
    def __init__(self, dims, dim=64):
        super().__init__(dims, dim)
        self.weights = nn.Parameter(torch.zeros(len(dims), dim))


class UnequalStart(fusion.WeightedFusion):
    def __init__(self, dims, dim=64):
        super().__init__(dims, dim)
        self.weights = nn.Parameter(torch.randn(len(dims)))


class NoSuper(nn.Module):
    def __init__(self, dims, dim=64):
        self.weights = nn.Parameter(torch.zeros(len(dims)))


class Joins(fusion.WeightedFusion):
    """The package's module with another way to join; ``of`` gives (B, M) scores or shares."""

    def join(self, projected, present):
        return (self.of(self.weights[None, :, None], present) * projected).sum(dim=1)


class NoSoftmax(Joins):
    def of(self, weights, there):
        return weights * there


class SoftmaxOverRows(Joins):
    def of(self, weights, there):
        return weights.expand(there.shape).softmax(dim=0)


class NoMask(Joins):
    def of(self, weights, there):
        return weights.softmax(dim=1)


class NotSharedAnew(Joins):
    def of(self, weights, there):
        return weights.softmax(dim=1) * there


class NanForNothing(Joins):
    def of(self, weights, there):
        return weights.masked_fill(~there, -torch.inf).softmax(dim=1)


class LowForAbsent(Joins):
    def of(self, weights, there):
        return weights.masked_fill(~there, -1e9).softmax(dim=1)


class ScoresTimesMask(Joins):
    def of(self, weights, there):
        return (weights * there).softmax(dim=1)


class ZeroForAbsent(Joins):
    def of(self, weights, there):
        return weights.masked_fill(~there, 0).softmax(dim=1)


class SumHeldBack(Joins):
    def of(self, weights, there):
        shares = weights.softmax(dim=1) * there
        return shares / shares.sum(dim=1, keepdim=True).clamp(min=1e-6)


class UpsideDown(Joins):
    def of(self, weights, there):
        return weights.masked_fill(there, -torch.inf).softmax(dim=1).nan_to_num()


class InOrderOfFeatures(fusion.WeightedFusion):
    def forward(self, features, present=None):
        given = {name: value for name, value in features.items() if name in self.names}
        alpha = self.weights.softmax(dim=0)
        parts = [self.project[name](value) for name, value in given.items()]
        return sum(share * part for share, part in zip(alpha, parts, strict=True))


class AsksForEachName(fusion.WeightedFusion):
    def forward(self, features, present=None):
        if present is not None:
            present = {name: present[name] for name in self.names}
        return super().forward(features, present)


class CutOff(Joins):
    def of(self, weights, there):
        scores = weights.detach().masked_fill(~there, -torch.inf)
        return scores.softmax(dim=1).nan_to_num()


WeightedFusion = Exercise(
    reference=fusion.WeightedFusion,
    parts=(
        Part(
            "constructor",
            what_is_made,
            judge_made,
            (
                "Begin with `super().__init__()`. Then four attributes: `names`, `dim_out`, "
                "`project`, `weights`. Which two of them hold what an optimizer should learn?",
                "A layer for each name: `nn.ModuleDict({name: nn.Linear(size, dim) for name, size "
                "in dims.items()})`. The M numbers: `nn.Parameter(torch.zeros(len(dims)))`.",
            ),
        ),
        Part(
            "forward",
            lambda attempt, seed: outputs_of(attempt, value_calls(seed)),
            lambda seen, seed: judge_outputs(seen, value_calls(seed), VALUE_FAULTS),
            (
                "First without a mask: project each modality's features by its own layer, then do "
                "what `weighted_fusion` did.",
                "`torch.stack([self.project[name](features[name]) for name in self.names], dim=1)` "
                "is (B, M, dim). Its shares are `self.weights.softmax(dim=0)`, with one more axis "
                "behind.",
            ),
        ),
        Part(
            "mask",
            lambda attempt, seed: outputs_of(attempt, mask_calls(seed)),
            lambda seen, seed: judge_outputs(seen, mask_calls(seed), MASK_FAULTS),
            (
                "The shares differ from row to row now, (B, M). Build a mask of that shape from "
                "`present`: a column for each name, all True for a name that it lacks.",
                "Give what is absent the score -inf before the softmax over axis 1: "
                "`self.weights.expand(len(there), -1).masked_fill(~there, -torch.inf)`.",
                "A row with nothing in it ends in a softmax of -inf alone: nan. `nan_to_num()` "
                "makes zeros of it.",
            ),
        ),
        Part(
            "learning",
            learns,
            judge_learnt,
            (
                "It is right in its numbers, so look at how gradients go: from the loss through "
                "the shares back to `self.weights`. What cuts them off on the way?",
                "Use `self.weights` itself, as a tensor, in each step: no `.data`, `.detach()`, "
                "`.item()` or `.tolist()`, and no number that stands in for it.",
            ),
        ),
    ),
    also_right=(SharedOut,),
    mistakes=(
        Mistake(NoSuper, "The constructor has to begin with `super().__init__()`"),
        Mistake(PlainDict, "Put them into an `nn.ModuleDict`."),
        Mistake(PlainList, "`project` is a plain list, and `.parameters()`"),
        Mistake(Numbered, "The layers in `project` are numbered (a ModuleList)."),
        Mistake(OneLayer, "All modalities share one layer in `project`."),
        Mistake(TurnedRound, "It is the other way round: `nn.Linear(size, dim)`"),
        Mistake(PlainWeights, "`weights` is a Tensor, which `.parameters()`"),
        Mistake(WeightEachFeature, "a weight for each feature."),
        Mistake(UnequalStart, "Start with `torch.zeros(M)`."),
        Mistake(NoSoftmax, "Your weights are used as they come."),
        Mistake(SoftmaxOverRows, "Your softmax runs over the rows of the batch."),
        Mistake(
            InOrderOfFeatures, "Each share meets another modality: features come in any order."
        ),
        Mistake(NoMask, "The mask changes nothing: an absent modality keeps its share."),
        Mistake(
            AsksForEachName,
            "A name that it lacks counts as there in every row: `present.get(name)`.",
        ),
        Mistake(NotSharedAnew, "the shares of such a row sum to less than 1."),
        Mistake(NanForNothing, "or 0 divided by 0. It should give zeros."),
        Mistake(LowForAbsent, "as a softmax over equal scores does. It should give zeros."),
        Mistake(ScoresTimesMask, "The score of what is absent has to be -inf."),
        Mistake(
            ZeroForAbsent,
            "The scores of what is absent are set to 0 before the softmax, or multiplied by the "
            "mask, and 0 is a score like any other.",
        ),
        Mistake(
            SumHeldBack, "a small number added?). Mask the scores with -inf before the softmax."
        ),
        Mistake(UpsideDown, "Your mask is upside down: what is present gets no share."),
        Mistake(CutOff, "`weights` stays where it started: no gradient reaches it."),
    ),
)
