"""What there is to tell of a version: what made it, what it reaches, who moved it, and how it differs from another."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ciclo.components.core.report import Document
from ciclo.components.core.wording import counted
from ciclo.components.storage.bundle import Record

Sections = dict[str, dict[str, Any]]


def story(record: Record, *, names: Sequence[str] = (), moves: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Everything that is known of a version, as JSON takes it.

    Args:
        record: The version.
        names: The names that point at it.
        moves: The moves of all names, oldest first.
    """
    return {
        "project": record.project,
        "version": record.version,
        "names": list(names),
        "digest": record.digest,
        "signed_by": record.signed_by,
        "parent": record.parent,
        "lineage": dict(record.lineage),
        "verdict": record.verdict.model_dump(mode="json"),
        "written_with": dict(record.libraries),
        "files": dict(record.files),
        "moves": [dict(move) for move in moves if move["version"] == record.version],
    }


def sections(record: Record, card: Document | None = None) -> Sections:
    """The facts of a version by topic, flat.

    Args:
        record: The version.
        card: Its model card.
    """
    made = dict(record.lineage)
    data, model, refit = made.pop("data", {}), made.pop("model", {}), made.pop("refit", None)
    return {
        "serves": {"model": served(record.lineage), **dict(flat(refit or {}))},
        "data": dict(flat(data)),
        "model and parameters": dict(flat(model)),
        "metrics": dict(flat(record.verdict.facts)),
        "verdict": {
            "decision": record.verdict.decision,
            "reason": record.verdict.reason,
            **{
                check.name: f"{'passed' if check.passed else 'FAILED'}: {check.message}"
                for check in record.verdict.checks
            },
        },
        "made by": {**dict(flat(made)), "parent": record.parent},
        "sealed": {"digest": record.digest, "signed_by": record.signed_by},
        **{f"card: {title}": rows for title, rows in (card.tables() if card else {}).items()},
    }


def served(lineage: Mapping[str, Any]) -> str:
    """Which of its models a version serves, and why, as a sentence without its end.

    Args:
        lineage: Of the version.
    """
    refit = lineage.get("refit")
    if not isinstance(refit, Mapping) or not refit:
        return "the tested model"
    if refit.get("why"):
        return f"the tested model: {refit['why']}"
    return (
        f"the tested recipe and parameters, fitted anew on all {counted(refit.get('rows', 0), 'labelled row')} up to "
        f"{str(refit.get('end', ''))[:16]}"
    )


def refitted_until(lineage: Mapping[str, Any]) -> str:
    """The time of the newest row that the refitted model has seen, ISO; empty where the tested one serves."""
    refit = lineage.get("refit")
    return str(refit.get("end") or "") if isinstance(refit, Mapping) and not refit.get("why") else ""


def differences(left: Sections, right: Sections) -> dict[str, dict[str, tuple[Any, Any]]]:
    """Two versions side by side: each fact of either by topic, None where one has no such fact."""
    return {
        topic: {
            name: (left.get(topic, {}).get(name), right.get(topic, {}).get(name))
            for name in {**left.get(topic, {}), **right.get(topic, {})}
        }
        for topic in {**left, **right}
    }


def flat(value: Mapping[str, Any], name: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings, each with its path joined by dots."""
    for key, inner in value.items():
        path = f"{name}.{key}" if name else str(key)
        if isinstance(inner, Mapping):
            yield from flat(inner, path)
        else:
            yield path, inner
