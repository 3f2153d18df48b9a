"""Answers of real actions, kept in a file, so that tests need no network."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from prefect_phantom.flows.action import Action
from prefect_phantom.flows.failure import ActionFailure
from prefect_phantom.flows.inside.json_values import plain
from prefect_phantom.flows.inside.task import perform
from prefect_phantom.flows.result import ActionResult
from prefect_phantom.flows.run import Call
from prefect_phantom.flows.trial.trial import Trial


class Recording:
    """Answers by action and parameters, in a file of JSON that people can read and edit."""

    def __init__(self, file: Path, *, keep: bool) -> None:
        self._file = file
        self._keep = keep
        self._guard = threading.Lock()
        self._answers: dict[str, dict[str, Any]] = {}
        if file.exists():
            self._answers = json.loads(file.read_text())

    def attach(self, trial: Trial, action: Action[...]) -> None:
        """Have `action` answer from here, or be carried out and kept."""
        if self._keep:
            trial.observe(action, lambda call: self._kept(action, call))
        else:
            trial.fake(action, lambda **values: self._answer(action, values))

    def _answer(self, action: Action[...], values: dict[str, Any]) -> ActionResult:
        key = _key(action, values)
        answer = self._answers.get(key)
        if answer is None:
            message = f"{self._file} has no answer for {key}; record it with --record-actions"
            raise LookupError(message)
        if "failure" in answer:
            raise ActionFailure(answer["failure"])
        return ActionResult.model_validate(answer)

    def _kept(self, action: Action[...], call: Call) -> ActionResult:
        try:
            result = perform(action.definition, call)
        except ActionFailure as failure:
            self._write(_key(action, call.values), {"failure": str(failure)})
            raise
        self._write(_key(action, call.values), result.model_dump(mode="json"))
        return result

    def _write(self, key: str, answer: dict[str, Any]) -> None:
        with self._guard:
            self._answers[key] = plain(answer)
            self._file.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps(self._answers, indent=2, sort_keys=True, ensure_ascii=False)
            self._file.write_text(f"{text}\n")


def _key(action: Action[...], values: dict[str, Any]) -> str:
    return f"{action.name} {json.dumps(plain(values), sort_keys=True, ensure_ascii=False)}"
