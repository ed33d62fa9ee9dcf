"""Parses recorded requests with Glean's own published models: `check.py FILE`, a JSON object a line with `path` and `body`.

A body passes if its model takes it and gives it back unchanged: so a field that the model does not know, a name in another
spelling, and a value that the model would only coerce are failures. What the models leave open, the enumerations and the
key of an additional field, is checked here by what the models' documentation says.
"""

import json
import re
import sys
from pathlib import Path

import pydantic
from glean.api_client import models, people

MODELS = {
    "bulkindexemployees": models.BulkIndexEmployeesRequest,
    "bulkindexteams": models.BulkIndexTeamsRequest,
    "indexemployee": models.IndexEmployeeRequest,
    "indexteam": models.IndexTeamRequest,
    "deleteemployee": models.DeleteEmployeeRequest,
    "deleteteam": models.DeleteTeamRequest,
    # It has no body.
    "processallemployeesandteams": None,
}
ENUMERATIONS = {
    "status": {"CURRENT", "FUTURE", "EX"},
    "type": {"FULL_TIME", "CONTRACTOR", "NON_EMPLOYEE"},
    "relationship": {"MEMBER", "MANAGER", "LEAD", "POINT_OF_CONTACT", "OTHER"},
}
EMAIL_TYPES = {"PRIMARY", "SECONDARY", "ONCALL", "OTHER"}


def without_values(body):
    """The body with `{}` for each value of an additional field: a value is a string or a link, for which the models have an
    empty class only. Also says what is wrong with those values."""
    wrong = []

    def walk(value, name):
        if isinstance(value, list):
            return [walk(item, name) for item in value]
        if not isinstance(value, dict):
            allowed = ENUMERATIONS.get(name)
            if allowed and value not in allowed:
                wrong.append(f"{name} is {value!r}")
            return value
        if name == "additionalFields":
            if not re.fullmatch("[a-z]+", value["key"]):
                wrong.append(f"the additional field's key is {value['key']!r}")
            for item in value["value"]:
                if not isinstance(item, str) and set(item) != {"anchor", "hyperlink"}:
                    wrong.append(f"an additional field's value is {item!r}")
            return {**value, "value": [{} for _ in value["value"]]}
        if name == "emails":
            if value["type"] not in EMAIL_TYPES:
                wrong.append(f"the e-mail's type is {value['type']!r}")
            return dict(value)
        return {key: walk(item, key) for key, item in value.items()}

    return walk(body, None), wrong


def check(path, body):
    """What is wrong with a request, in words."""
    name = path.removeprefix("/api/index/v1/")
    if name not in MODELS:
        return [f"the models have no endpoint {path}"]
    model = MODELS[name]
    if model is None:
        return [] if body in (None, {}) else ["a body where none belongs"]
    body, wrong = without_values(body)
    try:
        parsed = model.model_validate_json(json.dumps(body), strict=True)
    except pydantic.ValidationError as error:
        return wrong + [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
    back = json.loads(parsed.model_dump_json(by_alias=True, exclude_unset=True))
    return wrong + differences(body, back, "")


def differences(sent, back, place):
    if isinstance(sent, dict) and isinstance(back, dict):
        return [
            line
            for key in sorted(sent.keys() | back.keys())
            for line in differences(sent.get(key), back.get(key), f"{place}.{key}")
        ]
    if isinstance(sent, list) and isinstance(back, list) and len(sent) == len(back):
        return [line for number, pair in enumerate(zip(sent, back)) for line in differences(*pair, f"{place}.{number}")]
    return [] if sent == back else [f"{place.lstrip('.')}: the model makes {back!r} of it"]


def self_test():
    """The check itself can fail: each of these must."""
    person = {"email": "kim@example.org", "department": "Finance"}
    bad = [
        ("indexemployee", {"employee": {"email": "kim@example.org"}}),
        ("indexemployee", {"employee": person | {"customProperties": {}}}),
        ("indexemployee", {"employee": person | {"first_name": "Kim"}}),
        ("indexemployee", {"employee": person | {"startDate": "01.02.2020"}}),
        ("indexemployee", {"employee": person | {"status": "FORMER"}}),
        ("indexemployee", {"employee": person | {"additionalFields": [{"key": "cost_centre", "value": []}]}}),
        ("indexemployee", {"employee": person | {"additionalFields": [{"key": "a", "value": [{"b": "c"}]}]}}),
        ("bulkindexemployees", {"employees": [person], "isFirstPage": True}),
        ("bulkindexteams", {"uploadId": "1", "teams": [], "disableStaleDataDeletionCheck": True}),
        ("indexteam", {"team": {"id": "1", "name": "A", "members": [{"email": "kim@example.org", "joinDate": "x"}]}}),
        ("deleteteam", {"id": 7}),
        ("processallemployeesandteams", {"x": 1}),
        ("bulkindexpeople", {}),
    ]
    for name, body in bad:
        if not check(f"/api/index/v1/{name}", body):
            sys.exit(f"peer: the check takes what is wrong: {name} {body}")
    good = person | {"additionalFields": [{"key": "languages", "value": ["English"]}]}
    if wrong := check("/api/index/v1/indexemployee", {"employee": good}):
        sys.exit(f"peer: the check refuses what is right: {wrong}")


self_test()
# The endpoints are where Glean's own client calls them.
source = Path(people.__file__).read_text(encoding="utf-8")
for name in MODELS:
    if f'path="/api/index/v1/{name}"' not in source:
        sys.exit(f"peer: Glean's client does not call {name}")

counts, failures = dict.fromkeys(MODELS, 0), []
with open(sys.argv[1], encoding="utf-8") as file:
    for number, line in enumerate(file, 1):
        request = json.loads(line)
        wrong = check(request["path"], request["body"])
        failures += [f"request {number}, {request['path']}: {reason}" for reason in wrong]
        name = request["path"].removeprefix("/api/index/v1/")
        counts[name] = counts.get(name, 0) + 1
if failures:
    sys.exit("\n".join([f"peer: {len(failures)} differences from Glean's models:", *failures[:20]]))
if unused := [name for name, count in counts.items() if not count]:
    sys.exit(f"peer: no request to {', '.join(unused)} was recorded")
print(f"glean-models: Glean's models take {', '.join(f'{count} {name}' for name, count in counts.items())}")
