"""Holds table, bucket, pool and queue of the template against those that the embedded AWS makes, so that what runs on a
laptop is what is deployed: `likeness.py PROCESSED_TEMPLATE`, with the variables of `crosswalk env` set.
"""

import json
import sys
from pathlib import Path

import boto3

TEMPLATE = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
# The names that `crosswalk up` makes things under.
NAME, QUEUE = "crosswalk", "crosswalk-imports"

dynamodb, s3, cognito, sqs = (boto3.client(name) for name in ["dynamodb", "s3", "cognito-idp", "sqs"])


def properties(name):
    return TEMPLATE["Resources"][name]["Properties"]


def default(value):
    """A parameter's default in the place of a reference to it."""
    return TEMPLATE["Parameters"][value["Ref"]]["Default"] if isinstance(value, dict) else value


def picked(found, *names):
    return {name: found.get(name) for name in names}


def keys(schema):
    return [(key["AttributeName"], key["KeyType"]) for key in schema]


def table(described, ttl):
    return {
        "billing": described.get("BillingMode") or described["BillingModeSummary"]["BillingMode"],
        "attributes": {it["AttributeName"]: it["AttributeType"] for it in described["AttributeDefinitions"]},
        "keys": keys(described["KeySchema"]),
        "indexes": {
            index["IndexName"]: (keys(index["KeySchema"]), index["Projection"]["ProjectionType"])
            for index in described["GlobalSecondaryIndexes"]
        },
        "local indexes": described.get("LocalSecondaryIndexes") or [],
        "ttl": ttl,
    }


def table_of_template():
    described = properties("Table")
    ttl = described["TimeToLiveSpecification"]
    return table(described, ttl["AttributeName"] if ttl["Enabled"] else None)


def table_of_embedded():
    ttl = dynamodb.describe_time_to_live(TableName=NAME)["TimeToLiveDescription"]
    on = ttl["TimeToLiveStatus"] in ("ENABLED", "ENABLING")
    return table(dynamodb.describe_table(TableName=NAME)["Table"], ttl["AttributeName"] if on else None)


def bucket_of_template():
    return [
        ([configured["Event"]], [(rule["Name"], rule["Value"]) for rule in configured["Filter"]["S3Key"]["Rules"]])
        for configured in properties("Bucket")["NotificationConfiguration"]["QueueConfigurations"]
    ]


def bucket_of_embedded():
    notifications = s3.get_bucket_notification_configuration(Bucket=NAME)["QueueConfigurations"]
    return [
        (it["Events"], [(rule["Name"].lower(), rule["Value"]) for rule in it["Filter"]["Key"]["FilterRules"]])
        for it in notifications
    ]


def pool(described):
    return {
        **picked(described, "UsernameAttributes", "UsernameConfiguration"),
        "only administrators create": described["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"],
        "password": picked(
            described["Policies"]["PasswordPolicy"],
            "MinimumLength",
            "RequireLowercase",
            "RequireNumbers",
            "RequireSymbols",
            "RequireUppercase",
            "TemporaryPasswordValidityDays",
        ),
    }


def pool_of_embedded():
    (found,) = (it["Id"] for it in cognito.list_user_pools(MaxResults=60)["UserPools"] if it["Name"] == NAME)
    return pool(cognito.describe_user_pool(UserPoolId=found)["UserPool"])


def queue_of_template():
    # The visibility timeout differs: a local import has no timeout that it would have to outlast.
    receives = int(default(properties("ImportQueue")["RedrivePolicy"]["maxReceiveCount"]))
    return receives, int(properties("ImportDeadLetterQueue")["MessageRetentionPeriod"])


def queue_of_embedded():
    def attributes(name):
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]

    receives = int(json.loads(attributes(QUEUE)["RedrivePolicy"])["maxReceiveCount"])
    return receives, int(attributes(f"{QUEUE}-dead")["MessageRetentionPeriod"])


different = False
for what, template, embedded in [
    ("table", table_of_template(), table_of_embedded()),
    ("bucket's notifications", bucket_of_template(), bucket_of_embedded()),
    ("pool", pool(properties("UserPool")), pool_of_embedded()),
    ("queue", queue_of_template(), queue_of_embedded()),
]:
    if template != embedded:
        different = True
        print(f"likeness: the {what} of the template is {template}, the embedded one {embedded}", file=sys.stderr)
if different:
    sys.exit(1)
print("likeness: the embedded AWS has the template's table, bucket, pool and queue")
