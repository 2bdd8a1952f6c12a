"""What a version serves and where it comes from, on its model card."""

from collections.abc import Callable, Mapping
from typing import Any

from ciclo.components.core.report import Document, Section, Table, Text
from ciclo.components.releases.registry import File
from ciclo.components.releases.story import served
from ciclo.components.storage.bundle import CARD, CARD_DATA

SERVED, LINEAGE = "What is served", "Lineage"


def card_files(card: Document, lineage: Mapping[str, Any]) -> dict[str, File]:
    """The model card of a version that has no number yet, as data and as a page.

    Args:
        card: As evaluation made it, or that of a version which is published anew.
        lineage: Of the version, as publishing writes it down.
    """

    def made(show: Callable[[Document], str]) -> File:
        return lambda version: show(with_lineage(card, lineage, version)).encode()

    return {
        CARD_DATA: made(lambda document: document.model_dump_json(indent=2)),
        CARD: made(lambda document: document.report().html()),
    }


def with_lineage(card: Document, lineage: Mapping[str, Any], version: int) -> Document:
    """The card of a version, with its number and where it comes from.

    Args:
        card: As evaluation made it, or that of a version which is published anew.
        lineage: Of the version, as publishing writes it down.
        version: Its number.
    """
    data, refit = lineage.get("data", {}), lineage.get("refit") or {}
    facts = {
        "version": version,
        "published": lineage.get("published_at"),
        "run": lineage.get("run"),
        "started by": lineage.get("trigger"),
        "compared with version": lineage.get("parent"),
        "refreshed from version": lineage.get("refreshed_from"),
        "digest of the dataset": data.get("dataset_digest"),
        "training rows of the tested model end": lineage.get("train_end"),
        "rows of the refitted model": refit.get("rows"),
        "rows of the refitted model end": refit.get("end"),
        "difference from the tested model": refit.get("disagreement"),
        "largest difference that is usual": refit.get("limit"),
        "split": (lineage.get("split") or {}).get("method"),
        "seed": lineage.get("seed"),
        "commit": lineage.get("commit"),
        "image of the pipeline": (lineage.get("images") or {}).get("pipeline"),
        "image of the server": (lineage.get("images") or {}).get("serving"),
        "Python": lineage.get("python"),
        **(lineage.get("libraries") or {}),
    }
    rows = tuple((name, str(value)) for name, value in facts.items() if value not in (None, ""))
    known = [section for section in card.sections if section.title not in (SERVED, LINEAGE)]
    serves = Section(title=SERVED, parts=(Text(text=f"What answers is {served(lineage)}."), *_by_slice(refit)))
    origin = Section(title=LINEAGE, parts=(Table(header=("", ""), rows=rows),))
    return card.model_copy(update={"sections": (*known[:1], serves, *known[1:], origin)})


def _by_slice(refit: Mapping[str, Any]) -> tuple[Text | Table, ...]:
    """How far the refitted model is from the tested one in each slice, beside what is usual."""
    found = refit.get("slices") or {}
    if not found:
        return ()
    text = (
        "No score and no floor can be told of the refitted model, which has learnt the rows that would tell them. What "
        "can be told is how far its answers are from those of the tested model: no further than those of other refits "
        "of the recipe, or it does not serve (a 99 % limit for all of them together)."
    )
    rows = tuple((name, one["difference"], one["usual"]) for name, one in found.items())
    header = ("slice of the newest rows", "mean difference", "most that is usual (empty: nobody can tell)")
    return Text(text=text), Table(header=header, rows=rows)
