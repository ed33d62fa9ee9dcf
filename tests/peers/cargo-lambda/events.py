"""Invokes the functions with every event in events/ and checks what they answer: `events.py INVOKE_PORT WORK_FOLDER`.

Runs in the repository's root, with the variables of `crosswalk env` and of the stand-ins set, those of a sync of
WORK_FOLDER/people.db into Cognito, and `aws` and `cargo lambda` on the PATH.
"""

import json
import os
import sqlite3
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

INVOKE_PORT, WORK = sys.argv[1], Path(sys.argv[2])
EVENTS = Path("events")
SAMPLES = Path("infra/cli/samples")
BUCKET, API = os.environ["CROSSWALK_BUCKET"], os.environ["CROSSWALK_API_URL"]

LEAVE_ADMINS = "imports/leave-admins/leave-admins.csv"
SPACES = "imports/employers/the new employers + more (zoë).csv"
MAPPINGS = "imports/mappings/nemo/mappings.csv"
# What the API's events ask for, besides an employer with a leave administrator.
MAPPING_ROWS = """username,external_id
alice@example.org,1001
zoë x+y@example.org,2001
dora@example.org,4001
erin@example.org,5001
gina@example.org,6001
hank@example.org,7001
"""
# Kim has an account by the leave administrators.
PEOPLE = [
    (1, "kim", "kim.park@example.org", "Kim", "Park"),
    (2, "ida", "ida@example.org", "Ida", "Berg"),
    (3, "jon", "jon@example.org", "Jon", "Silva"),
    (4, "leo", None, "Leo", "Marin"),
]

# Each event of the API with the status that it gets, in this order. Where events have no claims they are let in here, as
# `crosswalk env` sets CROSSWALK_AUTH=none; where they have some these count.
API_EVENTS = {
    # Nobody has audited yet.
    "audit-missing": 404,
    "audit-numbers": 404,
    "find-by-external-id": 200,
    "find-people": 200,
    "get-employer": 200,
    "get-identifier": 200,
    "get-identifier-absent": 404,
    "get-identifier-odd-username": 200,
    "get-person": 200,
    "get-person-odd-username": 200,
    "get-run": 404,
    "health": 200,
    "list-identifiers": 200,
    "list-runs": 200,
    "list-system": 200,
    "list-system-limit-twice": 400,
    "openapi": 200,
    "without-claims": 200,
    "without-scope": 403,
    "put-identifier": 201,
    "put-identifier-base64": 201,
    "put-identifier-conflict": 409,
    "move": 200,
    "move-conflict": 409,
    "swap": 200,
    "delete-identifier": 204,
}


def same(what, found, expected):
    if found != expected:
        sys.exit(f"peer: {what}: {found!r} instead of {expected!r}")


def command(*words):
    try:
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        sys.exit(f"peer: {' '.join(words)} did not end within 60 s")
    if done.returncode != 0:
        sys.exit(f"peer: {' '.join(words)} ended with {done.returncode}: {done.stdout}")
    return done.stdout


def invoke(function, file):
    address = ("--invoke-address", "127.0.0.1", "--invoke-port", INVOKE_PORT)
    return json.loads(command("cargo", "lambda", "invoke", *address, function, "--data-file", str(file)))


def runs_of(key):
    with urllib.request.urlopen(f"{API}/runs?limit=100", timeout=30) as answer:
        return [run for run in json.load(answer)["items"] if run["source"] == f"s3://{BUCKET}/{key}"]


def put(key, file):
    """Uploads a file and waits until `crosswalk up` has imported it by itself, so that the invocation comes after."""
    command("aws", "s3", "cp", "--only-show-errors", str(file), f"s3://{BUCKET}/{key}")
    end = time.monotonic() + 60
    while not any(run["ended_at"] for run in runs_of(key)):
        if time.monotonic() > end:
            sys.exit(f"peer: {key} was not imported within 60 s")
        time.sleep(0.2)


def put_text(key, text):
    file = WORK / "upload.csv"
    file.write_text(text, encoding="utf-8")
    put(key, file)


def imported(case):
    """The one record that csv-import answers an S3 event with."""
    (record,) = invoke("csv-import", EVENTS / f"csv-import.{case}.json")["runs"]
    return record


def counts(record):
    return {name: count for name, count in record["counts"].items() if count}


def check_csv_import():
    # First the people, then the employers: `crosswalk up` refuses the rows, and the invocation makes the accounts.
    put(LEAVE_ADMINS, SAMPLES / "leave-admins.csv")
    put("imports/employers/employers.csv", SAMPLES / "employers.csv")
    record = imported("leave-admins")
    same("leave-admins", counts(record), {"read": 8, "created": 5, "rejected": 3})
    same("leave-admins' state", (record["state"], record["kind"]), ("partly", "leave-admins"))
    failed = command("aws", "s3", "cp", f"s3://{BUCKET}/{record['reports']['failed']}", "-")
    same("the lines in failed.csv", [line.split(",")[0] for line in failed.splitlines()], ["line", "7", "8", "9"])
    same("the same event again", imported("leave-admins"), record)

    put_text(SPACES, "fein,name\n98-7654321,Example Bakery\n")
    same("key-with-spaces", counts(imported("key-with-spaces")), {"read": 1, "unchanged": 1})

    put_text(MAPPINGS, MAPPING_ROWS)
    same("mappings", counts(imported("mappings")), {"read": 6, "verified": 6})
    # The message holds the event that was just handled.
    before = len(runs_of(MAPPINGS))
    same("sqs", invoke("csv-import", EVENTS / "csv-import.sqs.json"), {"batchItemFailures": []})
    same("runs of the mappings", len(runs_of(MAPPINGS)), before)
    # The bucket keeps no versions, so the one that the event names is gone.
    gone = imported("versioned")
    same("versioned", (gone["state"], gone["counts"]["read"]), ("failed", 0))
    same("test-event", invoke("csv-import", EVENTS / "csv-import.test-event.json"), {"runs": []})
    return record["id"]


def check_mapping_api(run_id):
    put_text("imports/leave-admins/alice.csv", "fein,email\n04-2127847,Alice@example.org\n")
    put_text("imports/mappings/labarchives_eln/alice.csv", "username,external_id\nalice@example.org,a/b?1\n")
    for case, status in API_EVENTS.items():
        answer = invoke("mapping-api", EVENTS / f"mapping-api.{case}.json")
        same(f"{case}'s status ({answer.get('body')})", answer["statusCode"], status)
        if status >= 400:
            same(f"{case}'s type", answer["headers"]["content-type"], "application/problem+json")
    odd = json.loads(invoke("mapping-api", EVENTS / "mapping-api.get-identifier-odd-username.json")["body"])
    same("the odd username's id", (odd["username"], odd["external_id"]), ("zoë x+y@example.org", "2001"))

    # The run that csv-import has just told of.
    event = json.loads((EVENTS / "mapping-api.get-run.json").read_text(encoding="utf-8"))
    event["rawPath"] = event["requestContext"]["http"]["path"] = f"/runs/{run_id}"
    file = WORK / "event.json"
    file.write_text(json.dumps(event), encoding="utf-8")
    same("the run's id", json.loads(invoke("mapping-api", file)["body"])["id"], run_id)


def exported(case):
    return invoke("people-export", EVENTS / f"people-export.{case}.json")


def parts_of(run):
    return {part: {name: count for name, count in of.items() if count} for part, of in run["parts"].items()}


def check_people_export():
    """The stand-ins' realm: 20 people and one without a department, one without an e-mail, 5 groups."""
    parts = {"people": {"read": 22, "created": 20, "rejected": 1, "skipped": 1}, "teams": {"read": 5, "created": 5}}

    # A dry run first: it must leave nothing behind that makes the real run find less to do.
    planned = exported("dry-run")
    same("dry-run's parts", parts_of(planned["run"]), parts)
    same("dry-run's steps", (planned["steps"], planned["stopped"], planned["run"]["dry_run"]), (25, None, True))
    few = exported("max-users")
    same("max-users' people", few["run"]["parts"]["people"]["created"], 5)

    run = exported("schedule")["run"]
    same("schedule's parts", parts_of(run), parts)
    same("schedule's state and plan", (run["state"], run["plan"]), ("partly", planned["run"]["plan"]))
    again = exported("schedule")["run"]
    same("the same schedule's event again", again, run)
    with urllib.request.urlopen(f"{API}/runs?kind=people-export", timeout=30) as answer:
        same("the runs that were left", [kept["id"] for kept in json.load(answer)["items"]], [run["id"]])


def check_directory_sync():
    """A users' table in SQLite, into the pool of `crosswalk up`."""
    with sqlite3.connect(WORK / "people.db") as database:
        database.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, username, email, first_name, last_name)")
        database.executemany("INSERT INTO users VALUES (?, ?, ?, ?, ?)", PEOPLE)
    database.close()
    people = {"people": {"read": 4, "created": 2, "updated": 1, "rejected": 1}}

    def synced(case):
        return invoke("directory-sync", EVENTS / f"directory-sync.{case}.json")

    planned = synced("dry-run")
    same("dry-run's parts", parts_of(planned["run"]), people)
    same("dry-run's steps", (planned["steps"], planned["absent"], planned["stopped"]), (3, 0, None))
    run = synced("schedule")["run"]
    same("schedule's parts", parts_of(run), people)
    same("schedule's state and plan", (run["state"], run["plan"]), ("partly", planned["run"]["plan"]))
    same("the same schedule's event again", synced("schedule")["run"], run)
    # The leg names the schedule's run, which has ended.
    same("leg", synced("leg")["run"], run)


def check_nemo_harvest():
    """The stand-in NEMO: two users, and one who is inactive."""

    def harvested(case):
        return invoke("nemo-harvest", EVENTS / f"nemo-harvest.{case}.json")

    def outcomes(run):
        return {name: count for name, count in run["counts"].items() if count}

    expected = {"read": 3, "created": 2, "skipped": 1}
    planned = harvested("dry-run")["run"]
    same("dry-run's outcomes", (outcomes(planned), planned["dry_run"]), (expected, True))
    run = harvested("schedule")["run"]
    same("schedule's outcomes and state", (outcomes(run), run["state"]), (expected, "succeeded"))
    same("the same schedule's event again", harvested("schedule")["run"], run)


def check_labarchives_registration():
    """The stand-in LabArchives; nobody signs in there, which a browser would have to."""

    def page(case, **others):
        event = json.loads((EVENTS / f"labarchives-registration.{case}.json").read_text(encoding="utf-8"))
        file = WORK / "event.json"
        file.write_text(json.dumps({**event, **others}), encoding="utf-8")
        return invoke("labarchives-registration", file)

    def statuses(*cases):
        return {case: page(case)["statusCode"] for case in cases}

    refused = {"invite-without-claims": 401, "invite-without-person": 403, "style": 200}
    same("the statuses of what nobody is known by", statuses(*refused), refused)
    # Of a link and an attempt that are not in this table.
    unknown = {"show": 404, "begin": 404, "callback": 400}
    same("the statuses of others' links", statuses(*unknown), unknown)

    made = page("invite")
    same(f"invite's status ({made['body']})", made["statusCode"], 201)
    link = urllib.parse.urlsplit(json.loads(made["body"])["url"]).path
    shown = page("show", rawPath=link)
    same("show's page", (shown["statusCode"], "zoe" in shown["body"]), (200, True))
    begun = page("begin", rawPath=link)
    same(f"begin's status ({begun.get('body')})", begun["statusCode"], 303)
    leads = begun["headers"]["location"].startswith(f"{os.environ['LABARCHIVES_URL']}/api_user_login?")
    same("where begin leads", leads, True)
    (cookie,) = (cookie.partition(";")[0] for cookie in begun["cookies"])
    state = cookie.partition("=")[2]
    back = page("callback", rawPath=f"/registrations/callback/{state}", cookies=[cookie])
    same("callback's status", back["statusCode"], 200)


def check_mapping_audit():
    """Everybody whom the events before have made known."""

    def audited(case):
        return invoke("mapping-audit", EVENTS / f"mapping-audit.{case}.json")["run"]

    def answered(case):
        answer = invoke("mapping-api", EVENTS / f"mapping-api.{case}.json")
        same(f"{case}'s status after an audit ({answer['body']})", answer["statusCode"], 200)
        return json.loads(answer["body"])

    planned = audited("dry-run")
    same("a dry run", planned["dry_run"], True)
    left = invoke("mapping-api", EVENTS / "mapping-api.audit-numbers.json")
    same("audits that a dry run leaves", left["statusCode"], 404)
    run = audited("schedule")
    same("schedule's state", run["state"], "succeeded")
    same("schedule's findings", run["audit"]["missing"], planned["audit"]["missing"])
    same("the same schedule's event again", audited("schedule"), run)
    numbers = {system: of["missing"] for system, of in answered("audit-numbers")["systems"].items()}
    same("the numbers over HTTP", numbers, run["audit"]["missing"])
    page = answered("audit-missing")
    same("the people over HTTP", page["total"], run["audit"]["missing"][page["system"]])


CSV_EVENTS = ["key-with-spaces", "leave-admins", "mappings", "sqs", "test-event", "versioned"]
EXPORT_EVENTS = ["dry-run", "max-users", "schedule"]
SYNC_EVENTS = ["dry-run", "leg", "schedule"]
HARVEST_EVENTS = ["dry-run", "schedule"]
AUDIT_EVENTS = ["dry-run", "schedule"]
REGISTRATION_EVENTS = [
    "begin",
    "callback",
    "invite",
    "invite-without-claims",
    "invite-without-person",
    "show",
    "style",
]
CASES = {
    "csv-import": CSV_EVENTS,
    "mapping-api": API_EVENTS,
    "people-export": EXPORT_EVENTS,
    "directory-sync": SYNC_EVENTS,
    "nemo-harvest": HARVEST_EVENTS,
    "labarchives-registration": REGISTRATION_EVENTS,
    "mapping-audit": AUDIT_EVENTS,
}
NAMES = [f"{function}.{case}.json" for function, cases in CASES.items() for case in cases]
same("the events that this peer knows", sorted(NAMES), sorted(path.name for path in EVENTS.glob("*.json")))
check_mapping_api(check_csv_import())
check_people_export()
check_directory_sync()
check_nemo_harvest()
check_labarchives_registration()
check_mapping_audit()
print(f"cargo-lambda: all {len(NAMES)} events are answered as they should be")
