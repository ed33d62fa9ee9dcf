"""Invenio's own models, asked by a test: `models.py create URI` makes their tables; `models.py serve URI` reads a command a
line (JSON) and answers each with a line: {"ok": …}, or {"error": the exception's name}."""

import json
import sys

from flask import Flask, g
from flask_security.utils import hash_password
from invenio_accounts import InvenioAccountsREST
from invenio_accounts.models import SessionActivity, User, UserIdentity
from invenio_accounts.proxies import current_datastore
from invenio_accounts.views.rest import create_rest_blueprint
from invenio_db import InvenioDB, db
from invenio_i18n import InvenioI18N
from invenio_userprofiles import InvenioUserProfiles
from invenio_userprofiles.models import UserProfileProxy
from sqlalchemy.orm.attributes import set_committed_value


def application(uri):
    app = Flask("peer")
    app.config.update(
        SQLALCHEMY_DATABASE_URI=uri,
        SECRET_KEY="of this test only",
        SECURITY_PASSWORD_SALT="of this test only",
        # The strictest: who is not confirmed does not come in.
        SECURITY_LOGIN_WITHOUT_CONFIRMATION=False,
        ACCOUNTS_USE_CELERY=False,
        TESTING=True,
    )
    InvenioDB(app, entry_point_group=None, versioning=False)
    InvenioI18N(app)
    InvenioAccountsREST(app)
    InvenioUserProfiles(app)
    app.register_blueprint(create_rest_blueprint(app))
    return app


def told(user):
    """All that a person is in Invenio's eyes; reading the profile and the preferences validates them."""
    return {
        "id": user.id,
        "username": user.username,
        "stored_username": user._username,
        "email": user.email,
        "domain": user.domain,
        "active": user.active,
        "confirmed": user.confirmed_at is not None,
        "version": user.version_id,
        "profile": dict(user.user_profile),
        "full_name": UserProfileProxy(user).full_name,
        "preferences": dict(user.preferences),
        "has_password": user.password is not None,
        "age": (user.updated - user.created).total_seconds(),
        "created": user.created.isoformat(),
    }


class Commands:
    """Each method is a command; `held` are the objects of this session, by id."""

    def __init__(self, app):
        self.app, self.held = app, {}

    def find(self, email):
        db.session.expire_all()
        user = current_datastore.find_user(email=email)
        return user and told(user)

    def names(self, username):
        return [user.id for user in db.session.query(User).filter(User.username == username)]

    def count(self):
        return db.session.query(User).count()

    def validate_all(self):
        """How many accounts there are whose profile and preferences can be read."""
        return len([told(user) for user in db.session.query(User)])

    def create(self, email, username, full_name):
        user = User(email=email, username=username, user_profile={"full_name": full_name}, active=True)
        db.session.add(user)
        db.session.commit()
        return told(user)

    def hold(self, email):
        """Loads an account and keeps it as it stands now."""
        user = current_datastore.find_user(email=email)
        self.held[user.id] = user
        answer = told(user)
        db.session.commit()
        return answer

    def change_held(self, id, version, full_name):
        """Changes a held account as a request would that had read `version`."""
        user = self.held[id]
        if user.version_id != version:
            # The session has refreshed it: put back what the request had read.
            set_committed_value(user, "version_id", version)
        user.user_profile = {**dict(user.user_profile), "full_name": full_name}
        db.session.commit()
        return told(user)

    def set_password(self, email, password):
        user = current_datastore.find_user(email=email)
        user.password = hash_password(password)
        current_datastore.commit()
        return told(user)

    def log_in(self, email, password):
        # The request shares our application context, and with it who came before.
        g.pop("_login_user", None)
        answer = self.app.test_client().post("/login", data={"email": email, "password": password})
        return {"status": answer.status_code, "body": answer.get_json()}

    def give_rows(self, email):
        """Rows of the account in the tables of invenio-accounts."""
        user = current_datastore.find_user(email=email)
        role = current_datastore.find_or_create_role("readers")
        current_datastore.add_role_to_user(user, role)
        db.session.add(UserIdentity(id="0000-0001", method="orcid", id_user=user.id))
        db.session.add(SessionActivity(sid_s="s-1", user_id=user.id))
        user.login_count = 1
        db.session.commit()
        return told(user)

    def block(self, email):
        user = current_datastore.find_user(email=email)
        current_datastore.block_user(user)
        db.session.commit()
        return told(user)


def serve(app):
    commands = Commands(app)
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = {"ok": getattr(commands, command.pop("do"))(**command)}
        except Exception as error:
            db.session.rollback()
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            answer = {"error": type(error).__name__}
        # Each command sees what was committed before it.
        db.session.rollback()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    what, uri = sys.argv[1:]
    app = application(uri)
    with app.app_context():
        if what == "create":
            db.create_all()
        else:
            serve(app)
