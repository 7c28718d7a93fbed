from __future__ import annotations

import json
import os

import numpy as np
import pytest
import torch

import caltrop.files
from caltrop.record import read_study

NAN_AT_17 = np.where(np.arange(48)[:, None] == 17, np.nan, 1.0) * np.ones((1, 6))


def strict(text):
    return json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))


def test_the_table_goes_to_stdout_and_notes_to_stderr(run, features):
    ran = run("measure", features())
    assert ran.code == 0
    assert "within_class_variability" in ran.out
    assert ran.err == "note: the head (`weights`) stands on the layer 'features'\n"


def test_nothing_is_written_without_out(run, features, workplace):
    run("measure", features())
    assert [path.name for path in workplace.iterdir()] == ["features.npz"]


def test_json_is_strict_and_alone_on_stdout(run, features, arrays):
    ran = run("measure", features(), "--json")
    assert (ran.code, ran.err) == (0, "")
    printed = strict(ran.out)
    assert set(printed) == {"rows", "per_class", "notes"}
    values = {row["measure"]: row["value"] for row in printed["rows"]}
    said = (arrays["features"] @ arrays["weights"].T + arrays["bias"]).argmax(1)
    assert values["accuracy"] == (said == arrays["labels"]).mean()
    assert printed["notes"] == ["the head (`weights`) stands on the layer 'features'"]
    assert set(printed["per_class"]["all"]["features"]["variability_ratio"]) == {"0", "1", "2", "3"}


def test_the_numbers_are_those_of_the_python_door(run, features, arrays):
    from caltrop.observe import measure

    seen = measure(arrays["features"], arrays["labels"], weights=arrays["weights"], bias=arrays["bias"])
    rows = strict(run("measure", features(), "--json").out)["rows"]
    assert rows == [row.as_dict() for row in seen.rows]


@pytest.mark.parametrize("suffix", [".npy", ".pt", ".safetensors", ".h5"])
def test_every_format_gives_the_same_numbers(run, features, arrays, workplace, suffix):
    tensors = {name: torch.as_tensor(array) for name, array in arrays.items()}
    more: list[str] = []
    if suffix == ".npy":
        np.save(workplace / "f.npy", arrays["features"])
        np.save(workplace / "labels.npy", arrays["labels"])
        np.savez(workplace / "head.npz", weights=arrays["weights"], bias=arrays["bias"])
        more = ["--head-file", "head.npz"]
    elif suffix == ".pt":
        torch.save(tensors, workplace / "f.pt")
    elif suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file(tensors, workplace / "f.safetensors")
    else:
        import h5py

        with h5py.File(workplace / "f.h5", "w") as file:
            for name, array in arrays.items():
                file[name] = array
    ran = run("measure", f"f{suffix}", "--json", *more)
    assert ran.code == 0, ran.err
    assert strict(ran.out)["rows"] == strict(run("measure", features(), "--json").out)["rows"]


def test_out_holds_the_record_and_the_page(run, features, workplace):
    ran = run("measure", features(), "--out", "deep/results")
    assert ran.code == 0
    assert ran.err.endswith("record: deep/results/record.json\npage: deep/results/page.html\n")
    assert sorted(path.name for path in (workplace / "deep" / "results").iterdir()) == ["page.html", "record.json"]
    study = read_study(workplace / "deep" / "results")
    assert study.title == "Neural collapse in features.npz"
    assert study.provenance["command"] == "caltrop measure features.npz --out deep/results"
    assert study.provenance["features"] == {"features": "float32 [48, 6]"}
    assert study.provenance["torch"] == torch.__version__


def test_json_with_out_names_the_files_and_nothing_else_is_printed(run, features):
    ran = run("measure", features(), "--out", "results", "--json")
    assert ran.err == ""
    printed = strict(ran.out)
    assert (printed["record"], printed["page"]) == ("results/record.json", "results/page.html")


def test_several_layers_are_measured_and_the_head_joins_the_last_that_fits(run, features, arrays):
    name = features(features=None, block1=np.ones((48, 2)) * arrays["labels"][:, None], block2=arrays["features"])
    printed = strict(run("measure", name, "--json").out)
    layers = {row["layer"] for row in printed["rows"] if row["layer"]}
    assert layers == {"block1", "block2"}
    duality = [row["layer"] for row in printed["rows"] if row["measure"] == "self_duality_gap"]
    assert duality == ["block2"]


def test_layers_and_measures_take_several_values(run, features, arrays):
    name = features(**{f"block{i}": arrays["features"] + i for i in range(3)})
    printed = strict(run("measure", name, "--layers", "block0", "block2", "--measures", "means_rank", "--json").out)
    assert [(row["layer"], row["measure"]) for row in printed["rows"]] == [
        ("block0", "means_rank"),
        ("block2", "means_rank"),
    ]


def test_ignored_labels_are_left_out(run, features, arrays):
    labels = arrays["labels"].copy()
    labels[:3] = 255
    labels[3] = -1
    ran = run("measure", features(labels=labels), "--ignore-index", "-1", "255", "--json")
    assert ran.code == 0, ran.err
    assert set(strict(ran.out)["per_class"]["all"]["features"]["variability_ratio"]) == {"0", "1", "2", "3"}


def test_a_head_from_a_state_dict_replaces_the_one_inside(run, features, arrays, workplace):
    state = {"body.weight": torch.ones(6, 3), "fc.weight": torch.as_tensor(arrays["weights"]), "fc.bias": torch.ones(4)}
    torch.save({"state_dict": state}, workplace / "c.pt")
    ran = run("measure", features(), "--head-file", "c.pt")
    assert ran.code == 0
    assert "note: the head inside the features file is not used\n" in ran.err
    assert "note: the head is the layer 'fc' of c.pt and stands on the layer 'features'\n" in ran.err


def test_features_may_be_bfloat16(run, arrays, workplace):
    from safetensors.torch import save_file

    tensors = {"features": torch.as_tensor(arrays["features"]).bfloat16(), "labels": torch.as_tensor(arrays["labels"])}
    save_file(tensors, workplace / "f.safetensors")
    ran = run("measure", "f.safetensors", "--json")
    assert ran.code == 0, ran.err


def labels_like(value, count=48):
    return np.full(count, value)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"features": np.ones((0, 6)), "labels": np.ones(0, int)}, "nothing to measure"),
        ({"labels": np.zeros(48, int), "weights": None, "bias": None}, "only class 0 has samples"),
        ({"labels": np.where(np.arange(48) == 5, -3, np.arange(48) % 4)}, "-3"),
        ({"labels": np.arange(48) % 4 + 1, "weights": None, "bias": None}, "Subtract 1, or pass num_classes"),
        ({"labels": np.arange(48) % 4 + 0.5}, "not a whole number"),
        ({"labels": np.where(np.arange(48) == 5, np.nan, np.arange(48) % 4)}, "label 5 is nan"),
        ({"labels": np.arange(48) % 9}, "8"),
        ({"labels": np.array(["a", "b"] * 24)}, "holds text"),
        ({"labels": None}, "no `labels`"),
        ({"features": NAN_AT_17}, "features.*17|17.*features"),
        ({"features": np.where(np.isnan(NAN_AT_17), np.inf, NAN_AT_17)}, "features.*17|17.*features"),
        ({"labels": np.arange(40) % 4}, "48 samples, but there are 40 labels"),
        ({"features": np.ones((48, 3, 2, 2))}, "Average over positions"),
        ({"features": np.ones((48, 6), np.uint8)}, "pixels or codes"),
        ({"weights": np.ones((4, 5))}, "takes 5 columns, but features has 6"),
        ({"weights": np.ones((2, 6)), "bias": None}, "2"),
        ({"bias": np.ones(3)}, r"`bias` is float64 \[3\], but `weights` is float32 \[4, 6\]"),
        ({"labels": None, "targets": np.ones((48, 2))}, "regression is not measured"),
        ({"features": np.ones((48, 6), complex)}, "features are real"),
        ({"weights": np.ones((4, 6), complex)}, "the head's weights or bias are complex"),
        ({"weights": np.full((4, 6), np.nan)}, "the head's weights are not finite"),
        ({"labels": np.arange(48) % 4 * 10**12, "weights": None}, "are these identifiers"),
    ],
)
def test_features_and_labels_that_cannot_be_measured_are_refused(refuses, features, changes, why):
    import re

    said = refuses("measure", features(**changes), "--out", "results")
    assert re.search(why, said), said


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["--num-classes", "3"], "num_classes=3|0..2"),
        (["--num-classes", "1"], "--num-classes 1 is too few"),
        (["--num-classes", "1000000000"], "num_classes=1000000000, but the head has 4 rows"),
        (["--ignore-index", str(10**30)], "is no label: labels are integers of at most 64 bits"),
        (["--layers", "featurs"], "no layer 'featurs'. Did you mean features?"),
        (["--measures", "within_class_variabilty"], "within_class_variability"),
        (["--head-file", "nowhere.pt"], "no file nowhere.pt"),
        (["--head-file", "features.npz", "--head", "fc"], "no linear layer|cannot be a state dict|no `weights`"),
        (["--head", "fc"], "--head names a layer of --model or of --head-file"),
        (["--labels-file", "nowhere.npy"], "no file nowhere.npy"),
        (["--ordinal"], "ordinal measuring is not part of this version"),
        (["--task", "regression"], "regression measuring is not part of this version"),
        (["--task", "clasification"], "--task clasification is unknown"),
        (["--data", "zoo:loader"], "--data does not go with FEATURES"),
        (["--pool", "mean", "--device", "cpu"], "--pool and --device do not go with FEATURES"),
        (["--model", "zoo:net"], "FEATURES and --model were both given"),
    ],
)
def test_options_that_cannot_be_are_refused(refuses, features, argv, why):
    import re

    said = refuses("measure", features(), *argv)
    assert any(part in said or re.search(part, said) for part in why.split("|")), said


def test_a_file_after_a_list_of_names_is_recognised(refuses, features):
    said = refuses("measure", "--layers", "features", features())
    assert "features.npz was read as a value of the option before it; write FEATURES first" in said


def test_a_million_classes_without_a_head_are_refused_before_memory_is_asked_for(refuses, features):
    said = refuses("measure", features(weights=None, bias=None), "--num-classes", str(10**9))
    assert "num_classes=1000000000, but only 4 different labels occur" in said


def test_a_measure_that_was_named_and_needs_more_is_told(run, features):
    name = features(weights=None, bias=None)
    ran = run("measure", name, "--measures", "accuracy", "means_rank")
    assert (ran.code, "means_rank" in ran.out) == (0, True)
    assert ran.err.startswith("note: accuracy needs weights=")
    assert [
        note[:14]
        for note in strict(run("measure", name, "--measures", "accuracy", "means_rank", "--json").out)["notes"]
    ] == ["accuracy needs"]


def test_where_no_measure_that_was_named_has_a_value_nothing_is_written(refuses, features):
    said = refuses("measure", features(weights=None, bias=None), "--measures", "accuracy", "--out", "results")
    assert "nothing can be measured: accuracy needs weights=" in said


def test_nothing_to_measure_is_a_usage_error(refuses):
    assert "give FEATURES, or --model and --data" in refuses("measure")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("f.npz", b"not an archive at all", "not what its suffix says"),
        ("f.npy", b"PK\x03\x04 and so on and on", "not what its suffix says"),
        ("f.pt", b"", "is empty"),
        ("f.csv", b"1,2,3", "has the suffix .csv"),
        ("f.npz", b"PK\x03\x04 cut short", "truncated or damaged"),
    ],
)
def test_files_that_are_not_what_they_say_are_refused(refuses, workplace, name, content, why):
    (workplace / name).write_bytes(content)
    assert why in refuses("measure", name, "--out", "results")


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not stop the superuser")
def test_a_file_that_may_not_be_read_is_refused(refuses, features, workplace):
    (workplace / features()).chmod(0)
    assert "features.npz" in refuses("measure", "features.npz", "--out", "results")


def test_a_folder_in_place_of_the_file_is_refused(refuses, workplace):
    (workplace / "f.npz").mkdir()
    assert "f.npz is a folder; give a file" in refuses("measure", "f.npz")


def test_a_file_that_does_not_exist_offers_the_nearest(refuses, features):
    features()
    assert "Did you mean features.npz?" in refuses("measure", "feature.npz")


def test_objects_are_refused(refuses, features):
    assert "`features` holds Python objects" in refuses("measure", features(features=np.array([{}] * 48)))


class Mischief:
    def __reduce__(self):
        return print, ("unpickled",)


def test_a_file_that_wants_to_run_code_is_refused(refuses, workplace):
    torch.save({"features": Mischief()}, workplace / "f.pt")
    assert "asks to unpickle code" in refuses("measure", "f.pt")


@pytest.mark.parametrize("out", ["features.npz", "features.npz/deep", "/proc/nowhere/results"])
def test_an_out_folder_that_cannot_be_is_refused_before_measuring(refuses, features, monkeypatch, out):
    monkeypatch.setattr("caltrop.cli.measure_file.measure_file", lambda _: pytest.fail("it measured"))
    assert "--out" in refuses("measure", features(), "--out", out)


def test_ctrl_c_leaves_nothing_behind(run, features, workplace, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("caltrop.observe.measure", interrupted)
    ran = run("measure", features(), "--out", "results")
    assert ran == (130, "", "caltrop: interrupted; nothing is half-written.\n")
    assert [path.name for path in workplace.iterdir()] == ["features.npz"]


def test_ctrl_c_while_writing_keeps_the_old_results(run, features, workplace, monkeypatch):
    run("measure", features(), "--out", "results")
    before = (workplace / "results" / "record.json").read_bytes()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(caltrop.files.os, "fsync", interrupted)
    ran = run("measure", features(), "--out", "results")
    assert ran.code == 130
    assert (workplace / "results" / "record.json").read_bytes() == before
    assert sorted(path.name for path in (workplace / "results").iterdir()) == ["page.html", "record.json"]


def test_a_full_disk_is_exit_code_3_and_leaves_nothing_half_written(run, features, workplace, monkeypatch):
    import errno

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(caltrop.files.os, "fsync", full)
    ran = run("measure", features(), "--out", "results")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == "caltrop: could not finish: the disk is full\n"
    assert [path.name for path in workplace.iterdir()] == ["features.npz"]
