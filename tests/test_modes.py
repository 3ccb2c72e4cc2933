"""Modes and devices: how they are named, judged, shown in reproducers, and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnconform import adapter, compare, load, oracle
from nnconform.adapters.interface import Unavailable
from nnconform.conformance.divergences import parse
from nnconform.conformance.selection import UsageError

from .oracle_adapter import OracleAdapter
from .planting import nnconform, plant, run

COMPUTED = {"value", "gradient", "reduction", "special"}


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return plant(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module")
def both(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the planted framework in both of its modes."""
    cwd = tmp_path_factory.mktemp("modes")
    options = {"frameworks": "planted", "dtypes": "float32", "profile": "quick", "out": "run"}
    done = run(env, cwd, **options, functions="sigmoid", modes="eager,compiled")
    assert done.stdout, done.stderr
    return cwd / "run"


@pytest.mark.slow
def test_what_is_computed_is_measured_in_every_mode_that_is_named(both: Path) -> None:
    table = load(both).table
    assert {*table["mode"]} == {"eager", "compiled"}
    aspects = {mode: {*rows["aspect"]} for mode, rows in table.groupby("mode")}
    assert aspects["compiled"] == aspects["eager"] & COMPUTED
    assert "property" in aspects["eager"]


@pytest.mark.slow
def test_eager_is_the_only_mode_of_a_run_that_names_none(
    env: dict[str, str], tmp_path: Path
) -> None:
    options = {"frameworks": "planted", "dtypes": "float32", "profile": "quick", "out": "run"}
    run(env, tmp_path, **options, functions="relu")
    assert {*load(tmp_path / "run").table["mode"]} == {"eager"}


@pytest.mark.slow
def test_a_reproducer_makes_the_call_in_the_mode_of_its_row(both: Path) -> None:
    rows = load(both).table.query("callable == 'sound' and aspect == 'value'").set_index("mode")
    assert "planted.sound(x)" in rows.loc["eager", "reproducer"]
    assert "compiled(" not in rows.loc["eager", "reproducer"]
    script = rows.loc["compiled", "reproducer"]
    assert "planted.compiled(lambda x: planted.sound(x))(x)" in script


@pytest.mark.slow
def test_two_modes_of_a_run_are_compared_as_two_versions_are(both: Path) -> None:
    found = compare(both, modes=("eager", "compiled"))
    assert found.title == "planted 1.2.3: eager → compiled"
    rows = found.table.query("callable == 'sound' and aspect == 'value'")
    assert rows["change"].tolist() == ["drifted"]
    assert rows["ulp"].tolist() == [1.0]
    assert rows["mode"].tolist() == ["compiled"]
    backwards = compare(both, modes=("compiled", "eager")).table
    assert {*backwards["mode"]} == {"eager"}


@pytest.mark.slow
def test_a_mode_compared_with_itself_differs_in_nothing(both: Path) -> None:
    found = compare(both, both, modes=("compiled", "compiled"))
    assert found.table.empty
    assert found.unchanged


@pytest.mark.slow
def test_modes_are_compared_on_the_command_line(
    both: Path, env: dict[str, str], tmp_path: Path
) -> None:
    asked = ("compare", both, "--modes", "eager,compiled")
    done = nnconform(*asked, env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("planted 1.2.3: eager → compiled\n")
    done = nnconform(*asked, "--format", "json", env=env, cwd=tmp_path)
    assert "planted.compiled(lambda x: planted.sound(x))(x)" in done.stdout
    assert "# eager: " in done.stdout
    assert ", compiled: " in done.stdout
    done = nnconform(*asked, "--fail-on", "drifted", env=env, cwd=tmp_path)
    assert done.returncode == 1


@pytest.mark.slow
def test_what_cannot_be_traced_regressed(env: dict[str, str], tmp_path: Path) -> None:
    options = {"frameworks": "planted", "dtypes": "float32", "profile": "quick", "out": "run"}
    run(env, tmp_path, **options, functions="tanh", modes="eager,compiled", hang=4)
    found = compare(tmp_path / "run", modes=("eager", "compiled")).table
    rows = found.query("callable == 'traced_elsewhere' and aspect == 'value'")
    assert rows["change"].tolist() == ["regressed"]
    assert rows["new"].str.contains("cannot be traced").all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("modes", "said"),
    [
        (("eager",), "two modes are compared, such as eager,compiled; not 1"),
        (("eager", "graph"), "has no mode 'graph'; it has compiled, eager"),
        (None, "two runs are compared, or two modes of one"),
    ],
)
def test_modes_that_cannot_be_compared(both: Path, modes: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        compare(both, modes=modes)


@pytest.mark.slow
def test_an_unknown_mode_is_one_line(env: dict[str, str], tmp_path: Path) -> None:
    done = nnconform("run", "--frameworks", "planted", "--modes", "compild", env=env, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "nnconform: unknown mode 'compild'; nearest: compiled\n"


@pytest.mark.slow
def test_a_device_that_is_not_there_is_one_line(env: dict[str, str], tmp_path: Path) -> None:
    done = nnconform("run", "--frameworks", "planted", "--device", "cuda", env=env, cwd=tmp_path)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if "cannot go on" in line]
    assert line.endswith("planted 1.2.3 sees no device cuda; it sees cpu")


def test_a_device_goes_by_its_name_or_by_its_kind() -> None:
    class OnDevices(OracleAdapter):
        def devices(self) -> tuple[str, ...]:
            return ("cpu", "cuda:0", "cuda:1")

    one = OnDevices()
    assert one.device == "cpu"
    for asked, used in [("cuda", "cuda:0"), ("cuda:1", "cuda:1"), ("cpu", "cpu")]:
        one.use(asked)
        assert one.device == used
    with pytest.raises(Unavailable, match=r"sees no device tpu; it sees cpu, cuda:0, cuda:1"):
        one.use("tpu")
    assert one.device == "cpu"


def test_a_record_of_no_mode_need_not_show_in_others_than_eager() -> None:
    fields = 'surface = "s"\nfunction = "f"\naspect = "value"\nreason = "bug"\nwhy = "w"\n'
    plain, compiled = parse(
        f'[[divergence]]\nid = "a"\n{fields}[[divergence]]\nid = "b"\nmode = "compiled"\n{fields}'
    )
    row = {"version": "1", "framework": "x", "surface": "s", "function": "f", "callable": "c"}
    row |= {"dtype": "float32", "aspect": "value", "reduction": "none"}
    assert plain.applies({**row, "mode": "eager"})
    assert plain.applies({**row, "mode": "compiled"})
    assert plain.must_show("eager")
    assert not plain.must_show("compiled")
    assert not compiled.applies({**row, "mode": "eager"})
    assert compiled.applies({**row, "mode": "compiled"})
    assert compiled.must_show("compiled")


# -- the frameworks' modes ---------------------------------------------------------------------------

CASE = {"input": np.array([[0.5], [-2.0], [3.0]]), "target": np.array([[1.0], [0.0], [2.7]])}


@pytest.mark.parametrize(
    ("framework", "path", "mode"),
    [
        pytest.param(framework, *rest, marks=pytest.mark.framework(framework))
        for framework, *rest in [
            ("torch", "torch.nn.functional.huber_loss", "graph"),
            ("torch", "torch.nn.HuberLoss", "compiled"),
            ("tensorflow", "tf.compat.v1.losses.huber_loss", "graph"),
            ("keras", "keras.losses.Huber", "graph"),
            ("keras", "keras.losses.Huber", "compiled"),
            ("jax", "optax.losses.huber_loss", "compiled"),
        ]
    ],
)
def test_a_mode_gives_value_and_gradient_and_can_be_reproduced(
    framework: str, path: str, mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    one = adapter(framework)
    surface, _, callable = path.rpartition(".")
    exact = oracle("huber", CASE, {"delta": 1.5}, "sum", gradient=True)
    asked = {"surface": surface, "callable": callable, "gradient": True, "mode": mode}
    outcome = one.evaluate("huber", CASE, {"delta": 1.5}, "sum", **asked)
    assert outcome.error is None
    assert outcome.value is not None
    assert outcome.value == pytest.approx(exact.value, rel=1e-6)
    np.testing.assert_allclose(outcome.gradients["input"], exact.gradients["input"], rtol=1e-6)

    binding = one.select("huber", surface, callable)
    spelling = next(s for s in binding.reductions if s.meaning == "sum")
    arrays = {name: array.astype(np.float32) for name, array in CASE.items()}
    call = binding.call(arrays, {"delta": 1.5}, spelling, "float32")
    script = one.reproducer(type(call)(**{**vars(call), "mode": mode}))
    exec(script, {})
    assert f"{float(exact.value):.3f}" in capsys.readouterr().out, script


@pytest.mark.framework("torch")
def test_an_object_with_tensors_of_its_own_is_that_of_one_call() -> None:
    scores, target = np.array([[1.0, 2.0, 0.5], [0.0, 1.0, 3.0]]), np.array([1, 2])
    for weight in ([1.0, 2.0, 3.0], [0.5, 0.25, 4.0]):
        inputs = {"input": scores, "target": target, "weight": np.array(weight)}
        exact = oracle("cross_entropy", inputs, reduction="sum", gradient=True)
        outcome = adapter("torch").evaluate(
            *("cross_entropy", inputs, None, "sum"),
            **{"surface": "torch.nn", "mode": "graph", "gradient": True},
        )
        assert outcome.value == pytest.approx(exact.value, rel=1e-6)
        np.testing.assert_allclose(outcome.gradients["input"], exact.gradients["input"], rtol=1e-6)


def test_a_mode_that_a_framework_lacks_is_named() -> None:
    with pytest.raises(ValueError, match="oracle has no mode 'compiled'; it has eager"):
        OracleAdapter().evaluate("tanh", {"x": np.ones(2)}, mode="compiled")
