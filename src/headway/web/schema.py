"""One schema for the page's forms, the API's documents and its checks: made from `headway.questions.FIELDS` and the verbs' own options."""

from __future__ import annotations

from typing import Any

from headway import __version__
from headway.questions import Query, Request, schema
from headway.web.asked import files_of
from headway.web.limits import MOST_POINTS, MOST_TEXT
from headway.web.offered import OFFERED, Offered, Option, options_of
from headway.web.own import CHIP, FACTS

_ERRORS = {
    "400": "malformed: what was asked cannot be read", "403": "another site asks", "408": "took longer than the server's limit",
    "413": "larger than the server takes", "415": "not JSON", "422": "physics says no; `nearest` lists what fits",
    "429": "as many questions as the server takes are waiting", "503": "the process that computed it ended",
}  # fmt: skip
_FILES = {
    "config": {"type": "object", "group": "file", "option": "MODEL", "description": "A config.json instead of a model's name."},
    "own_chip": {
        "type": "object", "group": "file", "option": "--catalog",
        "description": f"Facts of a chip of your own: {CHIP} (or {CHIP}x8) is then a system.",
        "properties": {
            n: {"type": ["string", "number"], "description": f.about, "examples": [f.quantity.example.split(",")[0]]}
            for n, f in FACTS.items()
        },
    },
    "cases": {"type": "string", "group": "file", "option": "FILE", "description": "The text of a CSV, a row per case."},
}  # fmt: skip


def verb_schema(offered: Offered) -> dict[str, Any]:
    """Return the JSON schema of what a verb takes; ``group`` says what of it is the question's and what the verb's own."""
    known = {**schema(Query)["properties"], **schema(Request)["properties"]}
    properties: dict[str, Any] = {}
    needed: list[str] = []
    for name, o in options_of(offered).items():
        entry = dict(known[name]) if o.asked else _own(o)
        if name == "points":
            entry |= {"minimum": 2, "maximum": MOST_POINTS}
        entry["option"] = o.said or name.upper()
        entry["group"] = "question" if o.asked else "verb"
        if not o.asked or o.default is None:
            entry.pop("default", None)
        if o.default is not None and o.default != ():
            entry["default"] = o.default
        properties[name] = entry
        if o.needed:
            needed.append(name)
    takes = files_of(offered, options_of(offered))
    properties |= {name: entry for name, entry in _FILES.items() if name in takes}
    needed += ["cases"] if "cases" in takes else []
    about = " ".join((offered.verb.__doc__ or "").split("\n\n")[0].split())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "title": offered.name, "description": about, "type": "object",
        "properties": properties, "required": needed, "additionalProperties": False,
    }  # fmt: skip


def _own(o: Option) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": o.kind, "description": o.about}
    if o.choices:
        entry["enum"] = list(o.choices)
    if o.kind == "string" and not o.choices:
        entry["maxLength"] = MOST_TEXT
    if o.kind == "object":
        entry["additionalProperties"] = {"type": ["string", "number"]}
    return entry


def schemas() -> dict[str, Any]:
    """Return the schema of every verb on the page, by name, with whether it streams, draws and has a table."""
    return {name: verb_schema(o) | {"lane": o.lane, "drawn": o.drawn, "table": o.table} for name, o in OFFERED.items()}


def openapi() -> dict[str, Any]:
    """Return the API as an OpenAPI 3.1 document."""
    paths: dict[str, Any] = {}
    for name, o in OFFERED.items():
        body = {"required": True, "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}
        failed = {
            code: {
                "description": text,
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}},
            }
            for code, text in _ERRORS.items()
        }
        about = verb_schema(o)["description"]
        record = f"exactly what `headway {name} --json` prints (docs/json.md); a stream of progress with Accept: text/event-stream"
        view = "`answer` (that record), `figure` (the Vega-Lite of `-o FILE.json`, or null), `command`, `python`"
        forms = [("", record, "application/json"), ("/view", view, "application/json")]
        if o.table:
            forms.append(("/csv", f"what `headway {name} --csv` prints", "text/csv"))
        for suffix, said, kind in forms:
            done = {"200": {"description": said, "content": {kind: {}}}}
            paths[f"/api/{name}{suffix}"] = {
                "post": {"summary": about, "operationId": f"{name}{suffix.replace('/', '_')}", "requestBody": body,
                         "responses": done | failed}
            }  # fmt: skip
    for path, said in (("/api/schema", "the schemas below, by verb"), ("/api/names", "names that the catalogue knows")):
        paths[path] = {
            "get": {"summary": said, "responses": {"200": {"description": said, "content": {"application/json": {}}}}}
        }
    refusal = {
        "type": "object", "required": ["error", "kind"],
        "properties": {"error": {"type": "string", "description": "One line."}, "kind": {"type": "string"},
                       "nearest": {"type": "array", "items": {"type": "object"}}},
    }  # fmt: skip
    return {
        "openapi": "3.1.0", "info": {"title": "headway", "version": __version__, "description": "Every verb as on the command line."},
        "paths": paths,
        "components": {"schemas": {name: verb_schema(o) for name, o in OFFERED.items()} | {"Refusal": refusal}},
    }  # fmt: skip
