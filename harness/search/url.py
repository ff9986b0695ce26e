"""Database URLs without what is secret in them, whether or not they can be parsed."""

from urllib.parse import unquote_plus

HIDDEN = "***"


def masked(url: str) -> str:
    """The URL in one line, with its password and the values of its options as ``***``."""
    return " ".join(_mask(url)[0].splitlines())


def without_secrets(message: str, url: str) -> str:
    """A message about a URL that says nothing which ``masked`` hides."""
    secrets = {form for secret in _mask(url)[1] for form in (secret, unquote_plus(secret), repr(secret)[1:-1])}
    for secret in sorted(secrets - {""}, key=len, reverse=True):
        message = message.replace(secret, HIDDEN)
    return message


def _mask(url: str) -> tuple[str, list[str]]:
    """The masked URL, and what was hidden: when in doubt, too much."""
    scheme, mark, rest = url.partition("://")
    if not mark and "=" in url:  # words of another form, such as "host=h password=p"
        return HIDDEN, [word.rpartition("=")[2] for word in url.split()]
    if not mark:
        scheme, rest = "", url
    login, at, place = rest.rpartition("@")
    user, colon, password = login.partition(":")
    secrets = [password]
    if set(user) & set("/?=&"):  # the @ is part of a password or an option, so nothing before it is a name
        secrets.append(user)
        user = HIDDEN
    place, question, options = place.partition("?")
    host, port_colon, port = place.partition(":")
    if port_colon and not at and scheme and not port.split("/")[0].isdigit() and not host.startswith("/"):
        secrets.append(port)  # "user:password" without a host looks like a port
        port = HIDDEN
    pairs = [option.partition("=") for option in options.split("&")] if question else []
    secrets += [value or name for name, _, value in pairs]
    shown = "&".join(f"{name}={HIDDEN}" if equals else HIDDEN for name, equals, _ in pairs)
    login = f"{user}{colon}{HIDDEN if colon else ''}{at}"
    return f"{scheme}{mark}{login}{host}{port_colon}{port}{question}{shown}", secrets
