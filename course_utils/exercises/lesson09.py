"""The exercises of lesson 09, Is it really multimodal?"""

import functools
from itertools import chain, combinations, permutations
from math import factorial
from numbers import Integral

import torch

from course_utils import information, multimodality
from course_utils.data import planted
from course_utils.exercises.core import Broken, Exercise, Mistake, Part, other_names
from course_utils.exercises.running import Unfit
from course_utils.measures import paired_gain, permutation_drop
from course_utils.multimodality import pair_scores, right_in

# --- emap -------------------------------------------------------------------------------------


def emap_by_loop(scores):
    n = len(scores)
    rows = []
    for i in range(n):
        own = sum(scores[i, j] for j in range(n)) / n
        other = sum(scores[j, i] for j in range(n)) / n
        rows.append(own + other - scores.sum(dim=(0, 1)) / n**2)
    return torch.stack(rows)


def emap_of_whole_table(scores):
    row, column = scores.mean(dim=1, keepdim=True), scores.mean(dim=0, keepdim=True)
    added = row + column - scores.mean(dim=(0, 1))
    return added.diagonal().T


ALL_PARTNERS = "It belongs to them: j runs over all n, j = i too."


def without_own_pair(scores, of_all, alone):
    """The means over the other partners; the last over all pairs, or over the others too.

    alone: what stands for the mean over no partner, where there is one row: this times its score.
    """
    n, own = len(scores), scores.diagonal().T
    if n == 1:
        by_row = by_column = alone * own
        others = by_row[0]
    else:
        by_row, by_column = ((scores.sum(dim=axis) - own) / (n - 1) for axis in (1, 0))
        others = by_row.mean(dim=0)
    return by_row + by_column - (scores.mean(dim=(0, 1)) if of_all else others)


def table_cases(rng):
    """Scores of all pairings, (n, n, C), from one row and one class up; the last are large."""
    for n, classes in ((3, 2), (4, 4), (5, 1), (2, 3), (1, 3)):
        yield (torch.randn(n, n, classes, generator=rng),)
    yield (1000 * torch.randn(6, 6, 2, generator=rng),)


emap = Exercise(
    reference=multimodality.emap,
    cases=table_cases,
    also_right=(
        emap_by_loop,
        emap_of_whole_table,
        lambda scores: scores.mean(0) + scores.mean(1) - scores.flatten(0, 1).mean(0),
    ),
    hints=(
        "Three means: over the texts (axis 1), over the images (axis 0), over both. The classes, "
        "axis 2, stay.",
        "`scores.mean(dim=1)` has in row i the mean over all texts with image i; "
        "`scores.mean(dim=0)` has in row i the mean over all images with text i. Add them, and "
        "subtract `scores.mean(dim=(0, 1))`, which is in both.",
    ),
    mistakes=(
        Mistake(
            lambda scores: scores.mean(dim=1) + scores.mean(dim=0),
            "The mean over all pairs is in both of your means, so it counts twice. Subtract it "
            "once.",
        ),
        Mistake(
            lambda scores: (scores.mean(dim=1) + scores.mean(dim=0)) / 2,
            "This is the mean of the two means. Add them, and subtract the mean over all pairs.",
        ),
        Mistake(
            lambda scores: scores.mean(dim=1) + scores.mean(dim=0) - scores.mean(),
            "Your last mean runs over the classes too. Each class has a mean of its own: "
            "`dim=(0, 1)`.",
        ),
        Mistake(
            lambda scores: (
                scores.diagonal().T
                - scores.mean(dim=1)
                - scores.mean(dim=0)
                + scores.mean(dim=(0, 1))
            ),
            "This is the interaction, what EMAP takes away. Give what is left without it.",
        ),
        Mistake(
            lambda scores: (
                scores.mean(dim=1, keepdim=True) + scores.mean(dim=0) - scores.mean(dim=(0, 1))
            ),
            "This is the whole table of additive scores, (n, n, C). Asked are the n pairs that "
            "belong together, its diagonal: (n, C).",
        ),
        Mistake(
            lambda scores: emap_by_loop(scores.softmax(dim=-1)),
            "You take a softmax first. Take the logits as they are: what adds in logits need not "
            "add in probabilities.",
        ),
        Mistake(
            lambda scores: emap_by_loop(scores.log_softmax(dim=-1)),
            "You take a log-softmax first. Take the logits as they are.",
        ),
        *(
            Mistake(
                functools.partial(without_own_pair, of_all=of_all, alone=alone),
                f"You leave the true pair out of {which} means. {ALL_PARTNERS}{of_one_row}",
            )
            for of_all, which in ((True, "two of the"), (False, "the"))
            for alone, of_one_row in (
                (float("nan"), " With one row nobody is left, so you get nan."),
                (0.0, " With one row nobody is left."),
                (1.0, ""),
            )
        ),
        Mistake(
            lambda scores: scores.diagonal().T,
            "These are the model's own scores of the true pairs. Take the three means of the "
            "table.",
        ),
    ),
)


# --- interaction_information ------------------------------------------------------------------


def bits_of(table):
    """Mutual information of the rows and columns of a table, (n, m), in bits."""
    apart = table.sum(dim=1, keepdim=True) * table.sum(dim=0, keepdim=True)
    there = table > 0
    return (table[there] * (table[there] / apart[there]).log2()).sum()


def less_each_alone(joint, both):
    """Mutual information of the table ``both``, less what a and b each tell."""
    return (bits_of(both) - bits_of(joint.sum(dim=1)) - bits_of(joint.sum(dim=0))).item()


def by_tables(joint):
    return less_each_alone(joint, joint.flatten(0, 1))


def entropy_of(table):
    return -torch.special.xlogy(table, table).sum() / torch.log(torch.tensor(2.0).double())


def by_entropies(joint):
    """I(A;B;Y) as an alternating sum of the entropies of all margins."""
    pairs = sum(entropy_of(joint.sum(dim=axis)) for axis in range(3))
    singles = sum(entropy_of(joint.sum(dim=axes)) for axes in ((0, 1), (0, 2), (1, 2)))
    # I(Y;AB) - I(Y;A) - I(Y;B), with I(U;V) = H(U) + H(V) - H(U,V)
    return (pairs - entropy_of(joint) - singles).item()


def joint_cases(rng):
    """Tables of probabilities: textbook twins with zeros, then any, with axes of size 1."""
    xor = torch.zeros(2, 2, 2).double()
    for a, b in ((0, 0), (0, 1), (1, 0), (1, 1)):
        xor[a, b, a ^ b] = 0.25
    yield (xor,)
    equal = torch.zeros(2, 2, 2).double()
    equal[0, 0, 0] = equal[1, 1, 1] = 0.5
    yield (equal,)
    for shape in ((3, 2, 4), (2, 4, 3), (1, 3, 2), (2, 2, 2)):
        table = torch.rand(shape, generator=rng).double() ** 3
        yield (table / table.sum(),)
    table = torch.rand(3, 3, 2, generator=rng).double()
    table[0, 0] = table[1, :, 0] = 0
    yield (table / table.sum(),)


interaction_information = Exercise(
    reference=information.interaction_information,
    cases=joint_cases,
    also_right=(by_tables, by_entropies),
    hints=(
        "`mutual_information` wants a table of two axes. For a alone, sum b away: axis 1. For both "
        "together, every pair (a, b) is one row: flatten axes 0 and 1.",
        "`mutual_information(joint.flatten(0, 1))`, less that of `joint.sum(dim=1)`, less that of "
        "`joint.sum(dim=0)`.",
    ),
    mistakes=(
        Mistake(
            lambda joint: -by_tables(joint),
            "The sign is turned: what both tell together comes first, and what each tells alone is "
            "subtracted.",
        ),
        Mistake(
            lambda joint: by_tables(joint) * 0.6931471805599453,
            "This is in nats. Use `log2`, or divide by log 2: the answer is in bits.",
        ),
        Mistake(
            lambda joint: bits_of(joint.flatten(0, 1)).item(),
            "This is what both tell together. Subtract what each of them tells alone.",
        ),
        Mistake(
            lambda joint: (bits_of(joint.flatten(0, 1)) - bits_of(joint.sum(dim=1))).item(),
            "What b tells alone is still in your answer. Subtract both.",
        ),
        Mistake(
            lambda joint: (
                bits_of(joint.flatten(0, 1))
                - bits_of(joint.sum(dim=1))
                - bits_of(joint.sum(dim=0))
                - bits_of(joint.sum(dim=2))
            ).item(),
            "You also subtract what a and b tell about each other, the table without the label. "
            "Only what each tells about the label is asked.",
        ),
        Mistake(
            lambda joint: less_each_alone(joint, joint.sum(dim=2)),
            "You took what a says of b. Asked is what the pair (a, b) says of the label: flatten "
            "axes 0 and 1.",
        ),
        Mistake(
            lambda joint: (bits_of(joint.flatten(0, 1)) - bits_of(joint.sum(dim=2))).item(),
            "You subtract what a says of b. Subtract what each of them says of the label.",
        ),
        Mistake(
            lambda joint: (
                bits_of(joint.flatten(0, 1))
                - max(bits_of(joint.sum(dim=1)), bits_of(joint.sum(dim=0)))
            ).item(),
            "You subtract the larger of the two only: what the second sense adds to the better "
            "one. Subtract both.",
        ),
        Mistake(
            lambda joint: max(by_tables(joint), 0.0),
            "You cut it off at 0. Where both senses tell the same it is negative.",
        ),
        Mistake(
            lambda joint: less_each_alone(joint, joint.flatten(1, 2)),
            "Your table of both joins b with the label. Each pair (a, b) is one row: "
            "flatten axes 0 and 1.",
        ),
        Mistake(
            lambda joint: less_each_alone(joint, joint.transpose(1, 2).flatten(0, 1)),
            "Your table of both joins a with the label. Each pair (a, b) is one row: "
            "flatten axes 0 and 1.",
        ),
    ),
)


# --- modality_shapley -------------------------------------------------------------------------


def subsets(names):
    return map(frozenset, chain.from_iterable(combinations(names, k) for k in range(len(names))))


def everyone(value):
    return max(value, key=len)


def by_weights(value):
    """The sum over the sets without a name, each with its weight."""
    names, shares = everyone(value), {}
    for name in names:
        total = 0.0
        for others in subsets(sorted(names - {name})) if len(names) > 1 else [frozenset()]:
            total += weight(len(others), len(names)) * (value[others | {name}] - value[others])
        rest = names - {name}
        if len(names) > 1:
            total += weight(len(rest), len(names)) * (value[names] - value[rest])
        shares[name] = total
    return shares


def weight(others, n):
    return factorial(others) * factorial(n - others - 1) / factorial(n)


def by_dividends(value):
    """Each set's surplus over its parts, divided among its members."""
    surplus = {}
    for some in sorted(value, key=len):
        surplus[some] = value[some] - sum(worth for part, worth in surplus.items() if part < some)
    names = everyone(value)
    return {n: sum(s / len(some) for some, s in surplus.items() if n in some) for n in names}


def evenly(value):
    """Every set without the name counts alike."""
    names, shares = everyone(value), {}
    for name in names:
        gains = [value[some | {name}] - value[some] for some in value if name not in some]
        shares[name] = sum(gains) / len(gains)
    return shares


def without_reset(value):
    """The set of those before is made once, so the second order finds all of them there."""
    names, before = sorted(everyone(value)), frozenset()
    shares, orders = dict.fromkeys(names, 0.0), list(permutations(names))
    for order in orders:
        for name in order:
            shares[name] += (value[before | {name}] - value[before]) / len(orders)
            before = before | {name}
    return shares


def of_two_orders(value, reverse=True):
    """The sorted names alone, and their reverse, in place of all orders."""
    names = sorted(everyone(value))
    orders = [names, names[::-1]] if reverse else [names]
    shares = dict.fromkeys(names, 0.0)
    for order in orders:
        for place, name in enumerate(order):
            before = frozenset(order[:place])
            shares[name] += (value[before | {name}] - value[before]) / len(orders)
    return shares


def of_one_sum(value):
    shares = by_weights(value)
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items()}


def without_difference(value, behind=True):
    """The mean value of those before and the name, or of those before, and nothing subtracted."""
    names = sorted(everyone(value))
    shares, orders = dict.fromkeys(names, 0.0), list(permutations(names))
    for order in orders:
        for place, name in enumerate(order):
            shares[name] += value[frozenset(order[: place + behind])] / len(orders)
    return shares


def worth_cases(rng):
    """Values of all sets of one to four modalities; the empty set's is not 0."""
    for names in (("image", "text"), ("text", "sound", "image"), ("image",), ("d", "a", "c", "b")):
        sets = [*subsets(names), frozenset(names)]
        drawn = torch.rand(len(sets), generator=rng).tolist()
        yield (dict(zip(sets, drawn, strict=True)),)


modality_shapley = Exercise(
    reference=multimodality.modality_shapley,
    cases=worth_cases,
    also_right=(by_weights, by_dividends),
    hints=(
        "`permutations(names)` gives all orders. Walk along one: each name adds "
        "value[those before and it] - value[those before].",
        "Start each order with `before = frozenset()`. After each name: `before = before | "
        "{name}`. Divide what was added up by the number of orders.",
    ),
    mistakes=(
        Mistake(
            lambda value: {
                name: value[everyone(value)] - value[everyone(value) - {name}]
                for name in everyone(value)
            },
            "You let each sense come last: what is lost without it. Average over all orders.",
        ),
        Mistake(
            lambda value: {
                name: value[frozenset({name})] - value[frozenset()] for name in everyone(value)
            },
            "You let each sense come first: what it adds to nothing. Average over all orders.",
        ),
        Mistake(
            lambda value: {
                name: (
                    value[everyone(value)]
                    - value[everyone(value) - {name}]
                    + value[frozenset({name})]
                    - value[frozenset()]
                )
                / 2
                for name in everyone(value)
            },
            "The mean of coming first and coming last is right for two senses. With three, one "
            "may come second.",
        ),
        Mistake(
            evenly,
            "You count every set of the others alike. Orders do not: of three senses, two "
            "orders of six have a given one first, and one order has it behind a given other one.",
        ),
        Mistake(
            lambda value: {
                n: s * factorial(len(everyone(value))) for n, s in by_weights(value).items()
            },
            "You added up over the orders and did not divide by how many they are.",
        ),
        Mistake(
            lambda value: {
                n: s * factorial(len(everyone(value)) - 1) for n, s in by_weights(value).items()
            },
            "You divided by the number of senses. Divide by the number of orders: three senses "
            "have six.",
        ),
        Mistake(
            of_two_orders,
            "You take two orders only, the names forwards and backwards. Take the mean over all "
            "orders: `permutations(names)`.",
        ),
        Mistake(
            lambda value: of_two_orders(value, reverse=False),
            "You take one order only. Take the mean over all orders: `permutations(names)`.",
        ),
        Mistake(
            of_one_sum,
            "You divide the shares by their sum. They have a sum of their own: the value of all, "
            "less that of the empty set.",
        ),
        Mistake(
            without_difference,
            "You add up the value of those who came first and the name. What the name *adds* is "
            "that, less the value of those before it.",
        ),
        Mistake(
            lambda value: without_difference(value, behind=False),
            "You add up the value of those who came before. What a name *adds* is the value with "
            "it, less that.",
        ),
        Mistake(
            without_reset,
            "Start each order with the empty set: the first of an order finds nobody there.",
        ),
        Mistake(
            lambda value: {
                name: s + value[frozenset()] / len(everyone(value))
                for name, s in by_weights(value).items()
            },
            "Your shares sum to the value of all. They should sum to that less the value of the "
            "empty set: nobody brought it.",
        ),
    ),
)


# --- find_the_leak: break this claim ----------------------------------------------------------

ENOUGH = 0.6


@functools.cache
def fresh_headlines(seed):
    return planted.mended_headlines(1_000, seed + 1_000)


def rule_right(rows, word, means):
    """Share of rows on which "this word means ``means``, no such word the other" is right."""
    named = [means if word in text.split() else 1 - means for text in rows["headline"]]
    return sum(a == b for a, b in zip(named, rows["match"].tolist(), strict=True)) / len(named)


def headline_tells(dials, seed):
    """Whether one word of the headline tells ``match`` on fresh rows of the mended collection."""
    if problem := other_names(dials, "word", "means"):
        return problem
    word, means = dials["word"], dials["means"]
    if not isinstance(word, str) or len(word.split()) != 1:
        return f'"word" is one word of a headline, not {word!r}.'
    if isinstance(means, bool) or not isinstance(means, Integral) or means not in (0, 1):
        return (
            f'"means" is the number 1 where the word says that a card fits, else 0; not {means!r}.'
        )
    rows = fresh_headlines(seed)
    if not any(word in text.split() for text in rows["headline"]):
        return f"No fresh headline holds the word {word!r}; write it as headlines do."
    right = rule_right(rows, word, int(means))
    numbers = f"by {word!r} alone one is right on {right:.2f} of fresh rows"
    if right > ENOUGH:
        return Broken(numbers)
    if 1 - right > ENOUGH:
        return f'By {word!r} one is wrong on {1 - right:.2f} of fresh rows: turn "means".'
    return f"The claim still holds: {numbers}. You win above {ENOUGH:g}."


find_the_leak = Exercise(
    verify=headline_tells,
    right_dials={"word": planted.CUE, "means": 0},
    wrong_dials=(
        {"word": planted.CUE, "means": 1},
        {"word": "and", "means": 0},
        {"word": "goal", "means": 1},
        {"word": "xyzzy", "means": 1},
        {"word": "", "means": 1},
        {"word": planted.CUE, "means": 0.5},
        {"word": planted.CUE, "means": None},
        {"word": 3, "means": 0},
        {"word": planted.CUE},
    ),
    hints=(
        "Count for each word the headlines that hold it: once among cards that fit, once among "
        "those that do not. Which two counts are far apart?",
        "`Counter(word for text in texts for word in set(text.split()))` counts headlines, for the "
        "texts of either label. Sort the words by the difference.",
    ),
)


# --- multimodality_report: a build ------------------------------------------------------------

ROWS, CLASSES, SHUFFLES = 40, 3, 3


def seeded(seed, part):
    return torch.Generator().manual_seed(100 * seed + part)


def drawn_score(rng, joint=1.0):
    """A score with an additive part and, ``joint`` times, one that interacts; sizes 3 and 4."""
    first, second = torch.randn(3, CLASSES, generator=rng), torch.randn(4, CLASSES, generator=rng)
    both = joint * torch.randn(3, 4, CLASSES, generator=rng)

    def score(a, b):
        return a @ first + b @ second + torch.einsum("ni,nj,ijc->nc", a, b, both)

    return score


def drawn_set(rng, joint=1.0, noise=0.2, n=ROWS):
    """The arguments of a report: score, first, second, label, alone, orders."""
    score = drawn_score(rng, joint)
    first, second = torch.randn(n, 3, generator=rng), torch.randn(n, 4, generator=rng)
    label = score(first, second).argmax(dim=1)
    wrong = torch.rand(n, generator=rng) < noise
    label = torch.where(wrong, (label + 1) % CLASSES, label)
    alone = {
        name: torch.rand(n, generator=rng) < share
        for name, share in (("commonest", 0.3), ("second alone", 0.6), ("first alone", 0.45))
    }
    orders = torch.stack([torch.randperm(n, generator=rng) for _ in range(SHUFFLES)])
    return score, first, second, label, alone, orders


def plain_sets(seed):
    """Two sets, the second with the best rival in another place."""
    one, other = (drawn_set(seeded(seed, part)) for part in (1, 2))
    alone = {"first alone": other[4]["second alone"], "second alone": other[4]["first alone"]}
    return [one, (*other[:4], alone, other[5])]


def interaction_sets(seed):
    """Two sets of a score that is linear in each sense, and one behind a ReLU."""
    return [*plain_sets(seed), behind_a_relu(seeded(seed, 9))]


def behind_a_relu(rng):
    """A set on which the mean partner's score is not the mean score, as counted in right rows."""
    for _ in range(200):
        _, first, second, _, alone, orders = drawn_set(rng)
        a, b = torch.randn(3, 8, generator=rng), torch.randn(4, 8, generator=rng)
        score = functools.partial(relu_score, a, b, torch.randn(8, CLASSES, generator=rng))
        label = score(first, second).argmax(dim=1)
        made = (score, first, second, label, alone, orders)
        if interaction_of_means(*made) != multimodality.multimodality_report(*made)["interaction"]:
            break
    return made


def relu_score(a, b, out, first, second):
    return (first @ a + second @ b).relu() @ out


def as_good_but(right, rows):
    """What a model gets right that is wrong on the first ``rows`` of these rows too."""
    worse = right.clone()
    worse[right.nonzero()[:rows, 0]] = False
    return worse


def verdict_sets(seed):
    """Sets that end in each verdict, by a wide margin and by a narrow one."""
    found = []
    for part, joint, noise, behind in (
        (3, 2.0, 0.2, 15),
        (4, 0.0, 0.2, 15),
        (5, 2.0, 0.0, 1),  # no noise, so that it surely interacts: its verdict is the gain's
        (6, 0.0, 0.2, 1),
        (7, None, 0.0, 15),
        (8, 0.0, 0.2, 0),  # as good as its rival, row by row: a gain of 0 exactly
    ):
        rng = seeded(seed, part)
        made = barely_interacting(rng) if joint is None else drawn_set(rng, joint, noise)
        score, first, second, label, _, orders = made
        right = score(first, second).argmax(dim=1) == label
        alone = {"weak": as_good_but(right, 18), "strong": as_good_but(right, behind)}
        found.append((score, first, second, label, alone, orders))
    return found


def barely_interacting(rng):
    """A set on which adding loses one to three of all rows, and by chance might lose none."""
    for _ in range(200):
        made = drawn_set(rng, joint=0.1, noise=0.0)
        score, first, second, label = made[:4]
        added = multimodality.emap(pair_scores(score, first, second)).argmax(dim=1)
        if 1 <= int((added != label).sum()) <= 3:
            break
    return made


def reports_of(attempt, sets):
    """What the attempt reports of each set: plain values, and whether its inputs are as before."""
    found = []
    for score, *rest in sets:
        mine = [value.clone() if torch.is_tensor(value) else dict(value) for value in rest]
        report = attempt(score, *mine)
        if not isinstance(report, dict):
            raise Unfit(f"A report is a dict; yours is of the kind {type(report).__name__}.")
        kept = all(
            torch.equal(a, b) if torch.is_tensor(a) else a.keys() == b.keys()
            for a, b in zip(mine, rest, strict=True)
        )
        found.append({"kept": kept, "report": {str(k): plain(v) for k, v in report.items()}})
    return found


def plain(value):
    """Numbers, texts and tuples of numbers as they are; anything else by its kind."""
    if isinstance(value, str):
        return value
    try:
        return [float(one) for one in value] if isinstance(value, tuple | list) else float(value)
    except (TypeError, ValueError):
        return {"kind": type(value).__name__}


def wanted_of(sets):
    return [multimodality.multimodality_report(*one) for one in sets]


def judge_keys(*keys, faults=()):
    """A judge of some entries of the reports, with sentences for known wrong ways."""

    def judge(seen, sets):
        if not all(one["kept"] for one in seen):
            return "Your report changes what it was given; work on copies."
        wanted = wanted_of(sets)
        for key in keys:
            problem = about_key(key, [one["report"] for one in seen], wanted, sets, faults)
            if problem:
                return problem
        return None

    return judge


def about_key(key, seen, wanted, sets, faults):
    """A sentence on one entry of all reports, or None."""
    if any(key not in report for report in seen):
        return f"Your report has no {key!r}."
    right = [plain(report[key]) for report in wanted]
    if all(map(alike, (report[key] for report in seen), right)):
        return None
    for name, sentence, way in faults:
        if name == key and all(
            alike(report[key], plain(way(*one))) for report, one in zip(seen, sets, strict=True)
        ):
            return sentence
    given, want = next(
        (report[key], one) for report, one in zip(seen, right, strict=True)
        if not alike(report[key], one)
    )  # fmt: skip
    return f"{key!r} should be {shown(want)}, and yours is {shown(given)}."


def alike(one, other):
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) < 1e-6
    return type(one) is type(other) and one == other


def shown(value):
    if isinstance(value, list):
        return "(" + ", ".join(shown(one) for one in value) + ")"
    if isinstance(value, dict):
        return f"of the kind {value['kind']}"
    return f"{value:.3f}" if isinstance(value, float) else repr(value)


def right_rows(score, first, second, label):
    return score(first, second).argmax(dim=1) == label


def added_rows(score, first, second, label):
    return multimodality.emap(pair_scores(score, first, second)).argmax(dim=1) == label


def gain_over(choose):
    """A way to take the gain over another rival."""

    def gain(score, first, second, label, alone, orders):
        return paired_gain(right_rows(score, first, second, label), choose(alone))

    return gain


def drop_of(shuffle, orders_of=lambda orders: orders):
    def drop(score, first, second, label, alone, orders):
        pairs = [shuffle(first, second, order) for order in orders_of(orders)]
        shuffled = right_in([score(*pair) for pair in pairs], label)
        return permutation_drop(right_rows(score, first, second, label), shuffled)

    return drop


def first_shuffled(first, second, order):
    return first[order], second


def second_shuffled(first, second, order):
    return first, second[order]


def both_shuffled(first, second, order):
    return first[order], second[order]


def drop_with_label_moved(place):
    """A way to take a drop where the label is shuffled along with the sense at ``place``."""

    def drop(score, first, second, label, alone, orders):
        right = right_rows(score, first, second, label)
        shuffled = [
            score(*((first[o], second) if place == 0 else (first, second[o]))).argmax(1) == label[o]
            for o in orders
        ]
        return permutation_drop(right, torch.stack(shuffled))

    return drop


def interaction_of_shares(score, first, second, label, alone, orders):
    """EMAP of the probabilities, where that of the logits is asked."""
    pairs = pair_scores(score, first, second).softmax(dim=-1)
    added = multimodality.emap(pairs).argmax(dim=1) == label
    return paired_gain(right_rows(score, first, second, label), added)


def interaction_with(added):
    """The gain over other scores that stand where the model's EMAP belongs."""

    def interaction(score, first, second, label, alone, orders):
        right = right_rows(score, first, second, label)
        return paired_gain(right, added(score, first, second, orders).argmax(dim=1) == label)

    return interaction


def table_with(of_table):
    """Scores made of the table of all pairs."""
    return interaction_with(
        lambda score, first, second, orders: of_table(pair_scores(score, first, second))
    )


def mean_partners(score, first, second, orders, third=False):
    mean_first, mean_second = first.mean(0, keepdim=True), second.mean(0, keepdim=True)
    both = score(first, mean_second.expand_as(second)) + score(mean_first.expand_as(first), second)
    return both - score(mean_first, mean_second) if third else both


interaction_of_means = interaction_with(functools.partial(mean_partners, third=True))


def answers_of(scores):
    """One-hot answers in place of scores."""
    return torch.nn.functional.one_hot(scores.argmax(dim=-1), scores.shape[-1]).double()


def turned_interaction(score, first, second, label, alone, orders):
    one, other = (way(score, first, second, label) for way in (added_rows, right_rows))
    return paired_gain(one, other)


def interaction_over_rival(turned=False):
    """The gain of the model's EMAP over the rival, or of the rival over it."""

    def interaction(score, first, second, label, alone, orders):
        added = added_rows(score, first, second, label)
        rival = max(alone.values(), key=lambda right: right.double().mean())
        return paired_gain(rival, added) if turned else paired_gain(added, rival)

    return interaction


def verdict_with_ties(gain_passes, interaction_passes):
    """The verdict that lets a low end of exactly 0 pass in the gain, or in the interaction."""

    def judged(*arguments):
        found = multimodality.multimodality_report(*arguments)
        gain, interaction = found["gain"][1], found["interaction"][1]
        if gain < 0 or (gain == 0 and not gain_passes):
            return f"no better than {found['rival']}"
        above = interaction > 0 or (interaction == 0 and interaction_passes)
        return "interacts" if above else "adds"

    return judged


def verdict_by(gain_end, interaction_end):
    """The verdict that looks at other ends of the intervals: 0 the value, 1 low, 2 high."""

    def judged(*arguments):
        found = multimodality.multimodality_report(*arguments)
        if found["gain"][gain_end] <= 0:
            return f"no better than {found['rival']}"
        return "interacts" if found["interaction"][interaction_end] > 0 else "adds"

    return judged


def verdict_by_drops(end, gain_too=True):
    """The verdict that asks both drops in place of the interaction: their value 0, their low 1."""

    def judged(*arguments):
        found = multimodality.multimodality_report(*arguments)
        if gain_too and found["gain"][1] <= 0:
            return f"no better than {found['rival']}"
        used = min(found["first_drop"][end], found["second_drop"][end]) > 0
        return "interacts" if used else "adds"

    return judged


def interaction_first(*arguments):
    """The verdict with its two questions in the wrong order."""
    found = multimodality.multimodality_report(*arguments)
    return "interacts" if found["interaction"][1] > 0 else found["verdict"]


RIVAL = "Your rival is {}. The rival is the name in `alone` whose rows are right most often."


def rival_by(choose):
    return lambda score, first, second, label, alone, orders: choose(alone)


def worst_in(alone):
    return min(alone, key=lambda name: alone[name].double().mean())


GAIN_FAULTS = (
    (
        "gain",
        "Your gain is over the first name in `alone`. The rival is the one that is right most "
        "often.",
        gain_over(lambda alone: next(iter(alone.values()))),
    ),
    ("rival", RIVAL.format("the one that is right least often"), rival_by(worst_in)),
    ("rival", RIVAL.format("the first name"), rival_by(lambda alone: next(iter(alone)))),
    ("rival", RIVAL.format("the last name in the alphabet"), rival_by(max)),
    (
        "gain",
        "Your gain is over the one that is right least often. The rival is the one that is right "
        "most often.",
        gain_over(lambda alone: alone[worst_in(alone)]),
    ),
    (
        "gain",
        "Your gain is turned: the model comes first in `paired_gain`, the rival second.",
        lambda *arguments: tuple(
            -multimodality.multimodality_report(*arguments)["gain"][end] for end in (0, 2, 1)
        ),
    ),
)
LABEL_MOVED = (
    "You shuffle the label along with the sense. Shuffle the one sense, and leave the label "
    "where it is."
)
DROP_FAULTS = (
    ("first_drop", "You shuffle the second sense for 'first_drop'.", drop_of(second_shuffled)),
    (
        "first_drop",
        "You shuffle both senses by the same order: whole rows change places, and the label stays. "
        "Shuffle one, and leave the other.",
        drop_of(both_shuffled),
    ),
    (
        "first_drop",
        LABEL_MOVED,
        drop_with_label_moved(0),
    ),
    ("second_drop", LABEL_MOVED, drop_with_label_moved(1)),
    ("second_drop", "You shuffle the first sense for 'second_drop'.", drop_of(first_shuffled)),
    (
        "second_drop",
        "You shuffle both senses for 'second_drop'. Shuffle the second, and leave the first.",
        drop_of(both_shuffled),
    ),
    (
        "first_drop",
        "You take the first shuffle only. Use all rows of `orders`.",
        drop_of(first_shuffled, lambda orders: orders[:1]),
    ),
)
EMAP_AND_RIVAL = (
    "Your interaction compares EMAP with the rival. Compare the model with its own EMAP: only "
    "then do both sides know the same, and what differs is the interaction."
)
MEAN_PARTNER = (
    "You take the score of the mean partner for the mean of the scores. They are the same only "
    "where the score is linear in each sense; behind a ReLU it is not. Score all pairs: "
    "`pair_scores`, then `emap`."
)
TWO_MEANS = (
    "The mean over all pairs is in both of your means, so it counts twice. EMAP has three means: "
    "subtract the last."
)
ONE_MEAN = (
    "You take the mean over the partners of one sense only, so the other sense has no say. EMAP "
    "has three means: `emap` of the table of `pair_scores`."
)
A_DROP = (
    "Your interaction is what shuffling a sense costs. A model that only adds loses by that too. "
    "Compare the model with its own EMAP."
)
EMAP_FAULTS = (
    (
        "interaction",
        "Your interaction is turned: the model comes first in `paired_gain`, its EMAP second.",
        turned_interaction,
    ),
    (
        "interaction",
        "You take EMAP of the probabilities. Take it of the logits as `score` gives them.",
        interaction_of_shares,
    ),
    ("interaction", MEAN_PARTNER, interaction_of_means),
    ("interaction", TWO_MEANS, table_with(lambda scores: scores.mean(0) + scores.mean(1))),
    ("interaction", TWO_MEANS, interaction_with(mean_partners)),
    ("interaction", ONE_MEAN, table_with(lambda scores: scores.mean(1))),
    ("interaction", ONE_MEAN, table_with(lambda scores: scores.mean(0))),
    (
        "interaction",
        "You take EMAP of the answers, as ones and zeros. Take it of the logits as `score` gives "
        "them.",
        table_with(lambda scores: multimodality.emap(answers_of(scores))),
    ),
    ("interaction", A_DROP, drop_of(first_shuffled)),
    ("interaction", A_DROP, drop_of(second_shuffled)),
    (
        "interaction",
        A_DROP,
        interaction_with(lambda score, a, b, orders: score(a[orders[0]], b)),
    ),
    (
        "interaction",
        A_DROP,
        interaction_with(lambda score, a, b, orders: score(a, b[orders[0]])),
    ),
    ("interaction", EMAP_AND_RIVAL, interaction_over_rival()),
    ("interaction", EMAP_AND_RIVAL, interaction_over_rival(turned=True)),
    (
        "interaction",
        "Your interaction is the gain over the rival once more. Compare the model with its own "
        "EMAP.",
        lambda *arguments: multimodality.multimodality_report(*arguments)["gain"],
    ),
)
ZERO_GAIN = (
    "Your verdict lets a gain pass whose low end is exactly 0. 0 is not better: ask for `<= 0`."
)
ZERO_INTERACTION = (
    'Your verdict is "interacts" where the low end of the interaction is exactly 0. A model that '
    "only adds has just that: ask for `> 0`."
)
USED = (
    'Your verdict is "interacts" for a model that only adds: both drops are above 0 there too. '
    "Using both senses is not comparing them. Ask the interaction."
)
VERDICT_FAULTS = (
    (
        "verdict",
        "Your verdict does not ask for the low end of the gain's interval. The gain itself is "
        "often above 0 by chance.",
        verdict_by(0, 1),
    ),
    (
        "verdict",
        "Your verdict does not ask for the low end of the interaction's interval. The interaction "
        "itself is often above 0 by chance.",
        verdict_by(1, 0),
    ),
    (
        "verdict",
        "You ask about the interaction first. A model that is no better than its rival gets no "
        "other verdict: ask about the gain first.",
        interaction_first,
    ),
    ("verdict", USED, verdict_by_drops(0)),
    ("verdict", USED, verdict_by_drops(1)),
    ("verdict", USED, verdict_by_drops(1, gain_too=False)),
    ("verdict", ZERO_GAIN, verdict_with_ties(True, False)),
    ("verdict", ZERO_INTERACTION, verdict_with_ties(False, True)),
    ("verdict", ZERO_GAIN, verdict_with_ties(True, True)),
)


def reported(**others):
    """The reference with some entries made another way."""

    def report(*arguments):
        found = multimodality.multimodality_report(*arguments)
        return found | {key: way(*arguments) for key, way in others.items()}

    return report


def by_hand(score, first, second, label, alone, orders):
    """Right, written out another way: one pair at a time, tensors for numbers."""
    with torch.no_grad():
        right = right_rows(score, first, second, label)
        n = len(label)
        table = torch.stack([score(first[i].expand(n, -1), second) for i in range(n)])
        rows = [table[i].mean(0) + table[:, i].mean(0) - table.mean((0, 1)) for i in range(n)]
        added = torch.stack(rows).argmax(dim=1) == label
        rival = sorted(alone, key=lambda name: -alone[name].double().mean())[0]
        drops = [
            permutation_drop(
                right,
                torch.stack([score(*shuffle(first, second, o)).argmax(1) == label for o in orders]),
            )
            for shuffle in (first_shuffled, second_shuffled)
        ]
    gain, interaction = paired_gain(right, alone[rival]), paired_gain(right, added)
    verdict = f"no better than {rival}" if gain[1] <= 0 else "adds"
    if gain[1] > 0 and interaction[1] > 0:
        verdict = "interacts"
    return {
        "accuracy": right.double().mean(), "rival": rival, "gain": gain,
        "first_drop": drops[0], "second_drop": drops[1], "interaction": interaction,
        "verdict": verdict,
    }  # fmt: skip


def part(name, keys, sets, faults, hints):
    """One part of the build: some entries, on some sets."""
    judge = judge_keys(*keys, faults=faults)
    return Part(
        name,
        lambda attempt, seed: reports_of(attempt, sets(seed)),
        lambda seen, seed: judge(seen, sets(seed)),
        hints,
    )


multimodality_report = Exercise(
    reference=multimodality.multimodality_report,
    parts=(
        part(
            "accuracy and rival",
            ("accuracy", "rival", "gain"),
            plain_sets,
            GAIN_FAULTS,
            (
                "Which rows does the model get right, (n,) bool? Accuracy is their mean. The rival "
                "is the name in `alone` whose mean is largest.",
                "`rival = max(alone, key=lambda name: alone[name].double().mean())`, then "
                "`paired_gain(right, alone[rival])`.",
            ),
        ),
        part(
            "shuffles",
            ("first_drop", "second_drop"),
            plain_sets,
            DROP_FAULTS,
            (
                "For each order, score `first[order]` with `second` as it is. Which rows are "
                "right? Stack the answers to (K, n).",
                "`torch.stack([score(first[order], second).argmax(dim=1) == label for order in "
                "orders])` is what `permutation_drop` wants behind `right`.",
            ),
        ),
        part(
            "interaction",
            ("interaction",),
            interaction_sets,
            EMAP_FAULTS,
            (
                "`pair_scores(score, first, second)` is the table that `emap` takes. Which rows "
                "are right after it?",
                "`added = emap(pair_scores(score, first, second)).argmax(dim=1) == label`, then "
                "`paired_gain(right, added)`.",
            ),
        ),
        part(
            "verdict",
            ("verdict",),
            verdict_sets,
            VERDICT_FAULTS,
            (
                "Two questions, in this order: is the low end of the gain 0 or less? Is the low "
                "end of the interaction above 0?",
                'An interval is (value, low, high). `if gain[1] <= 0: verdict = f"no better than '
                '{rival}"`, `elif interaction[1] > 0: verdict = "interacts"`, else "adds".',
            ),
        ),
    ),
    also_right=(by_hand,),
    mistakes=(
        Mistake(reported(gain=GAIN_FAULTS[0][2]), GAIN_FAULTS[0][1]),
        Mistake(reported(rival=GAIN_FAULTS[1][2]), GAIN_FAULTS[1][1]),
        Mistake(reported(gain=GAIN_FAULTS[-1][2]), GAIN_FAULTS[-1][1]),
        Mistake(reported(interaction=interaction_of_means), MEAN_PARTNER),
        Mistake(reported(verdict=verdict_by_drops(1)), USED),
        Mistake(
            reported(first_drop=DROP_FAULTS[0][2], second_drop=drop_of(first_shuffled)),
            "You shuffle the second sense for 'first_drop'.",
        ),
        Mistake(reported(first_drop=DROP_FAULTS[1][2]), DROP_FAULTS[1][1]),
        Mistake(reported(interaction=turned_interaction), EMAP_FAULTS[0][1]),
        Mistake(reported(verdict=verdict_by(0, 1)), VERDICT_FAULTS[0][1]),
        Mistake(reported(verdict=verdict_by(1, 0)), VERDICT_FAULTS[1][1]),
        Mistake(reported(first_drop=drop_with_label_moved(0)), LABEL_MOVED),
        Mistake(reported(verdict=verdict_with_ties(True, False)), ZERO_GAIN),
        Mistake(reported(interaction=interaction_over_rival()), EMAP_AND_RIVAL),
    ),
)
