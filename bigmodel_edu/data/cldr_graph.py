"""A knowledge graph of territories, languages, scripts, currencies and time zones, from CLDR."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal

import numpy as np

from bigmodel_edu.errors import UnknownName

from .cldr_names import NAME_LANGUAGES, find_locale
from .graph import KnowledgeGraph
from .graph_splits import split_facts
from .triples import Triple

# relation: (kind of head, kind of tail, what it says)
RELATIONS: dict[str, tuple[str, str, str]] = {
    "speaks": ("territory", "language", "some of its people speak it"),
    "official_language": ("territory", "language", "by law, or in fact"),
    "regional_language": ("territory", "language", "official in a part of it"),
    "likely_language": ("territory", "language", "guess it when you know the territory only"),
    "uses_currency": ("territory", "currency", "legal tender without an end"),
    "used_currency": ("territory", "currency", "legal tender once"),
    "in_time_zone": ("territory", "zone", "a clock zone that it has"),
    "week_starts_on": ("territory", "day", "in its calendars"),
    "follows_conventions_of": ("territory", "territory or region", "in an official language"),
    "written_in": ("language", "script", "usually, or in some territory"),
    "likely_territory": ("language", "territory", "guess it when you know the language only"),
    "typical_language": ("script", "language", "guess it when you know the script only"),
    "typical_territory": ("script", "territory", "guess it when you know the script only"),
    "in_zone_area": ("zone", "area", "of the IANA time zone database"),
    "keeps_time": ("zone", "time", "what its time is called nowadays"),
}

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def load_cldr_graph(
    seed: int = 0,
    split: Literal["careful", "random"] = "careful",
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
) -> KnowledgeGraph:
    """Load what CLDR says of territories and languages as a knowledge graph, with no download.

    Entities are named by kind and code, "territory:CH", "language:de", "currency:CHF"; their
    titles are CLDR's English names. `RELATIONS` says what each relation means. Left out are codes
    without an English name, retired territories and codes for "unknown" or "other".

    Two facts about the same two entities are seldom independent: an official language is spoken,
    and the likely territory of a language speaks it. The careful split therefore keeps all facts
    between the same two entities in one part, see `split_facts`; `leaks` counts what a random
    split gives away. No relation is another's inverse: CLDR's tables also list the territory of
    each zone and the territories of each currency, which would be *in time zone* and *uses
    currency* turned round.

    Source: Unicode CLDR, through Babel. Another version of Babel may have other facts.

    Args:
        seed: of the split.
        split: "careful" or "random".
        valid_fraction, test_fraction: of the facts.

    Raises:
        UnknownName: there is no such split.
        HyperparameterError: bad fractions.
    """
    import babel

    triples, titles = _facts_and_titles()
    entities = sorted({h for h, _, _ in triples} | {t for _, _, t in triples})
    relations = sorted({r for _, r, _ in triples})
    entity = {name: number for number, name in enumerate(entities)}
    relation = {name: number for number, name in enumerate(relations)}
    facts = np.array([(entity[h], relation[r], entity[t]) for h, r, t in triples])
    train, valid, test = split_facts(
        facts,
        len(entities),
        len(relations),
        np.random.default_rng(seed),
        split=split,
        valid_fraction=valid_fraction,
        test_fraction=test_fraction,
    )
    return KnowledgeGraph(
        name="cldr-graph",
        entities=tuple(entities),
        relations=tuple(relations),
        train=train,
        valid=valid,
        test=test,
        source=f"Unicode CLDR, carried by Babel {babel.__version__}",
        titles=tuple(titles[name] for name in entities),
        kinds=tuple(name.partition(":")[0] for name in entities),
    )


def cldr_names_of(
    entities: KnowledgeGraph | Iterable[str], locales: Sequence[str] = NAME_LANGUAGES
) -> dict[str, dict[str, str]]:
    """Return {entity: {locale: name}}, the names of a CLDR graph's entities in several languages.

    Only names that CLDR gives in a language stand there; each entity has its English title under
    "en" if English is among the `locales`.

    Raises:
        UnknownName: CLDR has no such locale, or an entity is of no kind of this graph.
    """
    names = entities.entities if isinstance(entities, KnowledgeGraph) else tuple(entities)
    for name in names:
        if name.partition(":")[0] not in _NAMERS:
            raise UnknownName(
                f"{name!r} is no entity of the CLDR graph, expected a kind and a code such as "
                f"'territory:CH'; the kinds are {', '.join(_NAMERS)}."
            )
    found: dict[str, dict[str, str]] = {name: {} for name in names}
    for tag in locales:
        locale = find_locale(tag)
        for name in names:
            kind, _, code = name.partition(":")
            spelt = _name(locale, kind, code)
            if spelt:
                found[name][tag] = spelt
    return found


# --- what CLDR's tables say


@lru_cache(maxsize=1)
def _facts_and_titles() -> tuple[tuple[Triple, ...], dict[str, str]]:
    """Return all facts, each once and sorted, and the English title of every entity."""
    english = find_locale("en")
    triples = {
        *_languages_of_territories(),
        *_currencies(),
        *_likely(),
        *_zones(),
        *_weeks(),
        *_conventions(),
    }
    titles = {}
    for name in {entity for h, _, t in triples for entity in (h, t)}:
        kind, _, code = name.partition(":")
        titles[name] = _name(english, kind, code)
    kept = sorted((h, r, t) for h, r, t in triples if titles[h] and titles[t])
    return tuple(kept), titles


def _table(name: str):
    from babel.core import get_global

    return get_global(name)


def _languages_of_territories() -> Iterable[Triple]:
    official = {
        "official": "official_language",
        "de_facto_official": "official_language",
        "official_regional": "regional_language",
    }
    for territory, languages in _table("territory_languages").items():
        for tag, about in languages.items():
            language, _, script = tag.partition("_")
            head, tail = f"territory:{territory}", f"language:{language}"
            yield head, "speaks", tail
            if about["official_status"]:
                yield head, official[about["official_status"]], tail
            if len(script) == 4:  # az_Arab: spoken here, and written so
                yield tail, "written_in", f"script:{script}"


def _currencies() -> Iterable[Triple]:
    for territory, periods in _table("territory_currencies").items():
        for currency, _, end, is_tender in periods:
            if is_tender:
                # no date of today: a planned end counts, so that every day has the same facts
                relation = "uses_currency" if end is None else "used_currency"
                yield f"territory:{territory}", relation, f"currency:{currency}"


def _likely() -> Iterable[Triple]:
    """CLDR's likely subtags complete what is known of a text: de → de_Latn_DE."""
    for key, likely in _table("likely_subtags").items():
        given, (language, script, *territory) = key.split("_"), likely.split("_")
        names = f"language:{language}", f"script:{script}", f"territory:{''.join(territory)}"
        if given[0] != "und":
            if len(given) == 1 or len(given[-1]) != 4:  # zh_TW → Hant, but not zh_Bopo → Bopo
                yield names[0], "written_in", names[1]
            if len(given) == 1:
                yield names[0], "likely_territory", names[2]
        elif len(given) == 2 and len(given[1]) == 4:
            yield f"script:{given[1]}", "typical_language", names[0]
            yield f"script:{given[1]}", "typical_territory", names[2]
        elif len(given) == 2:
            yield f"territory:{given[1]}", "likely_language", names[0]


def _zones() -> Iterable[Triple]:
    times = _table("meta_zones")
    for zone, territory in _table("zone_territories").items():
        area = zone.partition("/")[0]
        if area == "Etc":  # GMT+3 and the like: nobody lives there
            continue
        yield f"territory:{territory}", "in_time_zone", f"zone:{zone}"
        yield f"zone:{zone}", "in_zone_area", f"area:{area}"
        for spelling in _spellings(zone):
            if spelling in times:
                yield f"zone:{zone}", "keeps_time", f"time:{times[spelling]}"
                break


def _spellings(zone: str) -> list[str]:
    """Return a zone's name and those it had before: CLDR keeps the oldest in some tables."""
    return [zone, *_old_spellings().get(zone, [])]


@lru_cache(maxsize=1)
def _old_spellings() -> dict[str, list[str]]:
    old: dict[str, list[str]] = {}
    for alias, zone in sorted(_table("zone_aliases").items()):
        old.setdefault(zone, []).append(alias)
    return old


def _weeks() -> Iterable[Triple]:
    """The week belongs to the territory: all locales of one agree on it."""
    from babel import Locale
    from babel.localedata import locale_identifiers

    tags: dict[str, list[str]] = {}
    for tag in sorted(locale_identifiers()):
        territory = tag.rpartition("_")[2]
        if len(territory) == 2 and territory.isupper():
            tags.setdefault(territory, []).append(tag)
    # each language that must be read takes time: prefer those of many territories
    uses = Counter(_language(tag) for candidates in tags.values() for tag in candidates)
    for territory, candidates in tags.items():
        tag = max(candidates, key=lambda tag: uses[_language(tag)])
        day = DAYS[Locale.parse(tag).first_week_day]
        yield f"territory:{territory}", "week_starts_on", f"day:{day[:3].lower()}"


def _conventions() -> Iterable[Triple]:
    """Locale es_MX inherits from es_419: Mexico writes Spanish as Latin America does.

    Only for the official languages of the territory, for es_JP inherits from es_419 as well.
    """
    spoken = _table("territory_languages")
    for child, parent in _table("parent_exceptions").items():
        territory, model = child.rpartition("_")[2], parent.rpartition("_")[2]
        language = _language(child)
        is_official = spoken.get(territory, {}).get(language, {}).get("official_status")
        if is_official and language == _language(parent) and len(model) in (2, 3):
            kind = "region" if model.isdigit() else "territory"
            yield f"territory:{territory}", "follows_conventions_of", f"{kind}:{model}"


def _language(tag: str) -> str:
    return tag.partition("_")[0]


# --- names


def _name(locale, kind: str, code: str) -> str:
    """Return what a locale calls an entity, or "" if it has no name for it."""
    name = _NAMERS[kind](locale, code) or ""
    name = unicodedata.normalize("NFC", name).strip()
    return name if name != code and any(character.isalpha() for character in name) else ""


def _territory_name(locale, code: str) -> str | None:
    return (
        None if code in ("ZZ", "XA", "XB", "QO", "EU", "EZ", "UN") else _region_name(locale, code)
    )


def _region_name(locale, code: str) -> str | None:
    return locale.territories.get(code)


def _language_name(locale, code: str) -> str | None:
    return None if code in ("und", "mul", "mis", "zxx", "root") else locale.languages.get(code)


def _script_name(locale, code: str) -> str | None:
    return None if code[0] in "QZ" else locale.scripts.get(code)  # private use, symbols, unknown


def _currency_name(locale, code: str) -> str | None:
    return locale.currencies.get(code)


def _zone_name(locale, code: str) -> str | None:
    """The city that stands for the zone: Zurich for Europe/Zurich."""
    for spelling in _spellings(code):
        if city := locale.time_zones.get(spelling, {}).get("city"):
            return city
    return code.rpartition("/")[2].replace("_", " ") if locale.language == "en" else None


def _time_name(locale, code: str) -> str | None:
    names = locale.meta_zones.get(code, {}).get("long", {})
    return names.get("generic") or names.get("standard")


def _area_name(locale, code: str) -> str | None:
    return f"{code} (zones)" if locale.language == "en" else None


def _day_name(locale, code: str) -> str | None:
    number = next(i for i, day in enumerate(DAYS) if day.lower().startswith(code))
    return locale.days["stand-alone"]["wide"][number]


_NAMERS = {
    "territory": _territory_name,
    "region": _region_name,
    "language": _language_name,
    "script": _script_name,
    "currency": _currency_name,
    "zone": _zone_name,
    "time": _time_name,
    "area": _area_name,
    "day": _day_name,
}
