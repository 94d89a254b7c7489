"""What fit and predict promise. Models and data here are toys: every test takes milliseconds."""

import contextlib
import copy
import itertools

import nbformat
import pytest
import torch
from nbclient import NotebookClient
from torch import nn
from torch.utils.data import DataLoader, Dataset

from course_utils import display, training
from course_utils.attention import Tokens
from course_utils.data.batches import Batches
from course_utils.training import (
    History,
    TrainingInterrupted,
    TrainingStopped,
    _to_device,
    fit,
    predict,
    should_stop,
)


@pytest.fixture(autouse=True)
def _full_size(monkeypatch):
    monkeypatch.delenv("COURSE_SMOKE", raising=False)
    monkeypatch.delenv("COURSE_BUILD", raising=False)


class Model(nn.Module):
    """Four numbers in, three classes out; dropout and BatchNorm, so that modes matter."""

    def __init__(self, classes=3):
        super().__init__()
        torch.manual_seed(1)
        self.layers = nn.Sequential(
            nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, classes)
        )

    def forward(self, batch):
        return self.layers(batch["x"])


def rows(n=48, seed=0, **other):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 4, generator=g)
    return {"x": x, "label": x[:, :3].argmax(dim=1)} | other


def batches(n=48, seed=0, shuffle=True):
    return Batches(rows(n, seed), batch_size=16, shuffle=shuffle, seed=seed)


def quick(model, train=None, validation=None, **how):
    how = {"epochs": 3, "learning_rate": 0.02, "device": "cpu"} | how
    return fit(model, batches() if train is None else train, validation, **how)


def same(left, right):
    left, right = left.state_dict(), right.state_dict()
    return all(torch.equal(left[name], right[name]) for name in left)


class Rows(Dataset):
    def __init__(self, n=48):
        self.rows = rows(n)

    def __len__(self):
        return len(self.rows["label"])

    def __getitem__(self, i):
        return {name: values[i] for name, values in self.rows.items()}


# ---- learning and the history ----


def test_a_model_learns_and_the_history_has_one_number_per_epoch():
    model = Model()
    history = quick(model, batches(96), batches(48, seed=7), epochs=12)
    assert history.validation_accuracy[-1] > 0.7
    assert history.train_loss[-1] < history.train_loss[0]
    assert list(history.table().columns) == [
        "train_loss",
        "train_accuracy",
        "validation_loss",
        "validation_accuracy",
    ]
    assert list(history.table().index) == list(range(1, 13))


def test_numbers_of_the_history_are_means_over_rows_not_over_batches():
    model, validation = Model(), batches(20, seed=3, shuffle=False)  # batches of 16 and 4
    history = quick(model, batches(), validation, epochs=1)
    logits = predict(model, validation)
    label = validation.tensors["label"]
    assert history.validation_loss[0] == pytest.approx(
        nn.functional.cross_entropy(logits, label).item(), rel=1e-5
    )
    assert history.validation_accuracy[0] == (logits.argmax(1) == label).sum().item() / 20


def test_the_weights_are_those_of_the_bare_loop():
    model, bare = Model(), Model()
    quick(model, batches(), batches(seed=5), epochs=1, weight_decay=0.1, seed=3)
    optimizer = torch.optim.AdamW(bare.parameters(), lr=0.02, weight_decay=0.1)
    torch.manual_seed(3)
    for batch in batches():
        optimizer.zero_grad()
        nn.functional.cross_entropy(bare(batch), batch["label"]).backward()
        optimizer.step()
    assert same(model, bare)


class Scripted(nn.Module):
    """Right on as many of ten validation rows as the script says for each epoch."""

    def __init__(self, script):
        super().__init__()
        self.script, self.weight = script, nn.Parameter(torch.zeros(()))
        self.register_buffer("epoch", torch.zeros((), dtype=torch.long))

    def forward(self, batch):
        if self.training:
            self.epoch += 1
        right = torch.arange(len(batch["label"])) < self.script[int(self.epoch) - 1]
        return torch.stack([right.float(), 1 - right.float()], dim=1) + self.weight


TEN = [{"label": torch.zeros(10, dtype=torch.long)}]


def test_the_best_epoch_comes_back_and_of_equals_the_earlier_one():
    model = Scripted([3, 8, 8, 5])
    history = quick(model, TEN, TEN, epochs=4)
    assert history.validation_accuracy == [0.3, 0.8, 0.8, 0.5]
    assert history.best_epoch == 2
    assert int(model.epoch) == 2


def test_without_validation_the_last_epoch_stays():
    model = Scripted([3, 8, 5])
    history = quick(model, TEN, epochs=3)
    assert (history.best_epoch, int(model.epoch)) == (None, 3)
    assert list(history.table().columns) == ["train_loss", "train_accuracy"]


def test_patience_stops_after_so_many_epochs_without_a_better_one():
    history = quick(Scripted([3, 8, 8, 7, 9, 9]), TEN, TEN, epochs=6, patience=2)
    assert history.validation_accuracy == [0.3, 0.8, 0.8, 0.7]


@pytest.mark.parametrize(
    ("scores", "patience", "stop"),
    [
        ([], 1, False),
        ([0.5], 1, False),
        ([0.8, 0.7], 1, True),
        ([0.8, 0.7], 2, False),
        ([0.8, 0.6, 0.7], 2, True),  # a rise below the best is not a better score
        ([0.8, 0.8], 1, True),  # nor is an equal one
        ([0.8, 0.7, 0.9], 1, False),
        ([-1.0, -0.5, -0.6], 1, True),  # minus a loss will do
    ],
)
def test_should_stop_counts_the_epochs_since_the_first_best_one(scores, patience, stop):
    assert should_stop(scores, patience) is stop


def test_without_validation_patience_never_ends_a_run():
    assert not History([1.0, 0.5], [0.5, 0.8]).is_over(epochs=3, patience=1)


def test_the_plot_draws_loss_and_accuracy_with_labels_and_the_best_epoch():
    figure = quick(Model(), batches(), batches(seed=5)).plot()
    loss, accuracy = figure.axes
    assert [ax.get_xlabel() for ax in figure.axes] == ["epoch", "epoch"]
    assert loss.get_ylabel().startswith("loss")
    assert accuracy.get_ylabel().startswith("accuracy")
    names = [text.get_text() for text in loss.get_legend().get_texts()]
    assert names == ["train", "validation", "best epoch"]


def test_an_empty_history_can_be_drawn_shown_and_tabled():
    history = History(interrupted=True)
    assert repr(history) == "History(0 epochs, interrupted)"
    assert len(history.table()) == 0
    assert len(history.plot().axes) == 2


def test_the_history_says_in_one_line_what_came_out():
    history = History([1.0, 0.5], [0.5, 0.8], [1.1, 0.9], [0.5, 0.75])
    assert repr(history) == "History(2 epochs, best 2, validation accuracy 0.75)"


# ---- modes, random numbers, devices ----


def test_all_tensors_of_a_batch_go_to_the_device_and_other_things_stay():
    words = Tokens(torch.ones(2, 3, 1), torch.ones(2, 3) > 0)
    batch = {"present": {"text": torch.ones(2) > 0}, "words": words, "file": ["a", "b"]}
    moved = _to_device(batch, torch.device("meta"), "batch 0")
    assert moved["file"] == ["a", "b"]
    for tensor in (moved["present"]["text"], *moved["words"]):
        assert tensor.device.type == "meta"
    assert isinstance(moved["words"], Tokens)


def test_fit_trains_in_train_mode_and_measures_and_ends_in_eval_mode():
    seen = []

    class Spy(Model):
        def forward(self, batch):
            seen.append((len(batch["label"]), self.training, torch.is_grad_enabled()))
            return super().forward(batch)

    model = Spy()
    quick(model, batches(32), batches(8), epochs=2)
    assert seen == [(16, True, True), (16, True, True), (8, False, False)] * 2
    assert not model.training


def test_the_same_call_gives_the_same_weights_and_leaves_global_randomness_alone():
    first, second, other = Model(), Model(), Model()
    before = torch.get_rng_state()
    quick(first)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    quick(second)
    quick(other, seed=1)
    assert same(first, second)
    assert not same(first, other)


def test_a_shuffling_data_loader_follows_the_seed_of_fit():
    first, second = Model(), Model()
    for model, global_seed in ((first, 5), (second, 6)):
        torch.manual_seed(global_seed)
        quick(model, DataLoader(Rows(), batch_size=16, shuffle=True))
    assert same(first, second)


def test_an_optimizer_and_a_loss_of_ones_own_are_used():
    model, calls = Model(), []

    def loss(logits, batch):
        calls.append(len(batch["label"]))
        return 0 * logits.sum()

    before = copy.deepcopy(model.layers[0].weight)
    history = quick(
        model, loss=loss, optimizer=torch.optim.SGD(model.parameters(), lr=0.1), epochs=1
    )
    assert calls == [16, 16, 16]
    assert history.train_loss == [0.0]
    assert torch.equal(model.layers[0].weight, before)


def test_frozen_parameters_stay_as_they_are():
    model = Model()
    model.layers[0].requires_grad_(False)
    before = copy.deepcopy(model.layers[0].weight)
    quick(model, weight_decay=0.5)
    assert torch.equal(model.layers[0].weight, before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_model_comes_home_from_the_gpu(tmp_path):
    model, before = Model(), torch.cuda.get_rng_state()
    for epochs in (1, 2):
        quick(
            model,
            validation=batches(seed=5),
            device="cuda",
            epochs=epochs,
            checkpoint=tmp_path / "c",
        )
    assert next(model.parameters()).device.type == "cpu"
    assert predict(model, batches(), device="cuda").device.type == "cpu"
    assert torch.equal(before, torch.cuda.get_rng_state())


# ---- predict ----


def test_predict_gives_cpu_logits_in_order_and_leaves_the_mode_as_it_was():
    model, data = Model(), batches(40, shuffle=False)
    logits = predict(model.train(), data, device="cpu")
    assert model.training
    assert logits.shape == (40, 3)
    assert not logits.requires_grad
    torch.testing.assert_close(logits, model.eval()(data.tensors).detach())


def test_predict_needs_no_label_and_says_when_there_is_no_batch():
    assert predict(Model(), [{"x": torch.zeros(2, 4)}]).shape == (2, 3)
    with pytest.raises(ValueError, match="predict got no batch"):
        predict(Model(), [])


# ---- checkpoints ----


def loader(own_generator):
    generator = torch.Generator().manual_seed(4) if own_generator else None
    return DataLoader(Rows(), batch_size=16, shuffle=True, generator=generator)


@pytest.mark.parametrize(
    "source", [batches, lambda: loader(True), lambda: loader(False)], ids=["own", "gen", "global"]
)
def test_two_epochs_and_two_more_are_four_bit_for_bit(tmp_path, source):
    whole, half = Model(), Model()
    straight = quick(whole, source(), batches(seed=5), epochs=4)
    quick(half, source(), batches(seed=5), epochs=2, checkpoint=tmp_path / "run.pt")
    torch.rand(3)
    resumed = Model(), source()
    with torch.no_grad():
        resumed[0].layers[0].weight.zero_()  # what a new model holds must not matter
    history = quick(*resumed, batches(seed=5), epochs=4, checkpoint=tmp_path / "run.pt")
    assert history == straight
    assert same(whole, resumed[0])


def halving(optimizer, steps):
    return torch.optim.lr_scheduler.StepLR(optimizer, max(1, steps // 2), gamma=0.5)


def test_a_schedule_changes_the_rate_at_each_step():
    rates = []

    def watched(optimizer, steps):
        scheduler = halving(optimizer, steps)
        optimizer.register_step_post_hook(
            lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"])
        )
        return scheduler

    quick(Model(), batches(), epochs=2, learning_rate=0.02, schedule=watched)
    assert len(rates) == 2 * len(batches())
    assert rates == [0.02] * len(batches()) + [0.01] * len(batches())


def test_a_run_with_a_schedule_goes_on_to_the_same_weights(tmp_path):
    whole, half, rest = Model(), Model(), Model()
    quick(whole, batches(), epochs=4, schedule=halving)
    steps = itertools.count(1)

    def stopping_in_the_third_epoch(logits, batch):
        if next(steps) == 8:
            raise KeyboardInterrupt
        return nn.functional.cross_entropy(logits, batch["label"])

    with pytest.raises(KeyboardInterrupt):
        quick(half, batches(), epochs=4, schedule=halving, checkpoint=tmp_path / "run.pt",
              loss=stopping_in_the_third_epoch)  # fmt: skip
    quick(rest, batches(), epochs=4, schedule=halving, checkpoint=tmp_path / "run.pt")
    assert same(whole, rest)


def test_a_checkpoint_of_a_shorter_schedule_is_refused(tmp_path):
    path = tmp_path / "run.pt"
    quick(Model(), batches(), epochs=1, schedule=halving, checkpoint=path)
    with pytest.raises(ValueError, match=r"schedule, StepLR over \d+ steps there and StepLR"):
        quick(Model(), batches(), epochs=2, schedule=halving, checkpoint=path)


def test_the_best_epoch_before_a_checkpoint_is_remembered(tmp_path):
    quick(Scripted([3, 8, 5, 4]), TEN, TEN, epochs=3, checkpoint=tmp_path / "run.pt")
    model = Scripted([3, 8, 5, 4])
    history = quick(model, TEN, TEN, epochs=4, checkpoint=tmp_path / "run.pt")
    assert (history.best_epoch, history.epochs, int(model.epoch)) == (2, 4, 2)


def test_a_finished_run_is_read_back_and_not_trained_on(tmp_path):
    first, again = Model(), Model()
    one = quick(first, checkpoint=tmp_path / "deep" / "run.pt")
    two = quick(again, checkpoint=tmp_path / "deep" / "run.pt")
    assert one == two
    assert same(first, again)


def test_a_checkpoint_holds_tensors_and_plain_values_only(tmp_path):
    quick(Model(), validation=batches(seed=5), checkpoint=tmp_path / "run.pt", epochs=1)
    assert torch.load(tmp_path / "run.pt", weights_only=True)["history"]["train_loss"]
    assert [path.name for path in tmp_path.iterdir()] == ["run.pt"]


def test_an_interrupted_write_leaves_the_older_checkpoint_whole(tmp_path, monkeypatch):
    path = tmp_path / "run.pt"
    quick(Model(), checkpoint=path, epochs=1)
    before = path.read_bytes()

    def half(state, part):
        part.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(OSError, match="disk full"):
        quick(Model(), checkpoint=path, epochs=2)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["run.pt"]


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"model": Model(classes=5)}, r"layers.4.weight, \(3, 16\) there and \(5, 16\) here"),
        ({"model": Scripted([])}, "weight, missing there"),
        ({"learning_rate": 0.5}, "learning_rate, 0.02 there and 0.5 here"),
        ({"seed": 4}, "seed, 0 there and 4 here"),
        ({"train": batches(64)}, "batches in an epoch, 3 there and 4 here"),
        ({"train": list(batches())}, "kind of batches, Batches there and list here"),
        ({"validation": batches()}, "validation batches, 0 there and 3 here"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused_in_one_sentence(tmp_path, other, says):
    quick(Model(), checkpoint=tmp_path / "run.pt", epochs=1)
    with pytest.raises(ValueError, match=says) as caught:
        quick(**({"model": Model(), "checkpoint": tmp_path / "run.pt"} | other))
    assert "\n" not in str(caught.value)
    assert "delete the file" in str(caught.value)


def test_a_file_that_is_no_checkpoint_is_named(tmp_path):
    path = tmp_path / "run.pt"
    for content in (b"", b"not a checkpoint"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"run.pt is not a checkpoint"):
            quick(Model(), checkpoint=path)
    torch.save({"weight": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match=r"run.pt is not a checkpoint"):
        quick(Model(), checkpoint=path)


# ---- things that go wrong on the way ----


class Failing(Model):
    """Calls ``fail`` in the given training step, counted from 1."""

    def __init__(self, step, fail):
        super().__init__()
        self.step, self.fail, self.steps = step, fail, 0

    def forward(self, batch):
        logits = super().forward(batch)
        self.steps += self.training
        return self.fail(logits) if self.training and self.steps == self.step else logits


def test_a_loss_that_is_no_number_is_named_with_epoch_and_batch():
    model, good = Failing(5, lambda logits: logits * torch.nan), Model()
    with pytest.raises(
        TrainingStopped, match=r"loss is nan in epoch 2, batch 2 of train"
    ) as caught:
        quick(model, batches())
    assert "the model is as it was after epoch 1" in str(caught.value)
    quick(good, epochs=1)
    assert same(model, good)
    assert not model.training


def test_infinite_inputs_in_the_validation_rows_are_named():
    bad = rows(32)
    bad["x"][20] = torch.inf
    with pytest.raises(TrainingStopped, match="epoch 1, batch 2 of validation"):
        quick(Model(), validation=Batches(bad, batch_size=16))


def test_weights_that_break_in_the_last_step_stop_the_run_too():
    model = Model()
    before = copy.deepcopy(model)

    def loss(logits, batch):
        return (logits * 0).abs().sqrt().sum()  # 0 with a gradient of nan

    with pytest.raises(TrainingStopped, match=r"not finite after the last batch of epoch 1"):
        quick(model, [rows(16)], loss=loss)
    assert same(model, before)


def interrupt(logits):
    raise KeyboardInterrupt


def stopped(model, **how):
    """What comes out of a run that somebody stops."""
    with pytest.raises(TrainingInterrupted) as caught:
        quick(model, **how)
    return caught.value


def test_an_interruption_leaves_the_best_complete_epoch_and_says_so():
    model, good = Failing(8, interrupt), Model()
    stop = stopped(model, epochs=5)
    quick(good, epochs=2)
    assert (stop.history.epochs, stop.history.interrupted) == (2, True)
    assert same(model, good)
    assert not model.training
    (shown,) = stop._render_traceback_()
    assert shown.startswith("Training interrupted: the model is as it was after epoch 2; with")


def test_an_interruption_ends_the_cell_that_trains_several_models():
    trained = []

    def cell():
        for model in (Model(), Failing(8, interrupt), Model()):
            trained.append(quick(model))

    with pytest.raises(KeyboardInterrupt):
        cell()
    assert len(trained) == 1


STOP_A_CELL = """
import itertools, os, signal, torch
from course_utils.training import fit
steps = itertools.count(1)
class Model(torch.nn.Linear):
    def forward(self, batch):
        if next(steps) == 30:  # in the second epoch, somebody presses stop
            os.kill(os.getpid(), signal.SIGINT)
        return super().forward(batch["x"])
rows = [{"x": torch.ones(4, 2), "label": torch.arange(4) % 2}] * 20
done = []
for seed in range(3):
    done.append(fit(Model(2, 2), rows, epochs=3))
"""


@pytest.mark.slow
def test_the_stop_button_shows_one_sentence_in_a_notebook(monkeypatch, root):
    monkeypatch.setenv("PYTHONPATH", str(root))
    cells = [nbformat.v4.new_code_cell(text) for text in (STOP_A_CELL, "done")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=120, allow_errors=True).execute()
    (error,) = (o for o in cells[0].outputs if o.output_type == "error")
    assert error.ename == "TrainingInterrupted"
    (line,) = error.traceback
    assert line.startswith("Training interrupted: the model is as it was after epoch 1;")
    assert cells[1].outputs[0].data["text/plain"] == "[]"


def test_an_interrupted_run_goes_on_from_its_checkpoint(tmp_path):
    model, whole = Model(), Model()
    stop = stopped(Failing(8, interrupt), epochs=5, checkpoint=tmp_path / "run.pt")
    assert f"go on from {tmp_path / 'run.pt'}" in str(stop)
    history = quick(model, epochs=5, checkpoint=tmp_path / "run.pt")
    assert history == quick(whole, epochs=5)
    assert not history.interrupted
    assert same(model, whole)


def test_an_interruption_in_the_first_epoch_leaves_the_model_untrained(tmp_path):
    model = Failing(2, interrupt)
    stop = stopped(model, checkpoint=tmp_path / "run.pt")
    assert repr(stop.history) == "History(0 epochs, interrupted)"
    assert same(model, Model())
    assert str(stop) == "Training interrupted: the model is as it was before training."


# ---- bad input ends in one sentence ----


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ([], "train is empty"),
        (iter([rows()]), "train has no length"),
        ([torch.zeros(2)], "batch 1 of train is a Tensor; a batch is a dict"),
        ([rows(16), {"x": torch.zeros(2, 4)}], "batch 2 of train has no 'label'; it has 'x'"),
        ([rows(label=torch.zeros(48))], "label in batch 1 of train is torch.float32"),
        ([rows(label=torch.zeros(48, 1).long())], r"is torch.int64 \(48, 1\)"),
        ([rows(label=[0] * 48)], "is a list"),
        ([rows(label=torch.full((48,), 3))], "has label 3, but the model knows 3 classes, 0 to 2"),
        ([rows(label=torch.full((48,), -1))], "has label -1"),
    ],
)
def test_bad_batches_are_named(bad, says):
    with pytest.raises(ValueError, match=says) as caught:
        quick(Model(), bad)
    assert "\n" not in str(caught.value)


def test_a_batch_of_one_row_under_batchnorm_is_named_and_what_to_do():
    whole = rows(17)
    parts = [{name: values[part] for name, values in whole.items()}
             for part in (slice(16), slice(16, 17))]  # fmt: skip
    with pytest.raises(ValueError, match=r"batch 2 of train holds one row, and BatchNorm"):
        quick(Model(), parts)
    assert quick(Model(), parts[:1], validation=parts).epochs == 3  # which only measures


# ---- another default in torch ----


@pytest.fixture
def _double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("_double")
@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.float64])
def test_floats_reach_the_model_in_the_precision_of_its_weights(kind):
    tensors = rows()
    tensors["x"] = tensors["x"].to(kind)
    model = Model()
    assert quick(model, Batches(tensors, 16)).epochs == 3
    assert predict(model, Batches(tensors, 16)).dtype == torch.float64


def test_a_model_of_two_precisions_gets_what_the_batch_holds():
    class Mixed(Model):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones((), dtype=torch.float64))

        def forward(self, batch):
            assert batch["x"].dtype == torch.float32
            return super().forward(batch) * self.scale

    assert quick(Mixed()).epochs == 3


def test_a_bad_label_in_the_validation_rows_is_named():
    with pytest.raises(ValueError, match="batch 1 of validation has label 7"):
        quick(Model(), validation=[rows(label=torch.full((48,), 7))])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda logits: logits[:, 0],
            r"logits \(16,\) for batch 1 of train; they must be \(16, C\)",
        ),
        (lambda logits: logits[:, :1], r"logits \(16, 1\)"),
        (lambda logits: logits[:5], r"logits \(5, 3\)"),
        (lambda logits: (logits, None), "the model gave a tuple"),
    ],
)
def test_logits_of_a_wrong_shape_are_told(change, says):
    with pytest.raises(ValueError, match=says):
        quick(Failing(1, change))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"epochs": 0}, "at least one epoch"),
        ({"patience": 2}, "needs validation batches"),
        ({"patience": 0, "validation": batches()}, "1 or more"),
        ({"validation": []}, "validation is empty"),
        ({"optimizer": torch.optim.SGD}, "optimizer takes a built one"),
        ({"optimizer": torch.optim.SGD(Model().parameters())}, "another model's parameters"),
        ({"model": Model().requires_grad_(False)}, "nothing to train"),
    ],
)
def test_unfit_arguments_are_told(how, says):
    with pytest.raises(ValueError, match=says):
        quick(**({"model": Model()} | how))


# ---- watching, smoke ----


def test_tensorboard_files_hold_every_measure_of_every_epoch(tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    history = quick(Model(), validation=batches(seed=5), log_dir=tmp_path)
    board = events.EventAccumulator(str(tmp_path)).Reload()
    assert sorted(board.Tags()["scalars"]) == [
        "accuracy/train",
        "accuracy/validation",
        "loss/train",
        "loss/validation",
    ]
    found = board.Scalars("loss/train")
    assert [event.step for event in found] == [1, 2, 3]
    assert [event.value for event in found] == pytest.approx(history.train_loss)


def test_a_smoke_run_is_one_epoch_of_four_batches(monkeypatch):
    monkeypatch.setenv("COURSE_SMOKE", "1")
    model = Failing(99, None)
    history = quick(model, batches(160), batches(160), epochs=8)
    assert (history.epochs, model.steps) == (1, 4)


@pytest.mark.parametrize(("how", "shown"), [(True, True), (False, False), (None, None)])
def test_the_bar_counts_batches_and_is_shown_as_asked(monkeypatch, how, shown):
    bars = []

    @contextlib.contextmanager
    def watched(total, what, unit, *, done, shown):
        with display.progress_bar(total, what, unit, done=done, shown=False) as bar:
            bars.append((total, unit, done, shown, bar))
            yield bar

    monkeypatch.setattr(training, "progress_bar", watched)
    quick(Model(), epochs=5, progress=how)
    ((total, unit, done, asked, bar),) = bars
    assert (total, unit, done, asked, bar.n) == (15, "batch", 0, shown, 15)
    assert bar.text == "epoch 5"
