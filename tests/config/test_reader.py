import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmldnn.config.reader import Document, read, read_text
from rmldnn.errors import ConfigError

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values, st.sampled_from([None, 2]))
def test_reads_whatever_json_writes(value, indent):
    assert read_text(json.dumps(value, indent=indent), "c.json").value == value


def fault(text: str, name: str = "c.json") -> str:
    with pytest.raises(ConfigError) as caught:
        document = read_text(text, name)
        if document.problems:
            raise ConfigError(document.problems)
    return str(caught.value)


def test_values_remember_their_lines():
    document = read_text('{\n "a": 1,\n "b": [\n  {"c": 2}\n ]\n}', "c.json")
    assert document.lines[("a",)] == 2
    assert document.lines[("b", 0, "c")] == 4


def test_comments_and_trailing_commas_are_accepted():
    text = '// top\n{\n "a": 1, # one\n /* two\n lines */ "b": [1, 2,],\n}'
    document = read_text(text, "c.json")
    assert document.value == {"a": 1, "b": [1, 2]}
    assert document.lines[("b",)] == 5


@pytest.mark.parametrize("name", ["c.json", "c.yaml"])
@pytest.mark.parametrize(
    ("text", "kind"),
    [("1e6", int), ("-2.5E+1", int), ("1.0", float), ("1e-3", float), ("1.55e1", float), ("1e300", float)],
)
def test_an_exponent_may_make_a_whole_number(name, text, kind):
    (value,) = read_text(f"[{text}]", name).value
    assert (value, type(value)) == (float(text), kind)


def test_comment_signs_inside_a_text_are_text():
    assert read_text('{"a": "http://x/#y"}', "c.json").value == {"a": "http://x/#y"}


def test_a_key_written_twice_is_a_mild_problem_and_the_last_one_wins():
    document = read_text('{\n "a": 1,\n "a": 2\n}', "c.json")
    assert document.value == {"a": 2}
    (problem,) = document.problems
    assert problem.mild
    assert str(problem) == "c.json:3: a: `a` is written twice, here and in line 2; remove one of them"


def test_every_missing_comma_is_reported():
    document = read_text('{\n "a": 1\n "b": [1 2]\n}', "c.json")
    assert [problem.place for problem in document.problems] == ["c.json:2", "c.json:3"]
    assert document.value == {"a": 1, "b": [1, 2]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{\n "a": 1', "c.json:2: the brace opened in line 1 is never closed"),
        ("[1,\n2", "c.json:2: the bracket opened in line 1 is never closed"),
        ('{"a" 1}', "c.json:1: a: a colon should follow the key `a`, got `1`"),
        ('{"a": }', "c.json:1: a: a value should stand here, got `}`"),
        ('{"a": abc}', "c.json:1: a: `abc` is no value; texts stand in double quotes, numbers as 1, 0.5, 1e-4"),
        ('{"a": .5}', "c.json:1: a: `.5` is no value; texts stand in double quotes, numbers as 1, 0.5, 1e-4"),
        ('{"a": True}', "c.json:1: a: write `true`, got `True`"),
        ('{"a": None}', "c.json:1: a: write `null`, got `None`"),
        ('{"a": NaN}', "c.json:1: a: NaN is no number that a configuration can hold"),
        ("{a: 1}", 'c.json:1: a key should stand here, got `a`; keys stand in double quotes: "a"'),
        ("{\"a\": 'x'}", "c.json:1: a: texts stand in double quotes: \"x\", got 'x'"),
        ('{"a": "x\n}', 'c.json:1: a: this text has no closing quote: "x'),
        ('{"a": 1}}', "c.json:1: the configuration ends before this `}`; remove what follows, or a brace"),
        ('{"a": [1}', "c.json:1: a: `,` or `]` should stand here, got `}`"),
        ("", "c.json:1: the file ends where a value should stand"),
        ('{"a": "\\q"}', 'c.json:1: a: "\\q": Invalid \\escape (a backslash is written twice)'),
        ('{"a": 1 /* }', "c.json:1: this comment has no end; write `*/` behind it"),
    ],
)
def test_broken_text_is_reported_with_line_and_remedy(text, message):
    assert fault(text).splitlines()[0] == message


def test_nesting_has_an_end():
    assert "nested deeper than" in fault("[" * 5000)


def test_missing_file(tmp_path):
    with pytest.raises(ConfigError, match="no such configuration file"):
        read(tmp_path / "none.json")


def test_folder_in_place_of_a_file(tmp_path):
    with pytest.raises(ConfigError, match="is a folder"):
        read(tmp_path)


def test_binary_file(tmp_path):
    (tmp_path / "c.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="no text in UTF-8"):
        read(tmp_path / "c.json")


def test_yaml_gives_the_same_values():
    text = "a: 1e-4\nb: [1, 2.5, .5]\nc: {d: on, e: null, f: true}\ng: 2020-01-01\n"
    document = read_text(text, "c.yaml")
    assert document.value == {
        "a": 1e-4,
        "b": [1, 2.5, 0.5],
        "c": {"d": "on", "e": None, "f": True},
        "g": "2020-01-01",
    }
    assert document.lines[("c", "d")] == 3


def test_yaml_key_written_twice():
    assert "`a` is written twice, here and in line 1" in fault("a: 1\na: 2\n", "c.yml")


def test_broken_yaml_names_its_line():
    assert fault("a: [1, 2\nb: 3\n", "c.yaml").startswith("c.yaml:2: ")


def test_yaml_aliases_that_multiply_are_stopped():
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert "too large or too deep" in fault("\n".join(lines), "c.yaml")


def test_place_of_a_location_without_line_is_that_of_its_parent():
    document = Document("c.json", lines={(): 1, ("a",): 4})
    assert document.place(("a", "b", 0)) == "c.json:4"


@pytest.mark.parametrize("number", ["1e400", "-1e999", "9" * 400])
def test_a_number_too_large_is_refused(number):
    assert "is too large a number" in fault(f'{{"a": {number}}}')


@pytest.mark.parametrize(
    ("text", "value"),
    [("010", 10), ("1:30", "1:30"), ("-3", -3), ("~", None), ("'5'", "5"), ("", None), ("yes", "yes")],
)
def test_yaml_scalars_as_people_mean_them(text, value):
    assert read_text(f"a: {text}\n", "c.yaml").value == {"a": value}


@pytest.mark.parametrize(
    "text", ["!!bool x", '!!int ""', "!!timestamp x", "!!python/name:os.system x", "\x00", "[" * 5000]
)
def test_yaml_tricks_are_refused(text):
    assert fault(f"a: {text}\n", "c.yaml").startswith("c.yaml")
