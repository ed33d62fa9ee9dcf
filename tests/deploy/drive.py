"""Drives the deployed stack through AWS's own interfaces and checks what comes of it: `drive.py ENDPOINT STACK`.

Runs in the repository's root, with the secrets of a stand-in Keycloak, Glean, NEMO and LabArchives in
KEYCLOAK_CLIENT_SECRET, GLEAN_API_TOKEN, NEMO_TOKEN and LABARCHIVES_ACCESS_PASSWORD, the last one's address in
LABARCHIVES_URL, an empty PostgreSQL database in CUSTOM_DB_URI, and its client in PSQL.
"""

import base64
import csv
import hashlib
import hmac
import html.parser
import io
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path

import boto3

ENDPOINT, STACK = sys.argv[1:]
FIXTURES = Path("tests/fixtures")
# Nothing here takes so long; a busy machine may.
PATIENCE = 90

session = boto3.Session("test", "test", region_name="us-east-1")
apis, cloudformation, cognito, iam, lambdas, logs, s3, scheduler, secrets, ses, sqs = (
    session.client(name, endpoint_url=ENDPOINT)
    for name in [
        "apigatewayv2",
        "cloudformation",
        "cognito-idp",
        "iam",
        "lambda",
        "logs",
        "s3",
        "scheduler",
        "secretsmanager",
        "sesv2",
        "sqs",
    ]
)
OUTPUTS = {
    output["OutputKey"]: output["OutputValue"]
    for output in cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
}
BUCKET = OUTPUTS["BucketName"]


def fail(text):
    sys.exit(f"deploy: {text}")


def same(what, found, expected):
    if found != expected:
        fail(f"{what}: {found!r} instead of {expected!r}")


def step(text):
    print(f"deploy: {text}", flush=True)


def until(what, probe):
    """Asks until there is an answer that counts."""
    end = time.monotonic() + PATIENCE
    while not (found := probe()):
        if time.monotonic() > end:
            fail(f"{what} did not come to be within {PATIENCE} s")
        time.sleep(0.2)
    return found


# -- the API ------------------------------------------------------------------------------------------------------------------


def token(scopes):
    """A token for the client that the template makes, as the README has it."""
    client = cognito.describe_user_pool_client(UserPoolId=OUTPUTS["UserPoolId"], ClientId=OUTPUTS["ApiClientId"])
    client = client["UserPoolClient"]
    basic = base64.b64encode(f"{client['ClientId']}:{client['ClientSecret']}".encode()).decode()
    form = urllib.parse.urlencode({"grant_type": "client_credentials", "scope": scopes}).encode()
    # TokenUrl's path; the emulator has no such host.
    url = ENDPOINT + urllib.parse.urlsplit(OUTPUTS["TokenUrl"]).path
    with urllib.request.urlopen(
        urllib.request.Request(url, form, {"Authorization": f"Basic {basic}"}), timeout=30
    ) as answer:
        return json.load(answer)["access_token"]


READER = token("identifiers/read")
WRITER = token("identifiers/read identifiers/write")
API = f"{ENDPOINT}/_aws/execute-api/{urllib.parse.urlsplit(OUTPUTS['ApiUrl']).netloc.split('.')[0]}/$default"


def ask(method, path, bearer=None, body=None):
    request = urllib.request.Request(API + path, method=method)
    if bearer:
        request.add_header("Authorization", f"Bearer {bearer}")
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        status, text = refusal.code, refusal.read()
    return status, json.loads(text) if text else None


def found(path):
    status, body = ask("GET", path, READER)
    if status != 200:
        fail(f"GET {path} is answered with {status}: {body}")
    return body


# -- imports ------------------------------------------------------------------------------------------------------------------


def runs_where(name, value):
    return [run for run in found("/runs?limit=100")["items"] if run[name] == value]


def ended_run(source, before=()):
    """The run of a source that is none of those before, once it has ended."""
    runs = [run for run in runs_where("source", source) if run["id"] not in before]
    return runs[0] if runs and runs[0]["ended_at"] else None


def put(key, body):
    s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    return f"s3://{BUCKET}/{key}"


def imported(key, body):
    before = {run["id"] for run in runs_where("source", f"s3://{BUCKET}/{key}")}
    source = put(key, body)
    return until(f"an import of {key}", lambda: ended_run(source, before))


def nonzero(counts):
    return {name: count for name, count in counts.items() if count}


def counts(run):
    return nonzero(run["counts"])


def report(run, name):
    text = s3.get_object(Bucket=BUCKET, Key=run["reports"][name])["Body"].read().decode()
    return list(csv.DictReader(io.StringIO(text)))


def log(function):
    """What a function has logged, without what Lambda says around it."""
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{STACK}-{function}")
    lines = [event["message"].strip() for page in pages for event in page["events"]]
    return [line for line in lines if line and line.split()[0] not in ("START", "END", "REPORT", "INIT_START")]


def settle_event_source():
    """The emulator takes the parameter for text, and cannot count with it."""
    (mapping,) = lambdas.list_event_source_mappings(FunctionName=f"{STACK}-csv-import")["EventSourceMappings"]
    same("what the queue's poller is told", mapping["FunctionResponseTypes"], ["ReportBatchItemFailures"])
    same("messages at once", mapping["BatchSize"], 1)
    lambdas.update_event_source_mapping(UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": 2})


def check_tls_only():
    """The emulator speaks plain HTTP, which the bucket's policy must refuse."""
    source = put("imports/employers/employers.csv", (FIXTURES / "employers.csv").read_bytes())
    refusal = "with an explicit deny in a resource-based policy"
    until("the refusal of plain HTTP", lambda: any(refusal in line for line in log("csv-import")))
    s3.delete_bucket_policy(Bucket=BUCKET)
    step("plain HTTP is refused by the bucket's policy, which is taken away now")
    # The failed message comes again by itself.
    return until("the import of employers.csv, which failed before", lambda: ended_run(source))


def check_imports():
    employers = check_tls_only()
    same("employers", (employers["state"], counts(employers)), ("succeeded", {"read": 4, "created": 4}))

    admins = imported("imports/leave-admins/leave-admins.csv", (FIXTURES / "leave-admins.csv").read_bytes())
    same("leave administrators", (admins["state"], counts(admins)), ("succeeded", {"read": 5, "created": 5}))
    same("lines in succeeded.csv", [row["line"] for row in report(admins, "succeeded")], ["2", "3", "4", "5", "6"])
    users = cognito.list_users(UserPoolId=OUTPUTS["UserPoolId"])["Users"]
    same("accounts", sorted(user["UserStatus"] for user in users), ["CONFIRMED"] * 3)
    for username, links in [("anna@example.org", 2), ("ben@example.org", 1), ("CARLA@example.org", 2)]:
        person = found(f"/people/{username}")
        same(f"{username}'s role and links", (person["roles"], len(person["links"])), (["EMPLOYER"], links))
    administrators = found("/employers/000123450")["administrators"]
    same("administrators", [person["username"] for person in administrators], ["Carla@Example.org"])

    rows = "username,external_id\nanna@example.org,12345\nben@example.org,a/b c\ncarla@example.org,12345\n,9\n"
    mappings = imported("imports/mappings/nemo/the mappings + more (zoë).csv", rows.encode())
    expected = {"read": 4, "created": 2, "conflict": 1, "rejected": 1}
    same("mappings", (mappings["state"], counts(mappings)), ("partly", expected))
    outcomes = [(row["line"], row["outcome"]) for row in report(mappings, "failed")]
    same("failed.csv", outcomes, [("4", "conflict"), ("5", "rejected")])
    summary = s3.get_object(Bucket=BUCKET, Key=mappings["reports"]["summary"])["Body"].read()
    same("summary.json", json.loads(summary), found(f"/runs/{mappings['id']}"))
    same("runs", len(found("/runs?limit=100")["items"]), 3)
    step("employers, leave administrators and mappings are imported by S3's event, the queue and the deployed function")


def check_api():
    for path in ["/health", "/openapi.json"]:
        same(f"{path} without a token", ask("GET", path)[0], 200)
    nemo = "/people/anna@example.org/identifiers/nemo"
    holder = found("/systems/nemo/identifiers?external_id=12345")
    same("who is NEMO user 12345", holder["username"], "anna@example.org")
    same("without a token", ask("GET", nemo)[0], 401)
    same("with a token that is none", ask("GET", nemo, READER[:-8])[0], 401)
    same("writing with a scope to read", ask("PUT", nemo, READER, {"external_id": "1"})[0], 403)
    same("a taken id", ask("PUT", nemo, WRITER, {"external_id": "a/b c"})[1].get("owner"), "ben@example.org")
    same("a new id", ask("PUT", nemo, WRITER, {"external_id": "777"})[0], 200)
    move = {"external_id": "777", "from": "anna@example.org", "to": "carla@example.org"}
    same("a move", ask("POST", "/systems/nemo/moves", WRITER, move)[0], 200)
    swap = {"a": "carla@example.org", "b": "ben@example.org"}
    same("a swap", ask("POST", "/systems/nemo/swaps", WRITER, swap)[0], 200)
    page = found("/systems/nemo/identifiers")["items"]
    holders = {item["username"].lower(): item["external_id"] for item in page}
    same("the mappings", holders, {"carla@example.org": "a/b c", "ben@example.org": "777"})
    same("a deletion", ask("DELETE", "/people/ben@example.org/identifiers/nemo", WRITER)[0], 204)
    same("audits, before the first one", ask("GET", "/audit/missing", READER)[0], 404)
    same("people by e-mail", len(found("/people?email=anna%40example.org")["items"]), 1)
    step("the API answers under its role, and its authorizer asks for tokens and scopes")


# -- what goes wrong ----------------------------------------------------------------------------------------------------------


def received(queue):
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=1, WaitTimeSeconds=1).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return messages[0]["Body"] if messages else None


def check_poison():
    sqs.send_message(QueueUrl=OUTPUTS["ImportQueueUrl"], MessageBody="no event")
    dead = until("the dead letter", lambda: received(OUTPUTS["ImportDeadLetterQueueUrl"]))
    same("the dead letter", dead, "no event")
    step("a message that does not read ends in the dead-letter queue")


class Without:
    """Some statements taken from a role, for a while."""

    def __init__(self, role, *sids):
        self.role = cloudformation.describe_stack_resource(StackName=STACK, LogicalResourceId=role)
        self.role = self.role["StackResourceDetail"]["PhysicalResourceId"]
        (self.policy,) = iam.list_role_policies(RoleName=self.role)["PolicyNames"]
        self.whole = iam.get_role_policy(RoleName=self.role, PolicyName=self.policy)["PolicyDocument"]
        rest = [statement for statement in self.whole["Statement"] if statement["Sid"] not in sids]
        same(f"statements of {role} without {sids}", len(rest), len(self.whole["Statement"]) - len(sids))
        self.rest = {**self.whole, "Statement": rest}

    def wider(self, sid):
        """Takes from a statement what holds it back, as the emulator does not know it."""
        widened = [
            {**{name: part for name, part in statement.items() if name != "Condition"}, "Resource": "*"}
            if statement["Sid"] == sid
            else statement
            for statement in self.whole["Statement"]
        ]
        self.write({**self.whole, "Statement": widened})

    def write(self, document):
        iam.put_role_policy(RoleName=self.role, PolicyName=self.policy, PolicyDocument=json.dumps(document))

    def __enter__(self):
        self.write(self.rest)

    def __exit__(self, *_):
        self.write(self.whole)


def check_denials():
    rows = "fein,email\n04-2127847,dora@example.org\n"
    with Without("CsvImportRole", "Accounts"):
        denied = imported("imports/leave-admins/denied.csv", rows.encode())
        same("accounts without permission", counts(denied), {"read": 1, "failed": 1})
        (row,) = report(denied, "failed")
        # Which call is the first depends on what the function's process knows already.
        for part in ["AccessDenied", "cognito-idp:"]:
            if part not in row["reason"]:
                fail(f"the reason does not say {part}: {row['reason']}")
    again = imported("imports/leave-admins/denied.csv", rows.encode())
    same("the same file with permission", counts(again), {"read": 1, "created": 1})

    with Without("CsvImportRole", "Uploads"):
        denied = imported("imports/mappings/nemo/denied.csv", b"username,external_id\ndora@example.org,5\n")
        same("a file that may not be read", (denied["state"], denied["counts"]["read"]), ("failed", 0))
        reason = denied["reasons"][0]["reason"]
        if "AccessDenied" not in reason and "s3:GetObject" not in reason:
            fail(f"the reason does not say what is denied: {reason}")

    nemo = "/people/dora@example.org/identifiers/nemo"
    with Without("MappingApiRole", "Write"):
        status, problem = ask("PUT", nemo, WRITER, {"external_id": "55"})
        same("writing without permission", (status, problem["status"]), (500, 500))
        same("reading without it", ask("GET", "/people/dora@example.org", READER)[0], 200)
        until("the denial in the log", lambda: any("AccessDenied" in line for line in log("mapping-api")))
    same("writing with permission", ask("PUT", nemo, WRITER, {"external_id": "55"})[0], 201)
    step("without one statement of a role its calls are denied, and the report, the run or the log says which")


# -- the people export --------------------------------------------------------------------------------------------------------


def fire(function, scheduled_at):
    """Lets the function's schedule run once in a moment, and returns its event. The emulator does not fill in the input, so
    it is written out."""
    name = f"{STACK}-{function}"
    stored = scheduler.get_schedule(Name=name)
    expected = {"schedule": "<aws.scheduler.schedule-arn>", "scheduled_at": "<aws.scheduler.scheduled-time>"}
    same("the schedule's input", json.loads(stored["Target"]["Input"]), expected)
    event = {"schedule": stored["Arn"], "scheduled_at": scheduled_at}
    stored["Target"]["Input"] = json.dumps(event)
    moment = (datetime.now(timezone.utc) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S")
    scheduler.update_schedule(
        Name=name,
        ScheduleExpression=f"at({moment})",
        State="ENABLED",
        Target=stored["Target"],
        FlexibleTimeWindow=stored["FlexibleTimeWindow"],
    )
    return event


def first_run(kind):
    """The only run of its kind, once it has ended."""
    runs = runs_where("kind", kind)
    return runs[0] if runs and runs[0]["ended_at"] else None


def check_refusal(function, role, sid):
    """A run without one statement of its role fails, and says why."""
    with Without(role, sid):
        answer = lambdas.invoke(FunctionName=f"{STACK}-{function}", Payload=b"{}")
        problem = json.load(answer["Payload"])
        same(f"{function} without permission", answer.get("FunctionError") is not None, True)
        if "AccessDenied" not in json.dumps(problem) and "permission" not in json.dumps(problem):
            fail(f"the error does not say what is denied: {problem}")


def check_failure_destination(function, queue):
    lambdas.invoke(FunctionName=f"{STACK}-{function}", InvocationType="Event", Payload=b'{"unknown": 1}')
    failed = until(f"the failed event of {function}", lambda: received(OUTPUTS[queue]))
    same("what the failure destination got", json.loads(failed)["requestPayload"], {"unknown": 1})


def check_export():
    for output, secret in [("KeycloakClientSecretArn", "KEYCLOAK_CLIENT_SECRET"), ("GleanTokenArn", "GLEAN_API_TOKEN")]:
        secrets.put_secret_value(SecretId=OUTPUTS[output], SecretString=os.environ[secret])

    event = fire("people-export", "2026-01-02T03:00:00Z")
    run = until("the people export", lambda: first_run("people-export"))
    # The stand-ins' people and teams, and Grace, who has no department, and a printer, which has no e-mail.
    expected = {"read": 27, "created": 25, "rejected": 1, "skipped": 1}
    same(f"the people export ({run['reasons']})", (run["state"], counts(run)), ("partly", expected))
    s3.get_object(Bucket=BUCKET, Key=run["reports"]["summary"])
    states = s3.list_objects_v2(Bucket=BUCKET, Prefix="state/people-export/").get("Contents", [])
    same("states", len(states), 1)
    step("a schedule exports people and teams from the stand-in Keycloak to the stand-in Glean")

    answer = lambdas.invoke(FunctionName=f"{STACK}-people-export", Payload=json.dumps(event))
    same("the same event again", json.load(answer["Payload"])["run"]["id"], run["id"])
    check_refusal("people-export", "PeopleExportRole", "State")
    check_failure_destination("people-export", "ExportFailureQueueUrl")
    step("an export that fails ends in its failure destination")


# -- the directory sync -------------------------------------------------------------------------------------------------------

PEOPLE = """
CREATE TABLE users (id int PRIMARY KEY, username text, email text, first_name text, last_name text, badge text);
INSERT INTO users VALUES
    (1, 'anna', 'Anna@example.org', 'Anna', 'Fischer', 'B-1'),
    (2, 'erik', 'erik@example.org', 'Erik', 'Holm', 'B-2'),
    (3, 'fay', 'fay@example.org', 'Fay', 'Moreau', NULL),
    (4, 'gus', NULL, 'Gus', 'Ito', NULL);
"""


def sql(statements):
    subprocess.run(
        [os.environ["PSQL"], "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", os.environ["CUSTOM_DB_URI"]],
        input=statements,
        text=True,
        check=True,
        timeout=PATIENCE,
    )


def synced(event):
    answer = lambdas.invoke(FunctionName=f"{STACK}-directory-sync", Payload=json.dumps(event))
    payload = json.load(answer["Payload"])
    if answer.get("FunctionError"):
        fail(f"the sync by {event} failed: {payload}")
    return payload


def account(email):
    users = cognito.list_users(UserPoolId=OUTPUTS["UserPoolId"], Filter=f'email = "{email}"')["Users"]
    same(f"accounts of {email}", len(users), 1)
    attributes = {attribute["Name"]: attribute["Value"] for attribute in users[0]["Attributes"]}
    names = attributes.get("preferred_username"), attributes.get("given_name"), attributes.get("family_name")
    return names, users[0]["UserStatus"], users[0]["Enabled"]


def check_sync():
    sql(PEOPLE)
    secrets.put_secret_value(SecretId=OUTPUTS["CustomDbUriArn"], SecretString=os.environ["CUSTOM_DB_URI"])
    planned = synced({"dry_run": True})
    same("the plan", (planned["steps"], planned["stopped"]), (3, None))
    same("runs that a dry run leaves", runs_where("kind", "directory-sync"), [])

    event = fire("directory-sync", "2026-01-02T02:00:00Z")
    run = until("the directory sync", lambda: first_run("directory-sync"))
    # Anna has an account by her import, and is taken over; Gus has no e-mail.
    people = {"read": 4, "created": 2, "updated": 1, "rejected": 1}
    parts = {part: nonzero(of) for part, of in run["parts"].items()}
    expected = {"people": people, "mappings": {"read": 2, "created": 2}}
    same(f"the directory sync ({run['reasons']})", (run["state"], parts), ("partly", expected))
    same("the plan that was applied", run["plan"], planned["run"]["plan"])
    same("Anna's account", account("anna@example.org"), (("anna", "Anna", "Fischer"), "CONFIRMED", True))
    same("Erik's account", account("erik@example.org"), (("erik", "Erik", "Holm"), "CONFIRMED", True))
    same("who has badge B-2", found("/systems/cdcs/identifiers?external_id=B-2")["username"], "erik")
    states = s3.list_objects_v2(Bucket=BUCKET, Prefix="state/directory-sync/").get("Contents", [])
    same("states", [state["Key"] for state in states], ["state/directory-sync/default.txt"])
    step("a schedule syncs the accounts of a real PostgreSQL's people, and stores their mappings")

    same("the same event again", synced(event)["run"]["id"], run["id"])
    leg = {"leg": {"run": run["id"], "number": 2}}
    same("a leg of a run that has ended", synced(leg)["run"]["id"], run["id"])
    again = synced({})["run"]
    same("the second run", nonzero(again["parts"]["people"]), {"read": 4, "unchanged": 3, "rejected": 1})
    sql("DELETE FROM users WHERE id = 2;")
    left = synced({})["run"]["parts"]["people"]
    same("the run after Erik left", nonzero(left), {"read": 3, "unchanged": 2, "rejected": 1, "deactivated": 1})
    same("Erik's account", account("erik@example.org")[2], False)
    step("a second sync changes nothing, and one who left is deactivated")

    check_refusal("directory-sync", "DirectorySyncRole", "Accounts")
    check_failure_destination("directory-sync", "SyncFailureQueueUrl")
    password = urllib.parse.urlsplit(os.environ["CUSTOM_DB_URI"]).password
    same("lines of the log with the password", [line for line in log("directory-sync") if password in line], [])
    step("a sync that fails says what is denied, and ends in its failure destination")


# -- the NEMO harvest ---------------------------------------------------------------------------------------------------------


def harvested(event):
    answer = lambdas.invoke(FunctionName=f"{STACK}-nemo-harvest", Payload=json.dumps(event))
    payload = json.load(answer["Payload"])
    if answer.get("FunctionError"):
        fail(f"the harvest by {event} failed: {payload}")
    return payload["run"]


def check_harvest():
    secrets.put_secret_value(SecretId=OUTPUTS["NemoTokenArn"], SecretString=os.environ["NEMO_TOKEN"])
    # Two users, and one who is inactive.
    expected = {"read": 3, "created": 2, "skipped": 1}
    same("the plan", counts(harvested({"dry_run": True})), expected)
    same("runs that a dry run leaves", runs_where("kind", "nemo-harvest"), [])

    event = fire("nemo-harvest", "2026-01-02T04:00:00Z")
    run = until("the NEMO harvest", lambda: first_run("nemo-harvest"))
    same(f"the NEMO harvest ({run['reasons']})", (run["state"], counts(run)), ("succeeded", expected))
    same("who is NEMO user 901", found("/systems/nemo/identifiers?external_id=901")["username"], "ines")
    states = s3.list_objects_v2(Bucket=BUCKET, Prefix="state/nemo-harvest/").get("Contents", [])
    same("states", [state["Key"] for state in states], ["state/nemo-harvest/nemo.txt"])
    step("a schedule harvests the stand-in NEMO's users as mappings")

    same("the same event again", harvested(event)["id"], run["id"])
    again = harvested({})
    same("the second run", counts(again), {"read": 3, "unchanged": 2, "skipped": 1})
    check_refusal("nemo-harvest", "NemoHarvestRole", "State")
    check_failure_destination("nemo-harvest", "HarvestFailureQueueUrl")
    same("lines of the log with the token", [it for it in log("nemo-harvest") if os.environ["NEMO_TOKEN"] in it], [])
    step("a harvest that fails says what is denied, and ends in its failure destination")


# -- the registration at LabArchives ------------------------------------------------------------------------------------------

COOKIE = "__Host-crosswalk-registration"


class Stay(urllib.request.HTTPRedirectHandler):
    """A browser would follow; here each step is looked at."""

    def redirect_request(self, *_):
        return None


def visit(url, form=None, cookie=None):
    """As a browser without script: status, headers and text of an address of the pages, or of LabArchives."""
    pages = OUTPUTS["RegistrationPagesUrl"]
    if url.startswith(pages):
        # The emulator has no such host.
        url = API + url[len(pages) :]
    request = urllib.request.Request(url)
    if form is not None:
        request.data = urllib.parse.urlencode(form).encode()
    if cookie:
        request.add_header("Cookie", f"{COOKIE}={cookie}")
    try:
        with urllib.request.build_opener(Stay).open(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as other:
        return other.code, other.headers, other.read().decode()


class Hidden(html.parser.HTMLParser):
    """What a form sends without being asked."""

    def __init__(self, text):
        super().__init__()
        self.fields = {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "input" and attributes.get("type") == "hidden":
            self.fields[attributes["name"]] = attributes["value"]


def persons_token(email):
    """A person's own token, by an application beside the API's client, whose tokens POST /registrations takes."""
    pool = OUTPUTS["UserPoolId"]
    client = cognito.create_user_pool_client(
        UserPoolId=pool,
        ClientName="an application of theirs",
        GenerateSecret=True,
        ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"],
    )["UserPoolClient"]
    # As the parameter RegistrationAudience would: the pool, and so the client, came with the stack.
    api = urllib.parse.urlsplit(OUTPUTS["ApiUrl"]).netloc.split(".")[0]
    (authorizer,) = (it for it in apis.get_authorizers(ApiId=api)["Items"] if it["Name"] == "people")
    known = {**authorizer["JwtConfiguration"], "Audience": [client["ClientId"]]}
    apis.update_authorizer(ApiId=api, AuthorizerId=authorizer["AuthorizerId"], JwtConfiguration=known)

    (user,) = cognito.list_users(UserPoolId=pool, Filter=f'email = "{email}"')["Users"]
    password = "Correct-Horse-7-Battery"
    cognito.admin_set_user_password(UserPoolId=pool, Username=user["Username"], Password=password, Permanent=True)
    secret = hmac.new(client["ClientSecret"].encode(), (email + client["ClientId"]).encode(), hashlib.sha256)
    parameters = {"USERNAME": email, "PASSWORD": password, "SECRET_HASH": base64.b64encode(secret.digest()).decode()}
    answer = cognito.admin_initiate_auth(
        UserPoolId=pool, ClientId=client["ClientId"], AuthFlow="ADMIN_USER_PASSWORD_AUTH", AuthParameters=parameters
    )
    return answer["AuthenticationResult"]["IdToken"]


def signed_in(location, email, password):
    """Signs in at LabArchives; the address that it sends the browser back to."""
    same("where the button leads", location.startswith(os.environ["LABARCHIVES_URL"] + "/api_user_login?"), True)
    status, _, page = visit(location)
    same("LabArchives' page", status, 200)
    form = {**Hidden(page).fields, "email": email, "password": password, "do": "sign-in"}
    status, headers, page = visit(os.environ["LABARCHIVES_URL"] + "/api_user_login", form)
    same(f"signing in there ({page})", status, 302)
    return headers["Location"]


def begun(link):
    """Presses the page's button: where it leads, and the cookie that comes with it."""
    status, headers, page = visit(link, {})
    same(f"the button of the page ({page})", status, 303)
    name, _, rest = headers["Set-Cookie"].partition("=")
    cookie, _, attributes = rest.partition(";")
    same("the cookie's name", name, COOKIE)
    wanted = {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"}
    same("what the cookie lacks", wanted - {attribute.strip() for attribute in attributes.split(";")}, set())
    return headers["Location"], cookie


def check_registration():
    secret = os.environ["LABARCHIVES_ACCESS_PASSWORD"]
    secrets.put_secret_value(SecretId=OUTPUTS["LabArchivesAccessPasswordArn"], SecretString=secret)
    bearer = persons_token("anna@example.org")
    same("making a link without a token", ask("POST", "/registrations")[0], 401)
    same("making one with an application's token", ask("POST", "/registrations", WRITER)[0], 401)
    same("looking up with a person's token", ask("GET", "/people/anna@example.org", bearer)[0], 401)
    status, made = ask("POST", "/registrations", bearer)
    same(f"making a link ({made})", (status, made and made.get("username")), (201, "anna@example.org"))
    link = made["url"]

    status, headers, page = visit(link)
    same(f"the page of the link ({page})", status, 200)
    same("whom it is for", "anna@example.org" in page, True)
    same("what the page may do", headers["Content-Security-Policy"].startswith("default-src 'none';"), True)
    same("the style sheet", visit(OUTPUTS["RegistrationPagesUrl"] + "/registrations/style.css")[0], 200)
    back = signed_in(begun(link)[0], "anna@example.org", "anna-password")
    same("coming back in another browser", visit(back)[0], 400)
    location, cookie = begun(link)
    back = signed_in(location, "anna@example.org", "anna-password")
    status, _, page = visit(back, cookie=cookie)
    same(f"coming back ({page})", status, 200)
    uid = found("/people/anna@example.org/identifiers/labarchives_eln")["external_id"]
    same("the LabArchives id that is stored now", uid.startswith("2854anna"), True)
    same("the link once more", visit(link)[0], 410)
    step("a person with a token of their own registers their LabArchives account through the deployed pages")

    # Both, as the emulator does not tell their items apart.
    with Without("LabArchivesRegistrationRole", "Links", "Mappings"):
        same("a page without permission", visit(link)[0], 500)
        until("the denial in the log", lambda: any("AccessDenied" in it for it in log("labarchives-registration")))
    # Neither what lets somebody in nor what was learnt of them.
    private = [secret, uid, "anna@example.org", cookie, link.rsplit("/", 1)[1], bearer]
    told = [line for line in log("labarchives-registration") for part in private if part in line]
    same("lines of the log that tell too much", told, [])
    template = Path("infra/template.yaml").read_text(encoding="utf-8")
    paths = re.findall(r"\$context\.(?:\w+\.)*(?:path|rawPath|\w*[qQ]uery\w*)\b", template)
    same("paths in the access log's format", paths, [])
    step("the registration tells nobody's id or link, and says what is denied")


# -- the mapping audit --------------------------------------------------------------------------------------------------------

MAIL_FROM = "crosswalk@example.org"


def audited(event):
    answer = lambdas.invoke(FunctionName=f"{STACK}-mapping-audit", Payload=json.dumps(event))
    payload = json.load(answer["Payload"])
    if answer.get("FunctionError"):
        fail(f"the audit by {event} failed: {payload}")
    return payload["run"]


def mails():
    with urllib.request.urlopen(f"{ENDPOINT}/_ministack/ses/messages", timeout=30) as answer:
        return [mail for account in json.load(answer)["messages"].values() for mail in account]


def check_mails():
    role = Without("MappingAuditRole")
    (statement,) = (it for it in role.whole["Statement"] if it["Sid"] == "Mails")
    same("who may be the sender", statement["Condition"], {"StringEquals": {"ses:FromAddress": MAIL_FROM}})
    # The emulator knows neither this condition nor the identity that SES checks.
    role.wider("Mails")
    run = audited({})
    sent = {mail["To"][0]: mail for mail in mails()}
    same("mails that are told", run["audit"]["mails"].get("sent"), len(mails()))
    same("mails a person", len(sent), len(mails()))
    written = {"ben@example.org", "carla@example.org", "dora@example.org", "ines@example.org", "omar@example.org"}
    same("who was not written to", written - {address.lower() for address in sent}, set())
    same("who was, and has no account any more", "erik@example.org" in sent, False)
    same("senders", {mail["Source"] for mail in mails()}, {MAIL_FROM})
    step("an audit writes to those who lack a mapping, and not to whose account is disabled")

    again = audited({})["audit"]["mails"]
    same("mails of another audit", (again.get("sent"), len(mails())), (None, len(sent)))
    text = sent["ben@example.org"]["BodyText"]
    links = re.findall(re.escape(OUTPUTS["RegistrationPagesUrl"]) + r"/registrations/[\w-]+", text)
    same(f"links in the mail ({text})", len(links), 1)
    location, cookie = begun(links[0])
    back = signed_in(location, "ben@example.org", "ben-password")
    same("coming back by the mail's link", visit(back, cookie=cookie)[0], 200)
    uid = found("/people/ben@example.org/identifiers/labarchives_eln")["external_id"]
    same("the LabArchives id that is stored now", uid.startswith("2854ben"), True)
    step("nobody is written to twice, and the mail's personal link registers its receiver")


def check_audit():
    ses.create_email_identity(EmailIdentity="example.org")
    planned = audited({"dry_run": True})["audit"]
    same("runs that a dry run leaves", runs_where("kind", "mapping-audit"), [])
    event = fire("mapping-audit", "2026-01-02T05:00:00Z")
    first = until("the mapping audit", lambda: first_run("mapping-audit"))
    run = audited(event)
    same("the same event again", run["id"], first["id"])
    findings = run["audit"]
    same(f"what it found ({run['reasons']})", findings["missing"], planned["missing"])
    same("what is stale or broken", (findings["stale"], findings["broken"]), (0, 0))
    numbers = found("/audit/missing")
    by_system = {system: of["missing"] for system, of in numbers["systems"].items()}
    same("the numbers over HTTP", (numbers["run"], by_system), (run["id"], findings["missing"]))
    page = found("/audit/missing?system=labarchives_eln&limit=1000")
    named = {name for item in page["items"] for name in [item["username"].lower(), *item["also"]]}
    lack = {"ben@example.org", "carla@example.org", "dora@example.org", "ines", "omar"}
    same("who lacks an account at LabArchives and is not named", lack - named, set())
    same("who has one and is named", "anna@example.org" in named, False)
    day = f"reports/audit/{numbers['date']}/"
    kept = {it["Key"].removeprefix(day) for it in s3.list_objects_v2(Bucket=BUCKET, Prefix=day)["Contents"]}
    files = {"missing.csv", "stale.csv", "broken.csv", "summary.json"}
    same("reports of the day that are missing", files - kept, set())
    step("a schedule audits who lacks a mapping, and the API tells what it found")

    # The sender's condition, which the emulator cannot hold to be true, keeps back every mail.
    same("mails under the role as it is", (run["state"], mails()), ("partly", []))
    if "ses:SendEmail" not in json.dumps(run):
        fail(f"the run does not say what is denied: {run}")
    check_mails()
    check_refusal("mapping-audit", "MappingAuditRole", "Scan")
    check_failure_destination("mapping-audit", "AuditFailureQueueUrl")
    told = [line for line in log("mapping-audit") if re.search(r"[\w.]+@example\.org", line.replace(MAIL_FROM, ""))]
    same("lines of the log with somebody's address", told, [])
    step("an audit that fails says what is denied, and ends in its failure destination")


def check_metrics():
    """The alarms' own metrics are those that the log has."""
    lines = [json.loads(line) for line in log("csv-import") if '"_aws"' in line]
    told = [(about, line) for line in lines for about in line["_aws"]["CloudWatchMetrics"]]
    names = {metric["Name"] for about, _ in told for metric in about["Metrics"]}
    asked = set(re.findall(r"MetricName: (Rows\w+)", Path("infra/template.yaml").read_text(encoding="utf-8")))
    same("metrics that the alarms ask for and nobody tells", asked - names, set())
    same("metrics' functions", {line["FunctionName"] for _, line in told}, {f"{STACK}-csv-import"})
    same("metrics' namespace", {about["Namespace"] for about, _ in told}, {"Crosswalk"})
    read = {line["Kind"]: line["RowsRead"] for _, line in told if line.get("Kind") == "employers"}
    same("rows read, as the metrics tell", read, {"employers": 4})
    targets = {line["Target"] for _, line in told if line.get("Calls")}
    same("whom csv-import calls, as the metrics tell", targets, {"cognito", "dynamodb", "s3"})
    lines = [json.loads(line) for line in log("mapping-api") if '"_aws"' in line]
    classes = {name for line in lines for name in line if re.fullmatch("Requests[245]xx", name)}
    same("the API's answers, as the metrics tell", classes, {"Requests2xx", "Requests4xx", "Requests5xx"})
    same("whom the API calls, as the metrics tell", {line["Target"] for line in lines}, {"dynamodb"})


def check_logs():
    functions = sorted(path.name for path in Path("functions").iterdir())
    same("functions that are driven", len(functions), 7)
    for function in functions:
        for line in log(function):
            try:
                json.loads(line)
            except ValueError:
                fail(f"{function} logs what is no JSON: {line}")


settle_event_source()
check_imports()
check_api()
check_denials()
check_export()
check_sync()
check_harvest()
check_registration()
check_audit()
check_poison()
check_metrics()
check_logs()
