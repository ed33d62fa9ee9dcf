"""Prints a realm file for Keycloak's import: `realm.py USERS GROUPS MEMBERSHIPS`.

The same numbers give the same file. It holds what a directory of people brings along: nested groups, one with more
children than Keycloak's default page; attributes that the user profile does not declare; users who are disabled, have no
e-mail or no department; names with apostrophes, spaces and slashes; and service accounts, one of them in a group.
"""

import json
import sys
import uuid

USERS, GROUPS, MEMBERSHIPS = (int(word) for word in sys.argv[1:4])

FIRST_NAMES = ["Ada", "Björk", "Chloé", "Dmitri", "Eun-ji", "Fatima", "Grace", "Håkon", "Inés", "Jun", "Kim", "Łucja"]
LAST_NAMES = ["Adeyemi", "Brânză", "O'Connor", "van der Berg", "Dvořák", "García Márquez", "Haddad", "Ito", "Nguyễn"]
DEPARTMENTS = ["Engineering", "Research & Development", "Vertrieb", "Finance", "People"]
TITLES = ["Engineer", "Scientist", "Analyst", "Lead"]
# 2019-02-03T04:05:06Z, and a day a user later.
FIRST_CREATED, DAY = 1549166706000, 86_400_000

# Each is a service account with these roles. `export` has what an export needs and `admin` what the tests need; `stranger`
# is forbidden everything, and `blind` is shown an empty realm.
CLIENTS = {
    "export": ["view-users"],
    "admin": ["view-users", "manage-users", "view-realm", "manage-realm"],
    "stranger": [],
    "blind": ["query-users", "query-groups"],
}


def identifier(kind, name):
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://example.org/{kind}/{name}"))


def user(number):
    first, last = FIRST_NAMES[number % len(FIRST_NAMES)], LAST_NAMES[number % len(LAST_NAMES)]
    username = f"user{number:06}"
    attributes = {
        "title": [TITLES[number % len(TITLES)]],
        # Declared nowhere: Keycloak drops them unless the policy for unmanaged attributes lets them be.
        "businessUnit": [f"Unit {number % 7}"],
        "costCentre": [f"CC-{number % 13}", "second value"],
    }
    if number % 30 != 13:
        attributes["department"] = [DEPARTMENTS[number % len(DEPARTMENTS)]]
    if number % 3 == 0:
        attributes["startDate"] = [f"2020-{number % 12 + 1:02}-{number % 28 + 1:02}"]
    if number % 10:
        attributes["managerEmail"] = [f"user{number - number % 10:06}@example.org"]
    record = {
        "id": identifier("user", username),
        "username": username,
        "enabled": number % 40 != 11,
        "firstName": first,
        "lastName": f"{last} {number}",
        "createdTimestamp": FIRST_CREATED + number * DAY // 4,
        "attributes": attributes,
        "groups": [],
    }
    if number % 50 != 7:
        # Keycloak keeps e-mails in lower case.
        record["email"] = f"{'User' if number % 9 == 4 else 'user'}{number:06}@example.org"
        record["emailVerified"] = True
    return record


def group(name, parent="", description=None):
    path = f"{parent}/{name}"
    record = {"id": identifier("group", path), "name": name, "path": path, "attributes": {}, "subGroups": []}
    if description:
        record["attributes"]["description"] = [description]
    return record


def groups():
    """All groups at the top, and each group's path, the special ones first."""
    everyone = group("everyone", description="More members than a page holds")
    empty = group("empty")
    nameless = group("nobody with an e-mail")
    slash = group("research/development")
    wide = group("wide", description="More children than Keycloak's default page of 10")
    wide["subGroups"] = [group(f"part {number:02}", wide["path"]) for number in range(23)]
    top = [everyone, empty, nameless, slash, wide]
    level, deep = top, ["company", "division", "department", "team"]
    path = ""
    for name in deep:
        level.append(group(name, path, description=f"The {name}"))
        path, level = level[-1]["path"], level[-1]["subGroups"]
    paths, waiting = [], list(top)
    while waiting:
        record = waiting.pop(0)
        paths.append(record["path"])
        waiting.extend(record["subGroups"])
    # The rest in trees of one parent and eight children.
    parent = None
    for number in range(GROUPS - len(paths)):
        record = group(f"group {number:04}", parent["path"] if parent and number % 9 else "")
        if number % 9 == 0:
            parent = record
            top.append(record)
        else:
            parent["subGroups"].append(record)
        paths.append(record["path"])
    return top, paths


def join(users, paths):
    """Spreads the memberships: most of `everyone`, the special groups, and the rest evenly."""
    ordinary = [path for path in paths if path not in ("/everyone", "/empty", "/nobody with an e-mail")]
    made = 0
    for number, record in enumerate(users):
        if number % 7 and made < MEMBERSHIPS // 4:
            record["groups"].append("/everyone")
            made += 1
        if "email" not in record:
            record["groups"].append("/nobody with an e-mail")
            made += 1
    number = 0
    while made < MEMBERSHIPS:
        record, path = users[number % USERS], ordinary[(number + 31 * (number // USERS)) % len(ordinary)]
        number += 1
        if path not in record["groups"]:
            record["groups"].append(path)
            made += 1


def service_account(client):
    return {
        "username": f"service-account-{client}",
        "enabled": True,
        "serviceAccountClientId": client,
        "clientRoles": {"realm-management": CLIENTS[client]} if CLIENTS[client] else {},
        # It stands in no listing of users, and yet among a group's members.
        "groups": ["/company"] if client == "export" else [],
    }


def profile():
    """The standard attributes, and every other one let be."""
    own = {"view": ["admin", "user"], "edit": ["admin", "user"]}
    names = ["username", "email", "firstName", "lastName"]
    return {"attributes": [{"name": name, "permissions": own} for name in names], "unmanagedAttributePolicy": "ENABLED"}


top, paths = groups()
users = [user(number) for number in range(USERS)]
join(users, paths)
realm = {
    "realm": "example",
    "enabled": True,
    "accessTokenLifespan": 60,
    "groups": top,
    "users": users + [service_account(client) for client in CLIENTS],
    "clients": [
        {
            "clientId": client,
            "secret": f"{client}-secret",
            "serviceAccountsEnabled": True,
            "standardFlowEnabled": False,
            "publicClient": False,
        }
        for client in CLIENTS
    ],
    "components": {
        "org.keycloak.userprofile.UserProfileProvider": [
            {
                "providerId": "declarative-user-profile",
                "subComponents": {},
                "config": {"kc.user.profile.config": [json.dumps(profile())]},
            }
        ]
    },
}
json.dump(realm, sys.stdout, ensure_ascii=False, indent=1)
