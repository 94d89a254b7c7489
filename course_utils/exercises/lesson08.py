"""The exercises of lesson 08, The image and text classifier."""

import math

import torch
from torch import nn

from course_utils import classifier, measures
from course_utils.data import arrows, news_cards
from course_utils.encoders import encode
from course_utils.exercises.core import Broken, Exercise, Mistake
from course_utils.fusion import ConcatFusion, WeightedFusion

# --- MultimodalClassifier ----------------------------------------------------------------------


class Shrink(nn.Module):
    """A picture encoder small enough for a check: one linear map."""

    reads = ("image",)

    def __init__(self, size: int, dim: int):
        super().__init__()
        self.dim = dim
        self.map = nn.Linear(size, dim)

    def forward(self, image):
        return self.map(image)

    def __repr__(self):
        return "an encoder"


class Mean(Shrink):
    """A text encoder, which reads two parts of the batch, as real ones do."""

    reads = ("text", "text_length")

    def forward(self, text, text_length):
        return self.map(text / text_length[:, None])


class Classifier(nn.Module):
    """What the mistakes share: the constructor, as the lesson gives it."""

    def __init__(self, encoders, fusion, classes):
        super().__init__()
        self.encoders = nn.ModuleDict(encoders)
        self.fusion = fusion
        self.head = nn.Linear(fusion.dim_out, classes)

    def read(self, batch):
        return {name: encode(encoder, batch) for name, encoder in self.encoders.items()}


class ForgetsPresent(Classifier):
    def forward(self, batch):
        return self.head(self.fusion(self.read(batch)))


class ForgetsHead(Classifier):
    def forward(self, batch):
        return self.fusion(self.read(batch), batch.get("present"))


class EndsInSoftmax(Classifier):
    def forward(self, batch):
        return self.head(self.fusion(self.read(batch), batch.get("present"))).softmax(dim=1)


class ReadsOneModality(Classifier):
    def forward(self, batch):
        name, encoder = next(iter(self.encoders.items()))
        features = {other: torch.zeros_like(value) for other, value in self.read(batch).items()}
        features[name] = encode(encoder, batch)
        return self.head(self.fusion(features, batch.get("present")))


class ConcatenatesItself(Classifier):
    def forward(self, batch):
        return self.head(torch.cat(list(self.read(batch).values()), dim=1))


class PassesList(Classifier):
    def forward(self, batch):
        return self.head(self.fusion(list(self.read(batch).values()), batch.get("present")))


class DemandsPresent(Classifier):
    def forward(self, batch):
        return self.head(self.fusion(self.read(batch), batch["present"]))


class CallsByName(Classifier):
    def forward(self, batch):
        features = {name: encoder(batch[name]) for name, encoder in self.encoders.items()}
        return self.head(self.fusion(features, batch.get("present")))


class WritesNamesOut(Classifier):
    def forward(self, batch):
        features = {name: encode(self.encoders[name], batch) for name in ("image", "text")}
        return self.head(self.fusion(features, batch.get("present")))


class OnlyTwoNames(Classifier):
    """The same by somebody who opens what there is into two."""

    def forward(self, batch):
        image, text = self.read(batch).values()
        return self.head(self.fusion({"image": image, "text": text}, batch.get("present")))


class HandsOverTheBatch(Classifier):
    def forward(self, batch):
        features = {name: encoder(batch) for name, encoder in self.encoders.items()}
        return self.head(self.fusion(features, batch.get("present")))


class EncodesAName(Classifier):
    def forward(self, batch):
        features = {name: encode(name, batch) for name in self.encoders}
        return self.head(self.fusion(features, batch.get("present")))


class EncodesAPart(Classifier):
    def forward(self, batch):
        features = {name: encode(encoder, batch[name]) for name, encoder in self.encoders.items()}
        return self.head(self.fusion(features, batch.get("present")))


class EncodesTheOtherWayRound(Classifier):
    def forward(self, batch):
        features = {name: encode(batch, encoder) for name, encoder in self.encoders.items()}
        return self.head(self.fusion(features, batch.get("present")))


class OpensNames(Classifier):
    def forward(self, batch):
        features = {name: encode(encoder, batch) for name, encoder in self.encoders}
        return self.head(self.fusion(features, batch.get("present")))


class KeepsTheLast(Classifier):
    def forward(self, batch):
        for name, encoder in self.encoders.items():
            features = {name: encode(encoder, batch)}
        return self.head(self.fusion(features, batch.get("present")))


class KeepsTheFirst(Classifier):
    """As a ``return`` inside the loop does."""

    def forward(self, batch):
        name, encoder = next(iter(self.encoders.items()))
        return self.head(self.fusion({name: encode(encoder, batch)}, batch.get("present")))


class CallsThemAll(Classifier):
    def forward(self, batch):
        return self.head(self.fusion(self.encoders(batch), batch.get("present")))


class ScoresEach(Classifier):
    def forward(self, batch):
        features = {name: self.head(feature) for name, feature in self.read(batch).items()}
        return self.fusion(features, batch.get("present"))


class HandsTheBatchToTheFusion(Classifier):
    def forward(self, batch):
        return self.head(self.fusion(self.read(batch), batch))


class FusesEncoders(Classifier):
    def forward(self, batch):
        return self.head(self.fusion(self.encoders, batch.get("present")))


class EncodesAllAtOnce(Classifier):
    def forward(self, batch):
        features = {name: encode(self.encoders, batch) for name in self.encoders}
        return self.head(self.fusion(features, batch.get("present")))


class EndsInAClass(Classifier):
    def forward(self, batch):
        return self.head(self.fusion(self.read(batch), batch.get("present"))).argmax(dim=1)


class ByHand(Classifier):
    def forward(self, batch):
        features = {}
        for name in self.encoders:
            encoder = self.encoders[name]
            features[name] = encoder(*[batch[part] for part in encoder.reads])
        fused = self.fusion(features, present=batch.get("present"))
        return self.head(fused)


def classifier_cases(rng):
    """Two fusions, rows that lack a modality, fewer classes than fused features and as many.

    Then one modality of another name, and three in one row with one class.
    """
    for fusion_class, classes in ((WeightedFusion, 3), (ConcatFusion, 5)):
        encoders = {"image": Shrink(6, 4), "text": Mean(3, 2)}
        dims = {"image": 4, "text": 2}
        fusion = fusion_class(dims, 5) if fusion_class is WeightedFusion else fusion_class(dims)
        batch = {
            "image": torch.randn(4, 6, generator=rng),
            "text": torch.randn(4, 3, generator=rng),
            "text_length": torch.tensor([1, 2, 3, 3]),
            "present": {
                "image": torch.tensor([True, True, False, True]),
                "text": torch.tensor([True, False, True, True]),
            },
            "label": torch.zeros(4, dtype=torch.long),
        }
        yield (encoders, fusion, classes), (batch,)
        complete = {name: part for name, part in batch.items() if name != "present"}
        yield (encoders, fusion, classes), (complete,)
    # One modality, of another name: who writes "image" and "text" out has solved less.
    alone = {"photograph": Shrink(6, 4)}
    yield (alone, ConcatFusion({"photograph": 4}), 3), ({"image": batch["image"]},)
    three = {"title": Mean(3, 2), "photograph": Shrink(6, 4), "drawing": Shrink(6, 3)}
    fusion = ConcatFusion({"title": 2, "photograph": 4, "drawing": 3})
    row = {name: batch[name][:1] for name in ("image", "text", "text_length")}
    yield (three, fusion, 1), (row | {"present": {"drawing": torch.tensor([False])}},)


MultimodalClassifier = Exercise(
    reference=classifier.MultimodalClassifier,
    cases=classifier_cases,
    module=True,
    also_right=(ByHand,),
    hints=(
        "Three steps: each encoder makes a vector of its part of the batch, the fusion joins the "
        "vectors, the head scores the classes. `encode(encoder, batch)` does the first for one.",
        "The fusion takes a dict with the encoders' names, and `batch.get('present')`.",
    ),
    mistakes=(
        Mistake(
            ForgetsPresent,
            "The fusion never hears which modalities are there: hand it batch.get('present') too, "
            "or a row without a picture is fused with what an encoder made of nothing.",
        ),
        Mistake(
            ForgetsHead,
            "This is the fused vector, not one score for each class: pass it through self.head.",
        ),
        Mistake(
            EndsInSoftmax,
            "These are probabilities. The loss takes logits, the head's raw output, and applies "
            "softmax itself; doing it twice flattens the gradients.",
        ),
        Mistake(
            ReadsOneModality,
            "Only the first encoder's features reach the fusion; go through all of "
            "self.encoders.items().",
        ),
        Mistake(
            ConcatenatesItself,
            "You joined the features yourself. How they are joined is the fusion's part: call "
            "self.fusion with the dict of features.",
        ),
        Mistake(
            PassesList,
            "The fusion takes a dict {name: features}, with the encoders' names, not a list.",
        ),
        Mistake(
            DemandsPresent,
            "batch['present'] stops where a batch does not say which modalities are there; "
            "batch.get('present') gives None then, and the fusion takes all as present.",
        ),
        Mistake(
            CallsByName,
            "encoder(batch[name]) hands over one tensor, found by the encoder's name. An encoder "
            "may read several parts of the batch (a text and its length), under other names: "
            "encode(encoder, batch) calls it with all that it reads.",
        ),
        Mistake(
            WritesNamesOut,
            "You wrote the names image and text out. Other models have other modalities, more or "
            "fewer: go through self.encoders.items().",
        ),
        Mistake(
            OnlyTwoNames,
            "You opened the features into two names. Other models have more modalities or fewer: "
            "keep them in a dict.",
        ),
        Mistake(
            HandsOverTheBatch,
            "encoder(batch) hands the whole dict to an encoder, which takes tensors. "
            "encode(encoder, batch) takes out what it reads.",
        ),
        Mistake(
            EncodesAName,
            "encode takes the encoder itself and then the batch; yours got the encoder's name. "
            "self.encoders.items() gives both.",
        ),
        Mistake(
            EncodesAPart,
            "encode takes the whole batch: it looks up by itself what the encoder reads, which may "
            "be several parts under other names.",
        ),
        Mistake(
            EncodesTheOtherWayRound,
            "The arguments are exchanged: encode(encoder, batch).",
        ),
        Mistake(
            OpensNames,
            "Going through a ModuleDict gives its names, as with a dict. Names and encoders "
            "together: self.encoders.items().",
        ),
        Mistake(
            KeepsTheLast,
            "The dict of features is made anew at each turn, so the last encoder's alone is left. "
            "Make it once, before the loop, and add to it.",
        ),
        Mistake(
            KeepsTheFirst,
            "The fusion is called when only the first encoder has been: is something inside the "
            "loop that belongs after it?",
        ),
        Mistake(
            CallsThemAll,
            "A ModuleDict holds modules and cannot be called. Call each encoder in turn.",
        ),
        Mistake(
            ScoresEach,
            "The head came before the fusion. It scores the fused vector: encoders, fusion, head.",
        ),
        Mistake(
            HandsTheBatchToTheFusion,
            "The fusion got the whole batch where it takes which modalities are there: "
            "batch.get('present').",
        ),
        Mistake(
            FusesEncoders,
            "The fusion got the encoders themselves. It joins what they make of the batch: a dict "
            "{name: encode(encoder, batch)}.",
        ),
        Mistake(
            EncodesAllAtOnce,
            "encode takes one encoder, and got the whole ModuleDict. Go through "
            "self.encoders.items().",
        ),
        Mistake(
            EndsInAClass,
            "These are the numbers of the classes. The loss wants the logits, one score for each.",
        ),
    ),
)

# --- macro_f1 ----------------------------------------------------------------------------------


def counts(predicted, label, classes):
    """Hits, claims and true rows of each class, (classes,) each."""
    hits = label[label == predicted].bincount(minlength=classes).double()
    claims = predicted.bincount(minlength=classes).double()
    return hits, claims, label.bincount(minlength=classes).double()


def f1_of_each(predicted, label, classes):
    hits, claims, truths = counts(predicted, label, classes)
    return 2 * hits / (claims + truths).clamp(min=1)


def macro_f1_by_counts(predicted, label, classes):
    return f1_of_each(predicted, label, classes).mean().item()


def micro_f1(predicted, label, classes):
    return (label == predicted).double().mean().item()


def weighted_f1(predicted, label, classes):
    share = counts(predicted, label, classes)[2] / len(label)
    return (share * f1_of_each(predicted, label, classes)).sum().item()


def mean_recall(predicted, label, classes):
    hits, _, truths = counts(predicted, label, classes)
    return (hits / truths.clamp(min=1)).mean().item()


def mean_precision(predicted, label, classes):
    hits, claims, _ = counts(predicted, label, classes)
    return (hits / claims.clamp(min=1)).mean().item()


def half_f1(predicted, label, classes):
    return macro_f1_by_counts(predicted, label, classes) / 2


def without_empty_classes(predicted, label, classes):
    _, claims, truths = counts(predicted, label, classes)
    return f1_of_each(predicted, label, classes)[claims + truths > 0].mean().item()


def with_nan(predicted, label, classes):
    hits, claims, truths = counts(predicted, label, classes)
    return (2 * hits / (claims + truths)).mean().item()


def counted_one_by_one(score):
    """The mean over classes of ``score(hits, claims, truths)``, three Python numbers."""

    def attempt(predicted, label, classes):
        each = torch.stack(counts(predicted, label, classes), dim=1).long().tolist()
        return sum(score(*of_class) for of_class in each) / classes

    return attempt


def harmonic(precision, recall):
    return 2 * precision * recall / (precision + recall)


def f1_of_mean_precision_and_recall(predicted, label, classes):
    both = mean_precision(predicted, label, classes), mean_recall(predicted, label, classes)
    return harmonic(*both) if any(both) else 0.0


def of_labels_there_are(predicted, label, classes):
    return f1_of_each(predicted, label, classes)[label.unique()].mean().item()


def up_to_the_largest_label(predicted, label, classes):
    return f1_of_each(predicted, label, classes)[: int(label.max()) + 1].mean().item()


def empty_counts_as_one(predicted, label, classes):
    _, claims, truths = counts(predicted, label, classes)
    empty = (claims + truths == 0).double()
    return (f1_of_each(predicted, label, classes) + empty).mean().item()


def summed_f1(predicted, label, classes):
    return f1_of_each(predicted, label, classes).sum().item()


def mean_overlap(predicted, label, classes):
    """Hits over the rows that are of the class in one list or in both."""
    hits, claims, truths = counts(predicted, label, classes)
    return (hits / (claims + truths - hits).clamp(min=1)).mean().item()


def twice_the_overlap(predicted, label, classes):
    return 2 * mean_overlap(predicted, label, classes)


def with_true_negatives(predicted, label, classes):
    right = [((predicted == k) == (label == k)).double().mean() for k in range(classes)]
    return torch.stack(right).mean().item()


def first_class_alone(predicted, label, classes):
    """As a ``return`` inside the loop gives it: the first score, divided by all classes."""
    return f1_of_each(predicted, label, classes)[0].item() / classes


def either_counts(predicted, label, classes):
    """`|` where `&` is due: rows that are of the class in one list or in both."""
    hits, claims, truths = counts(predicted, label, classes)
    return (2 * (claims + truths - hits) / (claims + truths).clamp(min=1)).mean().item()


def hits_of_all_classes(predicted, label, classes):
    _, claims, truths = counts(predicted, label, classes)
    hits = (label == predicted).sum()
    rows = claims + truths
    return torch.where(rows > 0, 2 * hits / rows.clamp(min=1), 0.0).mean().item()


def of_five_classes(predicted, label, classes):
    each = [
        2 * ((label == k) & (predicted == k)).sum().item()
        / max((label == k).sum().item() + (predicted == k).sum().item(), 1)
        for k in range(5)
    ]  # fmt: skip
    return sum(each) / 5


def in_whole_numbers(predicted, label, classes):
    each = torch.stack(counts(predicted, label, classes), dim=1).long().tolist()
    return sum(2 * h // (c + t) if c + t else 0 for h, c, t in each) / classes


def macro_f1_by_precision_and_recall(predicted, label, classes):
    def score(hits, claims, truths):
        return harmonic(hits / claims, hits / truths) if hits else 0.0

    return counted_one_by_one(score)(predicted, label, classes)


def macro_f1_by_table(predicted, label, classes):
    table = torch.zeros(classes, classes)
    for row, column in zip(label, predicted, strict=True):
        table[row, column] += 1
    rows = (table.sum(dim=0) + table.sum(dim=1)).double()
    return torch.nan_to_num(2 * table.diag() / rows).mean().item()


def missing_parentheses(predicted, label, classes):
    return (label == 0 & predicted == 0).sum()


def from_1_to_classes(predicted, label, classes):
    hits, claims, truths = (
        torch.cat([each[1:], each.new_zeros(1)]) for each in counts(predicted, label, classes)
    )
    return (2 * hits / (claims + truths).clamp(min=1)).mean().item()


def f1_cases(rng):
    """Unbalanced classes; one that is never predicted; one that occurs in neither.

    Then two classes, nine of which most are empty, none but one, and a perfect answer.
    """
    chances = torch.tensor([0.6, 0.25, 0.1, 0.05])
    for n, classes in ((60, 5), (45, 5), (50, 6)):
        label = torch.multinomial(chances, n, replacement=True, generator=rng)
        predicted = label.clone()
        wrong = torch.rand(n, generator=rng) < 0.4
        predicted[wrong] = torch.randint(0, 3, (int(wrong.sum()),), generator=rng)
        predicted[predicted == 3] = 1
        predicted[:3], label[:3] = 0, torch.tensor([3, 1, 3])
        yield predicted, label, classes
    yield torch.tensor([0, 1, 1, 0, 1, 1, 1]), torch.tensor([0, 1, 0, 1, 1, 1, 1]), 2
    yield torch.tensor([0, 1, 1, 0]), torch.tensor([0, 1, 2, 2]), 3
    yield torch.tensor([8, 2, 2, 0]), torch.tensor([8, 2, 8, 2]), 9
    yield torch.zeros(3, dtype=torch.long), torch.zeros(3, dtype=torch.long), 1
    perfect = torch.arange(9) % 3
    yield perfect, perfect.clone(), 3


macro_f1 = Exercise(
    reference=measures.macro_f1,
    cases=f1_cases,
    also_right=(macro_f1_by_counts, macro_f1_by_precision_and_recall, macro_f1_by_table),
    rtol=1e-6,
    atol=1e-8,
    hints=(
        "Go through the classes 0 to classes - 1 and collect one F1 score for each; the answer is "
        "their plain mean, as a Python float.",
        "For class k: hits = rows where label and predicted are both k. "
        "F1 = 2 · hits / (rows with label k + rows predicted as k), and 0 where that divides by 0.",
    ),
    mistakes=(
        Mistake(
            micro_f1,
            "This is the accuracy (micro F1): every row counts alike. Macro means that every "
            "class counts alike.",
        ),
        Mistake(
            weighted_f1,
            "You weighted the classes by how often they occur; the macro mean gives each class "
            "the same weight.",
        ),
        Mistake(
            mean_recall,
            "This is the mean recall: it divides by the rows that truly are of the class and "
            "never punishes false alarms.",
        ),
        Mistake(
            mean_precision,
            "This is the mean precision: it divides by the rows predicted as the class and never "
            "punishes misses.",
        ),
        Mistake(
            half_f1,
            "Half of the answer: the hits count twice in F1, 2 · TP above the line.",
        ),
        Mistake(
            with_nan,
            "Your answer is NaN (not a number): somewhere tensors divide 0 by 0. Precision does so "
            "for a class that is never predicted, recall for one that never occurs. The formula "
            "with TP, FP and FN does so only where all three are 0, and there F1 counts as 0.",
        ),
        Mistake(
            counted_one_by_one(lambda hits, claims, truths: 2 * hits / (claims + truths)),
            "You divided by 0: a class may occur neither in label nor in predicted. Such a class "
            "counts with an F1 of 0.",
        ),
        Mistake(
            counted_one_by_one(lambda hits, claims, truths: harmonic(hits / claims, hits / truths)),
            "You divided by 0: precision does so for a class that is never predicted, recall for "
            "one that never occurs, and F1 where both are 0. 2 TP + FP + FN is 0 only for a class "
            "that occurs in neither.",
        ),
        Mistake(
            f1_of_mean_precision_and_recall,
            "You took the means of precision and of recall first, and then one F1 of the two. "
            "Macro F1 is the mean of the classes' own F1 scores.",
        ),
        Mistake(
            counted_one_by_one(
                lambda hits, claims, truths: (hits / max(claims, 1) + hits / max(truths, 1)) / 2
            ),
            "You averaged precision and recall of each class. F1 is their harmonic mean, 2 TP over "
            "2 TP + FP + FN, and the smaller of the two pulls it down.",
        ),
        Mistake(
            of_labels_there_are,
            "You went through the classes that occur in label alone. All of them count, from 0 to "
            "classes - 1; one that never occurs has an F1 of 0.",
        ),
        Mistake(
            up_to_the_largest_label,
            "You counted the classes up to the largest label. There may be more than these rows "
            "show: `classes` says how many.",
        ),
        Mistake(
            counted_one_by_one(
                lambda hits, claims, truths: 2 * hits / (hits + claims) if claims else 0.0
            ),
            "The misses, FN, are left out below the line: 2 TP + FP + FN.",
        ),
        Mistake(
            counted_one_by_one(
                lambda hits, claims, truths: 2 * hits / (hits + truths) if truths else 0.0
            ),
            "The false alarms, FP, are left out below the line: 2 TP + FP + FN.",
        ),
        Mistake(
            empty_counts_as_one,
            "A class that occurs neither in label nor in predicted counts as 0 here; yours is 1.",
        ),
        Mistake(
            summed_f1,
            "You added the classes' scores up; divide by their number.",
        ),
        Mistake(
            mean_overlap,
            "This is TP / (TP + FP + FN). In F1 the hits count twice, above and below the line.",
        ),
        Mistake(
            twice_the_overlap,
            "The hits count twice below the line too: 2 TP + FP + FN.",
        ),
        Mistake(
            with_true_negatives,
            "This is the accuracy of each yes-or-no question. It counts the rows that are rightly "
            "*not* of the class; F1 leaves them out.",
        ),
        Mistake(
            first_class_alone,
            "Only the first class was counted: does a `return` stand inside the loop?",
        ),
        Mistake(
            either_counts,
            "Hits are rows where label *and* predicted are the class, `&`; you took those where "
            "one of them is, `|`.",
        ),
        Mistake(
            hits_of_all_classes,
            "You counted the hits of all classes together. Those of class k are the rows where "
            "label and predicted are both k.",
        ),
        Mistake(
            of_five_classes,
            "You wrote 5 where `classes` belongs.",
        ),
        Mistake(
            in_whole_numbers,
            "`//` cuts the fraction off, and a score is a fraction: divide with `/`.",
        ),
        Mistake(
            missing_parentheses,
            "`&` binds more tightly than `==`: put parentheses round each comparison, "
            "`(label == k) & (predicted == k)`.",
        ),
        Mistake(
            from_1_to_classes,
            "Classes count from 0: go through range(classes), 0 to classes - 1.",
        ),
        Mistake(
            without_empty_classes,
            "You left out a class that occurs neither in label nor in predicted; here it counts "
            "with an F1 of 0, so divide by the number of classes.",
        ),
    ),
)

# --- paired_gain -------------------------------------------------------------------------------


def interval(gain, error, factor=1.96):
    return gain, gain - factor * error, gain + factor * error


def paired_gain_by_counts(right_a, right_b):
    n = len(right_a)
    only_a, only_b = (right_a & ~right_b).sum().item(), (right_b & ~right_a).sum().item()
    gain = (only_a - only_b) / n
    variance = ((only_a + only_b) / n - gain**2) * n / (n - 1)
    return interval(gain, (variance / n) ** 0.5)


def unpaired_gain(right_a, right_b):
    a, b = right_a.double(), right_b.double()
    error = ((a.var() + b.var()) / len(a)).sqrt().item()
    return interval((a.mean() - b.mean()).item(), error)


def unpaired_by_shares(right_a, right_b):
    a, b = right_a.double().mean().item(), right_b.double().mean().item()
    error = ((a * (1 - a) + b * (1 - b)) / len(right_a)) ** 0.5
    return interval(a - b, error)


def interval_by(error_of, factor=1.96):
    """The right gain, and an interval by another error of the row-by-row differences."""

    def attempt(right_a, right_b):
        difference = right_a.double() - right_b.double()
        return interval(difference.mean().item(), float(error_of(difference)), factor)

    return attempt


def standard_error(values):
    return (values.std().item() if len(values) > 1 else math.nan) / len(values) ** 0.5


def errors_added(right_a, right_b):
    """The ends of two separate intervals, subtracted."""
    a, b = right_a.double(), right_b.double()
    return interval((a.mean() - b.mean()).item(), standard_error(a) + standard_error(b))


def of_all_answers(right_a, right_b):
    """Both models' answers in one heap, with one spread."""
    both = torch.cat([right_a, right_b]).double()
    gain = (right_a.double().mean() - right_b.double().mean()).item()
    return interval(gain, (2 * both.var() / len(right_a)).sqrt().item())


def error_of_a(right_a, right_b):
    gain = (right_a.double().mean() - right_b.double().mean()).item()
    return interval(gain, standard_error(right_a.double()))


def a_alone(right_a, right_b):
    return interval(right_a.double().mean().item(), standard_error(right_a.double()))


def where_they_differ(right_a, right_b):
    difference = right_a.double() - right_b.double()
    difference = difference[difference != 0]
    return interval(difference.mean().item(), standard_error(difference))


def quantiles(right_a, right_b):
    difference = right_a.double() - right_b.double()
    low, high = difference.quantile(torch.tensor([0.025, 0.975]).double()).tolist()
    return difference.mean().item(), low, high


def in_the_order_of_size(right_a, right_b):
    gain, low, high = measures.paired_gain(right_a, right_b)
    return low, gain, high


def ends_exchanged(right_a, right_b):
    gain, low, high = measures.paired_gain(right_a, right_b)
    return gain, high, low


def margin_alone(right_a, right_b):
    gain, _, high = measures.paired_gain(right_a, right_b)
    return gain, high - gain


def around_zero(right_a, right_b):
    gain, low, high = measures.paired_gain(right_a, right_b)
    return gain, low - gain, high - gain


def ends_subtracted(right_a, right_b):
    """The difference of two intervals, end by end."""
    a, b = right_a.double(), right_b.double()
    margin = 1.96 * (standard_error(a) - standard_error(b))
    gain = (a.mean() - b.mean()).item()
    return gain, gain - margin, gain + margin


def where_a_alone_is_right(right_a, right_b):
    alone = (right_a & ~right_b).double()
    return interval(alone.mean().item(), standard_error(alone))


def relative_gain(right_a, right_b):
    gain, low, high = measures.paired_gain(right_a, right_b)
    share = right_b.double().mean().item()
    return gain / share, gain / share - (gain - low), gain / share + (high - gain)


def gain_by_covariance(right_a, right_b):
    """Paired after all: the variance of a difference is less twice the covariance."""
    (var_a, cov), (_, var_b) = torch.cov(torch.stack([right_a.double(), right_b.double()]))
    error = ((var_a + var_b - 2 * cov) / len(right_a)).clamp(min=0).sqrt().item()
    return interval((right_a.double().mean() - right_b.double().mean()).item(), error)


def gain_without_root(right_a, right_b):
    difference = right_a.double() - right_b.double()
    return interval(difference.mean().item(), difference.std().item())


def gain_of_one_error(right_a, right_b):
    difference = right_a.double() - right_b.double()
    return interval(difference.mean().item(), difference.std().item() / len(difference) ** 0.5, 1)


def disagreement(right_a, right_b):
    differs = (right_a ^ right_b).double()
    return interval(differs.mean().item(), differs.std().item() / len(differs) ** 0.5)


def bools_subtracted(right_a, right_b):
    return interval((right_a - right_b).mean().item(), 0.0)


def mean_of_bools(right_a, right_b):
    return interval(right_a.mean() - right_b.mean(), 0.0)


def population_gain(right_a, right_b):
    difference = right_a.double() - right_b.double()
    error = difference.std(correction=0).item() / len(difference) ** 0.5
    return interval(difference.mean().item(), error)


def divided_by_n(right_a, right_b):
    difference = right_a.double() - right_b.double()
    return interval(difference.mean().item(), difference.std().item() / len(difference))


def error_of_a_share(right_a, right_b):
    gain = (right_a.double() - right_b.double()).mean().item()
    return interval(gain, (abs(gain) * (1 - abs(gain)) / len(right_a)) ** 0.5)


def mean_of_whole_numbers(right_a, right_b):
    return interval((right_a.int() - right_b.int()).mean().item(), 0.0)


def reversed_gain(right_a, right_b):
    return measures.paired_gain(right_b, right_a)


def gain_cases(rng):
    """Models that are often right on the same rows, few and many; less right; the same model.

    In the last but one the worse model comes first.
    """
    for n, share in ((40, 0.6), (90, 0.6), (7, 0.5)):
        right_b = torch.rand(n, generator=rng) < share
        right_a = right_b | (torch.rand(n, generator=rng) < 0.5)
        right_a &= torch.rand(n, generator=rng) < 0.95
        right_a[:3], right_b[:3] = True, torch.tensor([False, True, False])
        right_a[3], right_b[3] = False, True
        yield right_a, right_b
    yield right_b, right_a
    yield right_a, right_a.clone()


paired_gain = Exercise(
    reference=measures.paired_gain,
    cases=gain_cases,
    also_right=(paired_gain_by_counts, gain_by_covariance),
    hints=(
        "Subtract row by row: +1 where only a is right, -1 where only b is, 0 elsewhere "
        "(bool tensors want .double() first).",
        "The gain is the mean of the differences. Its standard error is their standard deviation "
        "divided by the root of the number of rows; the interval reaches 1.96 of them each way.",
    ),
    mistakes=(
        Mistake(
            unpaired_gain,
            "You added the variances of two separate accuracies, as if the models had seen "
            "different rows. Take the standard deviation of the row-by-row differences.",
        ),
        Mistake(
            unpaired_by_shares,
            "You added the variances p (1 - p) / n of two separate accuracies, as if the models "
            "had seen different rows. Take the standard deviation of the row-by-row differences.",
        ),
        Mistake(
            errors_added,
            "You added the errors of two separate accuracies, as when one interval's end is "
            "subtracted from the other's. Take the standard deviation of the row-by-row "
            "differences.",
        ),
        Mistake(
            of_all_answers,
            "You took one spread of both models' answers together, as if they had seen different "
            "rows. Take the standard deviation of the row-by-row differences.",
        ),
        Mistake(
            error_of_a,
            "This is the standard error of a's accuracy alone. Take the standard deviation of the "
            "row-by-row differences.",
        ),
        Mistake(
            a_alone,
            "This is the accuracy of a. Subtract b's answers, row by row, first.",
        ),
        Mistake(
            where_they_differ,
            "You left the rows out where both are right or both wrong. They count: there the "
            "difference is 0.",
        ),
        Mistake(
            quantiles,
            "These are quantiles of single rows, which are -1, 0 or 1. The interval is that of "
            "their mean: 1.96 standard errors each way.",
        ),
        Mistake(
            interval_by(lambda difference: difference.var() / len(difference)),
            "You divided the variance by n and left its root out: the standard error is the root "
            "of that.",
        ),
        Mistake(
            interval_by(lambda difference: difference.var() / len(difference) ** 0.5),
            "You took the variance for the standard deviation, which is its root: `.std()`.",
        ),
        Mistake(
            interval_by(standard_error, factor=2),
            "The interval reaches 1.96 standard errors each way; yours reaches 2.",
        ),
        Mistake(
            interval_by(standard_error, factor=1.645),
            "1.645 standard errors make an interval of 90 %. For 95 % it is 1.96 of them.",
        ),
        Mistake(
            interval_by(lambda difference: difference.std() / (len(difference) - 1) ** 0.5),
            "You divided by the root of n - 1. `.std()` has that 1 in it already; the standard "
            "error divides by the root of n.",
        ),
        Mistake(
            interval_by(lambda difference: difference.std() / len(difference) / 2),
            "`** 1 / 2` raises to the power of 1 and then divides by 2. The root is `** 0.5`, or "
            "`** (1 / 2)`.",
        ),
        Mistake(
            in_the_order_of_size,
            "The right numbers in another order: gain first, then low and high.",
        ),
        Mistake(
            ends_exchanged,
            "The ends of the interval are exchanged: low is the gain less the margin.",
        ),
        Mistake(
            margin_alone,
            "You returned gain and margin. Three numbers are wanted: gain, gain - margin, gain + "
            "margin.",
        ),
        Mistake(
            around_zero,
            "Your interval lies around 0. It lies around the gain: gain - margin, gain + margin.",
        ),
        Mistake(
            ends_subtracted,
            "You subtracted two intervals end by end, and errors never cancel like that. Take the "
            "standard deviation of the row-by-row differences.",
        ),
        Mistake(
            where_a_alone_is_right,
            "You counted the rows where a alone is right. Those where b alone is right count too, "
            "as -1.",
        ),
        Mistake(
            relative_gain,
            "You divided the gain by b's accuracy. It is the plain difference of the two.",
        ),
        Mistake(
            gain_without_root,
            "This interval uses the spread of single rows; the mean of n rows is more certain: "
            "divide by the root of n.",
        ),
        Mistake(
            gain_of_one_error,
            "The interval reaches one standard error each way, which covers about 68 %; for 95 % "
            "it is 1.96 of them.",
        ),
        Mistake(
            bools_subtracted,
            "PyTorch does not subtract bool tensors (and the `^` that its message offers loses "
            "who was right): turn both into numbers with .double() first.",
        ),
        Mistake(
            mean_of_bools,
            "PyTorch takes no mean of bool tensors: turn both into numbers with .double() first.",
        ),
        Mistake(
            divided_by_n,
            "You divided the standard deviation by n; the standard error divides by the root of n.",
        ),
        Mistake(
            error_of_a_share,
            "That is the standard error of a share of yes and no. Here a difference is -1, 0 or 1: "
            "take the standard deviation of the differences.",
        ),
        Mistake(
            mean_of_whole_numbers,
            "PyTorch takes no mean of whole numbers: use .double() in place of .int().",
        ),
        Mistake(
            population_gain,
            "You divided the squares by n; the sample standard deviation divides by n - 1, as "
            "torch's .std() does when nothing else is asked for.",
        ),
        Mistake(
            disagreement,
            "This counts the rows where the two differ and loses who was right. PyTorch does not "
            "subtract bool tensors: turn both into numbers with .double() first.",
        ),
        Mistake(reversed_gain, "The sign is turned round: it is a minus b."),
    ),
)

# --- flip_pairs ----------------------------------------------------------------------------------


def flip_and_swap(batch, flipped, image=None, swap=None):
    """A batch with other pictures and texts in the flipped rows, by two functions of them."""
    pictures, texts = batch["image"].clone(), batch["text"].clone()
    pictures[flipped] = image(pictures[flipped]) if image else pictures[flipped]
    texts[flipped] = swap(texts[flipped]) if swap else texts[flipped]
    return {**batch, "image": pictures, "text": texts}


def exchanged(text, left, right):
    swapped = text.clone()
    swapped[text == left], swapped[text == right] = right, left
    return swapped


def mirror(image):
    return image.flip(-1)


def flip_pairs_by_index(batch, flipped, left, right):
    return flip_and_swap(batch, flipped, mirror, lambda text: exchanged(text, left, right))


def flips_pictures_only(batch, flipped, left, right):
    return flip_and_swap(batch, flipped, mirror)


def flips_texts_only(batch, flipped, left, right):
    return flip_and_swap(batch, flipped, None, lambda text: exchanged(text, left, right))


def flips_upside_down(batch, flipped, left, right):
    swap = lambda text: exchanged(text, left, right)  # noqa: E731
    return flip_and_swap(batch, flipped, lambda image: image.flip(-2), swap)


def flips_every_row(batch, flipped, left, right):
    return flip_pairs_by_index(batch, torch.ones_like(flipped), left, right)


def flips_the_others(batch, flipped, left, right):
    return flip_pairs_by_index(batch, ~flipped, left, right)


def swaps_in_every_row(batch, flipped, left, right):
    pictures = flip_and_swap(batch, flipped, mirror)
    return {**pictures, "text": exchanged(batch["text"], left, right)}


def one_after_the_other(batch, flipped, left, right):
    def swap(text):
        text = text.masked_fill(text == left, right)
        return text.masked_fill(text == right, left)

    return flip_and_swap(batch, flipped, mirror, swap)


def without_further_axes(batch, flipped, left, right):
    told = torch.where(flipped, exchanged(batch["text"], left, right), batch["text"])
    pictures = torch.where(flipped, mirror(batch["image"]), batch["image"])
    return {**batch, "image": pictures, "text": told}


def turns_the_label(batch, flipped, left, right):
    pictures = flip_and_swap(batch, flipped, mirror)
    return {**pictures, "label": torch.where(flipped, 1 - batch["label"], batch["label"])}


def only_what_it_changed(batch, flipped, left, right):
    whole = flip_pairs_by_index(batch, flipped, left, right)
    return {name: whole[name] for name in ("image", "text")}


def left_becomes_right_alone(batch, flipped, left, right):
    return flip_and_swap(batch, flipped, mirror, lambda text: text.masked_fill(text == left, right))


def first_in_each_text(batch, flipped, left, right):
    def swap(text):
        hit = (text == left) | (text == right)
        first = hit & (hit.cumsum(dim=1) == 1)
        return torch.where(first, exchanged(text, left, right), text)

    return flip_and_swap(batch, flipped, mirror, swap)


def turned_half_round(batch, flipped, left, right):
    swap = lambda text: exchanged(text, left, right)  # noqa: E731
    return flip_and_swap(batch, flipped, lambda image: image.flip(-2, -1), swap)


def flips_colours(batch, flipped, left, right):
    swap = lambda text: exchanged(text, left, right)  # noqa: E731
    return flip_and_swap(batch, flipped, lambda image: image.flip(1), swap)


def strangers_pictures(batch, flipped, left, right):
    """The batch axis is reversed in place of the pictures."""
    whole = flip_pairs_by_index(batch, flipped, left, right)
    where = flipped[:, None, None, None]
    return {**whole, "image": torch.where(where, batch["image"].flip(0), batch["image"])}


def reverses_texts(batch, flipped, left, right):
    return flip_and_swap(batch, flipped, mirror, lambda text: text.flip(-1))


def flipped_rows_alone(batch, flipped, left, right):
    whole = flip_pairs_by_index(batch, flipped, left, right)
    return {**whole, "image": whole["image"][flipped], "text": whole["text"][flipped]}


def every_other_word_too(batch, flipped, left, right):
    def swap(text):
        return torch.full_like(text, left).masked_fill(text == left, right)

    return flip_and_swap(batch, flipped, mirror, swap)


def label_turned_too(batch, flipped, left, right):
    label = torch.where(flipped, 1 - batch["label"], batch["label"])
    return {**flip_pairs_by_index(batch, flipped, left, right), "label": label}


def image_without_further_axes(batch, flipped, left, right):
    pictures = torch.where(flipped, mirror(batch["image"]), batch["image"])
    told = torch.where(flipped, exchanged(batch["text"], left, right), batch["text"])
    return {**batch, "image": pictures, "text": told}


def pictures_and_texts(batch, flipped, left, right):
    whole = flip_pairs_by_index(batch, flipped, left, right)
    return whole["image"], whole["text"]


def flip_pairs_by_table(batch, flipped, left, right):
    """A table of which number becomes which, as one looks words up."""
    text = batch["text"]
    table = torch.arange(max(int(text.max()), left, right) + 1)
    table[left], table[right] = right, left
    where = flipped[:, None, None, None]
    pictures = torch.where(where, mirror(batch["image"]), batch["image"])
    return {**batch, "image": pictures, "text": torch.where(flipped[:, None], table[text], text)}


def flip_cases(rng):
    """Texts in which the two words stand at any place, both, twice or not at all.

    Then one row alone, with another part in its batch, and a batch of which nothing is flipped.
    """
    for rows, words in ((6, 4), (5, 7)):
        left, right = torch.randperm(8, generator=rng)[:2].add(2).tolist()
        text = torch.randint(2, 10, (rows, words), generator=rng)
        text[0, 0], text[1, 0], text[2, :2] = left, right, torch.tensor([left, right])
        batch = {
            "image": torch.rand(rows, 3, 6, 8, generator=rng),
            "text": text,
            "text_length": torch.full((rows,), words),
            "label": torch.randint(0, 2, (rows,), generator=rng),
        }
        flipped = torch.rand(rows, generator=rng) < 0.5
        flipped[:4] = torch.tensor([True, True, True, False])
        batch["text"][3, 1] = left
        yield batch, flipped, left, right
    row = {name: part[:1] for name, part in batch.items()} | {"columns": torch.ones(1, 2)}
    yield row, flipped[:1], right, left
    yield batch, torch.zeros_like(flipped), left, right


flip_pairs = Exercise(
    reference=arrows.flip_pairs,
    cases=flip_cases,
    also_right=(flip_pairs_by_index, flip_pairs_by_table),
    hints=(
        "`image.flip(-1)` mirrors every picture; `torch.where(condition, a, b)` takes a where the "
        "condition holds and b elsewhere. Which shape must `flipped` have beside (B, 3, H, W)?",
        "Both words must be exchanged at once: look up where left stands and where right stands "
        "in the text that came in, then write. A new dict is `{**batch, 'image': ...}`.",
    ),
    mistakes=(
        Mistake(
            flips_pictures_only,
            "The pictures are right, the texts as before: a text that fitted is now false. "
            "Exchange the two words in the flipped rows.",
        ),
        Mistake(
            flips_texts_only,
            "The words are exchanged, but the pictures are not mirrored.",
        ),
        Mistake(
            flips_upside_down,
            "This turns the pictures upside down: a picture is (3, H, W), and left and right lie "
            "along the last axis.",
        ),
        Mistake(flips_every_row, "You changed every row; only those where flipped is True change."),
        Mistake(flips_the_others, "You changed the rows where flipped is False."),
        Mistake(
            swaps_in_every_row,
            "The words are exchanged in every row, the pictures mirrored in some.",
        ),
        Mistake(
            one_after_the_other,
            "No text says right any more: each right became left, and each left stayed, or became "
            "right and then left again with the others. Find both words before you write either.",
        ),
        Mistake(
            without_further_axes,
            "flipped (B,) does not fit beside (B, L) or (B, 3, H, W): give it the missing axes, "
            "flipped[:, None] for texts and flipped[:, None, None, None] for pictures.",
        ),
        Mistake(
            turns_the_label,
            "Turning the label does make the pair true, but in another way than asked: exchange "
            "the words, and leave the label.",
        ),
        Mistake(
            label_turned_too,
            "Pictures and texts are right. Leave the label: after both changes the pair says the "
            "same as before.",
        ),
        Mistake(
            left_becomes_right_alone,
            "No text says left any more: each left became right, and each right stayed, or became "
            "left and then right again with the others. Find both words before you write either.",
        ),
        Mistake(
            every_other_word_too,
            "Every word but left became left, those that are neither of the two as well. They stay "
            "as they are.",
        ),
        Mistake(
            first_in_each_text,
            "Only the first of the two words in a text was exchanged; exchange all of them.",
        ),
        Mistake(
            turned_half_round,
            "This turns the pictures by half a turn: only the last axis is to be mirrored.",
        ),
        Mistake(
            flips_colours,
            "Axis 1 of (B, 3, H, W) holds the colours. Left and right lie along the last axis.",
        ),
        Mistake(
            strangers_pictures,
            "Axis 0 is the batch: a flipped row got another row's picture. Left and right lie "
            "along the last axis.",
        ),
        Mistake(
            reverses_texts,
            "You turned the order of the words round. Exchange the two words where they stand.",
        ),
        Mistake(
            flipped_rows_alone,
            "The other rows got lost. The new batch holds all rows, those that do not change too.",
        ),
        Mistake(
            image_without_further_axes,
            "flipped (B,) does not fit beside (B, 3, H, W): give it the missing axes, "
            "flipped[:, None, None, None], and flipped[:, None] for texts.",
        ),
        Mistake(
            pictures_and_texts,
            "You returned pictures and texts. Return a whole batch, a dict: {**batch, ...}.",
        ),
        Mistake(
            only_what_it_changed,
            "The label and all else in the batch got lost; return {**batch, ...}.",
        ),
    ),
)

# --- break this claim --------------------------------------------------------------------------

MARGIN, ABOVE_CHANCE, NEARLY_ALL = 0.05, 0.1, 0.95


def verify_no_gain(dials, seed):
    """Whether the best reader of both gains less than MARGIN over the best reader of one.

    By the exact ceilings, so the seed plays no part. Each sense has to be worth having, or the
    question is empty.
    """
    for name, value in dials.items():
        if isinstance(value, str) or value is None or value is ...:
            return f"{name} is a number, such as 0.5; yours is {value!r}."
    if dials.get("label_noise"):
        return "label_noise only spoils the labels; leave it out and change what is on the cards."
    if dials.get("mismatch") == 1:
        return "With mismatch 1 no headline fits its picture, so the section task has no rows."
    try:
        best = news_cards.ceiling("section", **dials)
    except (TypeError, ValueError) as error:
        return f"These dials cannot be made: {error}."
    weaker = min(("image", "text"), key=best.get)
    if best[weaker] < best["chance"] + ABOVE_CHANCE:
        return (f"Here the {weaker} alone reaches {best[weaker]:.3f}, and always naming the most "
                f"frequent section {best['chance']:.3f}. Keep each sense at least {ABOVE_CHANCE} "
                "above that.")  # fmt: skip
    better = max(("image", "text"), key=best.get)
    if best[better] > NEARLY_ALL:
        return (f"Here the {better} alone reaches {best[better]:.3f}, so no second sense could add "
                f"much. That is too easy: keep each sense at {NEARLY_ALL} or less.")  # fmt: skip
    gain = best["both"] - best[better]
    numbers = (f"the best reader of both reaches {best['both']:.3f}, a gain of {gain:.3f} over the "
               f"better of {best['image']:.3f} from images and {best['text']:.3f} from text"
               )  # fmt: skip
    if gain < MARGIN:
        return Broken(numbers)
    return f"The claim still holds: {numbers}. Get it below {MARGIN}."


no_gain_dials = Exercise(
    verify=verify_no_gain,
    exact=True,
    right_dials={"without_word": 0.75},
    wrong_dials=(
        {},
        {"without_motif": 0.0},
        {"image_noise": 3.0, "typos": 1.0},
        {"text_noise": 0.6},
        {"text_noise": 0.5, "without_word": 1.0},
        {"without_motif": 0.5, "without_word": 0.5},
        {"without_motif": 0.9},
        {"class_balance": (1, 0, 0, 0, 0)},
        {"without_motif": 2.0},
        {"mismatch": 1.0},
        {"label_noise": 0.5},
    ),
    hints=(
        "When does a second witness add little? When it is mostly silent, or when the first one "
        "nearly always knows. The docstring of `news_cards.Dials` says what each dial does.",
        "Try `news_cards.ceiling(without_word=...)` with larger and larger shares, and read image, "
        "text and both.",
    ),
)
