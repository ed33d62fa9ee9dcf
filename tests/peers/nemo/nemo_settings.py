"""The smallest settings with which NEMO serves its REST API. For tests on loopback."""

import os

SECRET_KEY = "for tests on loopback"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "NEMO.urls"
AUTH_USER_MODEL = "NEMO.User"
# Without it there is no /api/.
ALLOW_CONDITIONAL_URLS = True
STATIC_URL = "/static/"
USE_TZ = True
TIME_ZONE = "America/New_York"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["NEMO_DATABASE"]}}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "NEMO",
    "rest_framework",
    "rest_framework.authtoken",
    "django_filters",
    "auditlog",
    "mptt",
]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["NEMO.permissions.DjangoModelPermissions"],
    "DEFAULT_FILTER_BACKENDS": ["NEMO.rest_filter_backend.NEMOFilterBackend"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "NEMO.rest_pagination.NEMOPageNumberPagination",
}
