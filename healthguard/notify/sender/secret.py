"""Reading secrets, at the moment they are used. No error ever shows one."""

import os
import stat
from collections.abc import Mapping

from healthguard.machine.secrets import REFERENCE
from healthguard.notify.spec import Secret

_LARGEST = 4096


class SecretError(Exception):
    """It cannot be had; the text names the file or the variable, never a value."""


def read(secret: Secret, environ: Mapping[str, str]) -> str:
    """The secret, one line without spaces around it. Raises SecretError."""
    value = _from_file(secret.file) if secret.file else _from_environment(secret.text, environ)
    if not value.isprintable():
        where = secret.file or "the environment variable"
        raise SecretError(f"{where} must hold one line of printable text")
    return value


def _from_environment(text: str, environ: Mapping[str, str]) -> str:
    for name in REFERENCE.findall(text):
        if not environ.get(name):
            raise SecretError(f"the environment variable {name} is not set")
    return REFERENCE.sub(lambda found: environ[found[1]], text)


def _from_file(path: str) -> str:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise SecretError(f"{path} is not a regular file")
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise SecretError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > _LARGEST:
        raise SecretError(f"{path} is larger than 4 KiB")
    try:
        value = data.decode().strip()
    except UnicodeDecodeError:
        raise SecretError(f"{path} is not text") from None
    if not value:
        raise SecretError(f"{path} is empty")
    return value
