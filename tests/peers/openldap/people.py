"""An LDIF of many people, and beside it what is to be read of it: `people.py COUNT PASSWORD LDIF EXPECTED`."""

import base64
import hashlib
import json
import sys
import uuid

count, password, ldif_path, expected_path = int(sys.argv[1]), *sys.argv[2:]
suffix = "dc=example,dc=org"
# Each is bound as by a test: see `limits` and `access` in slapd.conf.
binders = ["sync", "short", "whole", "few", "blind"]


def line(name, value):
    if isinstance(value, bytes) or not value.isascii() or value != value.strip():
        value = value if isinstance(value, bytes) else value.encode()
        return f"{name}:: {base64.b64encode(value).decode()}"
    return f"{name}: {value}"


def entry(dn, attributes):
    return "\n".join([line("dn", dn), *(line(name, value) for name, value in attributes)]) + "\n\n"


def person(n):
    """The n-th one's attributes, and what is to be read of them."""
    uid = f"p{n:05}"
    mails = [f"{uid}@example.org"]
    if n % 10 == 3:
        mails.append(f"first.{uid}@example.org")
    if n % 100 == 7:
        mails = []
    first, last = ("Zoë", "Ångström") if n % 10 == 4 else ("Given", f"Family {n}")
    # One whose bytes are text by chance.
    guid = b" 123456789abcde " if n == 5 else hashlib.sha256(uid.encode()).digest()[:16]
    numbers = [f"d{n}", f"e{n}"] if n % 1000 == 21 else [f"d{n}"]
    control = {9: "514", 11: None}.get(n % 50, "512")
    word = {13: "retired", 14: "Inactive", 15: None}.get(n % 1000, "active")
    lock = {16: "TRUE", 17: "FALSE"}.get(n % 1000)
    attributes = [("objectClass", "inetOrgPerson"), ("objectClass", "testPerson"), ("uid", uid), ("cn", uid)]
    attributes += [("sn", last), ("givenName", first), ("objectGUID", guid)]
    attributes += [("mail", mail) for mail in mails] + [("departmentNumber", number) for number in numbers]
    for name, value in [("userAccountControl", control), ("employeeType", word), ("nsAccountLock", lock)]:
        attributes += [(name, value)] if value else []
    dn = f"uid={uid},ou=people,{suffix}"
    read = {
        "place": dn,
        "emails": mails,
        "username": uid,
        "first_name": first,
        "last_name": last,
        "guid": str(uuid.UUID(bytes_le=guid)),
        "number": numbers[0] if len(numbers) == 1 else None,
        "account_control": control != "514",
        "word": None if word == "retired" else word != "Inactive",
        "lock": lock != "TRUE",
    }
    return entry(dn, attributes), read


with open(ldif_path, "w") as ldif, open(expected_path, "w") as expected:
    ldif.write(entry(suffix, [("objectClass", "dcObject"), ("objectClass", "organization"), ("o", "example")]))
    for unit in ["people", "left", "empty", "hidden"]:
        ldif.write(entry(f"ou={unit},{suffix}", [("objectClass", "organizationalUnit")]))
    for name in binders:
        role = [("objectClass", "organizationalRole"), ("objectClass", "simpleSecurityObject")]
        ldif.write(entry(f"cn={name},{suffix}", [*role, ("userPassword", password)]))
    for name in ["north", "south", "west"]:
        reference = [("objectClass", "referral"), ("objectClass", "extensibleObject"), ("ou", name)]
        place = f"ou={name},ou=people,{suffix}"
        ldif.write(entry(place, [*reference, ("ref", f"ldap://{name}.example.org/{place}")]))
    read = []
    for n in range(count):
        text, one = person(n)
        ldif.write(text)
        read.append(one)
    json.dump(read, expected)
