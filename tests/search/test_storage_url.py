"""What can't be used as a storage is told, and never with its password."""

from pathlib import Path

import pytest

from harness.core.errors import SpecError
from harness.search.storage import open_storage
from harness.search.url import masked, without_secrets

WITH_SECRETS = {
    "postgresql://u:s3cr3t@host/db": "postgresql://u:***@host/db",
    "postgresql://u:s3c?r3t@host/db": "postgresql://u:***@host/db",
    "postgresql://u:s3c@r3t/x:y@host:99/db?sslmode=require&password=s3cr3t": (
        "postgresql://u:***@host:99/db?sslmode=***&password=***"
    ),
    "postgresql://u:s3cr3t@host:port/db": "postgresql://u:***@host:port/db",
    "postgresql://user:s3cr3t": "postgresql://user:***",
    "postgresql://u:s3c%20r3t@[::1/db": "postgresql://u:***@[::1/db",
    "mysql+pymysql://:s3cr3t@h/d?ssl": "mysql+pymysql://:***@h/d?***",
    "mssql+pyodbc:///?odbc_connect=PWD%3Ds3cr3t": "mssql+pyodbc:///?odbc_connect=***",
    "sqlite:///x.db?password=s3c@r3t": "sqlite://***@r3t",
    "postgresql:/u:s3cr3t@host": "postgresql:***@host",
    "nodialect://u:s3cr3t@host/db": "nodialect://u:***@host/db",
    "u:s3cr3t@host": "u:***@host",
    "host=h password=s3cr3t": "***",
    "postgresql://u:{s3cr3t}@host/db": "postgresql://u:***@host/db",
}


@pytest.mark.parametrize("url", WITH_SECRETS)
def test_no_secret_is_shown(url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert masked(url) == WITH_SECRETS[url]
    assert "s3c" not in without_secrets(f"can't parse {url!r}", url)
    with pytest.raises(SpecError, match="can't use --storage") as error, open_storage(url, tmp_path, "study"):
        pass
    assert "s3c" not in str(error.value)
    assert "s3c" not in caplog.text


def test_a_url_without_secrets_is_shown_whole() -> None:
    for url in ("nonsense", "postgresql://host:5432/db", "sqlite:////tmp/x.db", "sqlite:///C:/x.db"):
        assert masked(url) == url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "Could not parse"),
        (" ", "Could not parse"),
        ("studies.db", "such as|given as sqlite:///studies.db"),
        ("sqlite:///{folder}/none/x.db", "unable to open database file"),
        ("sqlite:///{folder}/text.db", "not a database"),
        ("sqlite:///{folder}", "unable to open database file"),
        ("sqlite:///{folder}/x.db?colour=red", "colour"),
        ("sqlite:///{folder}/x.db?timeout=long", "timeout|float"),
        ("sqlite:///{folder}/a\x00b.db", "null|embedded"),
        ("postgresql+psycopg://user@host:port/db", "port"),
        ("oracle9://host/db", "oracle9"),
        ("redis://localhost:6379", "redis"),
    ],
)
def test_what_is_no_database_is_told(url: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database " * 100)
    with (
        pytest.raises(SpecError, match=reason) as error,
        open_storage(url.format(folder=tmp_path), tmp_path / "studies", "study"),
    ):
        pass
    assert str(error.value).startswith("can't use --storage ")
    assert "\n" not in str(error.value)
