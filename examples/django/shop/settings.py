"""Settings: Django and pgflow share one database."""

import os

from psycopg.conninfo import conninfo_to_dict

PGFLOW_DATABASE_URL = os.environ["PGFLOW_DATABASE_URL"]
_CONNECTION = conninfo_to_dict(PGFLOW_DATABASE_URL)

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _CONNECTION.get("dbname"),
        "USER": _CONNECTION.get("user"),
        "PASSWORD": _CONNECTION.get("password"),
        "HOST": _CONNECTION.get("host"),
        "PORT": _CONNECTION.get("port"),
    }
}
INSTALLED_APPS = ["orders"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "shop.urls"
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
USE_TZ = True
TIME_ZONE = "UTC"
# Of an example: one of your own is long, random, and in no repository.
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "an example has no secrets")
