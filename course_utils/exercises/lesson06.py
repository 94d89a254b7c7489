"""The exercises of lesson 06, Training."""

import itertools
import math

import torch
import torch.nn.functional as F
from torch import nn

from course_utils import measures, training
from course_utils.exercises.core import Exercise, Mistake

# --- bce_with_logits -------------------------------------------------------------------------


def bce_of_columns(logits, target):
    """Two classes with the logits 0 and z are one logit z."""
    columns = torch.stack([torch.zeros_like(logits), logits], dim=1)
    return F.cross_entropy(columns, target.long())


def bce_by_rearranging(logits, target):
    return (logits.clamp(min=0) - logits * target + torch.log1p((-logits.abs()).exp())).mean()


def bce_by_probabilities(logits, target):
    p = logits.sigmoid()
    return -(target * p.log() + (1 - target) * (1 - p).log()).mean()


def bce_by_choosing(logits, target):
    """The right value; the branch that was not taken spoils the gradient."""
    return (torch.where(logits > 20, logits, (1 + logits.exp()).log()) - logits * target).mean()


def bce_cut_off(logits, target):
    return ((1 + logits.clamp(max=80).exp()).log() - logits * target).mean()


def bce_without_targets(logits, target):
    return F.softplus(logits).mean()


def bce_of_ones_alone(logits, target):
    return -(target * F.logsigmoid(logits)).mean()


def bce_of_signs(logits, target):
    """The formula for targets of -1 and 1, asked with 0 and 1."""
    return F.softplus(-target * logits).mean()


def bce_without_rest(logits, target):
    return (logits.clamp(min=0) - logits * target).mean()


def bce_of_sizes(logits, target):
    return (logits.abs() - logits * target + torch.log1p((-logits.abs()).exp())).mean()


def bce_in_other_logarithms(logits, target):
    rest = torch.log2(1 + (-logits.abs()).exp())
    return (logits.clamp(min=0) - logits * target + rest).mean()


def squared_error(logits, target):
    return (logits.sigmoid() - target).square().mean()


def bce_by_math(logits, target):
    return (math.log(1 + math.exp(logits)) - logits * target).mean()


def binary_cases(rng):
    """Logits and targets (n,): ordinary ones, one row, then some beyond 88, whose exp()
    is inf, and beyond 709, where it is so in double precision too."""
    for rows in (5, 8):
        near = 2 * torch.randn(rows, generator=rng)
        yield near.requires_grad_(), mixed_targets(rows, rng)
    for target in (1.0, 0.0):
        yield torch.randn(1, generator=rng).requires_grad_(), torch.tensor([target])
    far = torch.cat([torch.tensor([150.0, -150.0, 1e3, -1e3]), torch.randn(3, generator=rng)])
    yield far.requires_grad_(), torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0])


def loss_and_slope(result, logits, target):
    """What is compared; of far logits that were cut off, wherever it was, only that they were."""
    loss, z = result.detach(), logits.detach()
    truth = F.binary_cross_entropy_with_logits(z, target)
    if not result.requires_grad:  # the check of gradients says so, in better words
        return {"Your loss": result, "Its gradient": (z.sigmoid() - target) / len(z)}
    if z.abs().max() > 88 and loss.isfinite().all() and loss.mean() < truth - 1:
        return {"Your loss of large logits": "too small"}
    total = result.sum()
    (slope,) = torch.autograd.grad(total, logits, retain_graph=True, allow_unused=True)
    slope = torch.zeros_like(z) if slope is None else slope
    spoilt = slope.isnan().any()
    return {"Your loss": result, "Its gradient": "NaN" if spoilt else slope}


def mixed_targets(rows, rng):
    """Zeros and ones (n,) float, some of each, not as many ones as zeros."""
    target = torch.zeros(rows)
    target[torch.randperm(rows, generator=rng)[: rows // 3]] = 1
    return target


bce_with_logits = Exercise(
    reference=F.binary_cross_entropy_with_logits,
    cases=binary_cases,
    observe=loss_and_slope,
    also_right=(
        bce_of_columns,
        bce_by_rearranging,
        lambda logits, target: (F.softplus(logits) - logits * target).mean(),
        lambda logits, target: (
            -(target * F.logsigmoid(logits) + (1 - target) * F.logsigmoid(-logits)).mean()
        ),
        lambda logits, target: torch.logsumexp(
            torch.stack([torch.zeros_like(logits), (1 - 2 * target) * logits]), dim=0
        ).mean(),
    ),
    hints=(
        "Each row's loss is log(1 + e^z) - y z. The first term overflows where z is large; for "
        "those rows use z + log(1 + e^-z). What is it for z = 150, on paper?",
        "Both in one: `logits.clamp(min=0)`, plus the logarithm of `1 + (-logits.abs()).exp()`, "
        "minus `logits * target`; then the mean.",
    ),
    mistakes=(
        Mistake(
            lambda logits, target: F.binary_cross_entropy_with_logits(logits.sigmoid(), target),
            "You applied the sigmoid twice: what goes in must be logits, not probabilities. No "
            "probability can then leave the range from 0.5 to 0.73, and nothing warns you.",
        ),
        Mistake(
            lambda logits, target: ((1 + logits.exp()).log() - logits * target).mean(),
            "Right for ordinary logits, but exp() overflows beyond 88 and the loss is infinite. "
            "Only take exp() of numbers that are not positive.",
        ),
        Mistake(
            bce_by_probabilities,
            "Right for ordinary logits, but a large one gives a probability of exactly 1 or 0, "
            "and its logarithm is infinite. Work on the logits themselves.",
        ),
        Mistake(
            bce_cut_off,
            "Something cuts large logits off (a `clamp`, a small number added before the "
            "logarithm, or PyTorch's `binary_cross_entropy`, which ends at 100). A sure, wrong row "
            "with the logit 150 must cost 150. Nothing need be cut: only take exp() of numbers "
            "that are not positive.",
        ),
        Mistake(
            bce_by_choosing,
            "The value is right; its gradient is NaN. `torch.where` computes both branches, and "
            "the one that it drops is infinite: 0 times infinity. Only take exp() of numbers that "
            "are not positive.",
        ),
        Mistake(
            lambda logits, target: F.binary_cross_entropy_with_logits(
                logits, target, reduction="sum"
            ),
            "You added the rows up; the exercise asks for their mean.",
        ),
        Mistake(
            lambda logits, target: F.binary_cross_entropy_with_logits(
                logits, target, reduction="none"
            ),
            "You returned one loss for each row; take their mean.",
        ),
        Mistake(
            lambda logits, target: F.binary_cross_entropy_with_logits(logits, 1 - target),
            "The targets are turned round: a large logit must cost little where y is 1.",
        ),
        Mistake(
            lambda logits, target: -F.binary_cross_entropy_with_logits(logits, target),
            "The sign is turned round. A loss is lower where the model is better.",
        ),
        Mistake(
            bce_without_targets,
            "The targets do not come in: y z is missing, which each row's loss takes away.",
        ),
        Mistake(
            bce_of_ones_alone,
            "Only the rows with y = 1 cost anything. A row with y = 0 costs -log(1 - p).",
        ),
        Mistake(
            bce_of_signs,
            "log(1 + e^(-y z)) is the formula for targets of -1 and 1. Here they are 0 and 1, and "
            "a row with y = 0 would always cost log 2: log(1 + e^z) - y z.",
        ),
        Mistake(
            bce_without_rest,
            "The logarithm is missing. max(z, 0) is near log(1 + e^z) for large z alone; what "
            "lacks is log(1 + e^-|z|).",
        ),
        Mistake(
            bce_of_sizes,
            "log(1 + e^z) is max(z, 0) + log(1 + e^-|z|); you took |z| for max(z, 0), which is the "
            "same for positive logits alone.",
        ),
        Mistake(
            bce_in_other_logarithms,
            "You took another logarithm; cross-entropy has the natural one, `.log()`.",
        ),
        Mistake(
            squared_error,
            "This is the mean squared error of the probabilities, another loss. Cross-entropy is "
            "log(1 + e^z) - y z for each row.",
        ),
        Mistake(
            bce_by_math,
            "The functions of `math` take one number and lose the gradient. A tensor has its own: "
            "`.exp()`, `.log()`.",
        ),
    ),
)


# --- training_step ---------------------------------------------------------------------------


class Linear(nn.Module):
    """A model small enough for a check, called as the course's models are."""

    def __init__(self, classes=2):
        super().__init__()
        self.map = nn.Linear(2, classes)
        self.met = "never"

    def forward(self, batch):
        if not isinstance(batch, dict):
            raise TypeError("this model takes the whole batch, a dict, as in model(batch)")
        self.met = "training mode" if self.training else "evaluation mode"
        return self.map(batch["x"])

    def __repr__(self):
        return "a model"


class Watched:
    """What an optimizer of a check remembers: which gradients each of its steps met.

    It stands among the settings of the parameters, the one part of an optimizer that is copied.
    """

    def __init__(self, parameters, **settings):
        super().__init__(parameters, **settings)
        (group,) = self.param_groups
        group["old"], group["met"] = [p.grad.clone() for p in group["params"]], []

    def step(self, closure=None):
        (group,) = self.param_groups
        found = [p.grad for p in group["params"] if p.grad is not None and p.grad.any()]
        old = all(any(torch.equal(gradient, one) for one in group["old"]) for gradient in found)
        group["met"].append(("the old gradients" if old else "gradients") if found else "none")
        return super().step(closure)


class WatchedSGD(Watched, torch.optim.SGD):
    pass


class WatchedAdamW(Watched, torch.optim.AdamW):
    pass


def stepped(model, batch, optimizer):
    loss = F.cross_entropy(model(batch), batch["label"])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def stepped_after_clearing(model, batch, optimizer):
    optimizer.zero_grad()
    logits = model(batch)
    loss = -logits.log_softmax(dim=1)[range(len(logits)), batch["label"]].mean()
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def stepped_on(loss_of, keep=torch.Tensor.item):
    """A step on another loss; ``keep`` says what is made of it for the answer."""

    def attempt(model, batch, optimizer):
        loss = loss_of(model(batch), batch["label"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return keep(loss)

    return attempt


def never_cleared(model, batch, optimizer):
    loss = F.cross_entropy(model(batch), batch["label"])
    loss.backward()
    optimizer.step()
    return loss.item()


def cleared_before_step(model, batch, optimizer):
    loss = F.cross_entropy(model(batch), batch["label"])
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


def never_stepped(model, batch, optimizer):
    loss = F.cross_entropy(model(batch), batch["label"])
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


def never_backward(model, batch, optimizer):
    """Old gradients are there, and the step follows them."""
    loss = F.cross_entropy(model(batch), batch["label"])
    optimizer.step()
    return loss.item()


def stepped_in_evaluation(model, batch, optimizer):
    model.eval()
    return stepped(model, batch, optimizer)


def stepped_twice(model, batch, optimizer):
    loss = stepped(model, batch, optimizer)
    optimizer.step()
    return loss


def backward_twice(model, batch, optimizer):
    loss = F.cross_entropy(model(batch), batch["label"])
    optimizer.zero_grad()
    loss.backward(retain_graph=True)
    loss.backward()
    optimizer.step()
    return loss.item()


def logits_returned(model, batch, optimizer):
    logits = model(batch)
    optimizer.zero_grad()
    F.cross_entropy(logits, batch["label"]).backward()
    optimizer.step()
    return logits


def squared_distance(logits, label):
    return F.mse_loss(logits, F.one_hot(label, logits.shape[1]).float())


def loss_after_the_step(model, batch, optimizer):
    stepped(model, batch, optimizer)
    return F.cross_entropy(model(batch), batch["label"]).item()


def gradient_lost(model, batch, optimizer):
    with torch.no_grad():
        loss = F.cross_entropy(model(batch), batch["label"])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def backward_on_a_number(model, batch, optimizer):
    loss = F.cross_entropy(model(batch), batch["label"]).item()
    loss.backward()


def stepped_before_backward(model, batch, optimizer):
    loss = F.cross_entropy(model(batch), batch["label"])
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


SEVERAL_CLASSES = "This is the loss of yes-or-no models. With several classes: `F.cross_entropy`"


def yes_or_no_by_hand(logits, label):
    """Exercise 1's loss, written out: its shapes do not meet here."""
    return (logits.clamp(min=0) - label * logits + torch.log1p((-logits.abs()).exp())).mean()


def yes_or_no_of_columns(logits, label):
    """No error: each column counts as a yes-or-no question of its own."""
    target = F.one_hot(label, logits.shape[1]).float()
    return F.binary_cross_entropy_with_logits(logits, target)


def after_the_step(result, model, batch, optimizer):
    """The loss that was returned, the weights as the step left them, and what the step met."""
    return {
        "The mode in which your model was called": model.met,
        "What `optimizer.step()` met": " and then ".join(optimizer.param_groups[0]["met"])
        or "it was not called",
        "The returned loss": result,
        "The weights": model.map.weight.detach(),
    }


def step_cases(rng):
    """A model with an old gradient in it, as after the batch before; two kinds of optimizer.

    Two classes, three and five; a batch of one row.
    """
    for rows, classes, kind, settings in (
        (4, 2, WatchedSGD, {"lr": 0.5}),
        (5, 3, WatchedSGD, {"lr": 0.1, "momentum": 0.9}),
        (4, 2, WatchedAdamW, {"lr": 0.05}),
        (1, 5, WatchedSGD, {"lr": 1.0}),
    ):
        model = Linear(classes)
        for parameter in model.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=rng)
        batch = {
            "x": torch.randn(rows, 2, generator=rng),
            "label": torch.randint(0, classes, (rows,), generator=rng),
        }
        yield model, batch, kind(model.parameters(), **settings)


training_step = Exercise(
    reference=stepped,
    cases=step_cases,
    observe=after_the_step,
    changes_input=True,
    also_right=(stepped_after_clearing,),
    hints=(
        "Forward: `logits = model(batch)`, then `F.cross_entropy(logits, batch['label'])`. "
        "Then three calls: `zero_grad`, `backward`, `step`. Which belongs to the loss, and in "
        "which order must they come?",
        "`optimizer.zero_grad()` throws the old gradients away, `loss.backward()` computes new "
        "ones, `optimizer.step()` uses them. Return `loss.item()`.",
    ),
    mistakes=(
        Mistake(
            never_cleared,
            "Old gradients got into the step: `backward` adds to those that are there, and the "
            "step follows the sum. Call `optimizer.zero_grad()` before `backward`; at the end "
            "of the step is too late for what was there before it.",
        ),
        Mistake(
            cleared_before_step,
            "The weights did not move: when `step` was called there was no gradient. `backward()`, "
            "with its brackets, comes before it, and `zero_grad` not between the two.",
        ),
        Mistake(
            stepped_before_backward,
            "The step used the gradients of the batch before: no `backward` came before it.",
        ),
        Mistake(
            never_stepped,
            "The weights did not move: `optimizer.step()` was never called (without its brackets "
            "it is only named).",
        ),
        Mistake(
            stepped_in_evaluation,
            "You called `model.eval()`: in that mode dropout is off and BatchNorm uses its running "
            "averages. A step belongs to training: leave the mode as it is.",
        ),
        Mistake(
            stepped_twice,
            "You stepped twice on one batch.",
        ),
        Mistake(
            backward_twice,
            "The step was twice as large: `backward` was called twice, and it *adds* to the "
            "gradients that are there.",
        ),
        Mistake(
            logits_returned,
            "The step is right. You returned the logits; return the loss, `loss.item()`.",
        ),
        Mistake(
            stepped_on(squared_distance),
            "This is the mean squared error, another loss. Classes are learnt by "
            "`F.cross_entropy`.",
        ),
        Mistake(
            loss_after_the_step,
            "The step is right. You returned the loss after it; keep the loss with which you went "
            "backward.",
        ),
        Mistake(
            gradient_lost,
            "The loss carries no gradient, so there is nothing to go backward through. Look for "
            "`torch.no_grad()`, `.detach()`, `argmax` or `.item()` before `backward`.",
        ),
        Mistake(
            backward_on_a_number,
            "`.item()` makes a plain number, which has no `backward`. Go backward from the tensor, "
            "and take its `.item()` at the end.",
        ),
        Mistake(
            stepped_on(lambda logits, label: F.cross_entropy(logits.softmax(dim=1), label)),
            "You applied a softmax before `cross_entropy`, which has one inside and wants logits. "
            "Such a model hardly learns.",
        ),
        Mistake(
            stepped_on(lambda logits, label: F.cross_entropy(logits, label, reduction="sum")),
            "Your loss is a sum over the batch, so the step grows with the batch. Take the mean, "
            "which is what `F.cross_entropy` does by itself.",
        ),
        Mistake(
            stepped_on(
                lambda logits, label: F.binary_cross_entropy_with_logits(logits, label.float())
            ),
            f"{SEVERAL_CLASSES}, which takes logits (B, C) and labels (B,).",
        ),
        Mistake(
            stepped_on(yes_or_no_by_hand),
            f"{SEVERAL_CLASSES}. Yours wants one logit a row, and here are C.",
        ),
        Mistake(
            # The same with its product turned round, and so is the error that Python raises.
            stepped_on(lambda logits, label: (logits.clamp(min=0) - logits * label).mean()),
            f"{SEVERAL_CLASSES}. Yours wants one logit for each row, and here are C.",
        ),
        Mistake(
            stepped_on(yes_or_no_of_columns),
            f"{SEVERAL_CLASSES}. Yours takes each column for a question of its own.",
        ),
        Mistake(
            stepped_on(F.cross_entropy, keep=lambda loss: loss),
            "You returned the loss as a tensor that still holds on to its whole graph; who keeps "
            "it runs out of memory. Return the number, `loss.item()`.",
        ),
    ),
)


# --- should_stop -----------------------------------------------------------------------------


def stops_by_counting(scores, patience):
    best, waited = None, 0
    for score in scores:
        if best is None or score > best:
            best, waited = score, 0
        else:
            waited += 1
    return waited >= patience


def stops_without_a_guard(scores, patience):
    return len(scores) - 1 - scores.index(max(scores)) >= patience


def latest_of_equals(scores, patience):
    if not scores:
        return False
    best = max(index for index, score in enumerate(scores) if score == max(scores))
    return len(scores) - 1 - best >= patience


def falls_in_a_row(scores, patience):
    falls = 0
    for before, score in itertools.pairwise(scores):
        falls = 0 if score > before else falls + 1
    return falls >= patience


def counts_from_zero(scores, patience):
    """Its best starts at 0, which no negative score beats."""
    best, bad = 0, 0
    for score in scores:
        best, bad = (score, 0) if score > best else (best, bad + 1)
    return bad >= patience


def never_counts_anew(scores, patience):
    return sum(score <= max(scores[:n]) for n, score in enumerate(scores) if n) >= patience


def once_and_for_all(scores, patience):
    """Whether it would have stopped at any epoch so far."""
    return any(training.should_stop(scores[: n + 1], patience) for n in range(len(scores)))


def looks_at_the_last(scores, patience):
    return len(scores) > patience and scores[-1] <= max(scores[:-patience])


def looks_at_one_before(scores, patience):
    if len(scores) <= patience:
        return False
    return all(score <= scores[-patience - 1] for score in scores[-patience:])


def splits_too_short_a_list(scores, patience):
    return max(scores[-patience:]) <= max(scores[:-patience])


def stops_at_one_moment(scores, patience):
    return bool(scores) and len(scores) - 1 - scores.index(max(scores)) == patience


def any_of_the_last(scores, patience):
    return len(scores) > patience and any(
        score <= max(scores[:-patience]) for score in scores[-patience:]
    )


def first_of_the_list(scores, patience):
    return len(scores) > patience and max(scores[-patience:]) <= max(scores[:patience])


def last_against_best(scores, patience):
    return len(scores) > patience and scores[-1] < max(scores)


def best_never_raised(scores, patience):
    waited = 0
    for score in scores[1:]:
        waited = 0 if score > scores[0] else waited + 1
    return waited >= patience


def always_after_patience(scores, patience):
    return len(scores) > patience


def splits_a_list_of_the_last(scores, patience):
    return len(scores) >= patience and splits_too_short_a_list(scores, patience)


def falls_all_the_way(scores, patience):
    last = scores[-patience:]
    return all(score <= before for before, score in itertools.pairwise(last))


def yes_or_no(result, *arguments):
    """What a learner returned, as a bool; a count, a text or None is neither yes nor no."""
    return result if isinstance(result, int | float | str | None) else bool(result)


def score_cases(rng):
    """Histories, and at each of them a patience on both sides of the answer."""
    for scores in (
        [0.50, 0.40, 0.40, 0.90],  # the newest epoch is the best
        [0.50, 0.40, 0.60, 0.50, 0.70],  # never two in a row
        [-3.0, -1.7, -1.9, -1.4],  # minus losses
        [0.50, 0.70, 0.80],
        [0.50, 0.90, 0.40],  # the best is one of the last, but not the last
        [0.50, 0.80, 0.60, 0.70],  # rises again, but not above its best
        [0.50, 0.80, 0.80, 0.80],  # equal is not better
        [0.60, 0.80, 0.70, 0.75, 0.72, 0.78],
        torch.rand(8, generator=rng).tolist(),
    ):
        for patience in (1, 2, 3, 4):
            yield scores, patience
    yield [], 1
    yield [0.3], 1
    yield [-0.5, *(-1 - torch.rand(12, generator=rng)).tolist()], 10


should_stop = Exercise(
    reference=training.should_stop,
    cases=score_cases,
    observe=yes_or_no,
    also_right=(
        stops_by_counting,
        lambda scores, patience: (
            len(scores) > patience and max(scores[-patience:]) <= max(scores[:-patience])
        ),
        lambda scores, patience: (
            len(scores) > patience
            and not any(score > max(scores[:-patience]) for score in scores[-patience:])
        ),
    ),
    hints=(
        "Where is the best score so far? How many epochs have come after it?",
        "`scores.index(max(scores))` is the place of the first best one, and `len(scores) - 1` "
        "the place of the last epoch. Compare their distance with `patience`. And an empty list?",
    ),
    mistakes=(
        Mistake(
            lambda scores, patience: len(scores) > 1 and scores[-1] <= scores[-2],
            "You compare the last two epochs alone, and `patience` does not come in. Validation "
            "scores go up and down; count the epochs since the best one.",
        ),
        Mistake(
            falls_in_a_row,
            "You count falls in a row, so one small rise starts the count anew, even far below "
            "the best score. Count the epochs since the best one.",
        ),
        Mistake(
            looks_at_the_last,
            "You look at the last score alone. Any of the last `patience` epochs may have been "
            "the best one, and then the run goes on.",
        ),
        Mistake(
            looks_at_one_before,
            "You compare with the one score right before the last `patience`. Compare with the "
            "best of all that came before.",
        ),
        Mistake(
            splits_too_short_a_list,
            "With no more than `patience` epochs so far, nothing stands before the last "
            "`patience`, and max of nothing is an error. Then the answer is False.",
        ),
        Mistake(
            always_after_patience,
            "You stop as soon as there are more than `patience` epochs, whatever the scores. The "
            "best of all that came *before* the last `patience` is what these have to beat.",
        ),
        Mistake(
            splits_a_list_of_the_last,
            "With exactly `patience` epochs so far, nothing stands before the last `patience`: "
            "your question whether there are enough lets this one through.",
        ),
        Mistake(
            any_of_the_last,
            "You stop as soon as *one* of the last `patience` epochs is no better. None of them "
            "may be: ask for all.",
        ),
        Mistake(
            first_of_the_list,
            "`scores[:patience]` are the first epochs of all. Those before the last `patience` are "
            "`scores[:-patience]`.",
        ),
        Mistake(
            last_against_best,
            "You ask whether the last score is below the best. The best may have come a moment "
            "ago; count the epochs since then.",
        ),
        Mistake(
            best_never_raised,
            "You compare every score with the first one: your best is never raised.",
        ),
        Mistake(
            falls_all_the_way,
            "You compare the last `patience` epochs with each other. Compare them with the best of "
            "all that came before.",
        ),
        Mistake(
            lambda scores, patience: not training.should_stop(scores, patience),
            "Yes and no are exchanged: True means that the run ends.",
        ),
        Mistake(
            stops_at_one_moment,
            "You ask for exactly `patience` epochs since the best one. There may be more: use >=.",
        ),
        Mistake(
            latest_of_equals,
            "An equal score is not a better one: count from the first of the best epochs, or a "
            "flat curve never ends.",
        ),
        Mistake(
            lambda scores, patience: training.should_stop(scores, patience + 1),
            "You wait one epoch too long: with patience 1 the first epoch that is not better "
            "ends the run.",
        ),
        Mistake(
            lambda scores, patience: (
                training.should_stop(scores, max(patience - 1, 1)) if patience > 1 else bool(scores)
            ),
            "You stop one epoch too soon; the best epoch itself is not one of waiting.",
        ),
        Mistake(
            lambda scores, patience: training.should_stop([-score for score in scores], patience),
            "You look for the smallest score, as if it were a loss. Here higher is better.",
        ),
        Mistake(
            lambda scores, patience: len(scores) >= patience,
            "You count all epochs. Patience starts anew whenever a score beats the best so far.",
        ),
        Mistake(
            counts_from_zero,
            "Your best starts at 0; scores may be negative (minus a loss). Start from the first "
            "score, or from minus infinity.",
        ),
        Mistake(
            once_and_for_all,
            "An earlier streak ended with a new best, and your answer stays True. The streak "
            "ended; count again after a new best.",
        ),
        Mistake(
            never_counts_anew,
            "You add up all the epochs that were not better. The streak ended; count again from 0 "
            "after a new best.",
        ),
        Mistake(
            stops_without_a_guard,
            "Right wherever there is a score. Before the first epoch the list is empty, and `max` "
            "of nothing is an error: return False there.",
        ),
    ),
)


# --- accuracy --------------------------------------------------------------------------------


def share_by_flattening(logits, label):
    one_column = logits.shape[1] == 1
    named = (logits.flatten() > 0).long() if one_column else logits.argmax(dim=1)
    return (named == label).float().mean().item()


def share_and_kind(result, *arguments):
    """What is compared: a tensor of no dimension has the value, and is no float."""
    return {"Your share": float(result), "A float": not isinstance(result, torch.Tensor)}


def with_one_column(of_one_column):
    """A wrong way that treats two and more columns rightly, as the tempting ones do."""

    def attempt(logits, label):
        if logits.shape[1] > 1:
            return measures.accuracy(logits, label)
        return of_one_column(logits, label).item()

    return attempt


def share_after_squeezing(is_one_column, dim):
    """It squeezes first, and looks at what is left."""

    def attempt(logits, label):
        left = logits.squeeze()
        named = left > 0 if is_one_column(logits, left) else left.argmax(dim=dim)
        return (named == label).double().mean().item()

    return attempt


def answer_cases(rng):
    """One column and several; some logits lie between 0 and 0.5, one is 0, some rows are wrong.

    Two batches of one row, too, for those who squeeze, and as many rows as columns.
    """
    yield 1 + torch.rand(1, 1, generator=rng), torch.tensor([1])
    yield (
        torch.tensor([[-1.0, -2.0, 1.0]]) + 0.1 * torch.rand(1, 3, generator=rng),
        torch.tensor([2]),
    )
    for far, near, below, flipped in ((4, 3, 3, -1), (2, 1, 4, 0), (4, 1, 1, 0)):
        size = torch.tensor([1, 0.2, 0, -0.5]).repeat_interleave(
            torch.tensor([far, near, 1, below])
        )
        z = 300 * size if far == 4 else size
        label = (z > 0).long()
        label[flipped] = 1 - label[flipped]
        z = z * (1 + torch.rand(len(z), generator=rng))
        order = torch.randperm(len(z), generator=rng)
        yield z[order, None], label[order]
    for rows, classes in ((6, 2), (7, 4), (3, 3)):
        label = torch.randperm(rows, generator=rng) % classes
        logits = F.one_hot((label + (torch.arange(rows) < 2)) % classes, classes)
        yield logits + 0.1 * torch.rand(rows, classes, generator=rng), label


def without_item(mistake):
    """The same mistake by somebody who returns a tensor as well."""
    return Mistake(
        lambda logits, label: torch.tensor(mistake.fn(logits, label)),
        f"{mistake.message} And end in `.item()`: the answer is a float.",
    )


SHARE_MISTAKES = (
    Mistake(
        with_one_column(lambda logits, label: ((logits > 0) == label).double().mean()),
        "You compared (B, 1) with (B,): broadcasting compares every row's answer with every "
        "row's label, a (B, B). No error, no warning, a wrong number. Take the column out, "
        "`logits[:, 0]`.",
    ),
    Mistake(
        lambda logits, label: (logits.argmax(dim=1) == label).double().mean().item(),
        "The largest of one column is always column 0, so every row is called class 0. With "
        "one column, ask whether the logit is positive.",
    ),
    Mistake(
        with_one_column(lambda logits, label: ((logits[:, 0] > 0.5) == label).double().mean()),
        "0.5 is the border for probabilities. These are logits: a probability of 0.5 is the "
        "logit 0.",
    ),
    Mistake(
        lambda logits, label: measures.accuracy(logits, label) * len(label),
        "You counted the right rows; divide by the number of rows.",
    ),
    Mistake(
        lambda logits, label: ((logits[:, 0] > 0) == label).double().mean().item(),
        "You look at the first column alone. That is right where there is only one; with "
        "several, the column with the largest logit is the answer.",
    ),
    Mistake(
        lambda logits, label: 1 - measures.accuracy(logits, label),
        "This is the share of wrong answers.",
    ),
    Mistake(
        with_one_column(lambda logits, label: (label == 1).double().mean()),
        "With one column you call every row class 1, as a softmax over one column does: it is "
        "always 1. Ask whether the logit is positive.",
    ),
    Mistake(
        lambda logits, label: (logits.argmax() == label).double().mean().item(),
        "`logits.argmax()` without an axis is one place in the whole batch. The largest of each "
        "row is `argmax(dim=1)`, and with one column the sign tells.",
    ),
    Mistake(
        with_one_column(lambda logits, label: ((logits[:, 0] >= 0) == label).double().mean()),
        "A logit of exactly 0 is not positive: ask `> 0`.",
    ),
    Mistake(
        with_one_column(lambda logits, label: ((logits[:, 0] < 0) == label).double().mean()),
        "The sign is turned round: a *positive* logit says class 1.",
    ),
    Mistake(
        lambda logits, label: (
            measures.accuracy(logits, label)
            if logits.shape[1] == 2
            else ((logits[:, 0] > 0) == label).double().mean().item()
        ),
        "You look for exactly two columns, and take any other number for one. Ask whether there "
        "is one column; two, three and more go the same way.",
    ),
)

SQUEEZED = "Right, but not for a batch of one row: `squeeze` also removes the batch axis."
SQUEEZE_MISTAKES = (
    Mistake(
        share_after_squeezing(lambda logits, left: left.ndim == 1, dim=1),
        f"{SQUEEZED} Ask for the number of columns, `logits.shape[1]`, and take `logits[:, 0]`.",
    ),
    Mistake(
        share_after_squeezing(lambda logits, left: left.ndim == 1, dim=-1),
        f"{SQUEEZED} Ask for the number of columns, `logits.shape[1]`, then take `logits[:, 0]`.",
    ),
    Mistake(
        share_after_squeezing(lambda logits, left: left.ndim < 2, dim=1),
        f"{SQUEEZED} Several columns of one row then look like one column of several rows.",
    ),
    Mistake(
        share_after_squeezing(lambda logits, left: logits.shape[1] == 1, dim=1),
        f"{SQUEEZED} With several columns there is nothing to squeeze.",
    ),
)

accuracy = Exercise(
    reference=measures.accuracy,
    cases=answer_cases,
    observe=share_and_kind,
    also_right=(share_by_flattening,),
    hints=(
        "Two cases, by `logits.shape[1]`. With several columns the largest one names the class. "
        "With one column, what does a positive logit say?",
        "`logits[:, 0] > 0` has the shape (B,), as `label` has. `logits > 0` has the shape (B, 1), "
        "and comparing that with (B,) gives a (B, B).",
    ),
    mistakes=(
        *SHARE_MISTAKES,
        *map(without_item, SHARE_MISTAKES),
        *SQUEEZE_MISTAKES,
        Mistake(
            lambda logits, label: torch.tensor(measures.accuracy(logits, label)),
            "The right share, as a tensor. A table or a list of scores wants numbers: end in "
            "`.item()`.",
        ),
    ),
)
