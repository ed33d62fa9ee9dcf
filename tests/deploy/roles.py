"""Holds each function's role against the calls in its binary, both ways: `roles.py PROCESSED_TEMPLATE BINARIES`.

What the linker kept is what the function can call: an SDK's operations that nothing reaches are not in the binary. So a call
that somebody adds fails here until permissions.yaml and the role know it, and one that somebody takes out fails here until
the role is narrower. The emulator then shows that the permissions do for what the functions do, on these resources.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import yaml

TEMPLATE = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
BINARIES = Path(sys.argv[2])
TABLE = yaml.safe_load((Path(__file__).parent / "permissions.yaml").read_text(encoding="utf-8"))
# What sends an operation. Of others an optimised binary may hold a name as well: that of a function with the same code.
OPERATION = re.compile(r"<aws_sdk_(\w+)::operation::(\w+)::\w+ as [\w:]+::RuntimePlugin>::config$", re.MULTILINE)
PART = re.compile(r"\baws_sdk_dynamodb::types::_(\w+)::\w+Builder::build\b")

problems = []


def symbols(name):
    listed = subprocess.run(["nm", "-C", BINARIES / name], stdout=subprocess.PIPE, text=True, check=True).stdout
    calls = set(OPERATION.findall(listed))
    if not calls:
        sys.exit(f"roles: {name} has no symbols that name a call; was the binary stripped?")
    return calls, set(PART.findall(listed)) & set(TABLE["parts"])


def needed(name, function):
    """Each action that the function needs, with why."""
    actions = {}
    calls, parts = symbols(name)
    for service, operation in sorted(calls):
        if f"{service}::{operation}" in TABLE["idle"]:
            continue
        found = TABLE["calls"].get(service, {}).get(operation)
        if found is None:
            problems.append(f"{name} can call {service}::{operation}, which permissions.yaml does not know")
        for action in found or []:
            actions[action] = operation
    if ("dynamodb", "transact_write_items") in calls:
        for part in sorted(parts):
            for action in TABLE["parts"][part]:
                actions.setdefault(action, f"a transaction's {part}")
    for action in function["also"]:
        actions[action] = "permissions.yaml's `also`"
    for reason in function["lambda"]:
        for action in TABLE["lambda"][reason]:
            actions[action] = f"Lambda itself ({reason})"
    return actions


def branches(value):
    """A list's elements, whatever the template's conditions are."""
    if isinstance(value, list):
        for element in value:
            yield from branches(element)
    elif isinstance(value, dict) and set(value) == {"Fn::If"}:
        yield from branches(value["Fn::If"][1:])
    elif value != {"Ref": "AWS::NoValue"}:
        yield value


def allowed(role):
    """Each action that the role allows, with the statements that do."""
    actions = {}
    properties = TEMPLATE["Resources"][role]["Properties"]
    if properties.get("ManagedPolicyArns"):
        problems.append(f"{role} has managed policies, which allow more than is used")
    for policy in branches(properties["Policies"]):
        for statement in branches(policy["PolicyDocument"]["Statement"]):
            if statement["Effect"] != "Allow":
                problems.append(f"{role}: the statement {statement['Sid']} is not read here: it does not allow")
            for action in branches(statement["Action"]):
                actions.setdefault(action, []).append(statement)
    return actions


def check_statement(role, action, statement):
    where = f"{role}: the statement {statement['Sid']}"
    if "*" in action:
        problems.append(f"{where} allows {action}: name each action")
    wide = any(resource == "*" for resource in branches(statement["Resource"]))
    if wide != (action in TABLE["without_resource"]):
        problems.append(f"{where} allows {action} on {'every' if wide else 'a named'} resource")
    # A scan has no leading keys, and a condition that is not there holds: it would read everything.
    keyed = "dynamodb:LeadingKeys" in json.dumps(statement.get("Condition", {}))
    if action == "dynamodb:Scan" and keyed:
        problems.append(f"{where} allows a scan under a condition on leading keys, which does not hold it back")


functions = {
    resource["Properties"]["Role"]["Fn::GetAtt"][0]: name
    for name, resource in TEMPLATE["Resources"].items()
    if resource["Type"] == "AWS::Lambda::Function"
}
if set(functions) != {function["role"] for function in TABLE["functions"].values()}:
    problems.append(f"the template's functions have the roles {sorted(functions)}, which permissions.yaml does not name")

for name, function in TABLE["functions"].items():
    wanted, given = needed(name, function), allowed(function["role"])
    for action in sorted(wanted.keys() - given.keys()):
        problems.append(f"{function['role']} lacks {action}, for {wanted[action]}")
    for action in sorted(given.keys() - wanted.keys()):
        problems.append(f"{function['role']} allows {action}, which {name} does not use")
    for action, statements in given.items():
        for statement in statements:
            check_statement(function["role"], action, statement)

if problems:
    sys.exit("\n".join(f"roles: {problem}" for problem in problems))
print(f"roles: the roles of {', '.join(TABLE['functions'])} allow what their binaries call, and nothing else")
