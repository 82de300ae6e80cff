import pytest

from rmldnn.config import hydras
from rmldnn.errors import ConfigError

VALUES = {
    "optimizer": {"learning_rate": 0.1},
    "data": {"transforms": [{"name": "a"}]},
    "num_epochs": 12,
    "ema": {"decay": 0.9},
}


def composed(*arguments):
    return hydras.composed({"defaults": ["_self_"], **VALUES}, arguments)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("++data.transforms={a:1}", "data.transforms: must be a list, such as [1,2]"),
        ("++ema=[1]", "ema: must be an object; set its keys"),
        ("++data.transforms.3=1", "data.transforms[3]: there is no such item; give the whole list"),
        ("~data.padding", "data.padding: is not there to be taken away"),
        ("~num_epochs=7", "num_epochs: is 12; write ~num_epochs to take it away"),
        (
            "++num_epochs=${nope}",
            "num_epochs: refers to `nope`, which the configuration does not have; name another key",
        ),
        ("++data.seed=${data.x.y}", "data.seed: refers to `data.x.y`, which the configuration does not have"),
        ("++num_epochs=${num_epochs}", "num_epochs: refers to itself; write a value"),
        ("++num_epochs=${data.}", "num_epochs: cannot read this reference; write ${section.key}"),
    ],
)
def test_a_change_that_does_not_fit_is_told_with_its_key(argument, message):
    with pytest.raises(ConfigError) as caught:
        composed(argument)
    assert str(caught.value).startswith(f"command line: {message}")


def test_an_item_of_a_list_is_changed_by_its_number():
    assert composed("++data.transforms.0.name=b")["data"]["transforms"] == [{"name": "b"}]
