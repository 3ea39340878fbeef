"""Makes data/bundled: real market data out of Python packages, as Parquet with provenance.

Run by `cargo xtask bundle-data`, which prepares the environment with the pinned packages below
(`python bundle_data.py --requirements` prints them) and calls `python bundle_data.py OUT`.

Nothing is computed but dates (`known_at`), nothing is filled in and no row is mended: what looks wrong in the source
stays as it is and is counted in the notes, because finding it is the work of the quality checks of the program.
The same packages give the same bytes: rows are sorted by date, the writer, its version and its options are fixed, and
no time of writing is stored.
"""

import gzip
import hashlib
import importlib.metadata
import importlib.resources
import json
import os
import shutil
import sys
from datetime import date, timedelta

PINNED = {
    "bokeh_sampledata": "2026.1",
    "arch": "8.0.0",
    "skfolio": "1.12.2",
    "statsmodels": "0.15.0",
    "pandas": "3.1.1",
    "pyarrow": "26.0.1",
    "numpy": "2.4.6",
}

LICENCES = {
    "bokeh_sampledata": "public domain (Quandl WIKI Prices; the publisher's notice permits redistribution, see licenses/datasets.json in the package)",
    "arch": "NCSA (package); the data are shipped with it as example data",
    "skfolio": "BSD-3-Clause (package); the data are shipped with it for testing and examples",
    "statsmodels": "public domain (the data set's own statement); BSD-3-Clause (package)",
}

MAX_BYTES = 6_000_000


def fail(message):
    sys.exit("bundle-data: " + message)


# ---- reading -----------------------------------------------------------------------------------------------------


def rows_of_csv(package, *path):
    """The rows of a (gzipped) CSV file inside an installed package, as dictionaries of text."""
    import csv

    file = importlib.resources.files(package).joinpath(*path)
    opened = gzip.open if str(file).endswith(".gz") else open
    with opened(str(file), "rt", encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def number(text):
    """A cell as a float; an empty cell or FRED's "." is None."""
    text = text.strip()
    return None if text in ("", ".") else float(text)


def day(text):
    """A date, written 1999-01-04 or 1/4/1999 (month first: the packages are American)."""
    if "/" in text:
        month, day_of_month, year = (int(part) for part in text.split("/"))
        return date(year, month, day_of_month)
    return date.fromisoformat(text)


def sorted_dates(rows, key, what):
    rows = sorted(rows, key=lambda row: day(row[key]))
    stamps = [day(row[key]) for row in rows]
    if any(a >= b for a, b in zip(stamps, stamps[1:])):
        fail(f"{what} has two rows of one date; look at the package before bundling it")
    return rows, stamps


# ---- writing -----------------------------------------------------------------------------------------------------


class Bundle:
    def __init__(self, root):
        self.root = root
        self.entries = []

    def write(self, path, columns, **entry):
        """Writes one Parquet file and its provenance. `columns` maps a name to dates or floats (None is null)."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        arrays, fields = [], []
        for name, values in columns.items():
            kind = pa.date32() if name in ("date", "known_at") else pa.float64()
            arrays.append(pa.array(values, type=kind))
            fields.append(pa.field(name, kind, nullable=kind == pa.float64()))
        table = pa.table(arrays, schema=pa.schema(fields))
        target = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        pq.write_table(
            table,
            target,
            version="2.6",
            data_page_version="1.0",
            compression="zstd",
            compression_level=19,
            use_dictionary=True,
            write_statistics=True,
            store_schema=False,
            row_group_size=len(table),
        )
        with open(target, "rb") as handle:
            sha256 = hashlib.sha256(handle.read()).hexdigest()
        package = entry.pop("package")
        dates = columns["date"]
        self.entries.append(
            {
                "file": path,
                "id": entry.pop("id"),
                "kind": entry.pop("kind"),
                "title": entry.pop("title"),
                "columns": list(columns),
                "package": package,
                "version": PINNED[package],
                "licence": LICENCES[package],
                "original_source": entry.pop("original_source"),
                "span": [dates[0].isoformat(), dates[-1].isoformat()],
                "rows": len(dates),
                "sha256": sha256,
                "adjusted": entry.pop("adjusted"),
                "splits": entry.pop("splits", []),
                "stamp": entry.pop("stamp"),
                "known_at": entry.pop("known_at"),
                "revised": entry.pop("revised", False),
                "notes": entry.pop("notes"),
            }
        )
        if entry:
            fail(f"{path}: unknown provenance fields {sorted(entry)}")


# ---- bars --------------------------------------------------------------------------------------------------------


def bar_columns(rows):
    return {name.lower(): [number(r[name]) for r in rows] for name in ("Open", "High", "Low", "Close", "Volume")}


def count_findings(columns):
    """What the quality checks are going to find, in words."""
    opens, highs, lows, closes = (columns[name] for name in ("open", "high", "low", "close"))
    disorder = sum(
        low > min(o, c) or high < max(o, c) for o, high, low, c in zip(opens, highs, lows, closes)
    )
    not_positive = sum(min(bar) <= 0 for bar in zip(opens, highs, lows, closes))
    still = [d for d, v in zip(columns["date"], columns["volume"]) if v == 0]
    weekend = sum(d.weekday() > 4 for d in columns["date"])
    words = [
        f"Rows out of order low <= open, close <= high: {disorder}.",
        f"Rows with a price not above zero: {not_positive}.",
        "Rows with zero volume: "
        + (f"{len(still)} ({', '.join(d.isoformat() for d in still)})." if still else "0."),
        f"Rows on a weekend: {weekend}.",
    ]
    return " ".join(words)


def splits_of(dates, closes, adjusted):
    """Splits, read off the source's own adjusted close: on such a day adjusted/raw jumps by a ratio of small integers.

    Dividends move it too, but never by a half or more.
    """
    found = []
    for i in range(1, len(dates)):
        jump = (adjusted[i] / closes[i]) / (adjusted[i - 1] / closes[i - 1])
        if 2 / 3 < jump < 3 / 2:
            continue
        ratio = next(
            (
                (new, old)
                for old in (1, 2, 3, 4, 5)
                for new in range(1, 21)
                if abs(jump - new / old) < 1e-6 * jump
            ),
            None,
        )
        if ratio is None:
            fail(f"the adjusted close jumps by {jump} on {dates[i]}, which is no ratio of small integers")
        found.append({"date": dates[i].isoformat(), "new_shares": ratio[0], "for_old": ratio[1]})
    return found


STOCKS = {
    "AAPL": "Apple",
    "FB": "Facebook (today Meta Platforms)",
    "GOOG": "Google (today Alphabet class A, GOOGL)",
    "IBM": "International Business Machines",
    "MSFT": "Microsoft",
}


def stocks(bundle):
    rows = rows_of_csv("bokeh_sampledata", "_data", "stocks.csv.gz")
    for symbol, company in STOCKS.items():
        mine, dates = sorted_dates([r for r in rows if r["Ticker"] == symbol], "Date", symbol)
        columns = {"date": dates, **bar_columns(mine)}
        columns["adj_close"] = [number(r["Adj Close"]) for r in mine]
        splits = splits_of(dates, columns["close"], columns["adj_close"])
        told = "; ".join(f"{s['new_shares']} for {s['for_old']} on {s['date']}" for s in splits) or "none"
        bundle.write(
            f"bars/{symbol}.parquet",
            columns,
            id=symbol,
            kind="bars",
            title=f"{company}, daily bars",
            package="bokeh_sampledata",
            original_source="Quandl WIKI Prices, from the archived copy on Kaggle (marketneutral/quandl-wiki-prices-us-equites, version 1)",
            adjusted="open, high, low, close and volume are as traded, not adjusted; adj_close is the source's close adjusted for splits and dividends, also for those after the span",
            splits=splits,
            stamp="trading day",
            known_at="after the close of the day",
            notes=f"Splits in the span, read off adj_close: {told}. " + count_findings(columns),
        )


def indices(bundle):
    for symbol, module, title in (
        ("SPX", "sp500", "S&P 500 index, daily bars"),
        ("IXIC", "nasdaq", "Nasdaq Composite index, daily bars"),
    ):
        rows, dates = sorted_dates(rows_of_csv("arch.data." + module, module + ".csv.gz"), "Date", symbol)
        if any(r["Adj Close"] != r["Close"] for r in rows):
            fail(f"{symbol}: the adjusted close differs from the close, which an index does not have")
        columns = {"date": dates, **bar_columns(rows)}
        bundle.write(
            f"bars/{symbol}.parquet",
            columns,
            id=symbol,
            kind="bars",
            title=title,
            package="arch",
            original_source="index quotes as shipped with the package, in the layout of Yahoo Finance; the package names no source",
            adjusted="an index has nothing to adjust",
            stamp="trading day",
            known_at="after the close of the day",
            notes="A price index, without dividends; it cannot be bought itself. " + count_findings(columns),
        )


def closes(bundle):
    rows, dates = sorted_dates(rows_of_csv("skfolio.datasets.data", "sp500_dataset.csv.gz"), "Date", "skfolio")
    for symbol in sorted(k for k in rows[0] if k != "Date"):
        values = [number(r[symbol]) for r in rows]
        missing = sum(v is None for v in values)
        not_positive = sum(v is not None and v <= 0 for v in values)
        bundle.write(
            f"closes/{symbol}_ADJ.parquet",
            {"date": dates, "close": values},
            id=f"{symbol}_ADJ",
            kind="closes",
            title=f"{symbol}, daily adjusted closes",
            package="skfolio",
            original_source="closes of a stock in the S&P 500 as shipped with the package; the package names no source",
            adjusted="adjusted for splits and dividends, also for those after the span",
            stamp="trading day",
            known_at="after the close of the day",
            notes=(
                f"Close only: no range, no volume. Symbol {symbol} with the ending _ADJ, because these are not the prices of that day. "
                "Chosen by the package's authors among stocks that still existed in 2022: returns suffer from survivorship. "
                "Rounded to 0.001, so early adjusted prices are coarse and returns of zero frequent. "
                f"Missing values: {missing}. Values not above zero: {not_positive}."
            ),
        )


# ---- series ------------------------------------------------------------------------------------------------------


def month_end(day):
    return date(day.year + day.month // 12, day.month % 12 + 1, 1) - timedelta(days=1)


def series(bundle, id, dates, values, known, **entry):
    """Writes one series; an observation without a value is left out and counted."""
    kept = [(d, known(d), v) for d, v in zip(dates, values) if v is not None]
    left_out = len(values) - len(kept)
    entry["notes"] = (entry.pop("notes", "") + f" Periods without a figure, left out: {left_out}.").strip()
    bundle.write(
        f"series/{id}.parquet",
        {"date": [k[0] for k in kept], "known_at": [k[1] for k in kept], "value": [k[2] for k in kept]},
        id=id,
        kind="series",
        adjusted="no",
        **entry,
    )


def fred(bundle):
    table = (
        (
            "VIXCLS", "vix", "vix.csv.gz", "vix", "CBOE volatility index VIX, close, percent a year",
            lambda d: d, "the same day, after the close",
            "CBOE; in the layout of FRED series VIXCLS", "day", False, "Not revised.",
        ),
        (
            "DCOILWTICO", "wti", "wti.csv.gz", "DCOILWTICO", "Crude oil West Texas Intermediate at Cushing, spot, dollars a barrel",
            lambda d: d + timedelta(days=1), "the next day",
            "US Energy Information Administration; FRED series DCOILWTICO", "day", False,
            "FRED itself shows it some days later; the price is public in the market the next day.",
        ),
        (
            "CPILFESL", "core_cpi", "core-cpi.csv.gz", "CPILFESL", "Consumer prices, all items less food and energy, seasonally adjusted, 1982-84 = 100",
            lambda d: month_end(d) + timedelta(days=45), "45 days after the end of the month (released about two weeks after it)",
            "US Bureau of Labor Statistics; FRED series CPILFESL", "first day of the month", True,
            "Seasonal factors are revised for five years back: the figures are those of the end of 2018, not as first published.",
        ),
        (
            "AAA", "default", "default.csv.gz", "AAA", "Moody's seasoned Aaa corporate bond yield, mean of the month, percent a year",
            lambda d: month_end(d) + timedelta(days=10), "10 days after the end of the month",
            "Moody's; FRED series AAA", "first day of the month", False, "Not revised.",
        ),
        (
            "BAA", "default", "default.csv.gz", "BAA", "Moody's seasoned Baa corporate bond yield, mean of the month, percent a year",
            lambda d: month_end(d) + timedelta(days=10), "10 days after the end of the month",
            "Moody's; FRED series BAA", "first day of the month", False, "Not revised.",
        ),
    )
    for id, module, file, column, title, known, told, source, stamp, revised, notes in table:
        rows, dates = sorted_dates(rows_of_csv("arch.data." + module, file), "Date", id)
        series(
            bundle, id, dates, [number(r[column]) for r in rows], known,
            title=title, package="arch", original_source=source, stamp=stamp, known_at=told, revised=revised, notes=notes,
        )


MACRO = {
    "realgdp": "Real gross domestic product, billions of chained 2005 dollars, annual rate",
    "realcons": "Real personal consumption, billions of chained 2005 dollars, annual rate",
    "realinv": "Real gross private domestic investment, billions of chained 2005 dollars, annual rate",
    "realgovt": "Real federal consumption and gross investment, billions of chained 2005 dollars, annual rate",
    "realdpi": "Real private disposable income, billions of chained 2005 dollars, annual rate",
    "cpi": "Consumer prices, all items, end of the quarter, 1982-84 = 100",
    "m1": "Money stock M1, end of the quarter, billions of dollars",
    "tbilrate": "Three-month treasury bill, mean of the quarter's months, percent a year",
    "unemp": "Unemployment rate, percent",
    "pop": "Population with armed forces overseas, end of the quarter, millions",
    "infl": "Inflation, 400 x log change of consumer prices, percent a year",
    "realint": "Real interest rate, treasury bill less inflation, percent a year",
}


def macro(bundle):
    rows = rows_of_csv("statsmodels.datasets.macrodata", "macrodata.csv")
    for row in rows:
        year, quarter = int(float(row["year"])), int(float(row["quarter"]))
        row["date"] = month_end(date(year, 3 * quarter, 1)).isoformat()
    rows, dates = sorted_dates(rows, "date", "macrodata")
    for name, title in MACRO.items():
        values = [number(r[name]) for r in rows]
        notes = "The figures as they stood in December 2009, after all revisions until then: they are not what was first published."
        kept = dates
        if name in ("infl", "realint"):
            # The change of the first quarter has no quarter before it: the package writes 0 there.
            if values[0] != 0:
                fail(f"macrodata {name}: the first value is no longer the placeholder 0")
            values, kept = values[1:], dates[1:]
            notes += " The first quarter's 0 in the package is a placeholder, not a figure, and is left out."
        series(
            bundle, "MACRO_" + name.upper(), kept, values, lambda d: d + timedelta(days=120),
            title=title, package="statsmodels",
            original_source="FRED, Federal Reserve Bank of St. Louis (unemployment: US Bureau of Labor Statistics), accessed 2009-12-15 by the package's authors",
            stamp="last day of the quarter", known_at="120 days after the end of the quarter", revised=True, notes=notes,
        )


# ---- provenance --------------------------------------------------------------------------------------------------

PAGE = """# Where the bundled data come from

Real data, shipped so that the program works with no key and no network. Made by `cargo xtask bundle-data` out of Python
packages of pinned versions; the same packages give the same bytes. `PROVENANCE.json` holds the same for the program.
Nothing is filled in and no row is mended; `known_at` alone is computed, by the rule of the table.

## Schemas

- `bars/SYMBOL.parquet`: `date` (DATE), `open`, `high`, `low`, `close`, `volume` (DOUBLE), for stocks also `adj_close` (DOUBLE). Prices are as traded: a split is a jump in them. `splits` in `PROVENANCE.json` lists the splits of the span.
- `closes/SYMBOL_ADJ.parquet`: `date` (DATE), `close` (DOUBLE), adjusted.
- `series/ID.parquet`: `date` (DATE, see "stamp"), `known_at` (DATE: from this day on the figure may be used), `value` (DOUBLE).

All files have one row group, rows in ascending order of `date`, no two rows of one date. {files} files, {size} bytes.

## Fields of `PROVENANCE.json`

`file`, `id` (symbol or series), `kind` (`bars`, `closes`, `series`), `title`, `columns`, `package`, `version`, `licence`, `original_source`, `span` (first and last date), `rows`, `sha256`, `adjusted` (text),
`splits` (`date`, `new_shares` given `for_old` shares), `stamp` (what `date` means), `known_at` (the rule in words), `revised` (true: figures of a later date than first publication, so a back test with them is too good), `notes`.

## Licences

{licences}

## Files

| file | rows | span | what | package | original source | known at | revised |
| --- | ---: | --- | --- | --- | --- | --- | --- |
{table}

## Notes

{notes}
"""


def provenance(bundle, size):
    bundle.entries.sort(key=lambda e: e["file"])
    with open(os.path.join(bundle.root, "PROVENANCE.json"), "w", encoding="utf-8") as out:
        json.dump(bundle.entries, out, indent=1, ensure_ascii=False)
        out.write("\n")
    table = "\n".join(
        "| `{file}` | {rows} | {span[0]} to {span[1]} | {title} | {package} {version} | {original_source} | {known_at} | {revised} |".format(
            **{**e, "revised": "yes" if e["revised"] else "no"}
        )
        for e in bundle.entries
    )
    by_note = {}
    for e in bundle.entries:
        adjusted = "" if e["kind"] == "series" else f"Adjustment: {e['adjusted']}. "
        by_note.setdefault(adjusted + e["notes"].replace(f"Symbol {e['id'][:-4]} with", "The symbol with"), []).append(f"`{e['id']}`")
    notes = "\n".join(f"- {', '.join(ids)}: {note}" for note, ids in by_note.items())
    licences = "\n".join(f"- {package} {PINNED[package]}: {text}." for package, text in LICENCES.items())
    with open(os.path.join(bundle.root, "PROVENANCE.md"), "w", encoding="utf-8") as out:
        out.write(PAGE.format(files=len(bundle.entries), size=size, licences=licences, table=table, notes=notes))


def main():
    if sys.argv[1:] == ["--requirements"]:
        print("\n".join(f"{name}=={version}" for name, version in PINNED.items()))
        return
    if len(sys.argv) != 2:
        fail("usage: bundle_data.py OUT | --requirements")
    for name, version in PINNED.items():
        found = importlib.metadata.version(name)
        if found != version:
            fail(f"{name} {found} is installed, {version} is needed: run it by `cargo xtask bundle-data`")
    root = sys.argv[1]
    for folder in ("bars", "closes", "series"):
        shutil.rmtree(os.path.join(root, folder), ignore_errors=True)
    bundle = Bundle(root)
    stocks(bundle)
    indices(bundle)
    closes(bundle)
    fred(bundle)
    macro(bundle)
    size = sum(os.path.getsize(os.path.join(root, e["file"])) for e in bundle.entries)
    if size > MAX_BYTES:
        fail(f"{size} bytes are more than the {MAX_BYTES} that may be bundled")
    provenance(bundle, size)
    print(f"{len(bundle.entries)} files, {size} bytes in {root}")


main()
