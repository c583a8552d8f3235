"""Any schema gives a value that satisfies it, or a clear error."""

import json
from typing import Any

import msgspec
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from servers.llm.model.keywords import Keywords

from .filling import cut, fill
from .satisfies import TYPES, satisfies


def test_recursion_ends_wherever_it_can() -> None:
    """A term is an integer, or a sum of terms. Every seed ends, and some go deeper."""
    schema = {
        "$ref": "#/$defs/sum",
        "$defs": {
            "sum": {"type": "array", "items": {"$ref": "#/$defs/term"}, "minItems": 2},
            "term": {"anyOf": [{"$ref": "#/$defs/sum"}, {"type": "integer"}]},
        },
    }
    made = [fill(schema, seed) for seed in range(20)]
    assert all(satisfies(each, schema, schema) for each in made)
    assert any(isinstance(term, list) for each in made if isinstance(each, list) for term in each)


names = st.sampled_from(["a", "b", "c_d", "é/~"])
scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=4)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)
numbers = st.integers(-20, 20) | st.sampled_from([0.5, 0.1, -1.25, 1e-9])
counts = st.integers(0, 4)


def keywords(**choices: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=choices)


def any_schema(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Some keywords, which may contradict each other."""
    some = st.lists(inner, min_size=1, max_size=3)
    kind = st.sampled_from(sorted(TYPES))
    return keywords(
        **{"$ref": st.sampled_from(["#", "#/$defs/a", "#/$defs/b"])},
        type=kind | st.lists(kind, min_size=1, max_size=3),
        enum=st.lists(scalars, min_size=1, max_size=4),
        const=scalars,
        default=json_values,
        examples=st.lists(json_values, max_size=2),
        format=st.sampled_from(["date", "email", "int32"]),
        **dict.fromkeys(["allOf", "anyOf", "oneOf", "prefixItems"], some),
        **dict.fromkeys(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"], numbers),
        multipleOf=numbers.filter(lambda number: number > 0),
        **dict.fromkeys(["minLength", "maxLength", "minItems", "maxItems"], counts),
        **dict.fromkeys(["minProperties", "maxProperties"], counts),
        uniqueItems=st.booleans(),
        properties=st.dictionaries(names, inner, max_size=3),
        required=st.lists(names, max_size=2),
        items=inner,
        additionalProperties=inner,
    )


def narrow_schema(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A few keywords of one type, so that most schemas have a value."""
    some = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        keywords(type=st.just("integer"), minimum=numbers, multipleOf=st.integers(1, 5)),
        keywords(type=st.just("number"), exclusiveMaximum=numbers, multipleOf=st.just(0.1)),
        keywords(type=st.just("string"), minLength=counts, format=st.just("uuid")),
        keywords(type=st.just("array"), items=inner, maxItems=counts, uniqueItems=st.booleans()),
        keywords(prefixItems=some, items=st.booleans()),
        keywords(
            type=st.just("object"),
            properties=st.dictionaries(names, inner, max_size=3),
            required=st.lists(names, max_size=2),
            additionalProperties=inner,
        ),
        keywords(anyOf=some),
        keywords(allOf=some),
    )


root_schemas = st.builds(
    lambda root, a, b: root | {"$defs": {"a": a, "b": b}},
    *[
        st.recursive(st.booleans(), any_schema, max_leaves=6).filter(lambda s: isinstance(s, dict))
        | st.recursive(st.just(True), narrow_schema, max_leaves=8).filter(
            lambda s: isinstance(s, dict)
        )
    ]
    * 3,
)


def attempt(schema: Any, *arguments: Any) -> tuple[object, str]:
    """The value, or the error's message."""
    try:
        return fill(schema, *arguments), ""
    except ValueError as error:
        return None, str(error)


@settings(deadline=None, max_examples=200)
@given(root_schemas, st.integers() | st.text(max_size=3), st.text(max_size=20))
@example({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#"}}}, 0, "")
def test_the_value_satisfies_its_schema(schema: dict[str, Any], seed: int | str, hint: str) -> None:
    """Any schema gives a value that satisfies it, or a ValueError; always the same for a seed."""
    made, refusal = attempt(schema, seed, hint)
    event("refused" if refusal else "made")
    if refusal:
        assert refusal.startswith("#")
        return
    assert satisfies(made, schema, schema)
    assert json.dumps(made) == json.dumps(fill(schema, seed, hint))


possible_schemas = st.recursive(
    st.just(True)
    | keywords(type=st.sampled_from(sorted(TYPES)))
    | keywords(type=st.just("integer"), minimum=numbers)
    | keywords(type=st.just("number"), exclusiveMinimum=numbers, multipleOf=st.just(0.1))
    | keywords(type=st.just("string"), minLength=counts, format=st.just("uuid"))
    | keywords(enum=st.lists(json_values, min_size=1, max_size=3)),
    lambda inner: st.one_of(
        keywords(type=st.just("array"), items=inner, minItems=counts, maxItems=st.integers(4, 9)),
        keywords(prefixItems=st.lists(inner, max_size=3), items=inner),
        keywords(properties=st.dictionaries(names, inner), required=st.lists(names)),
        keywords(additionalProperties=inner, minProperties=counts),
        keywords(
            anyOf=st.lists(inner | st.just(False), min_size=1).map(lambda some: [*some, True])
        ),
        keywords(allOf=inner.map(lambda one: [one, True, one])),
    ),
    max_leaves=10,
)


@settings(deadline=None)
@given(possible_schemas)
def test_consistent_schemas_have_a_value(schema: Any) -> None:
    """No schema here contradicts itself, so none is refused."""
    assert satisfies(fill(schema), schema, schema)


near_keywords = st.sampled_from(
    [*(field.encode_name for field in msgspec.structs.fields(Keywords))]
)
anything = st.recursive(
    json_values | st.sampled_from([*TYPES, "#", "#/items", 10**400, float("nan"), 1e-320]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(near_keywords | names, inner),
    max_leaves=12,
)


@settings(deadline=None, max_examples=200)
@given(anything)
def test_any_json_as_a_schema(schema: Any) -> None:
    """It is refused with a path, or it is a schema and the value is JSON."""
    made, refusal = attempt(schema)
    assert refusal.startswith("#") or json.dumps(made)


@given(st.text(), st.integers() | st.text(max_size=3))
@example("", 0)
@example('{"text":"\\u4f60\\n🌊"}' * 20, "a")
def test_cut(text: str, seed: int | str) -> None:
    """Tokens of one to six characters that join to the text, always the same for a seed."""
    tokens = cut(text, seed)
    assert "".join(tokens) == text
    assert all(1 <= len(token) <= 6 for token in tokens)
    assert tokens == cut(text, seed)


PLAN = ['{"ci', 'ty"', ':"P', 'aris"', ',"da', 'ys":', "3", "}"]


def test_cut_everywhere() -> None:
    """The seed decides where a text is cut, on every machine alike."""
    assert cut('{"city":"Paris","days":3}', "a") == PLAN
    assert len({tuple(cut("x" * 40, seed)) for seed in range(10)}) == 10
    assert {len(token) for token in cut("x" * 400)} == {1, 2, 3, 4, 5, 6}
