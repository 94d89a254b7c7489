"""What lesson 11 reads from data/results/11.csv: heads on frozen encoders whose rows have holes.

    make results LESSON=11

Five seeds, each with encoders, cards and heads of its own. The encoders of seeds 0 to 2 are those
of data/encoders; 3 and 4 are trained here by the same recipe. Heads learn from the cards that the
encoders were made with, keep the epoch that is best on validation cards, and are tested on 5,000
fresh cards. Ceilings are exact. What is filled in is chosen on validation rows: the ridge's
penalty and the tree's depth by squared error, the rate of modality dropout by accuracy.

The emoji need COURSE_DATA_DIR or the network.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from emoji import TRAINING, read_splits
from heads import heads_alone, heads_named
from room import Part, Plan, emoji_are_here, on, within
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeRegressor
from torch import Tensor

from course_utils import frozen
from course_utils.baselines import majority_baseline
from course_utils.classifier import MultimodalClassifier
from course_utils.data import holes, news_cards, shop
from course_utils.data.batches import to_tensors
from course_utils.data.readers import ImageReader
from course_utils.data.results import Run
from course_utils.data.rows import Rows, split_rows
from course_utils.encoders import BagEncoder, CNNEncoder, encode
from course_utils.experiment import (
    Trained,
    cache_features,
    models_alone,
    models_fused,
    train_on,
)
from course_utils.fusion import ConcatFusion, Features, Fusion, Present
from course_utils.measures import accuracy
from course_utils.missing import (
    ConstantFill,
    LearntToken,
    ModalityDropout,
    PredictedFill,
)

SEEDS = range(5)
NAMES = ("image", "text")
CARDS, EMOJI, SHOP = "news_cards", "emoji", "shop"
# On 5,000 products, on another machine.
MARGIN = {"accuracy": 0.02}
FRESH = 5_000
LEARN = {"epochs": 12, "learning_rate": 5e-3, "batch_size": 128}
HEADS = heads_named("concat + linear", "weighted", "concat + MLP", "product")
ALONE = heads_alone(NAMES)
PENALTIES = (1.0, 10.0, 100.0, 1000.0)
DEPTHS = (2, 4, 6, 8)
DROPS = (0.1, 0.3, 0.5)
RATES = (0.1, 0.3, 0.5, 0.7, 0.9)
PATTERNS = {"both there": (), "image missing": ("image",), "text missing": ("text",)}
# Fills that are not kept where nothing is missing, and change nothing; the file has its limit.
SAME = ("mean", "tree", "black, unknown")
Fill = Callable[[Features, Present], Features]


# --- one seed's features ----------------------------------------------------------


class World(NamedTuple):
    """One seed's features of all cards under its frozen encoders.

    rows, cached: {split: cards, and their features}, where "test" are the fresh cards.
    blank: the features of a black picture, and of a headline of one unknown word, (64,) each.
    """

    seed: int
    rows: dict[str, Rows]
    cached: dict[str, dict[str, Any]]
    blank: dict[str, Tensor]


@lru_cache(maxsize=1)
def world_of(seed: int) -> World:
    """One seed's encoders, cards and fresh cards, read once."""
    made = frozen.of_seed(seed)
    rows = made.rows()
    fresh = news_cards.make(FRESH, seed + 1000, mismatch=0)
    rows["test"] = news_cards.rows_for(fresh, "section")
    tensors = {split: to_tensors(part, made.readers) for split, part in rows.items()}
    cached = cache_features(made.encoders, tensors)
    with torch.no_grad():
        unknown = torch.ones(1, 1, dtype=torch.long), torch.ones(1, dtype=torch.long)
        blank = {
            "image": made.encoders["image"](torch.zeros(1, 3, 48, 48))[0],
            "text": made.encoders["text"](*unknown)[0],
        }
    return World(seed, rows, cached, blank)


def own(part: Mapping[str, Any]) -> dict[str, Tensor]:
    """The features of both senses, and nothing else."""
    return {name: part[name] for name in NAMES}


def trained(
    cached: Mapping[str, Any], heads: Mapping[str, Any], seed: int, classes: int = 5, **other: Any
) -> dict[str, Trained]:
    """Each head on cached features; ``present`` in them says what a row lacks."""
    options = {"seed": seed, "options": LEARN | other}
    return models_fused(heads, cached, classes, names=NAMES, **options)


@torch.no_grad()
def said(model: Any, features: Features, present: Present | None = None) -> Tensor:
    """The logits of features as they come, with or without word of what is missing."""
    return model(dict(features) | ({"present": dict(present)} if present else {}))


def lacking(names: tuple[str, ...], rows: int) -> dict[str, Tensor]:
    """``present`` where all rows lack these modalities."""
    return {name: torch.full((rows,), name not in names) for name in NAMES}


def line_for(experiment: str, world: str, seed: int, rows: int) -> Callable[..., Run]:
    """What makes a line of the file."""

    def line(model: str, setting: str, value: float, measure: str = "accuracy", dials: str = ""):
        return Run(experiment, world, dials, model, setting, seed, rows, measure, float(value))

    return line


# --- fills ----------------------------------------------------------


def error_of(fill: Fill, part: Mapping[str, Any]) -> float:
    """Mean squared error of a fill on rows that have all, as a share of the variance."""
    features, total = own(part), 0.0
    for name in NAMES:
        guessed = fill(features, lacking((name,), len(features[name])))[name]
        spread = features[name].var(dim=0, unbiased=False).mean()
        total += float((guessed - features[name]).square().mean() / spread)
    return total / len(NAMES)


def chosen_regressors(cached: Mapping[str, Any]) -> dict[str, Fill]:
    """Ridge and tree whose setting fits validation rows best."""
    train, present = own(cached["train"]), cached["train"].get("present")
    tried = {
        "ridge": [lambda a=a: Ridge(alpha=a) for a in PENALTIES],
        "tree": [lambda d=d: DecisionTreeRegressor(max_depth=d, random_state=0) for d in DEPTHS],
    }
    return {
        kind: min((PredictedFill(make, train, present) for make in makes),
                  key=lambda fill: error_of(fill, cached["validation"]))
        for kind, makes in tried.items()
    }  # fmt: skip


def fills_of(cached: Mapping[str, Any], blank: Mapping[str, Tensor] | None) -> dict[str, Fill]:
    """What may stand in the place of an absent sense, by name."""
    train, present = own(cached["train"]), cached["train"].get("present")
    fills = {
        "zeros": ConstantFill.zeros_of(train),
        "mean": ConstantFill.means_of(train, present),
        **chosen_regressors(cached),
    }
    return fills | ({"black, unknown": ConstantFill(blank)} if blank else {})


class CountsAsOne(Fusion):
    """The product whose absent senses count as one, as some code has it."""

    def join(self, projected: Tensor, present: Tensor) -> Tensor:
        return projected.masked_fill(~present, 1).prod(dim=1)


def as_one(model: Any) -> Any:
    """The same trained product, with absent senses that count as one."""
    import copy

    twin = copy.deepcopy(model)
    fusion = CountsAsOne({n: layer.in_features for n, layer in model.fusion.project.items()})
    fusion.project = twin.fusion.project
    twin.fusion = fusion
    return twin.eval()


def dropped(head: Any, rate: float) -> Any:
    """A head that loses senses while it learns."""
    return lambda dims: ModalityDropout(head(dims), rate)


def with_token(head: Any) -> Any:
    """A head with a learnt vector for what is missing."""
    return lambda dims: LearntToken(head(dims), dims)


def chosen_drop(cached: Mapping[str, Any], head: Any, seed: int, **other: Any) -> float:
    """The rate of modality dropout with the best mean validation accuracy over three patterns."""

    def worth(rate: float) -> float:
        model = trained(cached, {"": dropped(head, rate)}, seed, **other)[""].model
        part = cached["validation"]
        return sum(
            accuracy(said(model, own(part), lacking(names, len(part["label"]))), part["label"])
            for names in PATTERNS.values()
        )

    return max(DROPS, key=worth)


# --- trained on complete rows, tested with holes --------------------------------------------------


def complete(
    cached: Mapping[str, Any], blank: Any, line: Callable[..., Run], seed: int,
    heads: Mapping[str, Any] = HEADS, **other: Any,
) -> Iterator[Run]:  # fmt: skip
    """Every head with every fill, where one sense is missing in all test rows, or none."""
    test = own(cached["test"])
    label, many = cached["test"]["label"], len(cached["test"]["label"])
    fills = fills_of(cached, blank)
    found = trained(cached, heads, seed, **other)
    drops = {name: chosen_drop(cached, head, seed, **other) for name, head in heads.items()}
    used = {f"{n}, dropout": dropped(head, drops[n]) for n, head in heads.items()}
    used_to = trained(cached, used, seed, **other)
    for name in heads:
        yield line(name, "modality dropout", drops[name], measure="chosen rate")
        for pattern, names in PATTERNS.items():
            there = lacking(names, many)
            model = found[name].model
            answers = {fill: said(model, use(test, there)) for fill, use in fills.items()}
            answers["modality dropout"] = said(used_to[f"{name}, dropout"].model, test, there)
            if name == "product":
                answers["one"] = said(as_one(model), test, there)
            for fill, logits in answers.items():
                if names or fill not in SAME:
                    yield line(name, fill, accuracy(logits, label), dials=pattern)
    alone = trained(cached, ALONE, seed, **other)
    for name, one in alone.items():
        yield line(name, "", accuracy(one.logits, label))
    majority = majority_baseline(cached["train"]["label"], label)
    yield line("majority", "", majority)


def complete_rows(world: World) -> Iterator[Run]:
    """``complete`` on news cards."""
    line = line_for("complete", CARDS, world.seed, FRESH)
    yield from complete(world.cached, world.blank, line, world.seed)


def off_centre(world: World) -> Iterator[Run]:
    """The same with 3 added to every feature: zeros are then far from all that was learnt."""
    moved = {
        split: part | {name: part[name] + 3 for name in NAMES}
        for split, part in world.cached.items()
    }
    label, test = moved["test"]["label"], own(moved["test"])
    fills = {
        "zeros": ConstantFill.zeros_of(own(moved["train"])),
        "mean": ConstantFill.means_of(own(moved["train"])),
    }
    line = line_for("off centre", CARDS, world.seed, FRESH)
    for name, one in trained(moved, HEADS, world.seed).items():
        for pattern, names in PATTERNS.items():
            for fill, use in fills.items():
                logits = said(one.model, use(test, lacking(names, len(label))))
                yield line(name, fill, accuracy(logits, label), dials=pattern)


def curves(world: World, mechanisms: tuple[str, ...] = holes.MECHANISMS) -> Iterator[Run]:
    """Accuracy over the share of headlines that are missing, by mechanism and by fill."""
    cached, test = world.cached, own(world.cached["test"])
    label = cached["test"]["label"]
    fills = {n: fill for n, fill in fills_of(cached, None).items() if n != "tree"}
    line = line_for("curve", CARDS, world.seed, FRESH)
    heads = {name: HEADS[name] for name in ("concat + linear", "product")}
    used = {f"{n}, dropout": dropped(head, 0.3) for n, head in heads.items()}
    found = trained(cached, heads | used, world.seed)
    for mechanism, rate, name in itertools.product(mechanisms, RATES, heads):
        there = torch.from_numpy(kept_text(world, "test", rate, mechanism))
        present = {"text": there}
        model = found[name].model
        answers = {fill: said(model, use(test, present)) for fill, use in fills.items()}
        answers["modality dropout"] = said(found[f"{name}, dropout"].model, test, present)
        if name == "product":
            answers["one"] = said(as_one(model), test, present)
        for fill, logits in answers.items():
            yield line(name, fill, accuracy(logits, label), dials=f"{mechanism}, {rate:g}")


def kept_text(world: World, split: str, rate: float, mechanism: str) -> np.ndarray:
    """Which cards of a split keep their headline."""
    seed = 10 * world.seed + ("train", "validation", "test").index(split)
    return holes.kept(world.rows[split], "text", rate, mechanism, seed=seed)


def ceilings() -> Iterator[Run]:
    """The best that can be done at each rate and mechanism, exactly."""
    line = line_for("curve", CARDS, 0, 0)
    for mechanism, rate in itertools.product(holes.MECHANISMS, (0.0, *RATES, 1.0)):
        for reader, best in holes.ceiling("text", rate, mechanism).items():
            yield line(f"ceiling, {reader}", "", best, dials=f"{mechanism}, {rate:g}")


# --- holes in training rows ----------------------------------------------------------


def with_holes(world: World, rate: float, mechanism: str) -> dict[str, dict[str, Any]]:
    """The features, with ``present``: training and validation cards that lack headlines."""
    holed = {}
    for split, part in world.cached.items():
        there = torch.from_numpy(kept_text(world, split, rate, mechanism))
        holed[split] = part | {"present": {"text": there, "image": torch.ones_like(there)}}
    return holed


def filled(holed: Mapping[str, Any], fill: Fill) -> dict[str, dict[str, Any]]:
    """Every hole filled, and no word of it."""
    return {
        split: {"label": part["label"], **fill(own(part), part["present"])}
        for split, part in holed.items()
    }


def deleted(holed: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Training and validation rows without a hole; test rows cannot be deleted."""
    return {
        split: {
            name: part[name][part["present"]["text"]] if split != "test" else part[name]
            for name in (*NAMES, "label")
        }
        for split, part in holed.items()
    }


def training_holes(world: World, rate: float = 0.95) -> Iterator[Run]:
    """Headlines missing at random in training, and none at test: what did a sum learn?"""
    line = line_for("training", CARDS, world.seed, FRESH)
    whole = lacking((), FRESH)
    test, label = own(world.cached["test"]), world.cached["test"]["label"]
    holed = with_holes(world, rate, "at random")
    fills = fills_of(holed_to_choose(holed), None)
    ways = {"deleted": deleted(holed), "mask": holed}
    ways |= {name: filled(holed, fills[name]) for name in ("mean", "ridge")}
    head = {"concat + linear": HEADS["concat + linear"]}
    for way, cached in ways.items():
        for name, one in trained(cached, head, world.seed).items():
            logits = said(one.model, test, whole if way == "mask" else None)
            yield line(name, way, accuracy(logits, label), dials=f"{rate:g}, both there")


def holed_to_choose(holed: Mapping[str, Any]) -> dict[str, Any]:
    """The same, with the validation rows that have both, for choosing the ridge's penalty."""
    whole = holed["validation"]["present"]["text"]
    kept = {name: holed["validation"][name][whole] for name in (*NAMES, "label")}
    return {**holed, "validation": kept}


def deletion(world: World) -> Iterator[Run]:
    """A reader of pictures that learnt from the cards that are left: what does it believe?"""
    test = world.rows["test"]
    silent = torch.from_numpy(test["motif_box"][:, 0] < 0)
    label = world.cached["test"]["label"]
    line = line_for("deletion", CARDS, world.seed, FRESH)
    for mechanism in ("none", *holes.MECHANISMS):
        rate = 0.0 if mechanism == "none" else 0.5
        as_if = "at random" if mechanism == "none" else mechanism
        left = deleted(with_holes(world, rate, as_if))
        one = trained(left, {"": ALONE["image alone"]}, world.seed)[""]
        share = np.isin(left["train"]["label"].numpy(), holes.INCLINED).mean()
        belief = one.logits.softmax(dim=1)[silent][:, list(holes.INCLINED)].sum(dim=1).mean()
        yield line("image alone", mechanism, share, measure="share")
        yield line("image alone", mechanism, belief, measure="belief")
        yield line("image alone", mechanism, accuracy(one.logits, label))


def what_holes_tell(world: World) -> Iterator[Run]:
    """Trained and tested with half of the headlines missing: is a filled hole as good as a mask?"""
    label = world.cached["test"]["label"]
    line = line_for("told by holes", CARDS, world.seed, FRESH)
    for mechanism in holes.MECHANISMS:
        holed = with_holes(world, 0.5, mechanism)
        ridge = chosen_regressors(holed_to_choose(holed))["ridge"]
        features, there = own(holed["test"]), holed["test"]["present"]
        for head in ("concat + linear", "concat + MLP"):
            token = trained(holed, {head: with_token(HEADS[head])}, world.seed)[head]
            plain = trained(filled(holed, ridge), {head: HEADS[head]}, world.seed)[head]
            answers = {
                "token": said(token.model, features, there),
                "ridge": said(plain.model, ridge(features, there)),
            }
            for way, logits in answers.items():
                yield line(head, way, accuracy(logits, label), dials=mechanism)


# --- black pictures and BatchNorm ----------------------------------------------------------


class ReadsAll(MultimodalClassifier):
    """A classifier whose BatchNorm counts the black pictures that stand for absent ones, too."""

    def features(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        return {name: encode(one, batch) for name, one in self.encoders.items()}


def black_pictures(seed: int, rates: tuple[float, ...] = (0.5, 0.9)) -> Iterator[Run]:
    """A CNN whose batches hold absent pictures as black ones: do they disturb its BatchNorm?

    Same batches, same steps; the head is told what is absent. The test pictures are all there.
    """
    cards = news_cards.make(frozen.Recipe(seed).cards, seed)  # those of any seed's encoders
    rows = split_rows(news_cards.rows_for(cards, "section"))
    fresh = news_cards.make(2_000, seed + 1000, mismatch=0)
    rows["test"] = news_cards.rows_for(fresh, "section")
    tensors = {split: to_tensors(part, {"image": ImageReader()}) for split, part in rows.items()}
    label, train = tensors["test"]["label"], tensors["train"]
    line = line_for("black pictures", CARDS, seed, len(label))
    options = {"epochs": 6, "learning_rate": 3e-3, "batch_size": 32}
    for rate in rates:
        there = torch.from_numpy(holes.kept(rows["train"], "image", rate, "at random", seed=seed))
        splits = tensors | {
            "train": {
                "image": train["image"] * there[:, None, None, None],
                "label": train["label"],
                "present": {"image": there},
            }
        }
        ways = {"counted": ReadsAll, "not counted": MultimodalClassifier}
        for way, kind in ways.items():
            torch.manual_seed(seed)
            model = kind({"image": CNNEncoder(64)}, ConcatFusion({"image": 64}), 5)
            one = train_on(model, splits, seed, **options)
            yield line("image alone", way, accuracy(one.logits, label), dials=f"{rate:g}")


# --- emoji ----------------------------------------------------------


def emoji_features(seed: int) -> tuple[dict[str, Any], dict[str, Tensor], int]:
    """Frozen features of the emoji, those of a black picture and an unknown word, the groups."""
    parts, readers = read_splits("name")
    tensors = {split: to_tensors(part, readers) for split, part in parts.items()}
    classes = len(parts["train"].classes)
    torch.manual_seed(seed)
    encoders = {"image": CNNEncoder(64), "text": BagEncoder(len(readers["text"].vocabulary), 64)}
    models_alone(encoders, tensors, classes, seed=seed, options=TRAINING)
    cached = cache_features(encoders, tensors)
    with torch.no_grad():
        unknown = torch.ones(1, 1, dtype=torch.long), torch.ones(1, dtype=torch.long)
        black = torch.zeros(1, 3, *tensors["train"]["image"].shape[2:])
        blank = {"image": encoders["image"](black)[0], "text": encoders["text"](*unknown)[0]}
    return cached, blank, classes


def emoji(seed: int) -> Iterator[Run]:
    """``complete`` on the emoji: group from picture and name, either of them withheld."""
    cached, blank, classes = emoji_features(seed)
    line = line_for("complete", EMOJI, seed, len(cached["test"]["label"]))
    heads = {name: HEADS[name] for name in ("concat + linear", "product")}
    slow = {"learning_rate": 1e-3, "epochs": 25, "batch_size": 64}
    yield from complete(cached, blank, line, seed, heads, classes=classes, **slow)


# --- the shop: price and material ----------------------------------------------------------

SHOP_MECHANISMS = ("at random", "on the other", "on itself", "on the label")


def inclined_products(truth: Mapping[str, Any], mechanism: str) -> np.ndarray:
    """Which products are inclined to lose their price: warm cloth, dear ones, winter's."""
    return {
        "at random": np.zeros(len(truth["season"]), dtype=bool),
        "on the other": np.isin(truth["cloth"], ("leather", "wool")),
        "on itself": np.asarray(truth["band"]) >= 3,
        "on the label": truth["season"] == shop.SEASONS.index("winter"),
    }[mechanism]


def products(n: int, seed: int) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """What products are; log price and material as columns (n, 7); their seasons (n,)."""
    dial = shop.Dials(empty=0, twins=0)
    truth = shop.throw(n, seed, dial)
    price = np.log([float(cell) for cell in shop.write_cells(seed, dial, truth)["price"]])
    cloth = np.array(truth["cloth"])[:, None] == np.array(shop.MATERIALS)[None]
    return truth, np.column_stack([price, cloth]), truth["season"]


WAYS = ("none", *SHOP_MECHANISMS)


def shop_table(seed: int, ways: tuple[str, ...] = WAYS) -> Iterator[Run]:
    """Season from price and material, with half of the prices missing: the answers.

    ways: the first of WAYS; each draws its holes after the one before it.
    """
    line = line_for("table", SHOP, seed, FRESH)
    known, x, y = products(3_000, seed)
    new, fresh, label = products(FRESH, seed + 1000)
    rng = np.random.default_rng([seed, 11])
    for mechanism in ways:
        sets = []
        for truth, columns in ((known, x), (new, fresh)):
            inclined = inclined_products(truth, "at random" if mechanism == "none" else mechanism)
            rate = 0.0 if mechanism == "none" else 0.5
            lost = holes.loss_chances(inclined, rate, shop_share(mechanism))
            gone = rng.random(len(columns)) < lost
            sets.append(np.column_stack([np.where(gone, np.nan, columns[:, 0]), columns[:, 1:]]))
        yield line("majority", mechanism, np.mean(label == np.bincount(y).argmax()))
        kept = ~np.isnan(sets[0][:, 0])
        for name, (model, train) in table_models(sets[0], y, kept).items():
            chances = model.fit(*train).predict_proba(sets[1])
            yield line(name, mechanism, np.mean(chances.argmax(axis=1) == label))


def table_models(x: np.ndarray, y: np.ndarray, kept: np.ndarray) -> dict[str, Any]:
    """The article's answers with scikit-learn's own parts: {name: (model, what it learns from)}."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer, SimpleImputer
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def after(imputer: Any) -> Any:
        return make_pipeline(imputer, StandardScaler(), LogisticRegression(max_iter=1000))

    tree = DecisionTreeRegressor(max_depth=4, random_state=0)
    by_line = IterativeImputer(LinearRegression(), max_iter=5, random_state=0)
    by_tree = IterativeImputer(tree, max_iter=5, random_state=0)
    grown = HistGradientBoostingClassifier(max_iter=60, learning_rate=0.1, random_state=0)
    return {
        "deleted": (after(SimpleImputer()), (x[kept], y[kept])),
        "mean": (after(SimpleImputer()), (x, y)),
        "mean and flag": (after(SimpleImputer(add_indicator=True)), (x, y)),
        "linear regression": (after(by_line), (x, y)),
        "decision tree": (after(by_tree), (x, y)),
        "boosted trees, left empty": (grown, (x, y)),
    }


def shop_joint() -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """P(season, band of the price, material), (4,) for each (band, material)."""
    shares = [table / table.sum(axis=1, keepdims=True)
              for table in (shop.PRICE_SHARES, shop.MATERIAL_SHARES)]  # fmt: skip
    for band, cloth in itertools.product(*(range(table.shape[1]) for table in shares)):
        p = shop.SEASON_SHARES * shares[0][:, band] * shares[1][:, cloth]
        yield (band, cloth), p / shop.SEASON_SHARES.sum()


def inclined_cells(mechanism: str, band: int, cloth: int) -> np.ndarray:
    truth = {
        "season": np.arange(4),
        "band": np.full(4, band),
        "cloth": np.full(4, shop.MATERIALS[cloth]),
    }
    return inclined_products(truth, "at random" if mechanism == "none" else mechanism)


def shop_share(mechanism: str) -> float:
    """The share of products that is inclined to lose its price, exactly."""
    cells = shop_joint()
    return float(sum((p * inclined_cells(mechanism, *seen)).sum() for seen, p in cells))


def shop_ceiling(mechanism: str) -> float:
    """The best accuracy from what is left of price and material, and the hole; exact."""
    best, lost = 0.0, np.zeros((len(shop.MATERIALS), 4))
    rate = 0.0 if mechanism == "none" else 0.5
    for (band, cloth), p in shop_joint():
        chances = holes.loss_chances(
            inclined_cells(mechanism, band, cloth), rate, shop_share(mechanism)
        )
        best += float((p * (1 - chances)).max())
        lost[cloth] += p * chances
    return best + float(lost.max(axis=1).sum())


def shop_ceilings() -> Iterator[Run]:
    line = line_for("table", SHOP, 0, 0)
    for mechanism in WAYS:
        yield line("ceiling", mechanism, shop_ceiling(mechanism))


# --- all of it ----------------------------------------------------------


BEST = "ceiling*"
PLAN = Plan(
    "11",
    [
        Part("complete", on(world_of, complete_rows), within("complete", world=CARDS), SEEDS),
        Part("off-centre", on(world_of, off_centre), within("off centre"), SEEDS),
        Part("training", on(world_of, training_holes), within("training"), SEEDS),
        Part("deletion", on(world_of, deletion), within("deletion"), SEEDS),
        Part("told", on(world_of, what_holes_tell), within("told by holes"), SEEDS),
        Part("curves", on(world_of, curves), within("curve", but=BEST), SEEDS),
        Part("emoji", emoji, within("complete", world=EMOJI), SEEDS, emoji_are_here),
        Part("table", shop_table, within("table", but=BEST), SEEDS),
    ],
    [Part("black", black_pictures, within("black pictures"), SEEDS)],
    [Part("ceilings", ceilings, within("curve", model=BEST))],
    [Part("ceilings", shop_ceilings, within("table", model=BEST))],
)


def again() -> Iterator[Run]:
    """The beginning of one seed's table of the shop anew."""
    yield from shop_table(0, WAYS[:2])


if __name__ == "__main__":
    PLAN.main()
