//! The book: transactions replayed in order of their days, to the last decimal.
//!
//! Cash never falls below 0 and no share is sold that is not held: what would do so is refused, with the
//! transaction that it is about. A reversal leaves out the transaction that it takes back, and itself.

use crate::ServiceError;
use chrono::NaiveDate;
use mltrainer_types::portfolio::{CostBasis, Transaction, TransactionKind, TransactionRequest};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Digits after the point that an amount may have.
const SCALE: u32 = 8;

/// Largest number of shares, price and amount.
const MOST: i64 = 1_000_000_000_000;

/// Longest note.
const NOTE: usize = 200;

/// What a transaction does, complete and in range.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Act {
    Buy {
        symbol: String,
        shares: Decimal,
        price: Decimal,
        fees: Decimal,
    },
    Sell {
        symbol: String,
        shares: Decimal,
        price: Decimal,
        fees: Decimal,
    },
    Deposit(Decimal),
    Withdrawal(Decimal),
    Dividend {
        symbol: String,
        amount: Decimal,
    },
    Split {
        symbol: String,
        new_shares: u32,
        for_old: u32,
    },
    Reversal(i64),
}

/// Reads a request; what does not belong to its kind is refused, not ignored.
pub(crate) fn act(r: &TransactionRequest) -> Result<Act, ServiceError> {
    use TransactionKind as K;
    let kind = r.kind.as_str();
    let takes: &[&str] = match r.kind {
        K::Buy | K::Sell => &["symbol", "shares", "price", "fees"],
        K::Deposit | K::Withdrawal => &["amount"],
        K::Dividend => &["symbol", "amount"],
        K::Split => &["symbol", "new_shares", "for_old"],
        K::Reversal => &["reverses"],
    };
    let given = [
        ("symbol", r.symbol.is_some()),
        ("shares", r.shares.is_some()),
        ("price", r.price.is_some()),
        ("fees", r.fees.is_some()),
        ("amount", r.amount.is_some()),
        ("new_shares", r.new_shares.is_some()),
        ("for_old", r.for_old.is_some()),
        ("reverses", r.reverses.is_some()),
    ];
    if let Some((field, _)) = given.iter().find(|(f, there)| *there && !takes.contains(f)) {
        return Err(ServiceError::invalid(
            *field,
            format!("a {kind} has none; it takes {}", takes.join(", ")),
        ));
    }
    if let Some(note) = &r.note
        && (note.chars().count() > NOTE || note.chars().any(char::is_control))
    {
        return Err(ServiceError::invalid(
            "note",
            format!("a note has at most {NOTE} signs on one line"),
        ));
    }
    let symbol = || -> Result<String, ServiceError> {
        let text = r.symbol.as_deref().unwrap_or_default();
        if text.trim().is_empty() {
            return Err(missing("symbol", kind));
        }
        mltrainer_data::bars::symbol(text).map_err(|_| {
            ServiceError::invalid(
                "symbol",
                format!("\"{text}\" is none: write {}", crate::symbol_hint()),
            )
        })
    };
    let positive = |field: &'static str, x: Option<Decimal>| amount(field, x, kind, false);
    let fees = || match r.fees {
        None => Ok(Decimal::ZERO),
        some => amount("fees", some, kind, true),
    };
    Ok(match r.kind {
        K::Buy => Act::Buy {
            symbol: symbol()?,
            shares: positive("shares", r.shares)?,
            price: positive("price", r.price)?,
            fees: fees()?,
        },
        K::Sell => Act::Sell {
            symbol: symbol()?,
            shares: positive("shares", r.shares)?,
            price: positive("price", r.price)?,
            fees: fees()?,
        },
        K::Deposit => Act::Deposit(positive("amount", r.amount)?),
        K::Withdrawal => Act::Withdrawal(positive("amount", r.amount)?),
        K::Dividend => Act::Dividend {
            symbol: symbol()?,
            amount: positive("amount", r.amount)?,
        },
        K::Split => {
            let part = |field: &'static str, n: Option<u32>| match n {
                None => Err(missing(field, kind)),
                Some(n) if (1..=10_000).contains(&n) => Ok(n),
                Some(n) => Err(ServiceError::invalid(
                    field,
                    format!("{n} is not in 1 to 10000"),
                )),
            };
            let (new_shares, for_old) = (
                part("new_shares", r.new_shares)?,
                part("for_old", r.for_old)?,
            );
            if new_shares == for_old {
                return Err(ServiceError::invalid(
                    "new_shares",
                    format!("{new_shares} for {for_old} changes nothing"),
                ));
            }
            Act::Split {
                symbol: symbol()?,
                new_shares,
                for_old,
            }
        }
        K::Reversal => Act::Reversal(r.reverses.ok_or_else(|| missing("reverses", kind))?),
    })
}

fn missing(field: &str, kind: &str) -> ServiceError {
    ServiceError::invalid(field, format!("missing: a {kind} needs it"))
}

/// An amount in range.
pub(crate) fn amount(
    field: &str,
    x: Option<Decimal>,
    kind: &str,
    zero: bool,
) -> Result<Decimal, ServiceError> {
    let x = x.ok_or_else(|| missing(field, kind))?;
    if x < Decimal::ZERO || (x.is_zero() && !zero) {
        let least = if zero { "0 or above" } else { "above 0" };
        return Err(ServiceError::invalid(field, format!("{x} is not {least}")));
    }
    if x > Decimal::from(MOST) {
        return Err(ServiceError::invalid(
            field,
            format!("{x} is more than {MOST}"),
        ));
    }
    if x.normalize().scale() > SCALE {
        return Err(ServiceError::invalid(
            field,
            format!("{x} has more than {SCALE} digits after the point"),
        ));
    }
    Ok(x.normalize())
}

/// A recorded transaction as a request.
pub(crate) fn request(t: &Transaction) -> TransactionRequest {
    TransactionRequest {
        kind: t.kind,
        date: t.date,
        symbol: t.symbol.clone(),
        shares: t.shares,
        price: t.price,
        fees: t.fees,
        amount: t.amount,
        new_shares: t.new_shares,
        for_old: t.for_old,
        reverses: t.reverses,
        note: t.note.clone(),
    }
}

/// Shares bought together.
#[derive(Debug, Clone, PartialEq)]
struct Lot {
    shares: Decimal,
    cost: Decimal,
}

/// One symbol.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Position {
    lots: VecDeque<Lot>,
    pub(crate) realised: Decimal,
    pub(crate) dividends: Decimal,
}

impl Position {
    /// Shares held.
    pub(crate) fn shares(&self) -> Decimal {
        self.lots.iter().map(|l| l.shares).sum()
    }

    /// What they cost.
    pub(crate) fn cost(&self) -> Decimal {
        self.lots.iter().map(|l| l.cost).sum()
    }

    /// Takes shares out and gives what they cost. There are so many.
    fn take(&mut self, shares: Decimal, basis: CostBasis) -> Option<Decimal> {
        let mut left = shares;
        let mut cost = Decimal::ZERO;
        if basis == CostBasis::Average {
            // All lots are one: each share costs the same.
            let all = Lot {
                shares: self.shares(),
                cost: self.cost(),
            };
            self.lots = VecDeque::from([all]);
        }
        while left > Decimal::ZERO {
            let lot = self.lots.front_mut()?;
            if lot.shares <= left {
                left -= lot.shares;
                cost += lot.cost;
                self.lots.pop_front();
            } else {
                let part = lot
                    .cost
                    .checked_mul(left)?
                    .checked_div(lot.shares)?
                    .round_dp(SCALE);
                lot.shares -= left;
                lot.cost -= part;
                cost += part;
                left = Decimal::ZERO;
            }
        }
        Some(cost)
    }
}

/// What happened on a day, for daily values: flows of cash from outside, and of each symbol.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Day {
    /// Deposits.
    pub(crate) paid_in: Decimal,
    /// Withdrawals.
    pub(crate) paid_out: Decimal,
    /// Cash at the end.
    pub(crate) cash: Decimal,
    /// By symbol.
    pub(crate) assets: BTreeMap<String, DayOfAsset>,
}

/// A symbol's flows on a day.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct DayOfAsset {
    /// Cash spent on purchases, fees included.
    pub(crate) bought: Decimal,
    /// Cash from sales after fees, and dividends.
    pub(crate) received: Decimal,
    /// Shares at the end.
    pub(crate) shares: Decimal,
}

/// The state after transactions.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Book {
    pub(crate) cash: Decimal,
    pub(crate) paid_in: Decimal,
    pub(crate) fees: Decimal,
    pub(crate) positions: BTreeMap<String, Position>,
    /// Days with transactions.
    pub(crate) days: BTreeMap<NaiveDate, Day>,
    /// Splits by symbol: day and new shares for one old.
    pub(crate) splits: BTreeMap<String, Vec<(NaiveDate, Decimal)>>,
    /// Days of recorded dividends by symbol.
    pub(crate) dividends: BTreeMap<String, Vec<NaiveDate>>,
    /// Purchases and sales: day, symbol, price.
    pub(crate) trades: Vec<(NaiveDate, String, Decimal)>,
}

/// An amount became too large to be counted.
fn too_large(id: i64) -> ServiceError {
    ServiceError::invalid(
        "shares",
        format!("transaction {id} makes an amount too large to be counted"),
    )
}

impl Book {
    /// Shares of a symbol at the end of the day before.
    pub(crate) fn held_before(&self, symbol: &str, day: NaiveDate) -> Decimal {
        let past = self.days.range(..day).rev();
        past.filter_map(|(_, d)| d.assets.get(symbol))
            .map(|a| a.shares)
            .next()
            .unwrap_or_default()
    }

    /// Replays transactions up to a day.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] for the first one that does not go: shares sold that are not held, cash below 0, a
    /// reversal of nothing.
    pub(crate) fn replay(
        all: &[Transaction],
        basis: CostBasis,
        until: Option<NaiveDate>,
    ) -> Result<Self, ServiceError> {
        let mut acts = Vec::with_capacity(all.len());
        let mut reversed = BTreeSet::new();
        for t in all {
            let act = act(&request(t))?;
            if let Act::Reversal(id) = act {
                let wrong = |reason: String| Err(ServiceError::invalid("reverses", reason));
                match all
                    .binary_search_by_key(&id, |o| o.id)
                    .ok()
                    .and_then(|i| all.get(i))
                {
                    None => return wrong(format!("there is no transaction {id}")),
                    Some(o) if o.kind == TransactionKind::Reversal => {
                        return wrong(format!("{id} is a reversal; record what was reversed anew"));
                    }
                    Some(_) if !reversed.insert(id) => {
                        return wrong(format!("transaction {id} was reversed before"));
                    }
                    Some(_) => {}
                }
                continue;
            }
            acts.push((t, act));
        }
        acts.retain(|(t, _)| !reversed.contains(&t.id) && until.is_none_or(|d| t.date <= d));
        acts.sort_by_key(|(t, _)| (t.date, t.id));
        let mut book = Self::default();
        for (t, act) in acts {
            book.apply(t, &act, basis)?;
        }
        Ok(book)
    }

    fn apply(&mut self, t: &Transaction, act: &Act, basis: CostBasis) -> Result<(), ServiceError> {
        let large = || too_large(t.id);
        let day = self.days.entry(t.date).or_default();
        match act {
            Act::Deposit(x) => {
                self.cash += x;
                self.paid_in += x;
                day.paid_in += x;
            }
            Act::Withdrawal(x) => {
                self.cash -= x;
                self.paid_in -= x;
                day.paid_out += x;
            }
            Act::Buy {
                symbol,
                shares,
                price,
                fees,
            } => {
                let cost = shares
                    .checked_mul(*price)
                    .and_then(|c| c.checked_add(*fees))
                    .ok_or_else(large)?;
                self.cash -= cost;
                self.fees += fees;
                let position = self.positions.entry(symbol.clone()).or_default();
                position.lots.push_back(Lot {
                    shares: *shares,
                    cost,
                });
                let asset = day.assets.entry(symbol.clone()).or_default();
                asset.bought += cost;
                self.trades.push((t.date, symbol.clone(), *price));
            }
            Act::Sell {
                symbol,
                shares,
                price,
                fees,
            } => {
                let position = self.positions.entry(symbol.clone()).or_default();
                let held = position.shares();
                if held < *shares {
                    return Err(ServiceError::invalid(
                        "shares",
                        format!(
                            "{shares} {symbol} are sold on {}, and {held} are held then (transaction {}); shares are not sold short",
                            t.date, t.id
                        ),
                    ));
                }
                let proceeds = shares.checked_mul(*price).ok_or_else(large)? - fees;
                let cost = position.take(*shares, basis).ok_or_else(large)?;
                position.realised += proceeds - cost;
                self.cash += proceeds;
                self.fees += fees;
                let asset = day.assets.entry(symbol.clone()).or_default();
                asset.received += proceeds;
                self.trades.push((t.date, symbol.clone(), *price));
            }
            Act::Dividend { symbol, amount } => {
                let Some(position) = self.positions.get_mut(symbol) else {
                    return Err(ServiceError::invalid(
                        "symbol",
                        format!(
                            "no {symbol} was bought before {}, so none paid a dividend",
                            t.date
                        ),
                    ));
                };
                position.dividends += amount;
                self.cash += amount;
                self.dividends
                    .entry(symbol.clone())
                    .or_default()
                    .push(t.date);
                day.assets.entry(symbol.clone()).or_default().received += amount;
            }
            Act::Split {
                symbol,
                new_shares,
                for_old,
            } => {
                let position = self
                    .positions
                    .get_mut(symbol)
                    .filter(|p| !p.lots.is_empty());
                let Some(position) = position else {
                    return Err(ServiceError::invalid(
                        "symbol",
                        format!("no {symbol} is held on {}, so none is split", t.date),
                    ));
                };
                let (new, old) = (Decimal::from(*new_shares), Decimal::from(*for_old));
                for lot in &mut position.lots {
                    let after = lot.shares.checked_mul(new).and_then(|s| s.checked_div(old));
                    lot.shares = after.ok_or_else(large)?.round_dp(SCALE);
                }
                day.assets.entry(symbol.clone()).or_default();
                let list = self.splits.entry(symbol.clone()).or_default();
                list.push((t.date, new / old));
            }
            Act::Reversal(_) => {}
        }
        if self.cash < Decimal::ZERO {
            return Err(ServiceError::invalid(
                if matches!(act, Act::Buy { .. }) {
                    "price"
                } else {
                    "amount"
                },
                format!(
                    "cash would be {} on {} after the {} (transaction {}): enter the deposit that paid for it first",
                    self.cash.normalize(),
                    t.date,
                    t.kind.as_str(),
                    t.id
                ),
            ));
        }
        let limit = Decimal::from(MOST)
            .checked_mul(Decimal::from(MOST))
            .unwrap_or(Decimal::MAX);
        if self.cash > limit || self.positions.values().any(|p| p.shares() > limit) {
            return Err(large());
        }
        let day = self.days.entry(t.date).or_default();
        day.cash = self.cash;
        for (symbol, asset) in &mut day.assets {
            asset.shares = self
                .positions
                .get(symbol)
                .map_or(Decimal::ZERO, Position::shares);
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use chrono::DateTime;

    pub(crate) fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn dec(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    /// Transactions in one line each: `2011-01-03 buy AAPL 10 329.57 1`.
    pub(crate) fn recorded(lines: &[&str]) -> Vec<Transaction> {
        let one = |(id, line): (i64, &&str)| {
            let words: Vec<&str> = line.split(' ').collect();
            let kind = TransactionKind::parse(words[1]).unwrap();
            let mut t = Transaction {
                id,
                recorded_at: DateTime::from_timestamp(0, 0).unwrap(),
                kind,
                date: day(words[0]),
                symbol: None,
                shares: None,
                price: None,
                fees: None,
                amount: None,
                new_shares: None,
                for_old: None,
                reverses: None,
                note: None,
            };
            match kind {
                TransactionKind::Buy | TransactionKind::Sell => {
                    t.symbol = Some(words[2].to_owned());
                    t.shares = Some(dec(words[3]));
                    t.price = Some(dec(words[4]));
                    t.fees = words.get(5).map(|w| dec(w));
                }
                TransactionKind::Deposit | TransactionKind::Withdrawal => {
                    t.amount = Some(dec(words[2]))
                }
                TransactionKind::Dividend => {
                    t.symbol = Some(words[2].to_owned());
                    t.amount = Some(dec(words[3]));
                }
                TransactionKind::Split => {
                    t.symbol = Some(words[2].to_owned());
                    t.new_shares = words[3].parse().ok();
                    t.for_old = words[4].parse().ok();
                }
                TransactionKind::Reversal => t.reverses = words[2].parse().ok(),
            }
            t
        };
        (1..).zip(lines).map(one).collect()
    }

    fn book(lines: &[&str], basis: CostBasis) -> Book {
        Book::replay(&recorded(lines), basis, None).unwrap()
    }

    const LOTS: [&str; 5] = [
        "2011-01-03 deposit 10000",
        "2011-01-03 buy XYZ 10 100 5",
        "2011-02-01 buy XYZ 20 130 6",
        "2011-03-01 sell XYZ 15 150 7.5",
        "2011-03-02 dividend XYZ 3.75",
    ];

    #[test]
    fn first_in_first_out_by_hand() {
        // Lots: 10 for 1005, 20 for 2606. Sold 15 for 2250 - 7.5 = 2242.5: the first lot, 1005, and 5 of 20 of the
        // second, 2606/4 = 651.5. Profit 2242.5 - 1656.5 = 586. Left 15 for 1954.5.
        // Cash 10000 - 1005 - 2606 + 2242.5 + 3.75 = 8635.25.
        let b = book(&LOTS, CostBasis::Fifo);
        let p = &b.positions["XYZ"];
        assert_eq!(p.realised, dec("586"));
        assert_eq!((p.shares(), p.cost()), (dec("15"), dec("1954.5")));
        assert_eq!(p.dividends, dec("3.75"));
        assert_eq!(b.cash, dec("8635.25"));
        assert_eq!(b.fees, dec("18.5"));
        assert_eq!(b.paid_in, dec("10000"));
    }

    #[test]
    fn average_cost_by_hand() {
        // 30 for 3611; 15 cost 1805.5. Profit 2242.5 - 1805.5 = 437.
        let b = book(&LOTS, CostBasis::Average);
        let p = &b.positions["XYZ"];
        assert_eq!(p.realised, dec("437"));
        assert_eq!((p.shares(), p.cost()), (dec("15"), dec("1805.5")));
        assert_eq!(b.cash, dec("8635.25"));
    }

    #[test]
    fn both_ways_agree_when_all_is_sold() {
        let mut lines = LOTS.to_vec();
        lines.push("2011-04-01 sell XYZ 15 160");
        for basis in [CostBasis::Fifo, CostBasis::Average] {
            // 2242.5 + 2400 - 3611 = 1031.5.
            let b = book(&lines, basis);
            assert_eq!(b.positions["XYZ"].realised, dec("1031.5"));
            assert_eq!(b.positions["XYZ"].cost(), Decimal::ZERO);
            // Money is conserved: cash is what came in and what was earned.
            assert_eq!(b.cash, b.paid_in + dec("1031.5") + dec("3.75"));
        }
    }

    #[test]
    fn a_split_keeps_the_cost() {
        let b = book(
            &[
                "2005-01-03 deposit 1000",
                "2005-01-03 buy AAPL 10 64",
                "2005-02-28 split AAPL 2 1",
                "2005-03-01 sell AAPL 5 44.5",
            ],
            CostBasis::Fifo,
        );
        // 20 for 640, a quarter sold: 222.5 - 160.
        let p = &b.positions["AAPL"];
        assert_eq!(
            (p.shares(), p.cost(), p.realised),
            (dec("15"), dec("480"), dec("62.5"))
        );
    }

    #[test]
    fn order_is_that_of_days_and_a_reversal_takes_back() {
        let lines = [
            "2011-02-01 deposit 500",
            "2011-01-03 deposit 1000",
            "2011-01-04 buy XYZ 9 100",
            "2011-03-01 reversal 1",
        ];
        let b = book(&lines, CostBasis::Fifo);
        assert_eq!(b.cash, dec("100"));
        // The deposit that pays for the purchase cannot be taken back.
        let mut more = lines.to_vec();
        more[3] = "2011-03-01 reversal 2";
        let refused = Book::replay(&recorded(&more), CostBasis::Fifo, None).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "price: cash would be -900 on 2011-01-04 after the buy (transaction 3): enter the deposit that paid for it first"
        );
    }

    #[test]
    fn what_does_not_go_is_refused() {
        for (lines, words) in [
            (
                vec!["2011-01-03 deposit 1", "2011-01-03 sell XYZ 1 1"],
                "0 are held then",
            ),
            (vec!["2011-01-03 withdrawal 1"], "cash would be -1"),
            (vec!["2011-01-03 dividend XYZ 1"], "no XYZ was bought"),
            (vec!["2011-01-03 split XYZ 2 1"], "no XYZ is held"),
            (vec!["2011-01-03 split XYZ 2 2"], "changes nothing"),
            (vec!["2011-01-03 deposit 0"], "0 is not above 0"),
            (vec!["2011-01-03 deposit -5"], "-5 is not above 0"),
            (vec!["2011-01-03 deposit 0.123456789"], "more than 8 digits"),
            (vec!["2011-01-03 deposit 1000000000001"], "is more than"),
            (vec!["2011-01-03 reversal 7"], "there is no transaction 7"),
            (
                vec![
                    "2011-01-03 deposit 1",
                    "2011-01-03 reversal 1",
                    "2011-01-03 reversal 1",
                ],
                "was reversed before",
            ),
            (
                vec![
                    "2011-01-03 deposit 1",
                    "2011-01-03 reversal 1",
                    "2011-01-03 reversal 2",
                ],
                "is a reversal",
            ),
        ] {
            let refused = Book::replay(&recorded(&lines), CostBasis::Fifo, None).unwrap_err();
            assert!(refused.to_string().contains(words), "{refused}");
        }
    }

    #[test]
    fn a_field_of_another_kind_is_refused() {
        let mut r = TransactionRequest::new(TransactionKind::Deposit, day("2011-01-03"));
        r.amount = Some(dec("1"));
        r.price = Some(dec("1"));
        assert_eq!(
            act(&r).unwrap_err().to_string(),
            "price: a deposit has none; it takes amount"
        );
        let mut r = TransactionRequest::new(TransactionKind::Buy, day("2011-01-03"));
        assert_eq!(
            act(&r).unwrap_err().to_string(),
            "symbol: missing: a buy needs it"
        );
        r.symbol = Some("two words".into());
        assert!(act(&r).unwrap_err().to_string().contains("is none"));
    }
}
