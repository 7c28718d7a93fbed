from __future__ import annotations

import json
import textwrap

import pytest
import torch
from torch import nn

from caltrop.record import read_study

ZOO = """
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    torch.manual_seed(0)
    labels = torch.arange(40) % 4
    centres = 3 * torch.randn(4, 6)
    inputs = centres[labels] + torch.randn(40, 6)

    def net(classes=4):
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, classes))

    def loader(inputs=inputs, labels=labels):
        return DataLoader(TensorDataset(inputs, labels), batch_size=16)

    def splits():
        return {"train": loader(), "test": loader(inputs + 0.1, labels)}

    def empty():
        return []

    def one_class():
        return loader(labels=torch.zeros_like(labels))

    def negative():
        return loader(labels=labels - 3)

    def from_one():
        return loader(labels=labels + 1)

    def too_many():
        return loader(labels=labels * 2)

    def halves():
        return loader(labels=labels + 0.5)

    def with_nan():
        broken = inputs.clone()
        broken[17] = float("nan")
        return loader(broken)

    def uneven():
        return [(inputs[:10], labels[:9])]

    def narrow():
        return loader(inputs[:, :5])

    def generator():
        yield inputs, labels

    def shuffled():
        return DataLoader(TensorDataset(inputs, labels), batch_size=16, shuffle=True)

    class Failing(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(6, 4)

        def forward(self, inputs):
            raise RuntimeError("the lookup table is missing")

    class Interrupted(Failing):
        def forward(self, inputs):
            raise KeyboardInterrupt

    class Headless(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Linear(6, 4)

        def forward(self, inputs):
            return torch.tanh(self.body(inputs)) ** 2
"""


@pytest.fixture(autouse=True)
def zoo(workplace):
    (workplace / "zoo.py").write_text(textwrap.dedent(ZOO))


@pytest.fixture
def checkpoints(workplace):
    """Two epochs of the network: the second has other weights."""

    def write(*names: str, **more: torch.Tensor) -> list[str]:
        for seed, name in enumerate(names):
            torch.manual_seed(seed)
            state = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4)).state_dict()
            torch.save({"state_dict": {**state, **more}}, workplace / name)
        return list(names)

    return write


NET = ("measure", "--model", "zoo:net", "--data", "zoo:loader")


def rows_of(ran):
    assert ran.code == 0, ran.err
    return json.loads(ran.out)["rows"]


def test_a_model_is_measured_and_the_choices_are_said_on_stderr(run):
    ran = run(*NET)
    assert ran.code == 0, ran.err
    assert "within_class_variability" in ran.out
    assert "head" in ran.err


def test_json_is_alone_on_stdout(run):
    ran = run(*NET, "--json")
    printed = json.loads(ran.out)
    assert {"rows", "per_class", "notes"} == set(printed)
    assert any("head" in note for note in printed["notes"])


def test_a_dict_of_loaders_gives_one_split_each(run):
    rows = rows_of(run("measure", "--model", "zoo:net", "--data", "zoo:splits", "--json"))
    assert {row["split"] for row in rows} == {"train", "test"}


def test_layers_take_several_values(run):
    rows = rows_of(run(*NET, "--layers", "0", "2:input", "--measures", "means_rank", "--json"))
    assert [row["layer"] for row in rows] == ["0", "2:input"]


def test_every_checkpoint_is_a_step_in_the_order_of_the_steps(run, checkpoints, workplace):
    names = checkpoints("epoch_10.pt", "epoch_2.pt")
    rows = rows_of(run(*NET, "--checkpoint", *names, "--measures", "variability_ratio", "--json", "--out", "run"))
    steps = [row["step"] for row in rows if row["layer"] == "2:input"]
    assert steps == [2, 10]
    assert len({row["value"] for row in rows if row["layer"] == "2:input"}) == 2
    study = read_study(workplace / "run")
    assert study.clock == "epoch"
    assert study.provenance["checkpoints"] == names
    assert study.provenance["model"] == "zoo:net"


def test_a_single_checkpoint_is_loaded_and_has_no_step(run, checkpoints):
    plain = rows_of(run(*NET, "--json"))
    rows = rows_of(run(*NET, "--checkpoint", *checkpoints("net18.pt"), "--json"))
    assert {row["step"] for row in rows} == {None}
    assert rows != plain


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("empty", "empty|no batch|nothing"),
        ("one_class", "only class 0 has samples"),
        ("negative", "-3|negative"),
        ("from_one", "1"),
        ("too_many", "6|num_classes"),
        ("halves", "whole number|regress"),
        ("with_nan", "nan|not finite"),
        ("uneven", "10.*9|9.*10"),
        ("narrow", "mat1 and mat2"),
        ("generator", "exhausted after one pass"),
        ("nothing_like_it", "has no 'nothing_like_it'"),
    ],
)
def test_data_that_cannot_be_measured_are_refused(refuses, data, why):
    import re

    said = refuses("measure", "--model", "zoo:net", "--data", f"zoo:{data}", "--out", "results")
    assert re.search(why, said, re.IGNORECASE), said


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["--layers", "1.relu"], "1.relu"),
        (["--head", "classifier"], "classifier"),
        (["--head", "1"], "1"),
        (["--pool", "somehow"], "somehow"),
        (["--device", "gpu0"], "--device gpu0 cannot be used on this machine"),
        (["--task", "ordinal"], "ordinal measuring is not part of this version"),
        (["--measures", "nc1"], "nc1"),
        (["--num-classes", "3"], "num_classes=3, but the head has 4 rows"),
        (["--num-classes", "1000000000"], "num_classes=1000000000, but the head has 4 rows"),
        (["--device", "meta"], "--device meta cannot be used on this machine"),
        (["--head-file", "x.npz", "--labels-file", "y.npy"], "--labels-file and --head-file do not go with --model"),
        (["--checkpoint", "nowhere.pt"], "there is no file nowhere.pt"),
        (["--checkpoint", "zoo.py"], "has the suffix .py"),
    ],
)
def test_options_that_cannot_be_are_refused(refuses, argv, why):
    assert why in refuses(*NET, *argv, "--out", "results")


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("zoo:nett", "zoo has no 'nett'. Did you mean net?"),
        ("zooo:net", "no Python module zooo"),
        ("zoo", "write it as pkg.mod:name"),
        ("zoo:empty", "gives a list"),
        ("zoo:Failing", "the lookup table is missing"),
    ],
)
def test_models_that_cannot_be_had_are_refused(refuses, model, why):
    assert why in refuses("measure", "--model", model, "--data", "zoo:loader", "--out", "results")


def test_a_module_that_fails_to_import_is_refused(refuses, workplace):
    (workplace / "broken.py").write_text("import torch\nraise RuntimeError('no licence')\n")
    said = refuses("measure", "--model", "broken:net", "--data", "zoo:loader")
    assert "--model broken cannot be imported: RuntimeError: no licence" in said


def test_a_checkpoint_that_does_not_fit_is_refused(refuses, checkpoints):
    checkpoints("epoch_1.pt", extra=torch.ones(1))
    assert "epoch_1.pt does not fit the model: unexpected extra" in refuses(*NET, "--checkpoint", "epoch_1.pt")


def test_a_pickled_model_as_checkpoint_is_refused(refuses, workplace):
    torch.save(nn.Linear(2, 2), workplace / "whole.pt")
    assert "asks to unpickle code" in refuses(*NET, "--checkpoint", "whole.pt")


def test_a_model_without_a_head_is_measured_without_one_and_says_so(run):
    ran = run("measure", "--model", "zoo:Headless", "--data", "zoo:loader", "--num-classes", "4", "--json")
    assert ran.code == 0, ran.err
    printed = json.loads(ran.out)
    assert "self_duality_gap" not in {row["measure"] for row in printed["rows"]}


@pytest.mark.parametrize("count", [10**9, 10**30])
def test_more_classes_than_memory_holds_are_refused_before_any_is_asked_for(refuses, count):
    said = refuses("measure", "--model", "zoo:Headless", "--data", "zoo:loader", "--num-classes", count)
    assert f"num_classes={count}, but split 'train' has far fewer samples" in said


def test_a_measure_that_needs_a_head_is_refused_without_one(refuses):
    said = refuses("measure", "--model", "zoo:Headless", "--data", "zoo:loader", "--measures", "accuracy")
    assert "nothing can be measured: accuracy needs weights=" in said


def test_data_without_model_is_refused(refuses):
    assert "--data and --checkpoint need --model" in refuses("measure", "--data", "zoo:loader")


def test_model_without_data_is_refused(refuses):
    assert "--model needs --data" in refuses("measure", "--model", "zoo:net")


def test_ctrl_c_in_the_middle_leaves_nothing(run, workplace):
    before = sorted(workplace.iterdir())
    ran = run("measure", "--model", "zoo:Interrupted", "--data", "zoo:loader", "--out", "results")
    assert (ran.code, ran.out) == (130, "")
    assert ran.err == "caltrop: interrupted; nothing is half-written.\n"
    assert [path for path in sorted(workplace.iterdir()) if path.name != "__pycache__"] == before
