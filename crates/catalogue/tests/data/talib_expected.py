"""What TA-Lib gives for the bundled bars: prints talib_indicators.csv and talib_candles.csv beside this file.

    python -m venv V && V/bin/pip install TA-Lib==0.8.2 numpy==2.4.6 pandas pyarrow
    V/bin/python crates/catalogue/tests/data/talib_expected.py

TA-Lib 0.8.2 brings the C library 0.8.1. What TA-Lib does not have (vwap, donchian, keltner, supertrend) is
written out here once more, on its averages where they are used. Bars of a stock with splits count from after the last one,
so that no price is adjusted.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import talib as T

HERE = Path(__file__).parent
BARS = HERE / "../../../../data/bundled/bars"
FROM = {"AAPL": "2005-03-01", "MSFT": "2003-02-19"}
FIELDS = ("open", "high", "low", "close", "volume")


def bars(symbol):
    table = pd.read_parquet(BARS / f"{symbol}.parquet")
    table = table[table["date"].astype(str) >= FROM.get(symbol, "")]
    return {k: table[k].to_numpy(float) for k in FIELDS}


def quiet(b):
    """900 bars, of which 300 to 599 stand still at one price and 400 to 499 have no volume."""
    b = {k: v[:900].copy() for k, v in b.items()}
    for k in FIELDS[:4]:
        b[k][300:600] = b["close"][299]
    b["volume"][400:500] = 0
    return b


def vwap(b, period):
    price, volume = (b["high"] + b["low"] + b["close"]) / 3, b["volume"]
    out = np.full(len(price), np.nan)
    for t in range(len(price)):
        first = 0 if period is None else t - period + 1
        if first >= 0 and volume[first : t + 1].sum() > 0:
            out[t] = np.average(price[first : t + 1], weights=volume[first : t + 1])
    return out


def supertrend(b, period, multiplier):
    atr = T.ATR(b["high"], b["low"], b["close"], period)
    line, direction = np.full(len(atr), np.nan), np.full(len(atr), np.nan)
    upper = None
    for t in np.flatnonzero(~np.isnan(atr)):
        middle = (b["high"][t] + b["low"][t]) / 2
        basic_upper, basic_lower = middle + multiplier * atr[t], middle - multiplier * atr[t]
        if upper is None:
            upper, lower, d = basic_upper, basic_lower, 1
        else:
            if basic_upper < upper or b["close"][t - 1] > upper:
                upper = basic_upper
            if basic_lower > lower or b["close"][t - 1] < lower:
                lower = basic_lower
            if d == 1 and b["close"][t] < lower:
                d = -1
            elif d == -1 and b["close"][t] > upper:
                d = 1
        line[t], direction[t] = (lower if d == 1 else upper), d
    return {"supertrend": line, "direction": direction}


def keltner(b, period, multiplier, atr_period):
    middle = T.EMA(b["close"], period)
    width = multiplier * T.ATR(b["high"], b["low"], b["close"], atr_period)
    return {"upper": middle + width, "middle": middle, "lower": middle - width}


def donchian(b, period):
    upper = pd.Series(b["high"]).rolling(period).max().to_numpy()
    lower = pd.Series(b["low"]).rolling(period).min().to_numpy()
    return {"upper": upper, "lower": lower, "middle": (upper + lower) / 2}


def outputs(b, id, p):
    o, h, l, c, v = (b[k] for k in FIELDS)
    n = p.get("period")
    named = lambda names, values: dict(zip(names.split(), values))
    if id in ("sma", "ema", "wma", "dema", "tema", "kama", "rsi", "roc", "trix"):
        return {id: getattr(T, id.upper())(c, n)}
    if id in ("cci", "atr", "natr"):
        return {id: getattr(T, id.upper())(h, l, c, n)}
    match id:
        case "momentum":
            return {id: T.MOM(c, n)}
        case "macd":
            return named("macd signal histogram", T.MACD(c, p["fast"], p["slow"], p["signal"]))
        case "bollinger_bands":
            return named("upper middle lower", T.BBANDS(c, n, p["std_dev"], p["std_dev"]))
        case "stochastic":
            return named("k d", T.STOCH(h, l, c, p["k_period"], p["k_smooth"], 0, p["d_period"], 0))
        case "williams_r":
            return {id: T.WILLR(h, l, c, n)}
        case "adx":
            return named("adx plus_di minus_di", (T.ADX(h, l, c, n), T.PLUS_DI(h, l, c, n), T.MINUS_DI(h, l, c, n)))
        case "mfi":
            return {id: T.MFI(h, l, c, v, n)}
        case "aroon":
            return named("down up oscillator", (*T.AROON(h, l, n), T.AROONOSC(h, l, n)))
        case "parabolic_sar":
            return {"sar": T.SAR(h, l, p["acceleration"], p["maximum"])}
        case "obv":
            return {id: T.OBV(c, v)}
        case "ad":
            return {id: T.AD(h, l, c, v)}
        case "chaikin_oscillator":
            return {id: T.ADOSC(h, l, c, v, p["fast"], p["slow"])}
        case "ultimate_oscillator":
            return {id: T.ULTOSC(h, l, c, p["period1"], p["period2"], p["period3"])}
        case "vwap":
            return {id: vwap(b, n)}
        case "donchian":
            return donchian(b, n)
        case "keltner":
            return keltner(b, **p)
        case "supertrend":
            return supertrend(b, **p)


def cases():
    for id in ("sma", "ema", "wma", "dema", "tema", "kama", "roc", "momentum", "trix", "atr", "donchian"):
        for n in (1, 2, 5, 14, 50, 200):
            yield id, {"period": n}
    for id in ("rsi", "williams_r", "cci", "natr", "adx", "mfi", "aroon"):
        for n in (2, 5, 14, 50, 200):
            yield id, {"period": n}
    several = {
        "macd": ("fast slow signal", (12, 26, 9), (5, 35, 5), (2, 3, 1), (50, 200, 20)),
        "bollinger_bands": ("period std_dev", (20, 2.0), (2, 1.0), (10, 1.5), (200, 0.5)),
        "stochastic": ("k_period k_smooth d_period", (5, 3, 3), (14, 3, 3), (1, 1, 1), (200, 5, 5)),
        "parabolic_sar": ("acceleration maximum", (0.02, 0.2), (0.03, 0.1), (0.5, 0.2), (0.0, 0.2)),
        "obv": ("", ()),
        "ad": ("", ()),
        "chaikin_oscillator": ("fast slow", (3, 10), (20, 5), (7, 7), (50, 200)),
        "ultimate_oscillator": ("period1 period2 period3", (7, 14, 28), (28, 7, 14), (1, 2, 3), (50, 100, 200)),
        "vwap": ("period", (None,), (1,), (20,), (200,)),
        "keltner": ("period multiplier atr_period", (20, 2.0, 10), (10, 1.5, 14), (1, 1.0, 1), (100, 0.5, 50)),
        "supertrend": ("period multiplier", (10, 3.0), (7, 2.0), (1, 1.0), (50, 0.5)),
    }
    for id, (names, *rows) in several.items():
        for row in rows:
            yield id, dict(zip(names.split(), row))


def words(p):
    return " ".join(f"{k}={'none' if v is None else v}" for k, v in p.items())


def indicators(out):
    print("bars,indicator,parameters,output,values,first,mean,some", file=out)
    sets = {s: bars(s) for s in ("IBM", "FB", "SPX")}
    sets["quiet IBM"] = quiet(sets["IBM"])
    for name, b in sets.items():
        for id, p in cases():
            for output, column in outputs(b, id, p).items():
                known = np.flatnonzero(~np.isnan(column))
                some = known[np.unique(np.linspace(0, len(known) - 1, 5).astype(int))] if len(known) else []
                row = [name, id, words(p), output, len(known)]
                row += [known[0], repr(float(column[known].mean()))] if len(known) else ["", ""]
                row.append(" ".join(f"{t}:{float(column[t])!r}" for t in some))
                print(*row, sep=",", file=out)


PENETRATED = "abandonedbaby darkcloudcover eveningdojistar eveningstar mathold morningdojistar morningstar".split()


def candles(out):
    print("bars,pattern,penetration,hits,sum,sum of bar times signal,first 25", file=out)
    names = sorted(n[3:].lower() for n in dir(T) if n.startswith("CDL"))
    for symbol in ("AAPL", "FB", "GOOG", "IBM", "IXIC", "MSFT", "SPX"):
        b = bars(symbol)
        for name in names:
            for penetration in (None, 0.0, 0.5) if name in PENETRATED else (None,):
                given = {} if penetration is None else {"penetration": penetration}
                signal = getattr(T, f"CDL{name.upper()}")(*(b[k] for k in FIELDS[:4]), **given).astype(int)
                at = np.flatnonzero(signal)
                first = " ".join(f"{t}:{signal[t]}" for t in at[:25])
                row = [symbol, name, "" if penetration is None else penetration, len(at), signal.sum()]
                print(*row, (signal * np.arange(len(signal))).sum(), first, sep=",", file=out)


if __name__ == "__main__":
    for part in (indicators, candles):
        with open(HERE / f"talib_{part.__name__}.csv", "w") as out:
            part(out)
