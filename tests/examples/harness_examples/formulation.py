"""Labels that have an order: is the answer beyond the first, beyond the second, …"""

from typing import ClassVar

from harness.formulation import Answer, BoundFormulation, Formulation, Row


class Ordinal(Formulation):
    """A head with one output for each step from a label to the next; a far label costs more than a near one."""

    source = "Cao et al. 2020, https://arxiv.org/abs/1901.07884"
    kinds = frozenset({"classification"})
    model_classes: ClassVar = {"encoder": "AutoModelForSequenceClassification"}
    has_head = True

    def n_outputs(self, task):
        return len(task.labels) - 1

    def bound(self, task):
        return BoundOrdinal


class BoundOrdinal(BoundFormulation):
    def encode(self, examples):
        texts = ["\n".join(example.fields[column] for column in self.task.text) for example in examples]
        found, most = self.tokenizer(texts)["input_ids"], self.max_length
        self.n_truncated += sum(len(ids) > most for ids in found)
        return [Row(example, (ids[:most],)) for example, ids in zip(examples, found, strict=True)]

    def losses(self, model, batch):
        from torch.nn.functional import logsigmoid

        beyond = model(**batch.inputs).logits.float()  # (B, L - 1)
        signs = [[1 if row.example.target > n else -1 for n in range(beyond.shape[1])] for row in batch.rows]
        return logsigmoid(beyond.new_tensor(signs) * beyond).sum(1).neg()

    def answer(self, model, batch):
        return [Answer(sum(logit > 0 for logit in row)) for row in model(**batch.inputs).logits.tolist()]
