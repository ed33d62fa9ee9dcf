"""Makes of infra/template.yaml what `sam build` and CloudFormation make of it: `expand.py TEMPLATE BINARIES FOLDER`.

FOLDER/template.yaml has the functions' binaries (BINARIES/<function>) in the place of their sources, as `sam build` leaves
it, and lacks what the emulator refuses; FOLDER/processed.json is the template after SAM's transform, which is what CloudFormation sees; FOLDER/widest.json the same
with each `Fn::If` taken. Runs in aws-sam-cli's environment, whose YAML knows CloudFormation's tags.
"""

import json
import os
import shutil
import sys
from pathlib import Path

from samcli.yamlhelper import yaml_dump, yaml_parse
from samtranslator.translator.transform import transform

TEMPLATE, BINARIES, FOLDER = (Path(argument) for argument in sys.argv[1:])
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")


class NoManagedPolicies:
    """SAM asks for these where a function has no role of its own; all of ours have one."""

    def load(self):
        return {}


def functions(template):
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            yield resource["Metadata"]["BuildProperties"]["Binary"], resource


def is_refused(resource):
    """Alarms over an expression: the emulator knows those over one metric alone."""
    return resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"]


def widest(value):
    """The template with all that can be switched on, which has the most permissions."""
    if isinstance(value, list):
        return [widest(element) for element in value]
    if isinstance(value, dict):
        if set(value) == {"Fn::If"}:
            return widest(value["Fn::If"][1])
        return {name: widest(element) for name, element in value.items()}
    return value


template = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))
for name, function in functions(template):
    code = FOLDER / name
    code.mkdir(parents=True)
    # A link would do for a folder; SAM's archive has to hold the file.
    shutil.copy2(BINARIES / name, code / "bootstrap")
    function["Properties"]["CodeUri"] = name
resources = {name: resource for name, resource in template["Resources"].items() if not is_refused(resource)}
(FOLDER / "template.yaml").write_text(yaml_dump({**template, "Resources": resources}), encoding="utf-8")

for name, function in functions(template):
    function["Properties"]["CodeUri"] = f"s3://artifacts/{name}.zip"
processed = transform(template, {}, NoManagedPolicies())
(FOLDER / "processed.json").write_text(json.dumps(processed, indent=1), encoding="utf-8")
(FOLDER / "widest.json").write_text(json.dumps(widest(processed), indent=1), encoding="utf-8")
