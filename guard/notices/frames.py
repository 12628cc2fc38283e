"""The words around a policy's own message, in each language that the guard itself speaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from guard.columns.table import OwnerType

ENGLISH: Final = "en"


@dataclass(frozen=True, slots=True)
class Frame:
    """What a notice says beside the message of a rule.

    `things` are what the titles call a row, by what it is to a mailbox: None is the mailbox itself.
    Holes in braces are filled by `text`.
    """

    rejected: str
    held: str
    things: Mapping[OwnerType | None, str]
    undecided: str
    hold: str
    contact: str
    decision: str
    untold: str
    open_row: str
    open_decision: str


FRAMES: Final[Mapping[str, Frame]] = MappingProxyType(
    {
        ENGLISH: Frame(
            rejected="Your change to a {thing} was not accepted",
            held="Your change to a {thing} waits for a second person",
            things={None: "mailbox", OwnerType.USER: "user", OwnerType.QUEUE: "queue"},
            undecided="It could not be judged. Make it again in a moment.",
            hold="A second person has to agree to it.",
            contact="Help: {contact}.",
            decision="Decision {id}.",
            untold="Not told before: {count}.",
            open_row="Open the row",
            open_decision="Show the decision",
        ),
        "de": Frame(
            rejected="Ihre Änderung ({thing}) wurde nicht angenommen",
            held="Ihre Änderung ({thing}) wartet auf eine zweite Person",
            things={None: "Postfach", OwnerType.USER: "Benutzer", OwnerType.QUEUE: "Warteschlange"},
            undecided="Sie konnte nicht beurteilt werden. Versuchen Sie es gleich noch einmal.",
            hold="Eine zweite Person muss zustimmen.",
            contact="Hilfe: {contact}.",
            decision="Entscheidung {id}.",
            untold="Bisher nicht gemeldet: {count}.",
            open_row="Zeile öffnen",
            open_decision="Entscheidung zeigen",
        ),
        "fr": Frame(
            rejected="Votre modification ({thing}) n'a pas été acceptée",
            held="Votre modification ({thing}) attend l'accord d'une autre personne",
            things={
                None: "boîte aux lettres",
                OwnerType.USER: "utilisateur",
                OwnerType.QUEUE: "file d'attente",
            },
            undecided="Elle n'a pas pu être évaluée. Recommencez dans un instant.",
            hold="Une autre personne doit donner son accord.",
            contact="Aide : {contact}.",
            decision="Décision {id}.",
            untold="Non signalées jusqu'ici : {count}.",
            open_row="Ouvrir la ligne",
            open_decision="Afficher la décision",
        ),
        "es": Frame(
            rejected="Su cambio ({thing}) no se ha aceptado",
            held="Su cambio ({thing}) espera a una segunda persona",
            things={None: "buzón", OwnerType.USER: "usuario", OwnerType.QUEUE: "cola"},
            undecided="No se pudo evaluar. Vuelva a intentarlo en un momento.",
            hold="Una segunda persona debe dar su conformidad.",
            contact="Ayuda: {contact}.",
            decision="Decisión {id}.",
            untold="No comunicados hasta ahora: {count}.",
            open_row="Abrir la fila",
            open_decision="Mostrar la decisión",
        ),
    }
)


def frame_in(language: str | None) -> Frame:
    """Return the words of a language; those of English where the guard doesn't speak it."""
    return FRAMES.get((language or ENGLISH).partition("-")[0], FRAMES[ENGLISH])
