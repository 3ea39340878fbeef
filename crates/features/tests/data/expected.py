"""Computes what the features should be on bundled data, with pandas, NumPy and TA-Lib.

    python crates/features/tests/data/expected.py > crates/features/tests/data/expected.csv

Nothing of the product is used: the formulas are written a second time, on the columns of the
Parquet files. Prices are divided by the splits that follow them, as PROVENANCE.json says.
"""

import json
import pathlib
import sys

import numpy as np
import pandas as pd
import talib

ROOT = pathlib.Path(__file__).resolve().parents[4] / "data" / "bundled"
FILES = {f["id"]: f for f in json.loads((ROOT / "PROVENANCE.json").read_text())}


def bars(symbol):
    about = FILES[symbol]
    frame = pd.read_parquet(ROOT / about["file"])
    frame["date"] = pd.to_datetime(frame["date"])
    frame = frame.set_index("date")
    for split in about["splits"]:
        before = frame.index < split["date"]
        ratio = split["new_shares"] / split["for_old"]
        for name in ["open", "high", "low", "close"]:
            frame.loc[before, name] /= ratio
        frame["volume"] = frame["volume"].astype(float)
        frame.loc[before, "volume"] *= ratio
    return frame.astype(float)


def series(name):
    frame = pd.read_parquet(ROOT / FILES[name]["file"])
    for column in ["date", "known_at"]:
        frame[column] = pd.to_datetime(frame[column])
    return frame


def as_of(days, name, back=0):
    """The figure known at the end of each day, or the one `back` observations before it."""
    figures = series(name)
    figures["value"] = figures["value"].shift(back)
    figures = figures.sort_values("known_at")
    days = pd.DataFrame({"day": days})
    joined = pd.merge_asof(days, figures, left_on="day", right_on="known_at")
    return pd.Series(joined["value"].to_numpy(), index=days["day"])


def population(x, n):
    return x.rolling(n).std(ddof=0)


def alone(b):
    """Features of one symbol."""
    f = {}
    c = b["close"]
    r = np.log(c / c.shift(1))
    ew = lambda x, alpha, n: x.ewm(alpha=alpha, adjust=True, min_periods=n).mean()
    ema = lambda x, n: ew(x, 2 / (n + 1), n)
    root = lambda x: np.log(np.sqrt(x))
    for n in [1, 5, 20, 60]:
        f[f"log_return_{n}"] = np.log(c / c.shift(n))
    for n in [1, 2, 3]:
        f[f"log_return_lag_{n}"] = r.shift(n)
    for n in [10, 120, 252]:
        f[f"momentum_{n}"] = c / c.shift(n) - 1
    f["momentum_252_skip_21"] = c.shift(21) / c.shift(252) - 1
    f["max_return_20"] = r.rolling(20).max()
    for n in [20, 50, 200]:
        f[f"sma_gap_{n}"] = c / c.rolling(n).mean() - 1
    for n in [5, 20, 60]:
        f[f"log_volatility_{n}"] = root((r**2).rolling(n).mean())
    f["ewma_volatility"] = root(ew(r**2, 0.06, 20))
    f["downside_share_20"] = (r**2).where(r < 0, 0).where(r.notna()).rolling(20).sum() / (
        r**2
    ).rolling(20).sum()
    f["jump_share_20"] = 1 - (np.pi / 2) * (r * r.shift(1)).abs().rolling(20).sum() / (
        r**2
    ).rolling(20).sum()
    f["volatility_of_volatility_60"] = population(f["log_volatility_20"], 60)
    moment = lambda w, k: np.mean((w - w.mean()) ** k) / np.std(w) ** k
    f["skewness_60"] = r.rolling(60).apply(lambda w: moment(w, 3), raw=True)
    f["kurtosis_60"] = np.log(r.rolling(60).apply(lambda w: moment(w, 4), raw=True))
    d = c.diff()
    up, down = ew(d.clip(lower=0), 1 / 14, 14), ew((-d).clip(lower=0), 1 / 14, 14)
    f["rsi_14"] = up / (up + down)
    m = ema(c, 12) - ema(c, 26)
    f["macd_line"] = m / c
    f["macd_histogram"] = (m - ema(m, 9)) / c
    top, middle, bottom = talib.BBANDS(c.to_numpy(), 20, 2, 2)
    f["bollinger_b_20"] = (c - bottom) / (top - bottom)
    f["bollinger_width_20"] = (c * 0 + top - bottom) / middle
    s = ema(ema(ema(c, 15), 15), 15)
    f["trix_15"] = np.log(s / s.shift(1))
    f["efficiency_20"] = (c - c.shift(20)) / d.abs().rolling(20).sum()
    f["roll_60"] = 2 * np.sqrt(-r.rolling(60).cov(r.shift(1), ddof=0).clip(upper=0))
    f["zero_returns_60"] = (r == 0).where(r.notna()).astype(float).rolling(60).mean()
    f["autocorrelation_60"] = r.rolling(60).corr(r.shift(1))
    f["variance_ratio_60"] = (f["log_return_5"] ** 2).rolling(60).mean() / (
        5 * (r**2).rolling(60).mean()
    )

    def third(x, n):
        def place(w):
            share = ((w < w[-1]).sum() + (w == w[-1]).sum() / 2) / len(w)
            return float(share > 1 / 3) + float(share > 2 / 3)

        return x.rolling(n).apply(place, raw=True)

    f["volatility_regime"] = third(f["log_volatility_20"], 252)
    fast, slow = c.rolling(50).mean(), c.rolling(200).mean()
    f["trend_regime"] = pd.Series(
        np.where((fast > slow) & (c > slow), 1.0, np.where((fast < slow) & (c < slow), -1.0, 0.0)),
        index=c.index,
    )
    f["trend_regime"] = f["trend_regime"].where(slow.notna())
    highest, before = c.rolling(252).max(), c.shift(252)
    f["bear_market"] = (c <= 0.8 * highest).astype(float).where(highest.notna())
    f["up_down_regime"] = (c > before).astype(float).where(before.notna())

    days = pd.Series(b.index, index=b.index)
    f["day_of_week"] = days.dt.day_of_week + 1.0
    f["month_sine"] = np.sin(2 * np.pi * days.dt.month / 12)
    f["month_cosine"] = np.cos(2 * np.pi * days.dt.month / 12)
    f["winter_half"] = days.dt.month.isin([11, 12, 1, 2, 3, 4]).astype(float)
    friday = days + pd.to_timedelta(4 - days.dt.day_of_week, unit="D")
    # The third Friday of the month of this week's Friday, by pandas' own calendar.
    start = friday.dt.to_period("M").dt.start_time
    third_friday = start.map(lambda s: s + pd.offsets.WeekOfMonth(week=2, weekday=4))
    f["expiry_week"] = (friday == third_friday).astype(float)
    # The bundled bars have one row a trading day, so that the bars themselves are the calendar;
    # days near the end of the file, where they end early, are not asked for.
    month = days.dt.to_period("M")
    so_far = days.groupby(month).cumcount() + 1
    left = days.groupby(month).transform("size") - so_far
    f["days_to_month_end"] = left.astype(float)
    f["turn_of_month"] = ((so_far <= 3) | (left == 0)).astype(float)
    weekdays = np.busday_count(days.dt.date[:-1].to_numpy(dtype="datetime64[D]"),
                               days.dt.date[1:].to_numpy(dtype="datetime64[D]"))
    holiday_next = np.append(weekdays > 1, False)
    to_next, count = np.full(len(days), np.nan), np.nan
    for i in range(len(days) - 1, -1, -1):
        count = 0.0 if holiday_next[i] else count + 1
        to_next[i] = count
    f["days_to_holiday"] = pd.Series(to_next, index=days.index)
    f["before_holiday"] = pd.Series(holiday_next.astype(float), index=days.index)

    if "volume" in b:
        o, h, l, v = b["open"], b["high"], b["low"], b["volume"]
        arrays = [x.to_numpy() for x in (h, l, c)]
        indexed = lambda x: pd.Series(x, index=c.index)
        f["gap"] = np.log(o / c.shift(1))
        f["overnight_return_20"] = f["gap"].rolling(20).sum()
        for n in [20, 252]:
            f[f"high_distance_{n}"] = c / h.rolling(n).max() - 1
            f[f"low_distance_{n}"] = c / l.rolling(n).min() - 1
        f["close_location"] = ((c - l) - (h - c)) / (h - l)
        hl, co = np.log(h / l), np.log(c / o)
        rs = np.log(h / c) * np.log(h / o) + np.log(l / c) * np.log(l / o)
        f["parkinson_20"] = root((hl**2).rolling(20).mean() / (4 * np.log(2)))
        f["garman_klass_20"] = root((hl**2 / 2 - (2 * np.log(2) - 1) * co**2).rolling(20).mean())
        f["rogers_satchell_20"] = root(rs.rolling(20).mean())
        k = 0.34 / (1.34 + 21 / 19)
        f["yang_zhang_20"] = root(
            f["gap"].rolling(20).var() + k * co.rolling(20).var() + (1 - k) * rs.rolling(20).mean()
        )
        f["range_1"] = hl
        f["volume_ratio_20"] = v / v.rolling(20).mean()
        f["volume_change_1"] = np.log(v / v.shift(1))
        f["volume_trend_5_60"] = np.log(v.rolling(5).mean() / v.rolling(60).mean())
        f["volume_variation_20"] = population(v, 20) / v.rolling(20).mean()
        f["volume_price_trend_20"] = (v * c.pct_change()).rolling(20).sum() / v.rolling(20).sum()
        f["chaikin_money_flow_20"] = (v * f["close_location"].fillna(0)).rolling(
            20
        ).sum() / v.rolling(20).sum()
        f["volume_move_correlation_60"] = r.abs().rolling(60).corr(v)
        f["money_flow_14"] = indexed(talib.MFI(*arrays, v.to_numpy(), 14)) / 100
        f["on_balance_20"] = (np.sign(d) * v).rolling(20).sum() / v.rolling(20).sum()
        high, low = np.maximum(h, c.shift(1)), np.minimum(l, c.shift(1))
        f["atr_share_14"] = ew((high - low).where(c.shift(1).notna()), 1 / 14, 14) / c
        f["stochastic_14"] = indexed(talib.WILLR(*arrays, 14)) / 100 + 1
        f["commodity_channel_20"] = indexed(talib.CCI(*arrays, 20))
        f["aroon_25"] = indexed(talib.AROONOSC(*arrays[:2], 25)) / 100
        u, w = h.diff(), -l.diff()
        plus = ew(u.where((u > w) & (u > 0), 0).where(u.notna()), 1 / 14, 14)
        minus = ew(w.where((w > u) & (w > 0), 0).where(w.notna()), 1 / 14, 14)
        f["directional_14"] = (plus - minus) / (plus + minus)
        f["adx_14"] = ew(f["directional_14"].abs(), 1 / 14, 14)
        before = c.shift(1)
        gap = pd.Series(np.where(l > before, l - before, np.where(h < before, h - before, 0.0)),
                        index=c.index)
        H, L = h - gap, l - gap
        beta = np.log(H / L) ** 2 + np.log(h.shift(1) / l.shift(1)) ** 2
        gamma = np.log(np.maximum(H, h.shift(1)) / np.minimum(L, l.shift(1))) ** 2
        q = 3 - 2 * np.sqrt(2)
        a = (np.sqrt(2 * beta) - np.sqrt(beta)) / q - np.sqrt(gamma / q)
        spread = 2 * (np.exp(a) - 1) / (1 + np.exp(a))
        f["corwin_schultz_20"] = spread.clip(lower=0).rolling(20).mean()
        eta = (np.log(h) + np.log(l)) / 2
        lc = np.log(before)
        f["abdi_ranaldo_20"] = np.sqrt((4 * (lc - eta.shift(1)) * (lc - eta)).clip(lower=0)).rolling(20).mean()
        f["amihud_20"] = np.log(1e6 * (r.abs() / (c * v)).rolling(20).mean())
        f["traded_value_20"] = np.log((c * v).rolling(20).mean())
        f["volume_regime"] = third(v.rolling(20).mean(), 252)
    return f


def economic(b, with_vix):
    f = {}
    known = lambda name, back=0: as_of(b.index, name, back)
    r = np.log(b["close"] / b["close"].shift(1))
    growth = lambda name, back: 100 * np.log(known(name) / known(name, back))
    oil = known("DCOILWTICO")
    f["oil_change_5"] = np.log(oil / oil.shift(5))
    f["oil_change_20"] = np.log(oil / oil.shift(20))
    spread = lambda back: known("BAA", back) - known("AAA", back)
    f["credit_spread"] = spread(0)
    f["credit_spread_change_3"] = spread(0) - spread(3)
    f["aaa_change_3"] = known("AAA") - known("AAA", 3)
    f["core_inflation_12"] = growth("CPILFESL", 12)
    f["core_inflation_surge"] = 4 * growth("CPILFESL", 3) - growth("CPILFESL", 12)
    f["credit_regime"] = (spread(0) > spread(12)).astype(float)
    year = lambda a, b: np.log(known("CPILFESL", a) / known("CPILFESL", b))
    f["inflation_regime"] = (year(0, 12) > year(12, 24)).astype(float)
    if with_vix:
        vix = known("VIXCLS")
        f["vix_log"] = np.log(vix / 100)
        f["vix_change_1"] = np.log(vix / vix.shift(1))
        f["vix_change_5"] = np.log(vix / vix.shift(5))
        f["vix_ratio_60"] = np.log(vix / vix.rolling(60).mean())
        f["variance_premium_20"] = 1e4 * ((vix / 100) ** 2 / 252 - (r**2).rolling(20).mean())
    else:
        f["yield_slope"] = known("AAA") - known("MACRO_TBILRATE")
        f["bill_change_4"] = known("MACRO_TBILRATE") - known("MACRO_TBILRATE", 4)
        f["real_rate"] = known("MACRO_REALINT")
        f["output_growth_4"] = growth("MACRO_REALGDP", 4)
        f["unemployment_change_4"] = known("MACRO_UNEMP") - known("MACRO_UNEMP", 4)
        f["money_growth_4"] = growth("MACRO_M1", 4)
        gdp = [known("MACRO_REALGDP", k) for k in range(3)]
        f["recession_regime"] = ((gdp[0] < gdp[1]) & (gdp[1] < gdp[2])).astype(float)
    return f


def beside(universe):
    """Cross-sectional features of every symbol, missing where fewer than three have a value."""
    each = {s: alone(b) for s, b in universe.items()}
    wide = lambda name: pd.DataFrame({s: f[name] for s, f in each.items()})

    def enough(frame):
        return frame.where(frame.notna().sum(axis=1) >= 3)

    rank = lambda name: (
        lambda x: (x.rank(axis=1, method="average") - 0.5).div(x.notna().sum(axis=1), axis=0)
    )(enough(wide(name)))
    out = {}
    out["rank_return_5"] = rank("log_return_5")
    out["rank_return_20"] = rank("log_return_20")
    out["rank_momentum_252_skip_21"] = rank("momentum_252_skip_21")
    out["rank_volatility_60"] = rank("log_volatility_60")
    out["rank_volume_ratio_20"] = rank("volume_ratio_20")
    for n in [1, 20]:
        x = enough(wide(f"log_return_{n}"))
        out[f"zscore_return_{n}"] = x.sub(x.mean(axis=1), axis=0).div(x.std(axis=1, ddof=0), axis=0)
    x = enough(wide("log_return_60"))
    out["relative_strength_60"] = x.sub(x.mean(axis=1), axis=0)
    r = wide("log_return_1")
    m = enough(r).mean(axis=1)
    dispersion = enough(r).std(axis=1, ddof=0)
    result = {}
    for s, b in universe.items():
        own, market = r[s].reindex(b.index), m.reindex(b.index)
        f = {name: frame[s].reindex(b.index) for name, frame in out.items()}
        covariance = own.rolling(120).cov(market, ddof=0)
        variance = market.rolling(120).var(ddof=0)
        f["beta_120"] = covariance / variance
        f["market_correlation_120"] = own.rolling(120).corr(market)
        rest = own.rolling(120).var(ddof=0) - covariance**2 / variance
        f["own_volatility_120"] = 0.5 * np.log(rest)
        f["return_dispersion_20"] = dispersion.reindex(b.index).rolling(20).mean()
        result[s] = f
    return result


def write(where, symbol, features, days):
    for name, values in sorted(features.items()):
        for day in days:
            if day in values.index and np.isfinite(values[day]):
                print(f"{where},{symbol},{day},{name},{float(values[day])!r}")


def main():
    print(
        f"# expected.py with Python {sys.version.split()[0]}, pandas {pd.__version__},"
        f" NumPy {np.__version__}, TA-Lib {talib.__version__}"
    )
    print("universe,symbol,date,feature,value")
    ibm, spx, jnj = bars("IBM"), bars("SPX"), bars("JNJ_ADJ")
    days = ["2001-05-09", "2004-03-08", "2008-10-10", "2009-12-31", "2012-12-20"]
    write("alone", "IBM", alone(ibm), days)
    write("alone", "IBM", economic(ibm, False), days[:4])
    write("alone", "IBM", economic(ibm, False), ["2010-04-30"])
    write("alone", "SPX", alone(spx), ["2003-03-03", "2011-08-08", "2018-02-05"])
    late = spx["2014-06-02":]
    write("alone", "SPX from 2014-06-02", economic(late, True), ["2015-08-24", "2018-02-05"])
    write("alone", "JNJ_ADJ", alone(jnj), ["1994-02-04", "2020-03-16"])
    four = {s: bars(s) for s in ["AAPL", "IBM", "MSFT", "GOOG"]}
    for symbol, features in beside(four).items():
        # Google came in 2004: before, the universe are three.
        write("four", symbol, features, ["2002-07-24", "2005-03-01", "2008-10-10", "2012-12-20"])


main()
