"""Fills NEMO's tables: users with few first names and shared e-mails, some inactive; usage events; tokens.

Prints NAME=value lines for the test: a token each for who may read all, users alone, nothing, and everything (to change).
"""

import datetime

import django

django.setup()

from django.contrib.auth.models import Permission  # noqa: E402
from django.utils import timezone  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402

from NEMO.models import Account, Project, Tool, UsageEvent, User  # noqa: E402

ACTIVE, INACTIVE, EVENTS = 1_000, 150, 3_000
FIRST_NAMES = ["Ada", "Chloé", "Zoë"]


def user(number: int, active: bool) -> User:
    # Every tenth shares an e-mail with the one before.
    of = number - 1 if number % 10 == 9 else number
    return User(
        username=f"user{number:04}",
        first_name=FIRST_NAMES[number % 3],
        last_name=f"O'Connor {number}",
        email=f"user{of:04}@example.org",
        is_active=active,
    )


User.objects.bulk_create([user(number, True) for number in range(ACTIVE)])
User.objects.bulk_create([user(number, False) for number in range(ACTIVE, ACTIVE + INACTIVE)])
# NEMO's usernames are unique, but for case.
User.objects.bulk_create(
    [User(username=name, first_name="Ada", last_name="Twin", email="twin@example.org") for name in ("twin", "TWIN")]
)

account = Account.objects.create(name="account")
project = Project.objects.create(name="project", application_identifier="p", account=account)
owner = User.objects.get(username="user0000")
tool = Tool(name="tool", _primary_owner=owner, _category="c", _location="l", _phone_number="0")
Tool.objects.bulk_create([tool])
tool = Tool.objects.get(name="tool")

users = list(User.objects.order_by("id"))
now = timezone.now()
events = []
for number in range(EVENTS):
    # From years ago to now, of the first 600 users.
    start = now - datetime.timedelta(hours=(number * 7919) % 12_000, minutes=number % 60)
    who = users[number % 600]
    operator = users[(number + 1) % 600] if number % 5 == 0 else who
    # One use of a tool goes on at most, which NEMO knows by a number that is 0 for it and unique for each other one.
    end, has_ended = (None, 0) if number == 0 else (start + datetime.timedelta(hours=1), number)
    events.append(
        UsageEvent(user=who, operator=operator, project=project, tool=tool, start=start, end=end, has_ended=has_ended)
    )
UsageEvent.objects.bulk_create(events)

for name, permissions in {
    "reader": ["view_user", "view_usageevent"],
    "users": ["view_user"],
    "nobody": [],
    "admin": None,
}.items():
    who = User.objects.create(
        username=f"token-{name}", first_name="Token", last_name=name, email="", is_superuser=permissions is None
    )
    who.user_permissions.set(Permission.objects.filter(codename__in=permissions or [], content_type__app_label="NEMO"))
    print(f"{name.upper()}={Token.objects.create(user=who).key}")
