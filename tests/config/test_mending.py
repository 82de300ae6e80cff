"""Changes of the text of a configuration that mend it."""

import pytest

from rmldnn.component import renamed
from rmldnn.config.mending import mend, patch
from rmldnn.config.reader import read_text
from rmldnn.config.spec import judged
from rmldnn.errors import ConfigError, Problem, Remedy

TEXT = """\
{
    "neural_network": {
        "layers": "net.json",  // ours
        "data": {"input_type": "images", "input_path": "a", "target_type": "labels"},
        "loss": {"function": "NLL"},
        "optimizer": {
            "type": "SGD",
            "momentum": 0.5
        }
    }
}
"""


def problems(text, name="config.json"):
    try:
        judged(read_text(text, name))
    except ConfigError as error:
        return error.problems
    return []


def mended(text, name="config.json"):
    result, made = mend(text, name, lambda changed: problems(changed, name))
    return result, [change.line for change in made]


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        ('"momentum": 0.5', '"momentun": 0.5', 8),
        ('"type": "SGD"', '"type": "RMS_prop"', 7),
        ('"input_path"', '"input_pth"', 4),
        ('"loss": {"function": "NLL"}', '"loss": {"functoin": "NLL"}', 5),
        ('"loss": {"function": "NLL"}', '"loss": "cross entropy"', 5),
    ],
)
def test_a_near_miss_is_mended_where_it_stands(right, wrong, line):
    text, lines = mended(TEXT.replace(right, wrong))
    assert lines == [line]
    assert problems(text) == []
    assert "// ours" in text


def test_the_text_is_the_same_but_for_the_word():
    assert mended(TEXT.replace("momentum", "momentun"))[0] == TEXT


def test_a_list_is_made_of_a_single_value_as_it_was_written():
    text = TEXT.replace('{"function": "NLL"}', '{"function": "NLL", "weight": 5e-1}')
    assert '"weight": [5e-1]' in mended(text)[0]


def test_a_line_that_is_there_twice_goes():
    text = TEXT.replace('"momentum": 0.5', '"momentum": 0.5,\n            "momentum": 0.5')
    assert mended(text)[1] == [9]


def test_a_key_that_is_there_with_two_values_stays():
    text = TEXT.replace('"momentum": 0.5', '"momentum": 0.5,\n            "momentum": 0.6')
    assert mended(text) == (text, [])


def test_a_change_that_brings_a_new_problem_is_not_made():
    text = TEXT.replace('"momentum": 0.5', '"momentun": "much"')
    assert mended(text) == (text, [])


def test_a_word_that_may_be_another_is_not_changed():
    text = TEXT.replace('"SGD"', '"Adma"')  # Adam, or AdamW
    assert mended(text) == (text, [])
    assert [patch(problem, text, "config.json").safe for problem in problems(text)] == [False]


KEYS = (
    "state_interval",
    "learning_rate",
    "momentum",
    "alpha",
    "gamma",
    "training_tag",
    "batch_size",
    "test_batch_size",
)
NAMES = ("MSE", "SGD", "AdamW", "CrossEntropy", "Heat_PDE", "Helmholtz2D_PDE", "IoU", "Dice")


@pytest.mark.parametrize(
    "word", ["momentun", "momentum_", "mometnum", "momentuum", "learning_rte", "gama", "learningrate"]
)
def test_a_slip_of_the_fingers_is_safe(word):
    assert renamed(word, KEYS, "key").safe


@pytest.mark.parametrize(
    "word", ["save_interval", "min_learning_rate", "alpha1", "gamma2", "train_tag", "train_batch_size", "lr"]
)
def test_a_key_that_may_mean_something_else_is_not(word):
    assert not renamed(word, KEYS, "key").safe


def test_the_size_of_training_batches_is_not_that_of_the_tests():
    assert renamed("train_batch_size", KEYS, "key").new == "batch_size"


@pytest.mark.parametrize("word", ["RMSE", "SGDW", "AdamWR", "mIoU", "GDice", "Helmholtz3D_PDE", "Heat2D_PDE"])
def test_a_name_with_a_meaning_of_its_own_is_not_safe(word):
    assert not renamed(word, NAMES, "value").safe


@pytest.mark.parametrize("word", ["cross_entropy", "Cross-Entropy", "HeatPDE"])
def test_a_name_with_other_marks_between_its_words_is_safe(word):
    assert renamed(word, NAMES, "value").safe


@pytest.mark.parametrize("comment", ["  // momentun: 0.5 before", "  # momentun: 0.5 before"])
def test_a_comment_that_repeats_the_word_stays(comment):
    text = TEXT.replace('"momentum": 0.5', f'"momentum": 0.5{comment}')
    assert mended(text.replace('"momentum": 0.5', '"momentun": 0.5')) == (text, [8])


def test_marks_that_end_lines_elsewhere_end_none_here():
    text = TEXT.replace("// ours", "// ours\u2028and\x85theirs")
    assert mended(text.replace("momentum", "momentun")) == (text, [8])


def test_the_ends_of_lines_stay():
    text = TEXT.replace("\n", "\r\n")
    assert mended(text.replace("momentum", "momentun"))[0] == text


def test_yaml():
    text = "neural_network:\n  layers: net.json\n  data: {input_type: images, input_path: a, target_type: labels}\n"
    text += "  loss: NLL\n  optimizer:\n    type: SGD\n    momentun: 0.5  # ours\n"
    assert mended(text, "config.yaml") == (text.replace("momentun", "momentum"), [7])


def test_of_several_words_of_a_line_the_one_of_the_key():
    problem = Problem("loss.alpha", "", "f:1", remedy=Remedy("value", 0.5, [0.5]))
    assert patch(problem, '{"beta": 0.5, "alpha": 0.5}', "f").new == '{"beta": 0.5, "alpha": [0.5]}'


def test_a_word_that_is_not_certain_is_left():
    problem = Problem("metrics[0]", "", "f:1", remedy=Remedy("value", "a", "b"))
    assert patch(problem, '["a", "a"]', "f") is None


def test_a_problem_of_another_file_has_no_change():
    problem = Problem("loss", "", "g:1", remedy=Remedy("value", "a", "b"))
    assert patch(problem, '"a"', "f") is None
