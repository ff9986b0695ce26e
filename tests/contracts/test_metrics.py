"""The metrics' contract on every registered one."""

import pytest

from harness.metric import METRICS
from harness.testing import contracts
from harness.testing.metric import MetricContract

globals().update(contracts(MetricContract, METRICS.names()))


@pytest.mark.usefixtures("examples")
class TestExample(MetricContract):
    plugin = "balanced_accuracy"
