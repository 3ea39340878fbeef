//! Calendar: what the date alone tells. Holidays are those the exchange has announced; a day on which
//! it stayed closed unforeseen counts as a trading day, because nobody knew before.

use crate::ops::{c, flag, window};
use crate::{BEFORE_OPEN, Feature};
use chrono::{Datelike, Days, NaiveDate};
use mltrainer_data::calendar;
use polars::prelude::{DataType, Expr, col, lit};

const fn feature(
    id: &'static str,
    formula: &'static str,
    needs: &'static [&'static str],
    source: &'static str,
    expr: fn(&[usize]) -> Expr,
) -> Feature {
    Feature {
        id,
        group: "calendar",
        formula,
        parameters: &[],
        warm_up: 0,
        known_at: BEFORE_OPEN,
        needs,
        source,
        expr,
    }
}

const DATE: &[&str] = &["date"];
const MONTHS: &str = "Rozeff & Kinney, Journal of Financial Economics 3 (1976) 379-402";
const TURN: &str = "Lakonishok & Smidt, Review of Financial Studies 1 (1988) 403-425";
const HOLIDAYS: &str = "Ariel, Journal of Finance 45 (1990) 1611-1626";

pub(crate) const FEATURES: &[Feature] = &[
    feature(
        "day_of_week",
        "1 on Monday to 7 on Sunday",
        DATE,
        "French, Journal of Financial Economics 8 (1980) 55-69",
        |_| weekday(),
    ),
    feature("month_sine", "sin(2 pi month / 12)", DATE, MONTHS, |_| {
        window(angle(), 1, |w| w[0].sin())
    }),
    feature("month_cosine", "cos(2 pi month / 12)", DATE, MONTHS, |_| {
        window(angle(), 1, |w| w[0].cos())
    }),
    feature(
        "winter_half",
        "1 from November to April, else 0",
        DATE,
        "Bouman & Jacobsen, American Economic Review 92 (2002) 1618-1635",
        |_| flag(month().lt_eq(lit(4.0)).or(month().gt_eq(lit(11.0)))),
    ),
    feature(
        "expiry_week",
        "1 in the week of the third Friday of a month, when options expire, else 0",
        DATE,
        "Stoll & Whaley, Financial Analysts Journal 43 (1987) 2, 16-28",
        |_| {
            let day = col("date").dt().day().cast(DataType::Float64);
            // The Friday of this week is the third of its month when it falls on the 15th to 21st.
            let friday = day + lit(5.0) - weekday();
            flag(friday.clone().gt_eq(lit(15.0)).and(friday.lt_eq(lit(21.0))))
        },
    ),
    feature(
        "turn_of_month",
        "1 on the last trading day of a month and the first three, else 0",
        &[
            "trading days of the month so far",
            "trading days left in the month",
        ],
        TURN,
        |_| {
            let first = c("trading days of the month so far").lt_eq(lit(3.0));
            flag(first.or(c("trading days left in the month").eq(lit(0.0))))
        },
    ),
    feature(
        "days_to_month_end",
        "trading days left in the month",
        &["trading days left in the month"],
        TURN,
        |_| c("trading days left in the month"),
    ),
    feature(
        "days_to_holiday",
        "trading days from bar t to the last one before the next holiday on a weekday; 0 on that day",
        &["trading days to the next holiday"],
        HOLIDAYS,
        |_| c("trading days to the next holiday"),
    ),
    feature(
        "before_holiday",
        "1 on the last trading day before a holiday on a weekday, else 0",
        &["trading days to the next holiday"],
        HOLIDAYS,
        |_| flag(c("trading days to the next holiday").eq(lit(0.0))),
    ),
];

fn weekday() -> Expr {
    col("date").dt().weekday().cast(DataType::Float64)
}

fn month() -> Expr {
    col("date").dt().month().cast(DataType::Float64)
}

/// The month as an angle, so that December lies beside January.
fn angle() -> Expr {
    month() * lit(std::f64::consts::TAU / 12.0)
}

/// The column of that name, one value a day; NaN in years of which no holidays are known.
pub(crate) fn column(name: &str, days: &[NaiveDate]) -> Option<Vec<f64>> {
    let count: fn(NaiveDate) -> Option<usize> = match name {
        "trading days of the month so far" => |day| {
            let first = day.with_day(1)?;
            open_days(first, day + Days::new(1))
        },
        "trading days left in the month" => |day| {
            let next = day.with_day(1)? + chrono::Months::new(1);
            open_days(day + Days::new(1), next)
        },
        "trading days to the next holiday" => |day| {
            // The rules leave no year without a holiday.
            let holiday = (day + Days::new(1))
                .iter_days()
                .take(366)
                .find(|d| !calendar::is_weekend(*d) && !calendar::is_scheduled(*d))?;
            calendar::covers(holiday).then(|| open_days(day + Days::new(1), holiday))?
        },
        _ => return None,
    };
    Some(
        days.iter()
            .map(|day| {
                let known = calendar::covers(*day).then(|| count(*day)).flatten();
                known.map_or(f64::NAN, |n| n as f64)
            })
            .collect(),
    )
}

/// Announced trading days from `first` up to, without, `end`.
fn open_days(first: NaiveDate, end: NaiveDate) -> Option<usize> {
    let days = first.iter_days().take_while(|d| *d < end);
    Some(days.filter(|d| calendar::is_scheduled(*d)).count())
}
