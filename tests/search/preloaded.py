"""What the server of processes does once for all of them: imports, and reading the examples of the searched task."""

from harness import identity
from tests.search import processes
from tests.search.stand_in import LORA

assert processes
identity.identify(identity.resolve(LORA))
