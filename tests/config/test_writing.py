"""The text of a configuration."""

from rmldnn.config.reader import read_text
from rmldnn.config.writing import text

VALUES = {
    "num_epochs": 3,
    "layers": "./new network.json",
    "data": {
        "input_path": "./größe/",
        "transforms": [{"resize": [8, 8]}],
        "columns": [f"column {n}" for n in range(20)],
    },
    "loss": {"function": "NLL"},
}


def test_text_is_read_as_it_was():
    document = read_text(text(VALUES, {("data", "transforms"): "small", ("loss",): "of classes"}), "config.json")
    assert (document.value, document.problems) == ({"neural_network": VALUES}, [])


def test_short_values_stand_in_one_line_and_remarks_behind_them():
    lines = text(VALUES, {("data", "transforms"): "small"}).splitlines()
    assert '            "transforms": [{"resize": [8, 8]}],  // small' in lines
    assert '        "loss": {"function": "NLL"}' in lines
    assert '                "column 0",' in lines
    assert max(map(len, lines)) <= 110
