from __future__ import annotations

import textwrap

import pytest
import torch
from torch.utils.data import DataLoader

from caltrop.cli.user_code import load_loaders, load_model


@pytest.fixture
def module(workplace):
    """Write zoo.py into the working folder."""

    def write(source: str, name: str = "zoo") -> None:
        path = workplace / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(source))

    return write


MODELS = """
    import torch
    class Net(torch.nn.Linear):
        def __init__(self):
            super().__init__(2, 3)
    ready = torch.nn.Linear(2, 3)
    def make_model():
        return torch.nn.Linear(2, 3)
    class Zoo:
        @staticmethod
        def net():
            return torch.nn.Linear(2, 3)
"""


@pytest.mark.parametrize("name", ["make_model", "ready", "Net", "Zoo.net"])
def test_a_function_a_class_and_a_module_all_give_a_model(module, name):
    module(MODELS)
    assert isinstance(load_model(f"zoo:{name}"), torch.nn.Linear)


def test_a_package_of_the_working_folder_is_found(module):
    module(MODELS, name="nets.zoo")
    assert isinstance(load_model("nets.zoo:make_model"), torch.nn.Linear)


LOADERS = """
    import torch
    from torch.utils.data import DataLoader, TensorDataset
    data = TensorDataset(torch.ones(4, 2), torch.arange(4))
    loader = DataLoader(data, batch_size=2)
    def make_loader():
        return loader
    def batches():
        return [(torch.ones(4, 2), torch.arange(4))]
    def splits():
        return {"train": loader, "test": batches()}
    def dataset():
        return data
    def generator():
        yield torch.ones(4, 2), torch.arange(4)
    def one_pass_inside():
        return {"train": generator()}
    nothing = {}
    number = 3
"""


@pytest.mark.parametrize("name", ["loader", "make_loader"])
def test_a_loader_is_taken_or_made(module, name):
    module(LOADERS)
    assert isinstance(load_loaders(f"zoo:{name}"), DataLoader)


def test_a_list_of_batches_is_a_loader(module):
    module(LOADERS)
    assert len(load_loaders("zoo:batches")) == 1


def test_a_dict_of_loaders_keeps_its_splits(module):
    module(LOADERS)
    assert list(load_loaders("zoo:splits")) == ["train", "test"]


@pytest.mark.parametrize(
    ("name", "error", "why"),
    [
        ("dataset", TypeError, r"gives a dataset; wrap it: DataLoader\(dataset"),
        ("generator", ValueError, "generator, which is exhausted after one pass; return a DataLoader or a list"),
        ("one_pass_inside", ValueError, r"\['train'\] gives a generator, which is exhausted after one pass"),
        ("nothing", ValueError, "gives an empty dict"),
        ("number", TypeError, "gives a int; it must be or return a DataLoader"),
    ],
)
def test_what_is_not_a_loader_is_refused(module, name, error, why):
    module(LOADERS)
    with pytest.raises(error, match=why):
        load_loaders(f"zoo:{name}")


@pytest.mark.parametrize("name", ["zoo", "zoo:", ":make_model"])
def test_a_name_without_both_parts_is_refused(name):
    with pytest.raises(ValueError, match=r"does not name an attribute; write it as pkg\.mod:name"):
        load_model(name)


def test_a_module_that_does_not_exist_offers_the_nearest(module):
    module(MODELS)
    with pytest.raises(ImportError, match=r"no Python module zooo in the working folder.*Did you mean zoo\?"):
        load_model("zooo:make_model")


def test_an_attribute_that_does_not_exist_offers_the_nearest(module):
    module(MODELS)
    with pytest.raises(ImportError, match=r"zoo has no 'make_modl'\. Did you mean make_model\?"):
        load_model("zoo:make_modl")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("import notthere", "cannot be imported: ModuleNotFoundError: No module named 'notthere'"),
        ("1 / 0", "cannot be imported: ZeroDivisionError: division by zero"),
        ("def f(:", r"cannot be imported: SyntaxError: .*line 1"),
        ("raise SystemExit(3)", "cannot be imported: SystemExit: 3"),
    ],
)
def test_a_module_that_fails_to_import_says_why(module, source, why):
    module(source)
    with pytest.raises(ImportError, match=why):
        load_model("zoo:make_model")


def test_a_function_that_wants_arguments_is_refused(module):
    module("def make_model(width): return width")
    with pytest.raises(ValueError, match=r"calling it without arguments failed: TypeError: .*'width'"):
        load_model("zoo:make_model")


def test_a_function_that_returns_something_else_is_refused(module):
    module("def make_model(): return [1]")
    with pytest.raises(TypeError, match=r"gives a list; it must be or return a torch\.nn\.Module"):
        load_model("zoo:make_model")
