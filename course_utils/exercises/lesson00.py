"""The exercises of lesson 00, Start here."""

import torch

from course_utils.baselines import majority_baseline as reference_majority
from course_utils.exercises.core import Exercise, Mistake


def as_number(result, *arguments):
    """A share may come as a Python number or as a tensor that holds one."""
    return float(result)


# --- share_right -----------------------------------------------------------------------------


def share(predicted, label):
    return (predicted == label).double().mean().item()


def share_by_counting(predicted, label):
    right = 0
    for guess, truth in zip(predicted, label, strict=True):
        right += int(guess == truth)
    return right / len(label)


def guess_cases(rng):
    """Class numbers 0 to 4; wrong guesses are off by 2 or 3, so that amounts and shares differ."""
    for rows, right in [(9, 6), (4, 1), (7, 7), (25, 9)]:
        label = torch.randint(0, 5, (rows,), generator=rng)
        off = 2 * (torch.randperm(rows, generator=rng) >= right)
        yield (label + off) % 5, label


NUMBERS_FIRST = (
    "`mean()` works on numbers, and this tensor holds true and false. Turn them into numbers "
    "first: `.float().mean()`."
)

share_right = Exercise(
    reference=share,
    cases=guess_cases,
    observe=as_number,
    also_right=(share_by_counting, lambda predicted, label: (predicted == label).float().mean()),
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
            lambda predicted, label: (predicted - label).abs().float().mean(),
            "You measured how far the class numbers lie apart. They are names, not amounts: "
            "section 4 is not nearer to section 3 than to section 0.",
        ),
    ),
)


# --- majority_baseline -----------------------------------------------------------------------


def majority_by_mode(train_label, test_label):
    return (test_label == train_label.mode().values).float().mean()


def majority_by_dictionary(train_label, test_label):
    counts = {}
    for label in train_label.tolist():
        counts[label] = counts.get(label, 0) + 1
    commonest = max(counts, key=counts.get)
    return sum(label == commonest for label in test_label.tolist()) / len(test_label)


def label_cases(rng):
    """Labels whose most frequent class is one in the training rows and another in the test rows.

    In the first training row stands neither of the two.
    """
    tables = [([6, 4, 2], [2, 5, 1]), ([3, 2, 2, 1], [2, 4, 1, 1]), ([9, 1, 5], [1, 0, 6])]
    for train_counts, test_counts in tables:
        names = torch.randperm(5, generator=rng)[: len(train_counts)]
        train, test = (
            shuffled(names.repeat_interleave(torch.tensor(counts)), rng)
            for counts in (train_counts, test_counts)
        )
        neither = (train != train.mode().values) & (train != test.mode().values)
        chosen = neither.nonzero()[0].item()
        train[[0, chosen]] = train[[chosen, 0]]
        yield train, test


def shuffled(label, rng):
    return label[torch.randperm(len(label), generator=rng)]


majority_baseline = Exercise(
    reference=reference_majority,
    cases=label_cases,
    observe=as_number,
    also_right=(majority_by_mode, majority_by_dictionary),
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
            lambda train_label, test_label: (test_label == train_label.mode()).float().mean(),
            "`train_label.mode()` gives two things, and a pair equals no label: take `.values`, "
            "the most frequent class.",
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
    """Row numbers may come as a list."""
    return torch.tensor(result, dtype=torch.long) if isinstance(result, list) else result


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


def peaked(section, top, rng):
    """Probabilities (n, 5) whose largest is ``top`` (n,), above one half, at ``section`` (n,)."""
    rest = torch.rand(len(section), 5, generator=rng) + 0.1
    rest.scatter_(1, section[:, None], 0)
    rest *= ((1 - top) / rest.sum(dim=1))[:, None]
    return rest.scatter(1, section[:, None], top[:, None])


def opinion_cases(rng):
    """Every mix of agree or not, sure or not, in any order; then a table without a wrong pair.

    In the second table who is sure is exactly as sure as asked: 0.875 is the same number in
    single and in double precision, so no right way stumbles over rounding.
    """
    kinds = torch.cartesian_prod(*[torch.tensor([False, True])] * 3)  # differ, image, text sure
    tables = [(0.9, 2, True, 0.1), (0.875, 1, True, 0), (0.95, 1, False, 0.1)]
    for sure, repeat, wrong, beyond in tables:
        chosen = kinds if wrong else kinds[~kinds.all(dim=1)]
        chosen = shuffled(chosen.repeat(repeat, 1), rng)
        differ, *certain = chosen.unbind(dim=1)
        section = torch.randint(0, 5, (len(chosen),), generator=rng)
        other = (section + torch.randint(1, 5, section.shape, generator=rng)) % 5
        tops = (tops_for(which, sure, beyond, rng) for which in certain)
        image, text = (
            peaked(s, top, rng)
            for s, top in zip((section, torch.where(differ, other, section)), tops, strict=True)
        )
        yield image, text, sure


def tops_for(certain, sure, beyond, rng):
    """Largest probabilities (n,): where certain, clearly above ``sure``, elsewhere below it.

    With ``beyond`` 0, exactly ``sure`` where certain.
    """
    dice = torch.rand(certain.shape, generator=rng)
    above = sure + (1 - sure) * (beyond + 8 * beyond * dice)
    return torch.where(certain, above, 0.55 + 0.2 * dice)


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
            attempt_on_maxima(lambda image, text, sure: sure & text.values),
            "`&` binds more tightly than `>=` and `!=`, so it took its neighbours first, a number "
            "among them. Put brackets round each comparison: `(a >= sure) & (b >= sure)`.",
        ),
        Mistake(
            attempt_on_maxima(lambda image, text, sure: bool(image.values >= sure)),
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
