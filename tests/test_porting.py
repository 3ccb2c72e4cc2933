"""What a porting guide says is what the frameworks do: its code runs, its numbers are measured."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from nnconform.adapters import adapter
from nnconform.conformance.cli import cli
from nnconform.conformance.porting.agreement import compared
from nnconform.conformance.porting.differences import first
from nnconform.conformance.porting.example import example
from nnconform.conformance.porting.explanation import write_guides
from nnconform.conformance.porting.guide import Guides, port
from nnconform.conformance.porting.steps import Step
from nnconform.conformance.porting.tolerances import round_up, smallest, tolerance_table
from nnconform.conformance.porting.translation import (
    Side,
    Untranslatable,
    candidates,
    principal,
    translate,
    ways,
)
from nnconform.reports.porting import pair_markdown, tolerances_markdown

from .frameworks import each

#: what the guides are of, in this process
THREE = ("torch", "tensorflow", "keras")
three = pytest.mark.framework(*THREE)
PAGES = Path(__file__).parents[1] / "docs" / "porting"
CODE = re.compile(r"```python\n(.*?)\n```", re.DOTALL)


@cache
def guides() -> Guides:
    """The three frameworks, in this process."""
    return Guides([adapter(name) for name in THREE])


def side(surface: str, function: str, callable: str = "") -> Side:
    found = ways(guides().surfaces[surface], function, surface)
    return next(one for one in found if callable in ("", one.binding.name))


def ported(function: str, here: str, there: str, callable: str = "") -> dict:
    return port(side(here, function, callable), guides().surfaces[there], there)


def printed(code: str) -> str:
    """What a snippet prints, numbers with six digits as the guides write them."""
    said: list[str] = []

    def keep(value: object) -> None:
        said.append(shown(np.asarray(getattr(value, "detach", lambda: value)())))

    exec(code, {"print": keep})
    return said[-1]


def shown(value: np.ndarray) -> str:
    if value.ndim == 0:
        return f"{float(value):.6g}"
    return "[" + ", ".join(shown(row) for row in value) + "]"


def alike(got: str, said: str) -> bool:
    """Whether the numbers are the same: all, or those before the one at which a page cuts them."""
    whole = said.removesuffix(" …")
    ours, theirs = ([float(n) for n in re.findall(r"[-\w.+]+", text)] for text in (got, whole))
    if whole != said:
        theirs = theirs[:-1]
        ours = ours[: len(theirs)]
    return len(ours) == len(theirs) > 0 and np.allclose(ours, theirs, 1e-5, equal_nan=True)


def snippets() -> list[str]:
    """The different snippets of all pages; those in JAX where it is installed."""
    jax = adapter("jax").installed()
    found = {
        code
        for page in sorted(PAGES.glob("*--*.md"))
        for code in CODE.findall(page.read_text())
        if jax or "import jax\n" not in code
    }
    return sorted(found)


# -- the pages ----------------------------------------------------------------------------------------


@three
def test_every_snippet_of_the_pages_runs_and_gives_what_stands_beside_it():
    guides()
    wrong = []
    for code in snippets():
        call, _, said = code.rpartition("  # ")
        if not call:  # the results are drawn: it must run
            exec(code, {"print": lambda value: None})
        elif re.match(r"\w*(Error|Exception): ", said):
            with contextlib.suppress(Exception):
                exec(code, {"print": lambda value: None})
                wrong.append(f"{code}\nraises nothing")
        elif not alike(got := printed(call), said):
            wrong.append(f"{code}\ngives {got}")
    assert len(snippets()) > 300
    assert not wrong, "\n\n".join(wrong[:5])


@three
@pytest.mark.parametrize("name", THREE)
def test_code_of_compositions_runs_and_gives_what_the_call_here_gives(name):
    there = next(one for one in guides().adapters if one.name == name)
    shown_ones, wrong = 0, []
    for made in there.compositions:
        for surface in guides().offering(made.function, guides().surfaces):
            if guides().surfaces[surface] is there:
                continue
            here = principal(ways(guides().surfaces[surface], made.function, surface))[0]
            one = Side(there, made)
            found, _ = first(here, here.explicit_default(), example(here), [one], gradient=False)
            if found is not None:
                shown_ones += 1
                translation, pair = found
                code = there.reproducer(translation.call)
                if not alike(printed(code), shown(pair.there.value)):
                    wrong.append(f"{code}\ngives {printed(code)}, not {shown(pair.there.value)}")
    assert shown_ones > 15
    assert not wrong, "\n\n".join(wrong[:5])


@three
def test_code_in_examples_of_differences_gives_the_numbers_beside_them():
    made = ported("binary_cross_entropy", "torch.nn.functional", "keras.losses")
    examples = [e for part in made["agreement"]["parts"] for e in part["examples"]]
    assert examples
    for e in examples:
        got = [np.float32(printed(e[f"code {where}"]).strip("[]")) for where in ("here", "there")]
        value = not any("grad" in e[f"code {where}"] for where in ("here", "there"))
        if value:
            assert got == [np.float32(e["here"]), np.float32(e["there"])]


def test_pages_are_linked_and_stand_for_pairs():
    index = (PAGES / "README.md").read_text()
    linked = set(re.findall(r"\(([^()]+--[^()]+\.md)\)", index))
    assert linked == {page.name for page in PAGES.glob("*--*.md")}


@three
def test_a_page_that_is_out_of_date_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "nnconform.conformance.porting.explanation._guides", lambda *sides: guides()
    )
    pair = guides().pair("torch", "keras.ops", ["step"])
    monkeypatch.setattr(Guides, "every", lambda self: iter([pair]))
    told: list[str] = []
    assert write_guides(tmp_path, check=False, tell=told.append) == 0
    assert write_guides(tmp_path, check=True, tell=told.append) == 0
    name = "torch--keras.ops.md"
    page = tmp_path / name
    rounded = page.read_text().replace("**Under this mapping** all", "**Under this mapping** 1 of")
    page.write_text(rounded)  # as another processor may have it
    assert write_guides(tmp_path, check=True, tell=told.append) == 0
    page.write_text(rounded.replace("at_zero", "x0"))
    assert write_guides(tmp_path, check=True, tell=told.append) == 1
    assert told[-1] == f"out of date: {tmp_path / name}"


# -- translations -------------------------------------------------------------------------------------


@three
def test_indices_become_one_hot_rows_and_the_class_axis_moves():
    here = side("torch.nn.functional", "cross_entropy")
    there = side("keras.losses", "cross_entropy", "CategoricalCrossentropy(from_logits=True)")
    case = example(here)
    logits = np.moveaxis(np.stack([case.inputs["input"]] * 2), 0, 2)  # (N, C, 2)
    target = np.stack([case.inputs["target"]] * 2, axis=1)
    case = replace(case, inputs={"input": logits, "target": target})
    made = translate(here, here.explicit("sum"), case, there)
    assert [step.name for step in made.steps["target"]] == ["one_hot"]
    assert [step.name for step in made.steps["input"]] == ["move"]
    pair = compared(made)
    assert not pair.mismatch
    assert not any(part.differs.any() for part in pair.parts)
    assert {part.of for part in pair.parts} == {"", "input"}


@three
def test_a_mean_over_the_last_axis_is_undone_by_one_more_axis():
    here = side("torch.nn.functional", "huber")
    there = side("keras.losses", "huber", "Huber")
    made = translate(here, here.explicit("none"), example(here), there)
    assert {name: [s.name for s in steps] for name, steps in made.steps.items()} == {
        "input": ["expand"],
        "target": ["expand"],
    }
    # of the mean of all elements it makes no difference
    assert not translate(here, here.explicit("mean"), example(here), there).steps


@three
def test_reductions_that_a_function_does_not_have_are_written_by_hand():
    here = side("torch.nn.functional", "binary_cross_entropy_with_logits")
    there = side("tf.nn", "binary_cross_entropy_with_logits", "sigmoid_cross_entropy_with_logits")
    for meaning in ("sum", "mean"):
        made = translate(here, here.explicit(meaning), example(here), there)
        assert [step.name for step in made.after] == [meaning]
        assert made.call.result == f"tf.reduce_{meaning}({{y}})"


@three
def test_signs_and_bits_and_smoothing_are_converted():
    here = side("tf.compat.v1.losses", "hinge")
    made = translate(
        here, here.explicit("none"), example(here), side("keras.losses", "hinge", "hinge")
    )
    assert [step.name for step in made.steps["target"]] == ["expand"]  # Keras takes both encodings
    signs = side("keras.losses", "hinge", "hinge")
    made = translate(signs, signs.explicit("none"), example(signs), here)
    assert [step.name for step in made.steps["target"]] == ["bits"]
    assert not any(part.differs.any() for part in compared(made).parts)
    smoothed = side("keras.losses", "binary_cross_entropy_with_logits")
    case = example(smoothed)
    case = replace(case, params={**case.params, "label_smoothing": 0.25})
    there = side("torch.nn.functional", "binary_cross_entropy_with_logits")
    made = translate(smoothed, smoothed.explicit("none"), case, there)
    assert [step.name for step in made.steps["target"]] == ["smooth"]
    assert not any(part.differs.any() for part in compared(made).parts)


@three
def test_a_parameter_that_somebody_chose_and_the_other_lacks_is_no_translation():
    here = side("torch.nn.functional", "elu")
    case = example(here)
    translate(here, None, case, side("tf.nn", "elu"))
    with pytest.raises(Untranslatable, match="takes no `alpha`"):
        translate(here, None, replace(case, params={"alpha": 0.5}), side("tf.nn", "elu"))


@three
def test_a_wrong_mapping_is_seen():
    here = side("torch.nn.functional", "huber")
    made = translate(here, here.explicit("none"), example(here), side("keras.losses", "huber"))
    call = replace(made.call, kwargs={**made.call.kwargs, "delta": 0.5})
    assert any(part.differs.any() for part in compared(replace(made, call=call)).parts)


@three
def test_the_nearest_callable_is_chosen():
    here = side("torch.nn.functional", "gelu")
    others = ways(guides().surfaces["keras.ops"], "gelu", "keras.ops")
    found, _ = candidates(here, None, example(here), others)
    assert [t.there.binding.name for t in found] == ["gelu(approximate=False)", "gelu"]
    assert found[1].left == {"approximate": ("none", "tanh")}


@pytest.mark.parametrize("name", each(*THREE, "jax"))
def test_steps_do_in_a_framework_what_they_do_in_numpy(name):
    one = adapter(name)
    one.start()
    real = np.array([[0.25, 0.5, 0.75], [0.5, 0.125, 0.25]], np.float32)
    index = np.array([1, 2])
    steps = [
        *(Step(op) for op in ("expand", "signs", "bits", "exp", "log", "sigmoid", "logit")),
        Step("move", {"source": 0, "to": -1}),
        Step("permute", {"order": "1, 0"}),
        Step("smooth", {"kept": 0.75, "spread": 0.125}),
        *(Step(op, {"axis": -1}) for op in ("softmax", "log_softmax")),
    ]
    for step in steps:
        got = one.array(one._evaluated(step.written(one, "x"), x=one.tensor(real)))
        np.testing.assert_allclose(got, step(real), rtol=1e-6, err_msg=step.name)
    hot = Step("one_hot", {"classes": 3, "axis": 1, "dtype": "float32"})
    got = one.array(one._evaluated(hot.written(one, "x"), x=one.tensor(index)))
    np.testing.assert_array_equal(got, hot(index))


# -- what a guide says --------------------------------------------------------------------------------


@three
def test_defaults_that_differ_are_shown_with_both_numbers():
    made = ported("gelu", "torch.nn.functional", "keras.ops")
    assert made["defaults"]["same"] is False
    assert made["defaults"]["why"] == ["`approximate`: 'none' here, 'tanh' there"]
    assert printed(made["defaults"]["there"]) == made["defaults"]["result there"]
    assert made["to"]["callable"] == "gelu(approximate=False)"


@three
def test_what_stays_different_comes_with_the_record():
    made = ported("binary_cross_entropy", "torch.nn.functional", "keras.losses")
    left = made["agreement"]["left"]
    assert "`clip`: None here, (1e-07, 0.9999999) there" in left
    parts = {part["of"]: part for part in made["agreement"]["parts"]}
    assert parts[""]["differ"] > 0
    assert any(
        "torch-bce-gradient-epsilon" in r for e in parts["input"]["examples"] for r in e["records"]
    )


@three
def test_another_surface_of_the_framework_stands_in():
    made = guides().function("binary_cross_entropy", ["torch.nn.functional"], ["tf.nn"])
    assert [pair["to"] for pair in made["pairs"]] == ["tf.compat.v1.losses"]


@three
def test_no_equivalent_is_said():
    text = pair_markdown(guides().pair("tf.nn", "keras.losses", ["sampled_softmax"]))
    assert "→ none" in text
    assert "No equivalent: no callable there computes it." in text


@three
def test_drawn_results_are_not_compared():
    drawn = next(b for b in guides().surfaces["torch.nn"].bindings if b.random)
    made = port(Side(guides().surfaces["torch.nn"], drawn), guides().surfaces["torch"], "torch")
    assert made["random"]
    assert "agreement" not in made


# -- tolerances ---------------------------------------------------------------------------------------


@given(st.floats(1e-300, 1e300))
def test_rounded_up_to_what_one_would_type(number):
    made = round_up(number)
    assert number <= made <= 2.5 * number * (1 + 1e-12)
    assert re.fullmatch(r"[125](e[+-]?\d+)?|[125]0*(\.0)?|0\.0*[125]", f"{made:g}")


@given(st.lists(st.tuples(st.floats(0, 1e3), st.floats(0, 1e6)), min_size=1))
def test_the_smallest_tolerances_pass_and_smaller_ones_do_not(numbers):
    distance, size = np.array(numbers).T
    rtol, atol = smallest(distance, size)
    assert np.all(distance <= (atol + rtol * size) * (1 + 1e-12))
    if rtol:
        smaller = round_up(rtol / 2.6)
        assert np.any(distance > smaller + smaller * size)


@three
def test_tolerances_name_what_a_habit_hides():
    table = tolerance_table(
        guides(),
        ["torch.nn.functional"],
        ["keras.losses"],
        ["binary_cross_entropy", "huber"],
        "float32",
    )
    rows = {(r.function, r.result, r.magnitudes): r for r in table.itertuples()}
    easy = rows["huber", "value", "whole range"]
    assert 0 < easy.rtol <= 1e-6
    assert easy.never == 0
    clipped = rows["binary_cross_entropy", "value", "whole range"]
    assert clipped.rtol > 1
    assert "`clip`" in clipped.why
    assert rows["binary_cross_entropy", "gradient by target", "ordinary"].never > 0
    assert tolerances_markdown(table).count("\n") == len(table) + 2


# -- the command --------------------------------------------------------------------------------------


def command(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, list(arguments), standalone_mode=False)
    message = getattr(result.exception, "message", "") if result.exception else ""
    return (result.return_value or 0), result.output + message


@three
def test_the_command_prints_json_that_is_the_guide(monkeypatch):
    monkeypatch.setattr(
        "nnconform.conformance.porting.explanation._guides", lambda *sides: guides()
    )
    status, text = command(
        *("explain", "huber", "--from", "torch.nn.functional", "--to", "tf.compat.v1.losses"),
        *("--format", "json"),
    )
    assert status == 0
    made = json.loads(text)
    assert made["pairs"][0]["functions"][0]["ports"][0]["to"]["callable"] == "huber_loss"
    _, text = command("explain", "hinge", "--format", "markdown")
    assert "`keras.losses`: `Hinge`" in text


@three
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["explain", "huberr"], "unknown function 'huberr'; nearest: huber"),
        (
            ["explain", "huber", "--from", "torch.nm"],
            "unknown surface 'torch.nm'; nearest: torch.nn",
        ),
        (
            ["explain", "hinge", "--from", "torch"],
            "torch has no hinge; it is on tf.compat.v1.losses",
        ),
        (["explain"], "explain takes a FUNCTION, or --out DIR"),
        (["explain", "huber", "--check"], "--check needs --out DIR"),
        (["explain", "huber", "--run", "/nowhere"], "/nowhere: no such folder"),
        (["tolerances", "--dtype", "int8"], "unknown dtype 'int8'"),
    ],
)
def test_bad_input_is_one_line(arguments, said, monkeypatch):
    monkeypatch.setattr(
        "nnconform.conformance.porting.explanation._guides", lambda *sides: guides()
    )
    _, text = command(*arguments)
    assert said in text
    assert "Traceback" not in text
