"""The metrics' contract on every registered one."""

from harness.metric import METRICS
from harness.testing import contracts
from harness.testing.metric import MetricContract

globals().update(contracts(MetricContract, METRICS.names()))
