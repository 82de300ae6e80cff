"""From the catalog to a JSON Schema (draft 2020-12), by which editors complete and judge a configuration.

It admits what `check` admits, but for what the sections ask of each other and for what depends on files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rmldnn.component import Form, Parameter
from rmldnn.config import catalog, domains, meanings
from rmldnn.config.groups import ROOT
from rmldnn.config.keys import CHOSEN, PLAIN, SECTIONS, TOP, Values
from rmldnn.config.parts import PARTS
from rmldnn.config.samples import SLICERS, TRANSFORM_LISTS, TYPES
from rmldnn.config.spec import ALIASES, EDITORS_KEY
from rmldnn.optimizers.groups import KINDS, LAYERS
from rmldnn.types import describe

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ANYTHING: Values = {}
_NUMBER: Values = {"type": "number", "minimum": 0}
_NULL: Values = {"type": "null"}


def schema() -> Values:
    """The schema of a whole configuration file."""
    return {
        "$schema": DIALECT,
        "title": "rmldnn configuration",
        "type": "object",
        "properties": {ROOT: _content(), EDITORS_KEY: {"type": "string"}},
        "required": [ROOT],
        "additionalProperties": False,
        "$defs": {
            "transform": _transform(),
            "lr_scheduler": _named_or("optimizer.lr_scheduler", _chosen("optimizer.lr_scheduler")),
            "optimizer": _named_or("optimizer", _chosen("optimizer", _optimizer)),
            "network": _named_or("network", _chosen("network")),
            "tracker": _named_or("tracking", _chosen("tracking")),
        },
    }


def _defined(name: str) -> Values:
    return {"$ref": f"#/$defs/{name}"}


def _content() -> Values:
    top: Values = {}
    for group in TOP:
        top |= _properties(group, catalog.only(group))
    top["layers"] = {**top["layers"], **_any_of(*_alternatives(top["layers"]), _parts(_ANYTHING))}
    sections = {name: {"description": f"See `rmldnn explain {name}`.", **_section(name)} for name in SECTIONS}
    return {"type": "object", "properties": top | sections, "required": ["data"], "additionalProperties": False}


def _section(name: str) -> Values:
    """What a section of the top level may be."""
    match name:
        case "data":
            return _data()
        case "loss":
            terms = {"type": "array", "minItems": 1, "items": _named_or(name, _chosen(name, _term))}
            return _any_of(_named_or(name, _chosen(name)), terms, _NULL)
        case "optimizer" | "network":
            return _any_of(_defined(name), _parts(_defined(name)), _NULL)
        case "metrics":
            return _any_of({"type": "array", "items": _named_or(name, _chosen(name))}, _NULL)
        case "tracking":
            return _any_of(_defined("tracker"), {"type": "array", "items": _defined("tracker")}, _NULL)
        case "deepspeed":
            return _any_of({"type": "object"}, _NULL)
        case "sweep":
            return _any_of(_sweep(), _NULL)
        case _ if name in CHOSEN:
            return _any_of(_named_or(name, _chosen(name)), _NULL)
        case _:
            return _any_of(_plain(name), _NULL)


def _data() -> Values:
    """Keys of `data`: those of all sets, and those of the sources that it names, for both sides or for one."""
    properties: Values = {
        **_names("source", TYPES),
        **{key: {"type": "array", "items": _defined("transform")} for key in TRANSFORM_LISTS},
        SLICERS: {"type": "array", "items": _plain(f"data.{SLICERS}")},
    }
    for group in PLAIN["data"]:
        properties |= _properties(group, catalog.only(group))
    cases = []
    for form in catalog.group("source").values():
        own = _properties("source", form)
        own |= {str(old): own[new] for (section, old), new in ALIASES.items() if section == "data" and new in own}
        for side in ("input", "target"):
            either = [{"properties": {key: _pattern(form)}, "required": [key]} for key in ("type", f"{side}_type")]
            keys = own | {f"{side}_{key}": _any_of(value, _NULL) for key, value in own.items()}
            cases.append({"if": {"anyOf": either}, "then": {"properties": keys}})
    return {"type": "object", "properties": properties, "allOf": cases, "unevaluatedProperties": False}


def _transform() -> Values:
    """An object of one key, which names the transform."""
    canonical: Values = {}
    other: Values = {}
    for form in catalog.group("transform").values():
        value = _object("transform", form)
        if len(form.parameters) == 1:
            value = _any_of(value, *value["properties"].values())
        canonical[form.name] = {"description": meanings.summary(form), **value}
        other[_pattern(form)["pattern"]] = value
    one = {"type": "object", "minProperties": 1, "maxProperties": 1}
    return {**one, "properties": canonical, "patternProperties": other, "additionalProperties": False}


def _chosen(section: str, more: Callable[[Values], Values] | None = None) -> Values:
    """An object that names a component by one key and has those of the component.

    Args:
        section: Its place.
        more: Changes what the properties of a component are.
    """
    group, key = CHOSEN[section]
    cases = []
    for form in catalog.group(group).values():
        keys = _properties(group, form)
        then = {"properties": more(keys) if more else keys, "required": form.required}
        cases.append({"if": {"properties": {key: _pattern(form)}, "required": [key]}, "then": then})
    return {
        "type": "object",
        "properties": _names(group, (key,)),
        "required": [key],
        "allOf": cases,
        "unevaluatedProperties": False,
    }


def _term(keys: Values) -> Values:
    """A loss of a sum has a weight, if it has no list of weights by that name, or a factor."""
    weight = _any_of(_NUMBER, keys["weight"]) if "weight" in keys else _NUMBER
    return {**keys, "weight": weight, "factor": _NUMBER}


def _sweep() -> Values:
    """Settings, and parameters by their paths."""
    bounds = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
    ranges = {**dict.fromkeys(domains.KINDS, bounds), domains.STEP: {"type": "number", "exclusiveMinimum": 0}}
    one = {"type": "object", "properties": ranges, "additionalProperties": False, "minProperties": 1}
    listed = {"type": "array", "minItems": 1}
    return {**_plain("sweep"), "additionalProperties": _any_of(listed, one)}


def _optimizer(keys: Values) -> Values:
    own = {parameter.name: _value(parameter, "") for parameter in (LAYERS, KINDS)}
    entry = {"type": "object", "properties": own | keys, "additionalProperties": False}
    one = _defined("lr_scheduler")
    return {
        **keys,
        "parameters": _any_of({"type": "array", "items": entry}, _NULL),
        "lr_scheduler": _any_of(one, {"type": "array", "items": one}, _NULL),
    }


def _named_or(section: str, described: Values) -> Values:
    """A section that may be the bare name of its component."""
    group, _ = CHOSEN[section]
    return _any_of(_name(group), described)


def _names(group: str, keys: Iterable[str]) -> Values:
    return {key: _name(group) for key in keys}


def _name(group: str) -> Values:
    """The name of a component: editors propose it as it is written, any case counts."""
    forms = list(catalog.group(group).values())
    return _any_of({"enum": [form.name for form in forms]}, *map(_pattern, forms))


def _pattern(form: Form) -> Values:
    letters = (f"[{letter.lower()}{letter.upper()}]" if letter.isalpha() else letter for letter in form.name)
    return {"type": "string", "pattern": f"^{''.join(letters)}$"}


def _parts(each: Values) -> Values:
    """A section that speaks of the two networks of a pair."""
    return {
        "type": "object",
        "properties": dict.fromkeys(PARTS, each),
        "anyOf": [{"required": [part]} for part in PARTS],
        "additionalProperties": False,
    }


def _object(group: str, form: Form) -> Values:
    """An object with the keys of a component."""
    keys = _properties(group, form)
    return {"type": "object", "properties": keys, "required": form.required, "additionalProperties": False}


def _plain(section: str) -> Values:
    """A section that has the keys of one component anyhow."""
    (group,) = PLAIN[section]
    return _object(group, catalog.only(group))


def _properties(group: str, form: Form) -> Values:
    said = meanings.keys(group, form)
    return {name: _value(parameter, said.get(name, "")) for name, parameter in form.parameters.items()}


def _value(parameter: Parameter, meaning: str) -> Values:
    value = parameter.schema()
    if meaning:
        value["description"] = f"{meaning} ({describe(parameter.annotation)})"
    if not parameter.required:
        value["default"] = list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
    return value


def _alternatives(value: Values) -> list[Values]:
    return list(value.get("anyOf", [{key: item for key, item in value.items() if key in ("type", "enum", "items")}]))


def _any_of(*alternatives: Values) -> Values:
    return {"anyOf": list(alternatives)}
