"""What the server of processes does once for all of them: imports, and reading the examples of the searched task."""

from harness.runs.identity import identify
from harness.runs.resolve import resolve
from tests.search import processes
from tests.search.stand_in import LORA

assert processes
identify(resolve(LORA))
