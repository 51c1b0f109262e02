"""`sluice check --print-schema`: JSON Schema that says of documents what check says, as far as a schema can."""

import json

import jsonschema
import pytest
import yaml

from harness import documents
from harness.gateway import ROOT, run_sluice

GATEWAY = documents.kyma_gateway()
ROUTES = documents.routes("app", 8000)
GOLDEN = ROOT / "tests" / "unit" / "config" / "diagnostics"


class Loader(yaml.SafeLoader):
    """As editors read YAML: a time is a text."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse(text):
    return [document for document in yaml.load_all(text, Loader=Loader) if document is not None]


def print_schema(*kind):
    shown = run_sluice("check", "--print-schema", *kind)
    assert shown.returncode == 0, shown.stderr
    schema = json.loads(shown.stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture(scope="module")
def schema():
    return print_schema()


def errors_of(schema, text):
    return [f"{error.json_path}: {error.message}" for document in parse(text) for error in schema.iter_errors(document)]


def has_errors(golden):
    return any(line.startswith("#= ") and ": error: " in line for line in golden.read_text().splitlines())


EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))
ACCEPTED = [golden for golden in sorted(GOLDEN.glob("*.yaml")) if not has_errors(golden)]
# What is wrong with these is in a single field, so that a schema can tell.
REFUSED = sorted(
    golden
    for golden in GOLDEN.glob("*.yaml")
    if golden.stem.startswith(("field_missing", "field_of_wrong_type", "field_unknown", "not_supported_yet"))
)


@pytest.mark.parametrize("path", EXAMPLES + ACCEPTED, ids=lambda path: path.stem)
def test_what_check_accepts_fits(schema, path):
    assert errors_of(schema, path.read_text()) == []


def test_documents_of_the_suite_fit(schema, certificate):
    for text in (*documents.kyma_texts(certificate).values(), GATEWAY, ROUTES):
        assert errors_of(schema, text) == []


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path.stem)
def test_what_check_refuses_for_a_field_does_not_fit(schema, path):
    assert errors_of(schema, path.read_text())


def test_lists_of_documents_are_looked_into(schema):
    good, bad = parse(ROUTES)[0], parse(ROUTES.replace("  resolution:", "  resolutoin:"))[0]
    listed = {"apiVersion": "v1", "kind": "List", "items": [good, good]}
    assert schema.is_valid(listed)
    assert not schema.is_valid(listed | {"items": [good, bad]})


@pytest.mark.parametrize(
    "old, new, expected",
    [
        ("number: 80", "number: 65536", "maximum"),
        ("number: 80", "number: 0", "minimum"),
        ("number: 80", "number: '80'", "type"),
        ("resolution: STATIC", "resolution: MAGIC", "enum"),
        ("resolution: STATIC", "resolution: [STATIC]", "type"),
        ("  location:", "  loction:", "additionalProperties"),
        ("  name: app\n", "", "required"),
        ("  name: app\n", "  name:\n", "type"),
    ],
)
def test_says_which_rule_is_broken(schema, old, new, expected):
    document = parse(ROUTES)[0]
    assert schema.is_valid(document)
    changed = parse(ROUTES.replace(old, new, 1))[0]
    assert changed != document
    assert expected in {error.validator for error in schema.iter_errors(changed)}


def test_one_kind_by_itself():
    gateway = print_schema("Gateway")
    document = parse(GATEWAY)[0]
    assert gateway.is_valid(document)
    assert not gateway.is_valid(document | {"kind": "VirtualService"})
    assert not gateway.is_valid({name: value for name, value in document.items() if name != "apiVersion"})
    assert not gateway.is_valid(document | {"apiVersion": "networking.istio.io/v2"})


def test_protocols_fit_in_any_case_and_are_offered_in_one():
    gateway = print_schema("Gateway")
    for protocol, fits in (("HTTP", True), ("http", True), ("Tcp", True), ("HTTPX", False), ("", False)):
        server = {"port": {"number": 80, "name": "x", "protocol": protocol}, "hosts": ["*"]}
        document = parse(GATEWAY)[0] | {"spec": {"servers": [server]}}
        assert gateway.is_valid(document) == fits, protocol
    assert "HTTP" in json.dumps(gateway.schema["$defs"]["Port"]["properties"]["protocol"])


def test_durations():
    rule = print_schema("VirtualService")
    document = parse(documents.virtual_service("app", ["app.test"], "app"))[0]
    for timeout, fits in [("1h30m", True), ("0.5s", True), (0, True), ("10", False), (10, False), ("ten", False)]:
        document["spec"]["http"][0]["timeout"] = timeout
        assert rule.is_valid(document) == fits, timeout


def test_mesh_config_is_a_document_in_a_document():
    mesh = print_schema("MeshConfig")
    for path in (ROOT / "examples" / "mesh-config").glob("*.yaml"):
        for document in parse(path.read_text()):
            if document["kind"] == "ConfigMap":
                mesh.validate(parse(document["data"]["mesh"])[0])
    assert mesh.is_valid({"enableTracing": False}), "what is done anyway"
    assert not mesh.is_valid({"enableTracing": True})


def test_fields_that_are_not_supported_yet_are_marked():
    """An editor strikes them out and says why, as check does; "unknown field" would be wrong."""
    definitions = print_schema().schema["$defs"].values()
    fields = [field for definition in definitions for field in definition.get("properties", {}).values()]
    marked = [field for field in fields if "deprecated" in field]
    assert marked and all("not supported yet" in field["description"] for field in marked)
    assert all(jsonschema.Draft202012Validator(field).is_valid(None) for field in marked)
    assert not any(jsonschema.Draft202012Validator(field).is_valid({"a": 1}) for field in marked)


def test_unknown_kind_is_wrong_usage():
    shown = run_sluice("check", "--print-schema", "Gatewya")
    assert shown.returncode == 2 and "Gateway" in shown.stderr and not shown.stdout
    assert run_sluice("check").returncode == 2, "--config is needed otherwise"
