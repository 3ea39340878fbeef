"""30 indicators with TA-Lib over the bundled S&P 500, 20 years of days: one line of JSON.

    python benches/peers/indicators_talib.py COPY

COPY is where the bars are written as CSV, for the bench `indicators` to read the same ones. Each time is the best of
many, in microseconds, from arrays in memory to arrays in memory. Where an entry gives several columns, all the
functions are called that give them.
"""

import json
import pathlib
import sys
import time

import pandas as pd
import talib as T

FILE = pathlib.Path(__file__).resolve().parents[2] / "data" / "bundled" / "bars" / "SPX.parquet"
REPEATS = 3000

table = pd.read_parquet(FILE)
table.to_csv(sys.argv[1], columns=["date", "open", "high", "low", "close", "volume"], index=False)
o, h, l, c, v = (table[k].to_numpy(float) for k in ("open", "high", "low", "close", "volume"))


def donchian():
    upper, lower = T.MAX(h, 20), T.MIN(l, 20)
    return upper, lower, (upper + lower) / 2


def keltner():
    middle, width = T.EMA(c, 20), 2.0 * T.ATR(h, l, c, 10)
    return middle + width, middle, middle - width


CALLS = {
    "sma": lambda: T.SMA(c, 30),
    "ema": lambda: T.EMA(c, 30),
    "wma": lambda: T.WMA(c, 30),
    "dema": lambda: T.DEMA(c, 30),
    "tema": lambda: T.TEMA(c, 30),
    "kama": lambda: T.KAMA(c, 30),
    "rsi": lambda: T.RSI(c, 14),
    "macd": lambda: T.MACD(c, 12, 26, 9),
    "bollinger_bands": lambda: T.BBANDS(c, 20, 2.0, 2.0),
    "stochastic": lambda: T.STOCH(h, l, c, 5, 3, 0, 3, 0),
    "williams_r": lambda: T.WILLR(h, l, c, 14),
    "cci": lambda: T.CCI(h, l, c, 14),
    "parabolic_sar": lambda: T.SAR(h, l, 0.02, 0.2),
    "atr": lambda: T.ATR(h, l, c, 14),
    "natr": lambda: T.NATR(h, l, c, 14),
    "adx": lambda: (T.ADX(h, l, c, 14), T.PLUS_DI(h, l, c, 14), T.MINUS_DI(h, l, c, 14)),
    "obv": lambda: T.OBV(c, v),
    "mfi": lambda: T.MFI(h, l, c, v, 14),
    "ad": lambda: T.AD(h, l, c, v),
    "chaikin_oscillator": lambda: T.ADOSC(h, l, c, v, 3, 10),
    "roc": lambda: T.ROC(c, 10),
    "momentum": lambda: T.MOM(c, 10),
    "trix": lambda: T.TRIX(c, 30),
    "ultimate_oscillator": lambda: T.ULTOSC(h, l, c, 7, 14, 28),
    "aroon": lambda: (T.AROON(h, l, 14), T.AROONOSC(h, l, 14)),
    "donchian": donchian,
    "keltner": keltner,
    "candlestick_patterns pattern=engulfing": lambda: T.CDLENGULFING(o, h, l, c),
    "candlestick_patterns pattern=hammer": lambda: T.CDLHAMMER(o, h, l, c),
    "candlestick_patterns pattern=morningstar": lambda: T.CDLMORNINGSTAR(o, h, l, c, 0.3),
}


def best(call):
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - start)
    return min(times) / 1000


print(json.dumps({
    "version": f"TA-Lib {T.__version__}, C library {T.__ta_version__.decode().split()[0]}",
    "microseconds": {name: best(call) for name, call in CALLS.items()},
}))
