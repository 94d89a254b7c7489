"""The exercises of lesson 00, Start here."""

import numbers

import torch

from course_utils.baselines import majority_baseline as reference_majority
from course_utils.data import news_cards
from course_utils.data.read_dials import read_dials
from course_utils.exercises.core import Broken, Exercise, Mistake


def as_number(result, *arguments):
    """A share may come as a Python number, or as a tensor of no dimension that holds one.

    A tensor (1,) does not do: printing it with two decimals, as the lesson does, fails. Whether a
    tensor with a value for each row holds true and false or 1 and 0 is left aside.
    """
    single = getattr(result, "ndim", None) == 0 or isinstance(result, numbers.Real)
    if single:
        return float(result)
    return result.double() if isinstance(result, torch.Tensor) else result


# --- share_right -----------------------------------------------------------------------------


def share(predicted, label):
    return (predicted == label).double().mean().item()


def share_by_counting(predicted, label):
    right = 0
    for guess, truth in zip(predicted, label, strict=True):
        right += int(guess == truth)
    return right / len(label)


# (class of the guess, class of the label). Classes differ in their shares of right rows, and one is
# never a label: whoever takes a mean over classes, or asks whether a class occurs, sees it.
UNEVEN = [(0, 0)] * 4 + [(1, 0), (2, 0), (1, 1), (2, 1)]


def guess_cases(rng):
    """Of 2 to 11 classes; a wrong guess may be any other class, so amounts and shares differ.

    Where right and wrong rows are mixed, the first row is right and the last one wrong, or the
    reverse, whatever holds for most rows.
    """
    sizes = [(5, 9, 6), (2, 1, 1), (3, 1, 0), (11, 25, 9), (4, 7, 7), (2, 8, 3)]
    for number, (classes, rows, right) in enumerate(sizes):
        label = torch.randint(0, classes, (rows,), generator=rng)
        off = torch.randint(1, classes, (rows,), generator=rng)
        wrong = torch.randperm(rows, generator=rng) >= right
        yield with_ends((label + off * wrong) % classes, label, first=number % 2 == 1)
    names = torch.randperm(8, generator=rng)
    pairs = shuffled(names[torch.tensor(UNEVEN)], rng)
    yield with_ends(*pairs.T, first=True)


def with_ends(predicted, label, first):
    """The rows, one that is right (or wrong) in first place and one of the other kind in last."""
    hits, rows = predicted == label, torch.arange(len(label))
    one, other = rows[hits == first][:1], rows[hits != first][:1]
    if not len(one) or not len(other):
        return predicted, label
    order = torch.cat([one, rows[(rows != one) & (rows != other)], other])
    return predicted[order], label[order]


def mean_of_shares(predicted, label, by):
    """The mean over the classes of ``by`` of the share of right rows among those of a class."""
    hits = (predicted == label).double()
    return torch.stack([hits[by == k].mean() for k in by.unique()]).mean()


NUMBERS_FIRST = (
    "`mean()` works on numbers, and this tensor holds true and false. Turn them into numbers "
    "first: `.float().mean()`."
)

share_right = Exercise(
    reference=share,
    cases=guess_cases,
    observe=as_number,
    also_right=(
        share_by_counting,
        lambda predicted, label: (predicted == label).float().mean(),
        lambda predicted, label: predicted.eq(label).sum() / len(label),
    ),
    hints=(
        "`predicted == label` compares row by row and gives a tensor of true and false.",
        "True counts as 1 and false as 0, so the share is a mean. A tensor of true and false has "
        "to become numbers first: `.float()`, then `.mean()`.",
    ),
    mistakes=(
        Mistake(
            lambda predicted, label: (predicted == label).sum(),
            "You counted the right answers; a share is the count divided by the number of rows.",
        ),
        Mistake(
            lambda predicted, label: (predicted != label).float().mean(),
            "This is the share of wrong answers: `!=` asks where the two differ.",
        ),
        Mistake(
            lambda predicted, label: 100 * (predicted == label).float().mean(),
            "This is in percent; a share lies between 0 and 1.",
        ),
        Mistake(lambda predicted, label: (predicted == label).mean(), NUMBERS_FIRST),
        Mistake(
            lambda predicted, label: predicted == label,
            "You returned a value for each row: whether its guess is right. A share is one number, "
            "their mean.",
        ),
        Mistake(
            lambda predicted, label: len(predicted == label) / len(label),
            "`len` counts all rows of `predicted == label`, the false ones too, so this is always "
            "1. `sum()` counts the true ones.",
        ),
        Mistake(
            lambda predicted, label: (predicted == label).float().mean().round(),
            "Yours is 1 where most rows are right, and 0 where most are wrong. Do not round, and "
            "take the mean, not the median.",
        ),
        Mistake(
            lambda predicted, label: float(predicted[0] == label[0]) / len(label),
            "You counted the first row and no other. Is the `return` inside the loop?",
        ),
        Mistake(
            lambda predicted, label: float(predicted[0] == label[0]),
            "Yours is 1 where the first row is right, and 0 elsewhere. All rows count: take the "
            "mean of `predicted == label`, or let a loop add up before it divides.",
        ),
        Mistake(
            lambda predicted, label: float(predicted[-1] == label[-1]),
            "Yours is 1 where the last row is right, and 0 elsewhere. A loop has to add up its "
            "rows (`+=`), or only the last one is left.",
        ),
        Mistake(
            lambda predicted, label: torch.isin(predicted, label).float().mean(),
            "You asked whether a guess stands anywhere among the labels. Compare each guess with "
            "the label of its own row: `predicted == label`.",
        ),
        Mistake(
            lambda predicted, label: torch.isin(label, predicted).float().mean(),
            "You asked whether a label stands anywhere among the guesses. Compare each label with "
            "the guess of its own row: `predicted == label`.",
        ),
        Mistake(
            lambda predicted, label: mean_of_shares(predicted, label, by=label),
            "You took a share for each class of the labels, and then the mean of these shares "
            "(*balanced accuracy*): a row of a rare class counts more there. Here every row counts "
            "alike: one mean over all rows.",
        ),
        Mistake(
            lambda predicted, label: mean_of_shares(predicted, label, by=predicted),
            "You took a share for each class that is guessed, and then the mean of these shares "
            "(the mean *precision*). Here every row counts alike: one mean over all rows.",
        ),
        Mistake(
            lambda predicted, label: torch.equal(predicted, label),
            "Yours is 1 where all rows are right, and 0 elsewhere. `torch.equal` and `all` ask "
            "about all rows at once, and `//` drops what stands behind the point; a share needs a "
            "mean, or `/`.",
        ),
        Mistake(
            lambda predicted, label: (predicted.argmax(dim=1) == label).float().mean(),
            "Both tensors have one dimension, (n,), and no `dim=1`: `predicted` holds one class "
            "number a row, the guess itself, and no table of scores.",
        ),
        Mistake(
            lambda predicted, label: (predicted - label).abs().float().mean(),
            "You measured how far the class numbers lie apart. They are names, not amounts: "
            "section 4 is not nearer to section 3 than to section 0.",
        ),
    ),
)


# --- majority_baseline -----------------------------------------------------------------------


def majority_by_mode(train_label, test_label):
    return (test_label == train_label.mode().values).float().mean()


def majority_by_unique(train_label, test_label):
    classes, counts = train_label.unique(return_counts=True)
    return (test_label == classes[counts.argmax()]).sum().item() / len(test_label)


def majority_by_dictionary(train_label, test_label):
    counts = {}
    for label in train_label.tolist():
        counts[label] = counts.get(label, 0) + 1
    commonest = max(counts, key=counts.get)
    return sum(label == commonest for label in test_label.tolist()) / len(test_label)


# How often each class occurs in training rows, and in test rows. One leads in the training rows.
LABEL_TABLES = (
    ([6, 4, 2], [2, 5, 1]),
    ([3, 2, 2, 1], [2, 4, 1, 1]),
    ([9, 1, 4], [1, 0, 4]),
    ([2, 1], [1, 2]),
    ([1], [1]),
)
# Without gaps, the rarest class is one that occurs; it is not class 0.
GAPLESS = ((1, 0, 2), (2, 0, 1))
# Their classes are beyond those of the test rows: whoever counts the test rows' classes sees it.
BEYOND_TABLES = (([5, 2, 1], [0, 3, 4]), ([1, 0, 0], [0, 2, 1]))
# Class 7 leads, with a count of 6, at place 4 of the classes that occur; below 5, class 1 does. The
# median is 3, the largest 9, in row 8, and each of these has a share of its own in the test rows.
NUMBERED = (
    5 * [1] + [2, 3, 3, 5] + 6 * [7] + [9],
    [7] + 2 * [6] + 3 * [4] + 4 * [3] + 5 * [9] + 6 * [1] + 7 * [8],
)
ROW_OF_LARGEST = 8


def label_cases(rng):
    """Labels whose most frequent class is one in the training rows and another in the test rows.

    Any of 12 class numbers occur, with gaps between them, and no two are equally frequent in the
    training rows where it matters. Where there is room, a third class stands in their first row.
    """
    for names in GAPLESS:
        yield labels_of(torch.tensor(names), LABEL_TABLES[0], rng)
    for beyond, tables in ((False, LABEL_TABLES), (True, BEYOND_TABLES)):
        for table in tables:
            names = torch.randperm(12, generator=rng)[: len(table[0])]
            yield labels_of(names.sort(descending=True).values if beyond else names, table, rng)
    train, test = (shuffled(torch.tensor(labels), rng) for labels in NUMBERED)
    place = int(train.argmax())
    train[[place, ROW_OF_LARGEST]] = train[[ROW_OF_LARGEST, place]]
    yield train, test


def labels_of(names, table, rng):
    """Training and test labels: each class of ``names`` as often as a table says."""
    train, test = (shuffled(names.repeat_interleave(torch.tensor(counts)), rng) for counts in table)
    return with_another_first(train, test), test


def with_another_first(train, test):
    """The training rows, a class first that is the commonest in neither set, if there is one."""
    other = (train != train.mode().values) & (train != test.mode().values)
    train = train.clone()
    for row in other.nonzero().flatten()[:1].tolist():
        train[[0, row]] = train[[row, 0]]
    return train


def shuffled(label, rng):
    return label[torch.randperm(len(label), generator=rng)]


majority_baseline = Exercise(
    reference=reference_majority,
    cases=label_cases,
    observe=as_number,
    also_right=(majority_by_mode, majority_by_dictionary, majority_by_unique),
    hints=(
        "Two steps: which class do the training rows have most often? How many of the test rows "
        "have that class?",
        "`train_label.bincount()` counts the classes 0, 1, 2, ...; `.argmax()` is the number of "
        "the largest count. The second step is `share_right`.",
    ),
    mistakes=(
        Mistake(
            lambda train_label, test_label: reference_majority(test_label, test_label),
            "You looked up the most frequent class in the test rows. Whoever answers must not see "
            "their labels: choose in the training rows, count in the test rows.",
        ),
        Mistake(
            lambda train_label, test_label: reference_majority(train_label, train_label),
            "This is the share of the most frequent class among the training rows; the question is "
            "how often that answer is right on the test rows.",
        ),
        Mistake(
            lambda train_label, test_label: 1 / len(train_label.unique()),
            "This is 1 divided by the number of classes, the accuracy of a throw of dice. It is "
            "right only where all classes are equally common.",
        ),
        Mistake(
            lambda train_label, test_label: train_label.bincount().argmax(),
            "This is the number of the most frequent class; the question is how often it is right.",
        ),
        Mistake(
            lambda train_label, test_label: (test_label == train_label.bincount().argmax()).sum(),
            "You counted the right answers; divide by the number of test rows.",
        ),
        Mistake(
            lambda train_label, test_label: (
                (test_label == train_label.bincount().argmax()).sum() / len(train_label)
            ),
            "You divided by the number of training rows. You counted right answers among the test "
            "rows: divide by the number of those.",
        ),
        Mistake(
            lambda train_label, test_label: (
                (test_label == train_label.bincount().max()).float().mean()
            ),
            "You compared the labels with a count. `bincount().max()` says how often the commonest "
            "class occurs; `bincount().argmax()` says which class it is.",
        ),
        Mistake(
            lambda train_label, test_label: (test_label == train_label.bincount().argmax()).mean(),
            NUMBERS_FIRST,
        ),
        Mistake(
            lambda train_label, test_label: (
                test_label.bincount()[train_label.bincount().argmax()] / len(test_label)
            ),
            "`test_label.bincount()` ends at the largest class of the test rows, and the training "
            "rows' most frequent class may lie beyond it. Compare instead: "
            "`test_label == frequent`.",
        ),
        Mistake(
            lambda train_label, test_label: test_label.bincount()[train_label.bincount().argmax()],
            "You counted in `test_label.bincount()`, which ends at the largest class of the test "
            "rows, and did not divide. Compare, `test_label == frequent`, and take the mean.",
        ),
        Mistake(
            lambda train_label, test_label: reference_majority(test_label, train_label),
            "The two sets are exchanged: choose in the training rows, judge in the test rows.",
        ),
        Mistake(
            lambda train_label, test_label: 1 - reference_majority(train_label, test_label),
            "This is how often the most frequent class is wrong: `!=` asks where two differ.",
        ),
        Mistake(
            lambda train_label, test_label: (test_label == train_label.max()).float().mean(),
            "You named the largest class number. Class numbers are names: count how often each "
            "occurs.",
        ),
        Mistake(
            lambda train_label, test_label: (test_label == train_label.median()).float().mean(),
            "You named the median class number. Class numbers are names, and nothing lies between "
            "them: count how often each occurs.",
        ),
        Mistake(
            lambda train_label, test_label: (
                (test_label == train_label.bincount().argmin()).float().mean()
            ),
            "You named the class that is rarest in the training rows, or not there at all. The "
            "most frequent one is where the count is largest: `argmax` of the counts, not `argmin` "
            "or the first of a sorted list.",
        ),
        Mistake(
            lambda train_label, test_label: (test_label == train_label.argmax()).float().mean(),
            "You took the row in which the largest label stands: `argmax` of the labels, not of "
            "counts. Count first: `train_label.bincount().argmax()`.",
        ),
        Mistake(
            lambda train_label, test_label: train_label.bincount().max() / len(test_label),
            "You counted the most frequent class among the training rows and divided by the number "
            "of test rows. Which class is it, and how many of the *test* rows have it?",
        ),
        Mistake(
            lambda train_label, test_label: (
                (test_label == train_label.unique(return_counts=True)[1].argmax()).float().mean()
            ),
            "`unique` lists only the classes that occur, so a place in its counts is no class "
            "number. Look the class up: `classes[counts.argmax()]`.",
        ),
        Mistake(
            lambda train_label, test_label: (
                (test_label == torch.stack([(train_label == c).sum() for c in range(5)]).argmax())
                .float()
                .mean()
            ),
            "You counted the classes 0 to 4 and no others. `bincount()` counts as many as there "
            "are.",
        ),
        Mistake(
            lambda train_label, test_label: reference_majority(
                torch.cat([train_label, test_label]), test_label
            ),
            "You looked up the most frequent class in both sets together. Whoever answers must not "
            "see the test labels: choose in the training rows alone.",
        ),
        Mistake(
            lambda train_label, test_label: (test_label == train_label.mode()).float().mean(),
            "You compared the labels with a pair, and a pair equals no label. `mode()` gives a "
            "class and a place: take `.values`. `most_common(1)[0]` gives a class and its count: "
            "take `[0]`.",
        ),
        Mistake(
            lambda train_label, test_label: (test_label == train_label[0]).float().mean(),
            "You named the class of the first training row. If you used `Counter`: it takes every "
            "row of a tensor for something new, so count `train_label.tolist()`.",
        ),
    ),
)


# --- find_mispaired --------------------------------------------------------------------------


def as_rows(result, *arguments):
    """Row numbers may come as a list of whole numbers."""
    whole = isinstance(result, list) and all(isinstance(row, int) for row in result)
    return torch.tensor(result, dtype=torch.long) if whole else result


def opinions(image_probability, text_probability, sure):
    """Where the two name different sections; where the picture, where the headline is sure."""
    image, text = image_probability.max(dim=1), text_probability.max(dim=1)
    return image.indices != text.indices, image.values >= sure, text.values >= sure


def mispaired(image_probability, text_probability, sure=0.9):
    differ, image_sure, text_sure = opinions(image_probability, text_probability, sure)
    return (differ & image_sure & text_sure).nonzero().flatten()


def mispaired_row_by_row(image_probability, text_probability, sure=0.9):
    rows = []
    for row, (image, text) in enumerate(zip(image_probability, text_probability, strict=True)):
        if image.max() >= sure and text.max() >= sure and image.argmax() != text.argmax():
            rows.append(row)
    return rows


def mispaired_by_where(image_probability, text_probability, sure=0.9):
    least = torch.minimum(image_probability.amax(dim=1), text_probability.amax(dim=1))
    differ = image_probability.argmax(dim=1) != text_probability.argmax(dim=1)
    return torch.where(differ & (least >= sure))[0]


def from_opinions(choose):
    """A wrong way that chooses rows by (differ, image sure, text sure)."""

    def attempt(image_probability, text_probability, sure=0.9):
        return choose(*opinions(image_probability, text_probability, sure)).nonzero().flatten()

    return attempt


def any_of(which):
    """The sentence for a wrong way that joins the three conditions, or two of them, by *or*."""
    return (
        f"You took every row where {which}: that is *or*, `|`. Three things have to hold at once: "
        "the sections differ, the picture is sure, the headline is sure. Join them with `&`, in a "
        "loop with `and`."
    )


# Each a wrong way to join (differ, image sure, text sure), and the rows that it takes.
JOINED_BY_OR = (
    (lambda differ, image, text: differ | image | text, "any one of the three holds"),
    (lambda differ, image, text: image | text, "one of the two is sure, or both"),
    (lambda differ, image, text: differ | image & text, "the sections differ, or both are sure"),
    (
        lambda differ, image, text: image | text & differ,
        "the picture is sure, or the headline is and the sections differ",
    ),
    (
        lambda differ, image, text: image & differ | text,
        "the headline is sure, or the picture is and the sections differ",
    ),
)


def mispaired_by_value(image_probability, text_probability, sure=0.9):
    image, text = image_probability.amax(dim=1), text_probability.amax(dim=1)
    return ((image != text) & (image >= sure) & (text >= sure)).nonzero().flatten()


def mispaired_as_mask(image_probability, text_probability, sure=0.9):
    differ, image_sure, text_sure = opinions(image_probability, text_probability, sure)
    return differ & image_sure & text_sure


def mispaired_as_column(image_probability, text_probability, sure=0.9):
    return mispaired_as_mask(image_probability, text_probability, sure).nonzero()


def attempt_on_maxima(choose):
    """A wrong way that works on the results of ``max(dim=1)`` and on ``sure``."""

    def attempt(image_probability, text_probability, sure=0.9):
        return choose(image_probability.max(dim=1), text_probability.max(dim=1), sure)

    return attempt


def mispaired_by_more(image_probability, text_probability, sure=0.9):
    image, text = image_probability.max(dim=1), text_probability.max(dim=1)
    both_sure = (image.values > sure) & (text.values > sure)
    return (both_sure & (image.indices != text.indices)).nonzero().flatten()


def mispaired_squeezed(image_probability, text_probability, sure=0.9):
    return mispaired_as_column(image_probability, text_probability, sure).squeeze()


def mispaired_at_nine_tenths(image_probability, text_probability, sure=0.9):
    return mispaired(image_probability, text_probability, 0.9)


def mispaired_by_mean(image_probability, text_probability, sure=0.9):
    image, text = image_probability.max(dim=1), text_probability.max(dim=1)
    both_sure = (image.values + text.values) / 2 >= sure
    return (both_sure & (image.indices != text.indices)).nonzero().flatten()


def mispaired_by_product(image_probability, text_probability, sure=0.9):
    image, text = image_probability.max(dim=1), text_probability.max(dim=1)
    both_sure = image.values * text.values >= sure
    return (both_sure & (image.indices != text.indices)).nonzero().flatten()


def mispaired_down_columns(image_probability, text_probability, sure=0.9):
    image, text = image_probability.max(dim=0), text_probability.max(dim=0)
    both_sure = (image.values >= sure) & (text.values >= sure)
    return (both_sure & (image.indices != text.indices)).nonzero().flatten()


def mispaired_as_floats_if_none(image_probability, text_probability, sure=0.9):
    return torch.tensor(mispaired_row_by_row(image_probability, text_probability, sure))


def mispaired_as_sections(image_probability, text_probability, sure=0.9):
    named = image_probability.argmax(dim=1)
    return named[mispaired(image_probability, text_probability, sure)]


def mispaired_in_a_tuple(image_probability, text_probability, sure=0.9):
    return torch.where(mispaired_as_mask(image_probability, text_probability, sure))


def asked_by_if(image, text, sure):
    both_sure = image.values >= sure and text.values >= sure
    return (image.indices != text.indices).nonzero().flatten() if both_sure else None


def first_row_alone(image_probability, text_probability, sure=0.9):
    found = mispaired(image_probability, text_probability, sure)
    return found[found == 0]


def joined_by_and(image, text, sure):
    return (
        image.values >= sure and text.values >= sure and image.indices != text.indices
    ).nonzero().flatten()  # fmt: skip


def peaked(section, top, classes, rng):
    """Probabilities (n, C) whose largest is ``top`` (n,) at ``section`` (n,).

    The others are alike enough to stay below a ``top`` of 0.4 of five classes.
    """
    rest = torch.rand(len(section), classes, generator=rng) + 0.5
    rest.scatter_(1, section[:, None], 0)
    rest *= ((1 - top) / rest.sum(dim=1))[:, None]
    return rest.scatter(1, section[:, None], top[:, None])


EXACT = 0.875  # the same number in single and in double precision: no right way stumbles over it
KINDS = torch.cartesian_prod(*[torch.tensor([False, True])] * 3)  # differ, image sure, text sure


def opinion_cases(rng):
    """Every mix of agree or not, sure or not, in any order, of 2 to 7 classes.

    And tables where no pair, or the only pair, is wrong; and a call that leaves ``sure`` as it is.
    """
    none, only = KINDS[~KINDS.all(dim=1)], KINDS[KINDS.all(dim=1)]
    tables = [(5, EXACT, KINDS), (3, 0.75, KINDS), (7, 0.95, none), (2, 0.625, KINDS),
              (5, EXACT, only), (4, EXACT, none[-1:])]  # fmt: skip
    for number, (classes, sure, kinds) in enumerate(tables):
        top = close_tops(kinds := shuffled(kinds, rng), sure, number % 2, rng)
        yield *opinions_of(kinds, top, classes, rng), sure
    for given in ((), (0.9,)):
        kinds = shuffled(KINDS.repeat(2, 1), rng)
        yield *opinions_of(kinds, clear_tops(kinds, rng), 5, rng), *given


def opinions_of(kinds, tops, classes, rng):
    """Probabilities (n, C) of pictures and of headlines, for rows (n, 3) of ``KINDS``.

    tops: the largest of each row, (n,) of pictures and (n,) of headlines.
    """
    differ = kinds[:, 0]
    section = torch.randint(0, classes, differ.shape, generator=rng)
    other = (section + torch.randint(1, classes, differ.shape, generator=rng)) % classes
    image, text = tops
    return (
        peaked(section, image, classes, rng),
        peaked(torch.where(differ, other, section), text, classes, rng),
    )


def clear_tops(kinds, rng):
    """Largest probabilities far from 0.9, on either side of it, and below one half too."""
    for certain in kinds[:, 1:].unbind(dim=1):
        dice = torch.rand(certain.shape, generator=rng)
        yield torch.where(certain, 0.96 + 0.03 * dice, 0.4 + 0.3 * dice)


def close_tops(kinds, sure, strong, rng):
    """Largest probabilities near ``sure``, (n,) for pictures and for headlines.

    Where both are certain, one is barely so: the product of the two is below ``sure``.
    strong: 0 or 1, the one of the two that, where it alone is sure, lifts their mean over ``sure``.
    """
    certain = kinds[:, 1:].unbind(dim=1)
    room, dice = 1 - sure, torch.rand(3, len(kinds), generator=rng)
    # At 0.875 exactly as sure as asked, elsewhere a little more, beyond any rounding.
    barely = sure if sure == EXACT else sure + 0.1 * room
    both = certain[0] & certain[1]
    for k in (0, 1):
        far_above, little_below = sure + room * (0.5 + 0.3 * dice[k]), 0.05 + 0.15 * dice[k]
        well_above = both & ((dice[2] < 0.5) == (k == 0)) | ~both & (k == strong)
        above = torch.where(well_above, far_above, torch.full_like(far_above, barely))
        below = sure - room * (little_below + (0.1 if k == strong else 0.0))
        yield torch.where(certain[k], above, below)


find_mispaired = Exercise(
    reference=mispaired,
    cases=opinion_cases,
    observe=as_rows,
    also_right=(mispaired_row_by_row, mispaired_by_where),
    hints=(
        "`image_probability.max(dim=1)` gives two things for each row: `.values`, the largest "
        "probability, and `.indices`, the section that has it.",
        "A row counts if three things hold at once: the sections differ, the picture is sure, and "
        "the headline is sure. Join tensors of true and false with `&`, not with `and`.",
        "`mask.nonzero().flatten()` gives the numbers of the rows where `mask` is true.",
    ),
    mistakes=(
        Mistake(
            from_opinions(lambda differ, image_sure, text_sure: differ),
            "You took every row where the two name different sections. A picture without a motif "
            "names some section too, without being sure: ask both for certainty.",
        ),
        Mistake(
            from_opinions(lambda differ, image_sure, text_sure: differ & (image_sure | text_sure)),
            "You asked one of the two to be sure, either of them. If the other one only guesses, "
            "there is no contradiction: both have to be sure.",
        ),
        *(Mistake(from_opinions(choose), any_of(which)) for choose, which in JOINED_BY_OR),
        Mistake(
            lambda *arguments: mispaired(*arguments)[:0],
            "You find no row in any table, and most tables have some. What do you compare with "
            "`sure`? It has to be the largest of each row's probabilities as they are given: a "
            "second `softmax` makes them alike, and `max()` without `dim=1` looks at all rows.",
        ),
        Mistake(
            from_opinions(lambda differ, image_sure, text_sure: differ & image_sure),
            "You asked the picture alone to be sure; the headline may be guessing.",
        ),
        Mistake(
            from_opinions(lambda differ, image_sure, text_sure: differ & text_sure),
            "You asked the headline alone to be sure; the picture may be guessing.",
        ),
        Mistake(
            from_opinions(lambda differ, image_sure, text_sure: ~differ & image_sure & text_sure),
            "These are the rows where both are sure and agree: the good pairs.",
        ),
        Mistake(
            mispaired_by_value,
            "You did not compare the sections that the two name, or only how sure they are: the "
            "section is the place of the largest probability, not its value.",
        ),
        Mistake(
            mispaired_as_mask,
            "You returned true or false for each row; the exercise asks for row numbers. "
            "`mask.nonzero().flatten()` gives them.",
        ),
        Mistake(
            mispaired_as_column,
            "`nonzero()` gives a column, shape (k, 1). Flatten it to (k,).",
        ),
        Mistake(
            mispaired_squeezed,
            "`squeeze()` drops the dimension of the rows too where one row is found. `flatten()` "
            "always leaves shape (k,).",
        ),
        Mistake(
            mispaired_by_more,
            "A probability equal to `sure` counts as well: *at least* is `>=`, not `>`.",
        ),
        Mistake(
            attempt_on_maxima(asked_by_if),
            "An `if` asks once for the whole table, and there is an answer for each row. Join "
            "tensors of true and false with `&`, and take the places where they hold.",
        ),
        Mistake(
            first_row_alone,
            "You looked at the first row and at no other. Is the `return` inside the loop?",
        ),
        Mistake(
            mispaired_as_sections,
            "You returned the sections that the pictures name in these rows; the exercise asks for "
            "the numbers of the rows.",
        ),
        Mistake(
            lambda *arguments: mispaired_as_mask(*arguments).sum(),
            "You counted the rows; the exercise asks which they are.",
        ),
        Mistake(
            lambda *arguments: mispaired(*arguments).flip(0),
            "The right rows in the wrong order: ascending is from the first to the last.",
        ),
        Mistake(
            mispaired_at_nine_tenths,
            "You compare with 0.9 always. `sure` may be another number: use the argument.",
        ),
        Mistake(
            mispaired_by_mean,
            "You asked the mean (or the sum) of the two to be large, so a very sure one makes up "
            "for an unsure one. Each of the two has to reach `sure`.",
        ),
        Mistake(
            mispaired_by_product,
            "You asked the product of the two to be large, which is stricter: two that are barely "
            "sure fail. Each of the two has to reach `sure`.",
        ),
        Mistake(
            mispaired_down_columns,
            "`max(dim=0)` looks down each column, for the row that is surest of a section. For the "
            "surest section of each row take `dim=1`.",
        ),
        Mistake(
            mispaired_as_floats_if_none,
            "Where no row is found, `torch.tensor([])` holds floats, and floats number no rows. "
            "Say `dtype=torch.long`.",
        ),
        Mistake(
            mispaired_in_a_tuple,
            "`torch.where(mask)` and `nonzero(as_tuple=True)` give a tuple, one tensor for each "
            "dimension. Take its first: `[0]`.",
        ),
        Mistake(
            attempt_on_maxima(lambda image, text, sure: sure & text.values),
            "`&` binds more tightly than `>=` and `!=`, so it took its neighbours first, a number "
            "among them. Put brackets round each comparison: `(a >= sure) & (b >= sure)`.",
        ),
        Mistake(
            attempt_on_maxima(joined_by_and),
            "Python's `and`, `or` and `if` want one true or false, and a tensor holds one for each "
            "row. Join with `&`. Two whole results of `max(dim=1)` cannot be compared either: take "
            "their `.values` or their `.indices`.",
        ),
        Mistake(
            attempt_on_maxima(lambda image, text, sure: image >= sure),
            "`max(dim=1)` gives two things for each row. Take `.values`, the largest probability, "
            "to compare with `sure`, and `.indices` to compare the sections.",
        ),
    ),
)


# --- telltale_headlines: break this claim ----------------------------------------------------

ABOVE_CHANCE = 0.1
MOST_UNEVEN = 2  # how many times as often as another one a section may occur


def one_sense_tells(dials, seed):
    """Whether a perfect reader of one sense clearly beats the more frequent answer to ``match``.

    By the exact ceilings, so that no luck of a draw decides: ``seed`` plays no part.
    """
    try:
        priors = read_dials(news_cards.Dials, dials, "news_cards").priors
        best = news_cards.ceiling("match", **dials)
    except (TypeError, ValueError) as error:
        return f"Such cards cannot be made: {error}."
    if priors.max() > MOST_UNEVEN * priors.min() * (1 + 1e-9):
        return (
            "The claim speaks of collections in which no section occurs more than "
            f"{MOST_UNEVEN} times as often as another. In yours the shares go from "
            f"{priors.min():.2g} to {priors.max():.2g}."
        )
    sense = max(("image", "text"), key=best.get)
    numbers = (
        f"a perfect reader of {sense} alone is right on {best[sense]:.3f}, and the more frequent "
        f"answer on {best['chance']:.3f}"
    )
    if best[sense] - best["chance"] >= ABOVE_CHANCE:
        return Broken(numbers)
    return (
        f"The claim still holds: {numbers}. You win where the first is {ABOVE_CHANCE} above the "
        "second."
    )


CLEAR_WORDS = {"text_noise": 0.0, "without_word": 0.0}

telltale_headlines = Exercise(
    verify=one_sense_tells,
    exact=True,
    right_dials={"class_balance": (2, 2, 1, 1, 1)} | CLEAR_WORDS,
    wrong_dials=(
        {},
        {"mismatch": 0.9},
        {"mismatch": 0.0},
        CLEAR_WORDS,
        {"text_noise": 0.6},
        {"without_motif": 0.0, "image_noise": 0.0},
        {"words_per_headline": 3},
        {"label_noise": 0.5},
        {"mark": 1.0},
        {"class_balance": (2, 2, 1, 1, 1)},
        {"class_balance": (2, 1, 1, 1, 1)} | CLEAR_WORDS,
        {"class_balance": (2, 2, 2, 1, 1)} | CLEAR_WORDS,
        {"class_balance": (8, 1, 1, 1, 1)} | CLEAR_WORDS,
        {"class_balance": (1, 0, 0, 0, 0)},
        {"class_balance": (8, 1, 1, 1)},
        {"mismatch": 2.0},
        {"balance": (2, 2, 1, 1, 1)},
    ),
    hints=(
        "Clearer pictures alone do not help: they tell what the card is about, and nothing about "
        "whether the two fit. What would a reader have to know of the cards as a whole, so that "
        "one word in a headline makes a good pair likelier than a wrong one?",
        "A wrong headline comes from one of the other four sections, each as often. So if some "
        "sections are frequent, what does a headline about a rare one tell? Turn `class_balance`, "
        "five numbers, how often each section occurs: one frequent section, or two, or three?",
        "That alone is not enough, because a fifth of the headlines have no word of their section, "
        "and others mislead. Which dials make headlines as clear as they can be?",
    ),
)
