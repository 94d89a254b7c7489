"""The exercises of lesson 07, Debug the article: five faults, mended one by one."""

from pathlib import PurePosixPath

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.data.text import article_fields
from course_utils.exercises.core import Exercise, Mistake

# --- give_vocabulary -------------------------------------------------------------------------

WORDS = ("film", "plot", "actor", "song", "ending", "funny", "dull", "warm", "long", "script")


def with_vocabulary(text_field, label_field, train, test):
    text_field.build_vocab([text_field.preprocess(review) for review, _ in train])
    label_field.build_vocab([label for _, label in train])


def by_loop(text_field, label_field, train, test):
    words, labels = [], []
    for review, label in train:
        words += text_field.preprocess(review)
        labels.append([label])
    text_field.build_vocab([words])  # one long list has the same counts
    label_field.build_vocab(labels)


def from_all_splits(text_field, label_field, train, test):
    with_vocabulary(text_field, label_field, train + test, [])


def labels_from_all_splits(text_field, label_field, train, test):
    text_field.build_vocab([text_field.preprocess(review) for review, _ in train])
    label_field.build_vocab([label for _, label in train + test])


def words_from_all_splits(text_field, label_field, train, test):
    text_field.build_vocab([text_field.preprocess(review) for review, _ in train + test])
    label_field.build_vocab([label for _, label in train])


def last_review_wins(text_field, label_field, train, test):
    for review, label in train:
        text_field.build_vocab([text_field.preprocess(review)])
        label_field.build_vocab([label])


def last_words_win(text_field, label_field, train, test):
    last_review_wins(text_field, label_field, train, test)
    label_field.build_vocab([label for _, label in train])


def cut_by_hand(text_field, label_field, train, test):
    text_field.build_vocab([review.split() for review, _ in train])
    label_field.build_vocab([label for _, label in train])


def from_the_test_rows(text_field, label_field, train, test):
    with_vocabulary(text_field, label_field, test, [])


def without_the_label(text_field, label_field, train, test):
    text_field.build_vocab([text_field.preprocess(review) for review, _ in train])


def of_letters(text_field, label_field, train, test):
    text_field.build_vocab([review for review, _ in train])
    label_field.build_vocab([label for _, label in train])


def of_pairs(text_field, label_field, train, test):
    text_field.build_vocab(train)
    label_field.build_vocab(train)


def one_word_a_review(text_field, label_field, train, test):
    text_field.build_vocab([[review] for review, _ in train])
    label_field.build_vocab([label for _, label in train])


def cut_by_hand_and_lower(text_field, label_field, train, test):
    text_field.build_vocab([review.lower().split() for review, _ in train])
    label_field.build_vocab([label for _, label in train])


def without_the_text(text_field, label_field, train, test):
    label_field.build_vocab([label for _, label in train])


def fields_exchanged(text_field, label_field, train, test):
    label_field.build_vocab([text_field.preprocess(review) for review, _ in train])
    text_field.build_vocab([label for _, label in train])


def pairs_turned_round(text_field, label_field, train, test):
    text_field.build_vocab([text_field.preprocess(review) for _, review in train])
    label_field.build_vocab([label for label, _ in train])


def one_flat_list(text_field, label_field, train, test):
    text_field.build_vocab([word for review, _ in train for word in text_field.preprocess(review)])
    label_field.build_vocab([label for _, label in train])


def first_review_alone(text_field, label_field, train, test):
    with_vocabulary(text_field, label_field, train[:1], test)


def without_rare_words(text_field, label_field, train, test):
    text_field.build_vocab([text_field.preprocess(review) for review, _ in train], min_freq=2)
    label_field.build_vocab([label for _, label in train])


def labels_by_letter(text_field, label_field, train, test):
    text_field.build_vocab([text_field.preprocess(review) for review, _ in train])
    label_field.build_vocab("".join(label for _, label in train))


def labels_known_beforehand(text_field, label_field, train, test):
    text_field.build_vocab([text_field.preprocess(review) for review, _ in train])
    label_field.build_vocab(["pos", "neg"])


def reviews(count, words, labels, rng):
    """Pairs (review of two to six words, label); both labels occur equally often."""
    lengths = torch.randint(2, 7, (count,), generator=rng).tolist()
    chosen = [torch.randint(len(words), (n,), generator=rng).tolist() for n in lengths]
    texts = [" ".join(words[i] for i in row) for row in chosen]
    return [(text, labels[number % len(labels)]) for number, text in enumerate(texts)]


def field_cases(rng):
    """Both fields, fresh; training and test reviews, each with a word that the other has not.

    The test rows have a label too that training lacks, and one text field makes words lower-case.
    """
    for count, lower, labels in ((4, False, ("pos", "neg")), (6, True, ("good", "fair", "bad"))):
        train = [("Silly jokes", labels[-1]), *reviews(count, WORDS[:6], labels, rng)]
        test = [*reviews(count, WORDS[3:], labels, rng), ("Silly lighthouse", labels[1])]
        train, test = [*train, ("Clever", labels[0])], [*test, ("train", "mixed")]
        yield *article_fields(lower), train, test


def vocabularies(_, text_field, label_field, train, test):
    """What the fields know after the call, and the rows, which are no more to be changed."""
    known = {"The words of `text_field`": text_field, "The labels of `label_field`": label_field}
    learnt = {name: field.vocab.itos if hasattr(field, "vocab") else "none yet"
              for name, field in known.items()}  # fmt: skip
    return learnt | {"The list `train` afterwards": train, "The list `test` afterwards": test}


give_vocabulary = Exercise(
    reference=with_vocabulary,
    cases=field_cases,
    observe=vocabularies,
    changes_input=True,
    also_right=(by_loop,),
    hints=(
        "Each field has a method `build_vocab`. The text field's takes a list of lists of words: "
        "`text_field.preprocess(review)` turns one review into such a list.",
        "`text_field.build_vocab([text_field.preprocess(review) for review, _ in train])`, and "
        "the same for the label field with `[label for _, label in train]`.",
    ),
    mistakes=(
        Mistake(
            from_all_splits,
            "You counted the test rows too. A word that stands in test rows alone has to stay "
            "unknown, as it would be in use; build both vocabularies from `train`.",
        ),
        Mistake(
            labels_from_all_splits,
            "The words are from `train`, the labels from `train` and `test`. A label that only "
            "test rows have cannot be learnt, and would get a number all the same.",
        ),
        Mistake(
            words_from_all_splits,
            "The labels are from `train`, the words from `train` and `test`. A word that stands in "
            "test rows alone has to stay unknown, as it would be in use.",
        ),
        Mistake(
            last_review_wins,
            "You called `build_vocab` for each review, and each call replaces what the one before "
            "it built: the last review is left. Collect all reviews first, then call it once.",
        ),
        Mistake(
            last_words_win,
            "The labels are right, the words are those of the last review: each call of "
            "`build_vocab` replaces the vocabulary before it. Call it once, with all reviews.",
        ),
        Mistake(
            cut_by_hand,
            "You cut the reviews by hand. A field may do more, such as making words lower-case, "
            "and does it to every later text; use `text_field.preprocess(review)`.",
        ),
        Mistake(
            cut_by_hand_and_lower,
            "You cut the reviews by hand, and made every word lower-case. Not every field does so; "
            "it knows by itself what it does: `text_field.preprocess(review)`.",
        ),
        Mistake(
            without_the_text,
            "The label field is ready, the text field has no vocabulary yet. It needs "
            "`build_vocab` too.",
        ),
        Mistake(
            fields_exchanged,
            "Each field got the other's words: labels belong to `label_field`, reviews to "
            "`text_field`.",
        ),
        Mistake(
            pairs_turned_round,
            "A pair is (review, label), in this order; you took the label for the review.",
        ),
        Mistake(
            one_flat_list,
            "`build_vocab` takes a list of *lists* of words. Yours is one flat list, so each word "
            "is taken for a list of letters.",
        ),
        Mistake(
            first_review_alone,
            "Only the first training review was counted; take all of them.",
        ),
        Mistake(
            without_rare_words,
            "Some of the training words got no number, as with `min_freq` or `max_size`. Here each "
            "of them gets one.",
        ),
        Mistake(
            labels_by_letter,
            "The label field got one long string, which is a list of letters. Hand it the labels "
            "in a list.",
        ),
        Mistake(
            labels_known_beforehand,
            "You wrote the labels out. Other rows have other labels; take them from `train`.",
        ),
        Mistake(
            from_the_test_rows,
            "You built the vocabularies from the test rows; the training rows are the ones that "
            "a model may learn from.",
        ),
        Mistake(
            without_the_label,
            "The text field is ready, the label field has no vocabulary yet: its labels have "
            "no number. It needs `build_vocab` too.",
        ),
        Mistake(
            of_letters,
            "Your vocabulary holds letters: a string, taken as a list, is a list of letters. Cut "
            "each review into words first, with `text_field.preprocess(review)`.",
        ),
        Mistake(
            of_pairs,
            "You handed over whole pairs, so reviews and labels are counted together. Take the "
            "reviews for one field and the labels for the other.",
        ),
        Mistake(
            one_word_a_review,
            "Each review became one long word. Cut it into words with "
            "`text_field.preprocess(review)`.",
        ),
    ),
)


# --- picture_index ---------------------------------------------------------------------------

SECTIONS = ("business", "science", "sport")


def by_name(files, samples):
    place = {}
    for number, (path, _) in enumerate(samples):
        place["/".join(path.replace("\\", "/").split("/")[-2:])] = number
    return [place["/".join(file.split("/")[-2:])] for file in files]


def by_search(files, samples):
    ends = [file.split("/", 1)[1] for file in files]
    return [next(i for i, (path, _) in enumerate(samples) if path.endswith(end)) for end in ends]


def by_whole_file(files, samples):
    return [next(i for i, (path, _) in enumerate(samples) if path.endswith(file)) for file in files]


def in_the_tables_order(files, samples):
    return list(range(len(files)))


def ends_of(paths):
    """Section and name of each path."""
    return [tuple(path.split("/")[-2:]) for path in paths]


def the_other_way_round(files, samples):
    wanted = ends_of(files)
    return [wanted.index(end) for end in ends_of(path for path, _ in samples) if end in wanted]


def in_the_folders_order(files, samples):
    return sorted(by_name(files, samples))


def by_last_name(files, samples):
    place = {path.split("/")[-1]: number for number, (path, _) in enumerate(samples)}
    return [place[file.split("/")[-1]] for file in files]


def by_first_name(files, samples):
    names = [path.split("/")[-1] for path, _ in samples]
    return [names.index(file.split("/")[-1]) for file in files]


def by_section_anywhere(files, samples):
    """The root of the folder may hold a section's name, too."""
    parts = [file.split("/")[1:] for file in files]
    return [
        next(
            place
            for place, (path, _) in enumerate(samples)
            if section in path and path.endswith(name)
        )
        for section, name in parts
    ]


def below_the_root(depth):
    """The first ``depth`` parts of a folder's path are cut off, and one of a file's."""

    def attempt(files, samples):
        place = {tuple(path.split("/")[depth:]): number for number, (path, _) in enumerate(samples)}
        return [place[tuple(file.split("/")[1:])] for file in files]

    return attempt


def by_equal_paths(files, samples):
    paths = [path for path, _ in samples]
    return [paths.index(file) for file in files]


def by_containing(files, samples):
    return [[i for i, (path, _) in enumerate(samples) if file in path][:1][0] for file in files]


def as_paths(files, samples):
    return [samples[number][0] for number in by_name(files, samples)]


def as_a_dict(files, samples):
    return dict(zip(files, by_name(files, samples), strict=True))


def by_a_list_as_key(files, samples):
    return {path.split("/")[-2:]: number for number, (path, _) in enumerate(samples)}


def by_pathlib(files, samples):
    place = {PurePosixPath(path).parts[-2:]: number for number, (path, _) in enumerate(samples)}
    return [place[PurePosixPath(file).parts[-2:]] for file in files]


def by_going_through(files, samples):
    found = []
    for file in files:
        _, section, name = file.split("/")
        for number, (path, _) in enumerate(samples):
            *_, folder, last = path.split("/")
            if (folder, last) == (section, name):
                found.append(number)
    return found


def by_class(files, samples):
    classes = sorted({path.split("/")[-2] for path, _ in samples})
    numbers = [classes.index(file.split("/")[-2]) for file in files]
    return [next(i for i, (_, label) in enumerate(samples) if label == n) for n in numbers]


def as_class_numbers(files, samples):
    return [samples[number][1] for number in by_name(files, samples)]


def as_sorted_files(files, samples):
    return [sorted(files).index(file) for file in files]


def one_too_far(files, samples):
    return [number + 1 for number in by_name(files, samples)]


def pair_cases(rng):
    """Files in a table's order, and samples in the folder's, with one picture that has no row.

    Roots end in the split or not, lie at different depths, and may hold a section's name.
    """
    three = [f"train/{section}/0007.png" for section in ("sport", "business", "science")]
    yield three, [(f"cards/{file}", SECTIONS.index(file.split("/")[1])) for file in sorted(three)]
    yield three[:1], [(f"train/{file}", 0) for file in ("business/0007.png", "sport/0007.png")]
    root = "my/science/and/sport/cards"
    yield (
        three,
        [(f"{root}{file[5:]}", SECTIONS.index(file.split("/")[1])) for file in sorted(three)],
    )
    for count, root in ((6, "cards/train"), (9, "downloads/cards")):
        numbers = torch.randperm(90, generator=rng)[: count + 1].add(10).tolist()
        kinds = [2, 0, 1, *torch.randint(3, (count - 3,), generator=rng).tolist()]
        files = [f"train/{SECTIONS[k]}/00{n}.png" for k, n in zip(kinds, numbers, strict=False)]
        extra = f"train/business/00{numbers[-1]}.png"
        samples = [(file.replace("train", root, 1), SECTIONS.index(file.split("/")[1]))
                   for file in sorted([*files, extra])]  # fmt: skip
        yield files, samples


picture_index = Exercise(
    reference=by_name,
    cases=pair_cases,
    also_right=(by_search, by_pathlib, by_going_through),
    hints=(
        "What do the two lists have in common? Not their order, and not where a path begins: "
        "section and name end both.",
        "Make a dict from a path's last part, such as `sport/0002.png`, to its position, with "
        "`enumerate(samples)`. Then look up every file of `files`.",
    ),
    mistakes=(
        Mistake(
            in_the_tables_order,
            "You took row i with picture i. The folder is sorted by section and name, the table "
            "is not: that pairs headlines with strangers' pictures, and nothing complains.",
        ),
        Mistake(
            by_whole_file,
            "You looked for the table's whole file, split included. A folder's root need not end "
            "in the split; compare section and name, the last two parts.",
        ),
        Mistake(
            the_other_way_round,
            "This is the inverse: for each picture its row. Asked is, for each row of the table, "
            "the position of its picture.",
        ),
        Mistake(
            in_the_folders_order,
            "These are the right positions, in the folder's order. Give them in the order of "
            "`files`: one for each file, as it stands there.",
        ),
        Mistake(
            by_last_name,
            "You compared file names alone. Two sections may have a picture of one name, and the "
            "last one wins in your dict; compare section and name.",
        ),
        Mistake(
            by_first_name,
            "You compared file names alone, and took the first hit. Two sections may have a "
            "picture of one name; compare section and name.",
        ),
        Mistake(
            by_section_anywhere,
            "You looked for the section anywhere in the path, and the root may hold its name by "
            "chance. Compare the folder right before the name.",
        ),
        Mistake(
            below_the_root(1),
            "You cut one folder off on both sides. The folder's root may be longer; count from the "
            "end, `.split('/')[-2:]`.",
        ),
        Mistake(
            below_the_root(2),
            "You cut two folders off the paths, but a root has as many as it likes. Count from the "
            "end, `.split('/')[-2:]`.",
        ),
        Mistake(
            by_equal_paths,
            "No path of the folder equals a file of the table: where they begin differs. Section "
            "and name, the last two parts, are the same.",
        ),
        Mistake(
            by_containing,
            "You looked for the table's whole file within the path. A folder's root need not end "
            "in the split; compare section and name, the last two parts.",
        ),
        Mistake(
            as_paths,
            "These are the paths of the right pictures. Asked are their positions in `samples`.",
        ),
        Mistake(
            as_a_dict,
            "The positions are right. Return them in a list, in the order of `files`.",
        ),
        Mistake(
            by_a_list_as_key,
            "A list cannot be a key of a dict, and `.split` makes lists. Make a tuple of it, or "
            "join it again: `'/'.join(...)`.",
        ),
        Mistake(
            by_class,
            "Each row gets the first picture of its section: the label fits and the picture is "
            "not its own. Compare whole file names.",
        ),
        Mistake(
            as_class_numbers,
            "These are the pictures' classes. Asked are their positions in `samples`.",
        ),
        Mistake(
            as_sorted_files,
            "You sorted the table's files. The folder may hold pictures that the table does not "
            "name, and then every later position is shifted; look each file up in `samples`.",
        ),
        Mistake(
            one_too_far,
            "All positions are one too high; Python counts from 0.",
        ),
    ),
)


# --- pool_words ------------------------------------------------------------------------------


def mean_of_words(lstm_output, text, padding=1):
    states, _ = lstm_output
    real = (text != padding).unsqueeze(2)
    return (states * real).sum(dim=1) / real.sum(dim=1)


def mean_by_loop(lstm_output, text, padding=1):
    rows = zip(lstm_output[0], text, strict=True)
    return torch.stack([states[row != padding].mean(dim=0) for states, row in rows])


def over_all_places(lstm_output, text, padding=1):
    return lstm_output[0].mean(dim=1)


def padded_length(lstm_output, text, padding=1):
    real = (text != padding).unsqueeze(2)
    return (lstm_output[0] * real).mean(dim=1)


def whole_batch(lstm_output, text, padding=1):
    real = (text != padding).unsqueeze(2)
    return (lstm_output[0] * real).sum(dim=1) / real.sum()


def summed(lstm_output, text, padding=1):
    return (lstm_output[0] * (text != padding).unsqueeze(2)).sum(dim=1)


def last_place(lstm_output, text, padding=1):
    return lstm_output[0][:, -1]


def cell(lstm_output, text, padding=1):
    return lstm_output[1][1][-1]


def first_place(lstm_output, text, padding=1):
    return lstm_output[0][:, 0]


def not_pooled(lstm_output, text, padding=1):
    return lstm_output[0]


def over_the_batch(lstm_output, text, padding=1):
    return lstm_output[0].mean(dim=0)


def where_zero(lstm_output, text, padding=1):
    real = (text != 0).unsqueeze(2)
    return (lstm_output[0] * real).sum(dim=1) / real.sum(dim=1)


def one_for_padding(lstm_output, text, padding=1):
    return mean_of_words(lstm_output, text, 1)


def tuple_kept(lstm_output, text, padding=1):
    real = (text != padding).unsqueeze(2)
    return (lstm_output * real).sum(dim=1) / real.sum(dim=1)


def mask_of_two_axes(lstm_output, text, padding=1):
    real = text != padding
    return (lstm_output[0] * real).sum(dim=1) / real.sum(dim=1)


def mask_before_the_words(lstm_output, text, padding=1):
    real = (text != padding).unsqueeze(1)
    return (lstm_output[0] * real).sum(dim=1) / real.sum(dim=1)


def last_word(lstm_output, text, padding=1):
    """What packing would give: the state after the last word."""
    places = (text != padding).sum(dim=1) - 1
    return lstm_output[0][torch.arange(len(text)), places]


def largest(lstm_output, text, padding=1):
    gone = (text == padding).unsqueeze(2)
    return lstm_output[0].masked_fill(gone, -torch.inf).max(dim=1).values


def all_rows_together(lstm_output, text, padding=1):
    return lstm_output[0][text != padding].mean(dim=0)


def counts_of_one_axis(lstm_output, text, padding=1):
    real = text != padding
    return (lstm_output[0] * real.unsqueeze(2)).sum(dim=1) / real.sum(dim=1)


def one_word_too_many(lstm_output, text, padding=1):
    real = (text != padding).unsqueeze(2)
    return (lstm_output[0] * real).sum(dim=1) / (real.sum(dim=1) + 1)


def above_padding(lstm_output, text, padding=1):
    real = (text > padding).unsqueeze(2)
    return (lstm_output[0] * real).sum(dim=1) / real.sum(dim=1)


def padding_alone(lstm_output, text, padding=1):
    real = (text == padding).unsqueeze(2)
    return (lstm_output[0] * real).sum(dim=1) / real.sum(dim=1)


def mean_by_weights(lstm_output, text, padding=1):
    weights = (text != padding).float()
    weights = weights / weights.sum(dim=1, keepdim=True)
    return torch.bmm(weights[:, None, :], lstm_output[0]).squeeze(1)


def state_cases(rng):
    """What an nn.LSTM returns for B texts of different lengths, and the texts, padded.

    Padding is 1 in most cases, as in torchtext, 0 in one and a number among the words' in another;
    one text alone, and states of one number.
    """
    for rows, longest, dim, padding in [
        (3, 5, 4, 1), (2, 6, 3, 1), (4, 4, 5, 0), (3, 4, 2, 9), (1, 3, 2, 1), (2, 3, 1, 1),
    ]:  # fmt: skip
        lengths = torch.randint(2, longest, (rows,), generator=rng)
        lengths[0] = longest
        text = torch.randint(2, 30, (rows, longest), generator=rng)
        text[text == padding] = 30
        text[0, 1] = 0 if padding else 1  # an unknown word, which is a word
        text[torch.arange(longest) >= lengths[:, None]] = padding
        states = torch.randn(rows, longest, dim, generator=rng)
        # As an LSTM without packing has it: the last state is the one at the last place.
        inner = torch.randn(1, rows, dim, generator=rng)
        called = ((states, (states[None, :, -1].clone() * 1.0, inner)), text)
        yield called if padding == 1 else (*called, padding)


pool_words = Exercise(
    reference=mean_of_words,
    cases=state_cases,
    also_right=(mean_by_loop, mean_by_weights),
    hints=(
        "`states, _ = lstm_output` opens the tuple. Which places of `text` hold a word?",
        "`real = (text != padding).unsqueeze(2)` is (B, L, 1). Multiply the states by it, add up "
        "over the words (axis 1), and divide by the number of words in each row.",
    ),
    mistakes=(
        Mistake(
            over_all_places,
            "You averaged the padding too, so a text's feature depends on the longest text in "
            "its batch. Leave out the places where `text` is `padding`.",
        ),
        Mistake(
            padded_length,
            "You set the padding to zero and divided by L, the padded length. Divide by the "
            "number of words in the row.",
        ),
        Mistake(
            whole_batch,
            "You divided by the number of words in the whole batch. Each row has its own: "
            "`real.sum(dim=1)`.",
        ),
        Mistake(
            summed,
            "You added the states up; divide by the number of words in each row, or a long text "
            "gives large numbers.",
        ),
        Mistake(
            last_place,
            "This is the state at the last place, for most rows the state after padding "
            "(lesson 02). Average over the words.",
        ),
        Mistake(
            cell,
            "You took the LSTM's cell state. The outputs of all places are the first part of the "
            "tuple; average those over the words.",
        ),
        Mistake(
            first_place,
            "You took the state after the first word alone; average over all words.",
        ),
        Mistake(
            not_pooled,
            "You opened the tuple, and there is still one vector for each place, (B, L, d). Pool "
            "over the words, axis 1.",
        ),
        Mistake(
            over_the_batch,
            "You averaged over the batch (axis 0), so different texts are mixed. The words are "
            "axis 1.",
        ),
        Mistake(
            where_zero,
            "You took 0 for padding, as the course's own vocabulary does. In torchtext 0 is the "
            "unknown word and 1 is padding; use the argument `padding`.",
        ),
        Mistake(
            one_for_padding,
            "You wrote 1 where the argument `padding` belongs. It is 1 in torchtext, and 0 in the "
            "course's own vocabulary; the function is to work for both.",
        ),
        Mistake(
            lambda lstm_output, text, padding=1: lstm_output.mean(dim=1),
            "`lstm_output` is still a tuple, which has no `mean`. Its first part holds the states.",
        ),
        Mistake(
            lambda lstm_output, text, padding=1: lstm_output.sum(dim=1),
            "`lstm_output` is a tuple and has no `sum`. Open it first: `states, _ = lstm_output`.",
        ),
        Mistake(
            tuple_kept,
            "A tuple cannot be multiplied by a mask. `lstm_output` is (outputs, (h, c)), and the "
            "outputs are what to pool: `states, _ = lstm_output`.",
        ),
        Mistake(
            mask_of_two_axes,
            "The states are (B, L, d), and the mask does not meet them word by word. It needs L on "
            "axis 1 and a third axis of 1: `(text != padding).unsqueeze(2)`.",
        ),
        Mistake(
            mask_before_the_words,
            "Your mask has its new axis before the words, (B, 1, L). It belongs after them: "
            "`(text != padding).unsqueeze(2)` is (B, L, 1).",
        ),
        Mistake(
            last_word,
            "This is the state after the last word, what packing gives (lesson 02). Here the mean "
            "over all words is wanted.",
        ),
        Mistake(
            largest,
            "You took the largest of the words' numbers; the mean is wanted.",
        ),
        Mistake(
            all_rows_together,
            "Picking the words by a mask of two axes lays all texts' words in one list, so this is "
            "the mean over the whole batch. Each text has its own mean.",
        ),
        Mistake(
            counts_of_one_axis,
            "The sums are (B, d) and the numbers of words (B,), which do not meet row by row. "
            "Count with `real.sum(dim=1, keepdim=True)`, (B, 1).",
        ),
        Mistake(
            one_word_too_many,
            "You divided by one more than the number of words.",
        ),
        Mistake(
            above_padding,
            "A word may have a smaller number than `padding`: 0 is the unknown word in torchtext. "
            "Ask `!=`, not `>`.",
        ),
        Mistake(
            padding_alone,
            "Your mask is turned round: you averaged the padding, and a row without any gives NaN. "
            "Words are where `text != padding`.",
        ),
    ),
)


# --- MendedModel -----------------------------------------------------------------------------


class Published(nn.Module):
    """The article's layers, under the names that the exercise gives them."""

    def __init__(self, words, outputs=1):
        super().__init__()
        self.image_branch = nn.Sequential(
            nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=2, stride=2),
        )
        self.embedding = nn.Embedding(words, 100)
        self.lstm = nn.LSTM(100, 256, batch_first=True)
        self.text_branch = nn.Sequential(nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.5))
        self.fusion_layer = nn.Linear(128 + 64, outputs)

    def image_feature(self, image):
        return self.image_branch(image).mean(dim=(2, 3))

    def text_feature(self, text):
        return self.text_branch(mean_of_words(self.lstm(self.embedding(text)), text))

    def forward(self, image, text):
        features = self.image_feature(image), self.text_feature(text)
        return self.fusion_layer(torch.cat(features, dim=1))


class Pooled(Published):
    def image_feature(self, image):
        return F.adaptive_avg_pool2d(self.image_branch(image), 1).flatten(1)


class Flattened(Published):
    def image_feature(self, image):
        return self.image_branch(image).flatten(1)


class Largest(Published):
    def image_feature(self, image):
        return self.image_branch(image).amax(dim=(2, 3))


class HalfPooled(Published):
    def image_feature(self, image):
        return self.image_branch(image).mean(dim=2)


class NotPooled(Published):
    def image_feature(self, image):
        return self.image_branch(image)


class TuplePassed(Published):
    def text_feature(self, text):
        return self.text_branch(self.lstm(self.embedding(text)))


class WordsNotPooled(Published):
    def text_feature(self, text):
        return self.text_branch(self.lstm(self.embedding(text))[0])


class UnknownLeftOut(Published):
    def text_feature(self, text):
        return self.text_branch(mean_of_words(self.lstm(self.embedding(text)), text, padding=0))


class OpenedBefore(Published):
    def text_feature(self, text):
        states, _ = self.lstm(self.embedding(text))
        return self.text_branch(mean_of_words(states, text))


class EmbeddingSkipped(Published):
    def text_feature(self, text):
        return self.text_branch(mean_of_words(self.lstm(text), text))


class PlacesAdded(Published):
    def image_feature(self, image):
        return self.image_branch(image).sum(dim=(2, 3))


class RowsHandedOver(Published):
    """Two arguments to the fusion layer in place of one vector."""

    def forward(self, image, text):
        return self.fusion_layer(self.image_feature(image), self.text_feature(text))


class FeaturesAdded(Published):
    def forward(self, image, text):
        return self.fusion_layer(self.image_feature(image) + self.text_feature(text))


class NotFused(Published):
    def forward(self, image, text):
        return torch.cat((self.image_feature(image), self.text_feature(text)), dim=1)


class PaddingPooled(Published):
    def text_feature(self, text):
        return self.text_branch(self.lstm(self.embedding(text))[0].mean(dim=1))


class LastPlace(Published):
    def text_feature(self, text):
        return self.text_branch(self.lstm(self.embedding(text))[0][:, -1])


class PooledLast(Published):
    def text_feature(self, text):
        states, rest = self.lstm(self.embedding(text))
        return mean_of_words((self.text_branch(states), rest), text)


class BranchSkipped(Published):
    def text_feature(self, text):
        return mean_of_words(self.lstm(self.embedding(text)), text)


class LSTMSkipped(Published):
    def text_feature(self, text):
        return self.text_branch(mean_of_words((self.embedding(text), None), text))


class TextFirst(Published):
    def forward(self, image, text):
        image_feature, text_feature = self.image_feature(image), self.text_feature(text)
        return self.fusion_layer(torch.cat((text_feature, image_feature), dim=1))


class Stacked(Published):
    def forward(self, image, text):
        features = self.image_feature(image), self.text_feature(text)
        return self.fusion_layer(torch.cat(features, dim=0))


class Squeezed(Published):
    def forward(self, image, text):
        return super().forward(image, text).squeeze(1)


class Probability(Published):
    def forward(self, image, text):
        return super().forward(image, text).sigmoid()


def model_cases(rng):
    """(words, outputs) and a small batch: pictures of other sizes than 224, texts with padding.

    One output as published and several; one row.
    """
    for words, outputs, rows, size in [(20, 1, 3, (8, 12)), (12, 4, 2, (9, 6)), (9, 1, 1, (2, 4))]:
        text = torch.randint(2, words, (rows, 5), generator=rng)
        text[1:, 3:] = 1
        text[:, 1] = 0  # the unknown word is a word
        yield (words, outputs), (torch.rand(rows, 3, *size, generator=rng), text)


MendedModel = Exercise(
    reference=Published,
    cases=model_cases,
    module=True,
    also_right=(Pooled,),
    hints=(
        "`self.image_branch(image)` gives (B, 64, H / 2, W / 2), and the fusion layer has room for "
        "64 numbers of a picture: one for each channel.",
        "The picture: `.mean(dim=(2, 3))`. The text: embedding, LSTM, `pool_words`, text branch. "
        "Then `torch.cat((image_feature, text_feature), dim=1)` and the fusion layer.",
    ),
    mistakes=(
        Mistake(
            NotPooled,
            "The picture still has four dimensions, the text two: they cannot stand side by side. "
            "Average the map over height and width, so that these axes are gone.",
        ),
        Mistake(
            Flattened,
            "You flattened the map, so every place of every channel became a number of its own, "
            "and the fusion layer has room for 64. Average over height and width instead.",
        ),
        Mistake(
            Largest,
            "You took the largest answer of each channel. Good networks do that too; the exercise "
            "asks for the mean over height and width.",
        ),
        Mistake(
            HalfPooled,
            "You averaged over one axis of the map, and three are left. Its places have two axes, "
            "height and width: `dim=(2, 3)`.",
        ),
        Mistake(
            PlacesAdded,
            "You added the places of the map up, so a larger picture gives larger numbers. Average "
            "them.",
        ),
        Mistake(
            UnknownLeftOut,
            "You called `pool_words` with padding=0, the course's own number. This text comes from "
            "torchtext: 1 pads, and 0 is the unknown word.",
        ),
        Mistake(
            OpenedBefore,
            "`pool_words` opens the LSTM's tuple itself. Hand it over whole.",
        ),
        Mistake(
            EmbeddingSkipped,
            "The LSTM got the words' numbers. `self.embedding` makes vectors of them first.",
        ),
        Mistake(
            RowsHandedOver,
            "`fusion_layer` takes one vector a row: join the two with `torch.cat`.",
        ),
        Mistake(
            FeaturesAdded,
            "The two features have different lengths, 64 and 128, and cannot be added. Put them "
            "side by side.",
        ),
        Mistake(
            NotFused,
            "These are the two features side by side. `self.fusion_layer` makes logits of them.",
        ),
        Mistake(
            TuplePassed,
            "The LSTM's tuple goes on to a linear layer. `pool_words` stands between them.",
        ),
        Mistake(
            WordsNotPooled,
            "The text still has one vector for each word. `pool_words` makes one for the text.",
        ),
        Mistake(
            PaddingPooled,
            "You averaged over all places, padding included; `pool_words` leaves it out.",
        ),
        Mistake(
            LastPlace,
            "You took the state at the last place, after the padding; `pool_words` averages over "
            "the words.",
        ),
        Mistake(
            PooledLast,
            "You pooled after the text branch. ReLU and dropout do not commute with a mean: pool "
            "the LSTM's outputs before the linear layer, then call `text_branch`.",
        ),
        Mistake(
            BranchSkipped,
            "The LSTM's 256 numbers went straight to the fusion layer, which has room for 128 of "
            "the text: `self.text_branch` was skipped.",
        ),
        Mistake(
            LSTMSkipped,
            "The embedding's 100 numbers went to the text branch, which takes 256: `self.lstm` "
            "was skipped.",
        ),
        Mistake(
            TextFirst,
            "You put the text first. The shapes fit, but the article's order is image, then text, "
            "and weights trained for one order are wrong for the other.",
        ),
        Mistake(
            Stacked,
            "You joined along axis 0, which puts texts below pictures as if they were more rows. "
            "Side by side is `dim=1`.",
        ),
        Mistake(
            Squeezed,
            "You took away the last axis. The model gives (B, outputs), also for one output; the "
            "next exercise brings label and output together.",
        ),
        Mistake(
            Probability,
            "You ended in a sigmoid. `BCEWithLogitsLoss` has its own; give it logits (lesson 06).",
        ),
    ),
)


# --- one_against_rest_loss -------------------------------------------------------------------


def against_the_rest(output, label, positive):
    target = (label == positive).float()
    return F.binary_cross_entropy_with_logits(output.squeeze(1), target)


def loss_by_formula(output, label, positive):
    target = (label == positive).to(output.dtype).unsqueeze(1)
    return (F.softplus(output) - output * target).mean()


def bce(output, target):
    return F.binary_cross_entropy_with_logits(output, target)


def target_of(label, positive):
    return (label == positive).float()


def raw_numbers(output, label, positive):
    return bce(output.squeeze(1), label.float())


def above_one_cut(output, label, positive):
    return bce(output.squeeze(1), label.clamp(max=1).float())


def other_way(output, label, positive):
    return bce(output.squeeze(1), (label != positive).float())


def shapes_apart(output, label, positive):
    return bce(output, target_of(label, positive))


def kept_whole(output, label, positive):
    return bce(output.squeeze(1), label == positive)


def still_long(output, label, positive):
    return bce(output.squeeze(1), (label == positive).long())


def spread_out(output, label, positive):
    target = target_of(label, positive)  # (B,) against (B, 1) broadcasts to (B, B)
    return (F.softplus(output) - output * target).mean()


def squeezed_away(output, label, positive):
    return bce(output.squeeze(), target_of(label, positive))


def twice_squashed(output, label, positive):
    return bce(output.squeeze(1).sigmoid(), target_of(label, positive))


def added_up(output, label, positive):
    target = target_of(label, positive)
    return F.binary_cross_entropy_with_logits(output.squeeze(1), target, reduction="sum")


def as_a_number(output, label, positive):
    return against_the_rest(output, label, positive).item()


def of_probabilities(output, label, positive):
    return F.binary_cross_entropy(output.squeeze(1), target_of(label, positive))


def by_probabilities(output, label, positive):
    p, target = output.squeeze(1).sigmoid(), target_of(label, positive)
    return -(target * p.log() + (1 - target) * (1 - p).log()).mean()


def through_a_sigmoid(output, label, positive):
    """Right for ordinary logits; beyond 100 PyTorch cuts the loss off, and the gradient is lost."""
    return F.binary_cross_entropy(output.squeeze(1).sigmoid(), target_of(label, positive))


def of_several_classes(output, label, positive):
    return F.cross_entropy(output, label)


def of_two_classes(output, label, positive):
    return F.cross_entropy(output, (label == positive).long())


def exchanged(output, label, positive):
    return bce(target_of(label, positive), output.squeeze(1))


def column_of_the_class(output, label, positive):
    return bce(output[:, positive], target_of(label, positive))


def from_there_on(output, label, positive):
    return bce(output.squeeze(1), (label >= positive).float())


def of_the_positive_rows(output, label, positive):
    own = output.squeeze(1)[label == positive]
    return bce(own, torch.ones(len(own)))


def one_by_one(output, label, positive):
    target = target_of(label, positive)
    return F.binary_cross_entropy_with_logits(output.squeeze(1), target, reduction="none")


def of_answers(output, label, positive):
    return bce((output.squeeze(1) > 0).float(), target_of(label, positive))


def loss_by_columns(output, label, positive):
    """Two classes with the logits 0 and z are one logit z."""
    columns = torch.cat([torch.zeros_like(output), output], dim=1)
    return F.cross_entropy(columns, (label == positive).long())


def label_cases(rng):
    """Logits (B, 1), class numbers (B,) long of five classes, all of them there.

    Asked for the first class, the last and one between; then logits beyond 100, one row, and a
    class that no row has.
    """
    for rows, positive, size in [(6, 2, 2), (7, 4, 2), (8, 0, 2), (6, 1, 300)]:
        label = torch.cat([torch.arange(5), torch.randint(5, (rows - 5,), generator=rng)])
        sign = torch.tensor([1, -1]).repeat(4)[:rows, None]
        yield size * sign * (0.5 + torch.rand(rows, 1, generator=rng)), label, positive
    yield torch.randn(1, 1, generator=rng), torch.tensor([3]), 3
    yield torch.randn(3, 1, generator=rng), torch.tensor([0, 2, 0]), 1


one_against_rest_loss = Exercise(
    reference=against_the_rest,
    cases=label_cases,
    also_right=(loss_by_formula, loss_by_columns),
    hints=(
        "Three things have to change before the loss: the class numbers become 0 and 1, whole "
        "numbers become floats, and the two shapes become the same.",
        "`target = (label == positive).float()`, and `output.squeeze(1)` has the shape (B,).",
    ),
    mistakes=(
        Mistake(
            raw_numbers,
            "Shapes and dtype are right, but class numbers up to 4 are used as targets. With a "
            "target above 1 this loss has no lower end; ask `label == positive` first.",
        ),
        Mistake(
            above_one_cut,
            "You cut the class numbers off at 1, so every class but 0 counts as positive; ask "
            "`label == positive`.",
        ),
        Mistake(
            other_way,
            "Your targets are the wrong way round: 1 is for the positive class, 0 for the rest.",
        ),
        Mistake(
            shapes_apart,
            "Output (B, 1) and target (B,) have different shapes. `output.squeeze(1)` is (B,).",
        ),
        Mistake(
            kept_whole,
            "`label == positive` is made of True and False; the loss takes floats. Add `.float()`.",
        ),
        Mistake(
            still_long,
            "The target is made of whole numbers (long); the loss takes floats. Use `.float()`.",
        ),
        Mistake(
            spread_out,
            "Your formula took (B, 1) with (B,), and broadcasting made (B, B) of them: each output "
            "is compared with everybody's label. No error, a wrong number. `output.squeeze(1)`.",
        ),
        Mistake(
            squeezed_away,
            "`squeeze()` takes away every axis of length 1, the batch's too when it has one row. "
            "Name the axis: `squeeze(1)`.",
        ),
        Mistake(
            twice_squashed,
            "You applied a sigmoid before a loss that has its own. Hand over the logits.",
        ),
        Mistake(
            added_up,
            "You added the rows' losses up; the loss of a batch is their mean.",
        ),
        Mistake(
            one_by_one,
            "This is one loss for each row; take their mean.",
        ),
        Mistake(
            as_a_number,
            "`.item()` makes a plain number, and nobody can go backward from it; keep the tensor.",
        ),
        Mistake(
            of_probabilities,
            "`binary_cross_entropy` takes probabilities, and these are logits: its sister "
            "`binary_cross_entropy_with_logits` takes those.",
        ),
        Mistake(
            by_probabilities,
            "Right for ordinary logits, but a large one gives a probability of exactly 1 or 0, "
            "whose logarithm is infinite. `binary_cross_entropy_with_logits` works on logits.",
        ),
        Mistake(
            through_a_sigmoid,
            "Right for ordinary logits, but the sigmoid of a large one is exactly 1 or 0, and the "
            "loss is cut off at 100. `binary_cross_entropy_with_logits` works on logits.",
        ),
        Mistake(
            of_several_classes,
            "`cross_entropy` takes one logit for each class. Here is one logit a row, and a "
            "yes-or-no question: `binary_cross_entropy_with_logits`.",
        ),
        Mistake(
            of_two_classes,
            "`cross_entropy` wants two columns for two classes. With one logit a row, yes or no is "
            "`binary_cross_entropy_with_logits`.",
        ),
        Mistake(
            exchanged,
            "The arguments are exchanged: the logits come first, the targets second.",
        ),
        Mistake(
            column_of_the_class,
            "`output` has one column, (B, 1), and not one for each class: `output.squeeze(1)`.",
        ),
        Mistake(
            from_there_on,
            "Every class from `positive` on counts as positive; ask `==`.",
        ),
        Mistake(
            of_the_positive_rows,
            "Only the rows of the positive class cost anything, and without any there is no mean. "
            "The others are rows with the target 0.",
        ),
        Mistake(
            of_answers,
            "You made yes-or-no answers of the logits first; no gradient gets through a comparison "
            "with 0. Hand over the logits.",
        ),
    ),
)
