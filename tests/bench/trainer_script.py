"""What a user would write instead: Trainer and peft, as their documentation does it.

``python -m tests.bench.trainer_script SPEC VERSION`` trains and tests once and prints one line of JSON. SPEC is a
resolved RunSpec as JSON, for the same examples, model, hyperparameters, batch size, steps and seed; VERSION is

- default: random batches padded to their longest, evaluation 8 at a time (the course's chapter 3 and peft's guides);
- tuned: every honest option that Trainer has. Similar lengths together, bf16 where the processor computes it,
  evaluation in batches of 64. Its caller sets glibc's thresholds in the environment.
"""

import json
import resource
import sys
import tempfile
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from peft import LoraConfig, PrefixTuningConfig, get_peft_model
from torch import nn
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

from harness import data
from harness.bases.info import snapshot
from harness.core.spec import RunSpec, parse_spec
from harness.data.tasks import find_task
from harness.libraries.evaluate import module
from harness.task import Example


def adapted(spec: RunSpec, base: nn.Module) -> nn.Module:
    """The model with the method of the spec, as a user of peft sets it up.

    minilm's pooler was never trained. peft leaves it frozen; here every contestant trains it, as the harness does, so
    that accuracies are of the same trained parameters.
    """
    model = _with_method(spec, base)
    for name, parameter in model.named_parameters():
        if ".pooler." in name:
            parameter.requires_grad_(True)
    return model


def _with_method(spec: RunSpec, model: nn.Module) -> nn.Module:
    settings = spec.method.settings
    if spec.method.name == "lora":
        layers = ["query", "key", "value", "dense"]
        config: Any = LoraConfig(
            task_type="SEQ_CLS",
            r=settings["rank"],
            lora_alpha=settings["alpha"],
            lora_dropout=settings["dropout"],
            target_modules=layers,
            exclude_modules=".*pooler.*",
        )
        return get_peft_model(model, config)
    if spec.method.name == "prefix":
        config = PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=settings["n_virtual_tokens"])
        return get_peft_model(model, config)
    if spec.method.name == "last_layers":
        model.requires_grad_(False)
        for part in [*model.bert.encoder.layer[-settings["n_layers"] :], model.classifier]:
            part.requires_grad_(True)
    return model


def arguments(spec: RunSpec, version: str, folder: str) -> TrainingArguments:
    """The spec's training as TrainingArguments."""
    training = spec.training
    options: dict[str, Any] = {
        "output_dir": folder,
        "num_train_epochs": training.epochs,
        "per_device_train_batch_size": training.batch_size,
        "learning_rate": training.learning_rate,
        "warmup_steps": training.warmup_ratio,
        "seed": spec.seed,
        "report_to": "none",
        "disable_tqdm": True,
    }
    if version == "tuned":
        options |= {
            "train_sampling_strategy": "group_by_length",
            "bf16": training.precision == "bf16",
            "use_cpu": not torch.cuda.is_available(),  # else bf16 is refused there
            "per_device_eval_batch_size": 64,
            "save_strategy": "no",
            "logging_strategy": "no",
        }
    return TrainingArguments(**options)


def tokenized(tokenizer: Any, examples: list[Example], columns: tuple[str, ...]) -> Dataset:
    """A data set as map makes it from texts and labels."""
    rows = {name: [example.fields[name] for example in examples] for name in columns}
    raw = Dataset.from_dict(rows | {"label": [example.target for example in examples]})
    return raw.map(lambda batch: tokenizer(*(batch[name] for name in columns), truncation=True), batched=True)


def main(spec: RunSpec, version: str) -> dict[str, float]:
    """Train, test, measure."""
    task = find_task(spec.task.name)
    splits, _ = data.load(task, spec.task, spec.seed)
    folder = snapshot(spec.base.name)
    torch.manual_seed(spec.seed)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    base = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(task.labels), dtype=torch.float32)
    train, test = (tokenized(tokenizer, examples, task.text) for examples in (splits.train, splits.test))
    accuracy = module("accuracy")

    def score(answers: Any) -> dict[str, float]:
        return accuracy.compute(
            predictions=np.argmax(answers.predictions, axis=-1).tolist(), references=answers.label_ids.tolist()
        )

    with tempfile.TemporaryDirectory() as output:
        trainer = Trainer(
            model=adapted(spec, base),
            args=arguments(spec, version, output),
            train_dataset=train,
            eval_dataset=test,
            data_collator=DataCollatorWithPadding(tokenizer),
            compute_metrics=score,
        )
        trained, tested = trainer.train().metrics, trainer.evaluate()
    train_tokens = spec.training.epochs * sum(map(len, train["input_ids"]))
    return {
        "train_seconds": trained["train_runtime"],
        "train_tokens_per_second": train_tokens / trained["train_runtime"],
        "eval_tokens_per_second": sum(map(len, test["input_ids"])) / tested["eval_runtime"],
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "accuracy": tested["eval_accuracy"],
        "steps": trainer.state.global_step,
    }


if __name__ == "__main__":
    print(json.dumps(main(parse_spec(json.loads(sys.argv[1])), sys.argv[2])))
