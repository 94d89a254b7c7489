"""Labels that look the same and are not: which are one beyond doubt, and which deserve a remark.

A label written by two people, two systems or two programs comes in several spellings, and each
spelling becomes a class of its own. Normal forms, blanks and invisible characters: Unicode
Standard Annex 15 and the character categories of its chapter 4.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

FEWEST = 5  # rows, below which a class can hardly be learnt, let alone be tested
KEEP_APART = "; to keep them apart, name both in classes=(...)"
MOST_GROUPS = 3  # of look-alikes that are named one by one
INVISIBLE = "\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff"
EDGES = re.compile(rf"^[\s{INVISIBLE}]+|[\s{INVISIBLE}]+$")
WHOLE_NUMBER = re.compile(r"([+-]?\d+)\.0+")
# Small letters whose capital, or they themselves, nobody can tell from a Latin letter.
HOMOGLYPHS = str.maketrans("авекмнорстухіјѕαβεζηικμνορτυχ", "abekmhopctyxijsabezhikmnoptyx")
NO_VALUE = {"na", "n/a", "n.a.", "#n/a", "<na>", "nan", "nat", "none", "null", "nil", "missing",
            "undefined", "-", "--", "—", "–", "?", "??", ".", "..."}  # fmt: skip


def clean_label(label: str) -> str:
    """The label in composed form (NFC), without blanks and invisible characters at its ends."""
    return EDGES.sub("", unicodedata.normalize("NFC", label))


def one_name_each(labels: Iterable[str], classes: Iterable[str] = ()) -> dict[str, str]:
    """{label: the name of its class}, for labels that are one beyond doubt.

    Those that differ in the number or the kind of blanks ("T shirt", "T  shirt"), and a whole
    number that a program wrote with ".0" beside itself ("2", "2.0"). ``classes`` keep their names.
    """
    alike, kept = defaultdict(list), set(classes)
    for label in sorted(set(labels) | kept):
        alike[_beyond_doubt(label)].append(label)
    names = {}
    for plain, spellings in alike.items():
        wanted = [label for label in spellings if label in kept]
        name = wanted[0] if wanted else plain if plain in spellings else spellings[0]
        for label in spellings:
            names[label] = label if label in wanted else name
    return names


def _beyond_doubt(label: str) -> str:
    plain = " ".join(label.split())
    number = WHOLE_NUMBER.fullmatch(plain)
    return number[1] if number else plain


def joined_remarks(names: Mapping[str, str]) -> list[str]:
    """What ``one_name_each`` joined, in a sentence for each name."""
    spellings = defaultdict(list)
    for label, name in names.items():
        if label != name:
            spellings[name].append(label)
    return [
        f"the label {_listed(map(repr, sorted(others)))} was read as {name!r}, from which only "
        f"blanks or a .0 part it{KEEP_APART}"
        for name, others in spellings.items()
    ]


def label_remarks(rows_of: Mapping[str, int]) -> list[str]:
    """Sentences on classes that look alike, that stand for no value, or that are very small.

    rows_of: {label: how many rows it has}.
    """
    remarks = [*_alike(rows_of)]
    if empty := [label for label in rows_of if label.casefold() in NO_VALUE]:
        remarks.append(f"{_with_counts(empty, rows_of)} became a class, but seems to mean that "
                       "there is no label; leave it out with "
                       f"drop_labels={tuple(empty)}")  # fmt: skip
    if small := sorted((n, label) for label, n in rows_of.items() if 0 < n < FEWEST):
        one = len(small) == 1
        remarks.append(f"{len(small)} class{'' if one else 'es'} {'has' if one else 'have'} fewer "
                       f"than {FEWEST} rows: {_with_counts([c for _, c in small], rows_of)}; that "
                       "is too few to learn or to judge, so join them, add rows, or leave them out "
                       "with drop_labels=(...)")  # fmt: skip
    return remarks


def _alike(rows_of: Mapping[str, int]) -> Iterable[str]:
    groups = defaultdict(list)
    for label in rows_of:
        groups[folded(label)].append(label)
    several = [sorted(group) for group in groups.values() if len(group) > 1]
    for group in several[:MOST_GROUPS]:
        yield (f"{_with_counts(group, rows_of)} look alike and are different classes; if they are "
               "one, write them alike in the table")  # fmt: skip
    if len(several) > MOST_GROUPS:
        names = "; ".join(_listed(_told_apart(group)) for group in several[MOST_GROUPS:])
        yield f"{len(several) - MOST_GROUPS} more groups of labels look alike: {names}"


def folded(label: str) -> str:
    """What two labels that look alike have in common: letters, digits and signs, no more."""
    try:
        return repr(float(label.strip()))  # "2", "2.0", "２", " 2": before a minus sign is lost
    except ValueError:
        pass
    plain = _alike_but_for_case(label)
    kept = "".join(sign for sign in plain.translate(HOMOGLYPHS) if not _passes_unseen(sign))
    return kept or plain


def _alike_but_for_case(label: str) -> str:
    """Full width letters, ligatures and the like as plain ones, and small."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold())


def _passes_unseen(sign: str) -> bool:
    """Blanks, control characters, dashes, underscores, quotes, full stops, variation selectors."""
    kind = unicodedata.category(sign)
    return kind[0] in "ZC" or kind in ("Pd", "Pc", "Pi", "Pf") or sign in "'\"`´.,;:\ufe0f\u034f"


def _with_counts(labels: list[str], rows_of: Mapping[str, int]) -> str:
    return _listed(f"{name} ({counted_rows(rows_of[label])})"
                   for name, label in zip(_told_apart(labels), labels, strict=True))  # fmt: skip


def counted_rows(number: int) -> str:
    """ "1 row", "2 rows"."""
    return f"{number} row{'s' * (number != 1)}"


def _told_apart(labels: list[str]) -> list[str]:
    """In quotes; with escapes where labels of one look could not be told apart without."""
    seen = Counter(_alike_but_for_case(label) for label in labels)
    unseen = len(seen) > 1 and len({*map(folded, labels)}) < len(labels)
    return [ascii(label) if unseen or not label.isprintable() else repr(label) for label in labels]


def _listed(names: Iterable[str]) -> str:
    names = [*names]
    if len(names) > 4:
        return f"{', '.join(names[:3])} and {len(names) - 3} more"
    return " and ".join([", ".join(names[:-1])] * (len(names) > 1) + names[-1:])
