//! The policy: twelve protection rules and thirteen approved origins, as constants.
//!
//! Nothing here can be configured. Whoever changes a word changes [`view`]'s hash, which every
//! reader of the policy page sees.

use crate::lineage::Digest;
use mltrainer_types::policy::{OriginView, PolicyView, Refusal, RuleView};

/// A protection rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Name in audit records and refusals.
    pub id: &'static str,
    /// Title for people.
    pub title: &'static str,
    /// What it demands.
    pub demands: &'static str,
    /// How the program enforces it.
    pub enforced_by: &'static str,
}

impl Rule {
    /// A refusal in the name of this rule; what looks like a secret in the reason is redacted.
    #[must_use]
    pub fn refusal(&self, reason: &str) -> Refusal {
        Refusal {
            rule: self.id.to_owned(),
            reason: crate::secrets::redact(reason),
        }
    }
}

/// An approved origin of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Name on the wire.
    pub id: &'static str,
    /// Title for people.
    pub title: &'static str,
}

/// Only recorded market and economic data, never generated values.
pub const NO_SYNTHETIC_DATA: Rule = Rule {
    id: "no_synthetic_data",
    title: "No synthetic data",
    demands: "Every figure was recorded by a market or published by an institution. Generated, simulated or invented values are not data, and a user's file that looks manufactured is set aside.",
    enforced_by: "Models take Verified values only, and only the gate makes them. The gate screens every file that does not ship with the program: weekend bars, repeated blocks, and two or more of the statistical signs (no clusters of large moves, no fat tails, smooth or straight paths, volume without memory) refuse it, one sign is noted beside it.",
};

/// Only the thirteen origins below.
pub const APPROVED_ORIGINS_ONLY: Rule = Rule {
    id: "approved_origins_only",
    title: "Approved origins only",
    demands: "Data comes from one of the thirteen approved origins, declared on arrival.",
    enforced_by: "The gate compares the declared origin with a constant list and refuses any other; `bundled` is accepted only with the hash of a file that ships with the program.",
};

/// From every value back to its source.
pub const LINEAGE_ON_EVERY_VALUE: Rule = Rule {
    id: "lineage_on_every_value",
    title: "Lineage on every value",
    demands: "Every data set, feature table, forecast and result says where it came from and what was done to it, each step with the SHA-256 of what came out.",
    enforced_by: "A Verified value has no constructor without a lineage: the gate writes the first steps, each derivation adds one. Data without a recorded request, or whose hash differs from the promised one, is refused.",
};

/// Missing stays missing.
pub const NO_SILENT_FILL_IN: Rule = Rule {
    id: "no_silent_fill_in",
    title: "No silent fill-in",
    demands: "A missing or broken value is set aside with its reason, never repaired, interpolated or carried forward unseen. Too many of them close the gate.",
    enforced_by: "Inspection returns the usable rows and counts the others; the gate refuses an inspection whose usable and quarantined rows do not add up to the rows that arrived, and any data set with a refusing finding.",
};

/// Nothing from the future.
pub const NO_LOOK_AHEAD: Rule = Rule {
    id: "no_look_ahead",
    title: "No look-ahead",
    demands: "A forecast uses only what was known when it was made: features, scaling, selection, published figures and their release dates.",
    enforced_by: "Each feature computed on data cut at a day equals the one computed on all data (tested on real bars for every feature); training windows are purged by the horizon and the embargo; scalers are fitted on training windows; series are joined by the day on which a value was known.",
};

/// Evidence before trust.
pub const OUT_OF_SAMPLE_EVIDENCE: Rule = Rule {
    id: "out_of_sample_evidence",
    title: "Out-of-sample evidence before approval",
    demands: "No model is approved, and no edge is claimed, without results on data it was not fitted on, compared with naive baselines.",
    enforced_by: "Leaderboards hold test-window figures only, baselines are added to every trial, and a verdict finds an edge only when the Diebold-Mariano test against the best baseline holds after correction.",
};

/// Costs are always in.
pub const COSTS_IN_EVERY_TRADING_RESULT: Rule = Rule {
    id: "costs_in_every_trading_result",
    title: "Costs in every trading result",
    demands: "Every figure about trading on a forecast is after commission and spread.",
    enforced_by: "The back-test takes costs as a required argument, the trial specification always carries them, and they stand beside the result.",
};

/// How often one looked.
pub const TRIAL_COUNT_IN_EVERY_VERDICT: Rule = Rule {
    id: "trial_count_in_every_verdict",
    title: "Trial count in every verdict",
    demands: "A verdict states how many combinations of model and horizon were tried, in the trial and ever on these symbols and this target, because the best of many is good by luck.",
    enforced_by: "The verdict's type has both counts, without defaults; the p-values it rests on are corrected for the number of models in the trial.",
};

/// What was written stays written.
pub const APPEND_ONLY_AUDIT: Rule = Rule {
    id: "append_only_audit",
    title: "Append-only audit",
    demands: "Who did what, when, on which inputs, with which decision, is recorded in one chain that is never rewritten.",
    enforced_by: "Each record holds the SHA-256 of the one before, in the same transaction as what it records; every 64 records, and always the last one, are signed with Ed25519; `mltrainer audit verify` names the first record that was changed, removed, inserted or moved.",
};

/// Nobody acts above his level.
pub const TRUST_LEVELS: Rule = Rule {
    id: "trust_levels",
    title: "No action above its trust level",
    demands: "An agent or coach has a trust level from 1 to 10 and does nothing that needs a higher one: look 1, advise 3, adjust a trial 5, override the choice of models 7, teach 8, act unattended 9, approve 10.",
    enforced_by: "Each typed action states its level, and one check compares it with the actor's; a trust outside 1 to 10 permits nothing. Every interface calls that same check.",
};

/// Keys stay here.
pub const SECRETS_NEVER_LEAVE: Rule = Rule {
    id: "secrets_never_leave",
    title: "Secrets never leave",
    demands: "Keys, tokens and passwords appear in no log, error, answer, audit record or lineage.",
    enforced_by: "Refusals, recorded requests and audit records pass a redaction that replaces the values of secret-looking names, bearer tokens and passwords in addresses; the signing key's type does not print itself.",
};

/// Research, not execution.
pub const NO_BROKER_ORDERS: Rule = Rule {
    id: "no_broker_orders",
    title: "No order is ever sent to a broker",
    demands: "The program studies and advises. It holds no broker's credentials and sends no order.",
    enforced_by: "The typed list of actions has no order and nothing else can be asked for; only the data crate may speak to data vendors, and no broker's client is among the dependencies.",
};

/// All twelve, in the order of the policy page.
pub const RULES: [&Rule; 12] = [
    &NO_SYNTHETIC_DATA,
    &APPROVED_ORIGINS_ONLY,
    &LINEAGE_ON_EVERY_VALUE,
    &NO_SILENT_FILL_IN,
    &NO_LOOK_AHEAD,
    &OUT_OF_SAMPLE_EVIDENCE,
    &COSTS_IN_EVERY_TRADING_RESULT,
    &TRIAL_COUNT_IN_EVERY_VERDICT,
    &APPEND_ONLY_AUDIT,
    &TRUST_LEVELS,
    &SECRETS_NEVER_LEAVE,
    &NO_BROKER_ORDERS,
];

/// Id of the origin of the files that ship with the program.
pub const BUNDLED: &str = "bundled";

const fn approved(id: &'static str, title: &'static str) -> Origin {
    Origin { id, title }
}

/// All thirteen approved origins.
pub static ORIGINS: [Origin; 13] = [
    approved("polygon", "Polygon.io (Massive)"),
    approved("fred", "FRED, Federal Reserve Bank of St. Louis"),
    approved("alpha_vantage", "Alpha Vantage"),
    approved("fmp", "Financial Modeling Prep"),
    approved("yahoo", "Yahoo Finance"),
    approved("bloomberg", "Bloomberg, exported by the user"),
    approved("reuters", "Reuters (LSEG), exported by the user"),
    approved(
        "interactive_brokers",
        "Interactive Brokers, exported by the user",
    ),
    approved("quandl", "Quandl, exported by the user"),
    approved("nasdaq_data_link", "Nasdaq Data Link"),
    approved("sec_edgar", "SEC EDGAR"),
    approved("user_provided", "The user's own file"),
    approved(BUNDLED, "Real sample that ships with the program"),
];

/// The approved origin of that id, if it is one.
#[must_use]
pub fn origin(id: &str) -> Option<&'static Origin> {
    ORIGINS.iter().find(|o| o.id == id)
}

/// The ids of all approved origins, in the order of the policy page.
#[must_use]
pub fn origin_ids() -> Vec<&'static str> {
    ORIGINS.iter().map(|o| o.id).collect()
}

/// The policy as pages show it, with the hash over every word of it.
#[must_use]
pub fn view() -> PolicyView {
    let mut d = Digest::new();
    d.text("mltrainer policy 1");
    d.int(RULES.len() as i64);
    for rule in RULES {
        d.text(rule.id).text(rule.title);
        d.text(rule.demands).text(rule.enforced_by);
    }
    d.int(ORIGINS.len() as i64);
    for origin in &ORIGINS {
        d.text(origin.id).text(origin.title);
    }
    PolicyView {
        rules: RULES
            .iter()
            .map(|r| RuleView {
                id: r.id.to_owned(),
                title: r.title.to_owned(),
                demands: r.demands.to_owned(),
                enforced_by: r.enforced_by.to_owned(),
            })
            .collect(),
        origins: ORIGINS
            .iter()
            .map(|o| OriginView {
                id: o.id.to_owned(),
                title: o.title.to_owned(),
            })
            .collect(),
        sha256: d.finish(),
    }
}

/// One test a rule: where this crate enforces it, that the enforcement bites; where another does,
/// that the rule stands and names what enforces it (the crate named has the test).
#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Chain, GENESIS, Signer, link};
    use crate::gate::{Admissible, Arrival, Gate, Inspection};
    use crate::lineage::Content;
    use crate::{Action, ActionLevel, permit};
    use chrono::DateTime;
    use mltrainer_types::audit::AuditEntry;
    use mltrainer_types::data::{Finding, QualityReport, Severity};
    use serde_json::json;
    use std::collections::BTreeSet;

    /// Prices whose checks do what a test tells them.
    #[derive(Clone, Debug)]
    struct Prices {
        values: Vec<f64>,
        manufactured: bool,
        lost: u64,
        refuse: bool,
    }

    impl Prices {
        fn new(values: &[f64]) -> Self {
            Self {
                values: values.to_vec(),
                manufactured: false,
                lost: 0,
                refuse: false,
            }
        }
    }

    impl Content for Prices {
        fn digest(&self, d: &mut Digest) {
            d.floats(&self.values);
        }
    }

    fn finding(check: &str, severity: Severity) -> Finding {
        Finding {
            check: check.to_owned(),
            severity,
            row: None,
            date: None,
            reason: format!("{check} found it"),
        }
    }

    impl Admissible for Prices {
        fn inspect(self) -> Inspection<Self> {
            let rows = self.values.len() as u64;
            let values: Vec<f64> = self.values.iter().copied().filter(|x| *x > 0.0).collect();
            let usable = values.len() as u64;
            let report = QualityReport {
                score: 100.0,
                rows: rows + self.lost,
                usable,
                quarantined: rows - usable,
                counts: Default::default(),
                findings: self
                    .refuse
                    .then(|| finding("few_rows", Severity::Refuse))
                    .into_iter()
                    .collect(),
            };
            Inspection {
                usable: Self { values, ..self },
                report,
            }
        }

        fn screen(&self) -> Vec<Finding> {
            self.manufactured
                .then(|| finding("repeated_block", Severity::Refuse))
                .into_iter()
                .collect()
        }
    }

    fn arrival(content: Prices) -> Arrival<Prices> {
        Arrival {
            origin: "user_provided".to_owned(),
            request: "prices.csv".to_owned(),
            promised_sha256: None,
            content,
        }
    }

    /// The rule that refuses, and its reason.
    fn refused(arrival: Arrival<Prices>) -> (String, String) {
        let refused = Gate::admit(arrival).unwrap_err();
        (refused.refusal.rule, refused.refusal.reason)
    }

    fn stands(rule: &Rule, enforcement: &str) {
        assert!(RULES.contains(&rule));
        assert!(
            rule.enforced_by.contains(enforcement),
            "{} does not name {enforcement}",
            rule.id
        );
    }

    #[test]
    fn twelve_rules_and_thirteen_origins_each_once_and_complete() {
        let ids: BTreeSet<_> = RULES.iter().map(|r| r.id).collect();
        assert_eq!(ids.len(), 12);
        for r in RULES {
            assert!(r.id.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
            assert!(!r.title.is_empty() && r.demands.len() > 40 && r.enforced_by.len() > 40);
        }
        assert_eq!(
            origin_ids(),
            [
                "polygon",
                "fred",
                "alpha_vantage",
                "fmp",
                "yahoo",
                "bloomberg",
                "reuters",
                "interactive_brokers",
                "quandl",
                "nasdaq_data_link",
                "sec_edgar",
                "user_provided",
                "bundled"
            ]
        );
        let view = view();
        assert_eq!((view.rules.len(), view.origins.len()), (12, 13));
        assert_eq!(view.sha256.len(), 64);
    }

    #[test]
    fn no_synthetic_data() {
        let mut fake = Prices::new(&[1.0, 2.0]);
        fake.manufactured = true;
        let (rule, reason) = refused(arrival(fake.clone()));
        assert_eq!(rule, NO_SYNTHETIC_DATA.id);
        assert_eq!(reason, "repeated_block found it");
        let report = Gate::admit(arrival(fake)).unwrap_err().report.unwrap();
        assert_eq!(report.counts["repeated_block"], 1);
    }

    #[test]
    fn approved_origins_only() {
        for origin in ["", "random_walk", "Polygon", "user provided"] {
            let mut a = arrival(Prices::new(&[1.0]));
            a.origin = origin.to_owned();
            assert_eq!(refused(a).0, APPROVED_ORIGINS_ONLY.id);
        }
        for origin in origin_ids() {
            let mut a = arrival(Prices::new(&[1.0]));
            a.origin = origin.to_owned();
            a.promised_sha256 = Some(a.content.sha256());
            assert!(Gate::admit(a).is_ok(), "{origin}");
        }
        // A user's file cannot pass for one that ships with the program.
        let mut a = arrival(Prices::new(&[1.0]));
        a.origin = BUNDLED.to_owned();
        assert_eq!(refused(a).0, APPROVED_ORIGINS_ONLY.id);
    }

    #[test]
    fn lineage_on_every_value() {
        let mut a = arrival(Prices::new(&[1.0]));
        a.request = "  ".to_owned();
        assert_eq!(refused(a).0, LINEAGE_ON_EVERY_VALUE.id);
        let mut a = arrival(Prices::new(&[1.0]));
        a.promised_sha256 = Some("00".repeat(32));
        assert_eq!(refused(a).0, LINEAGE_ON_EVERY_VALUE.id);

        let verified = Gate::admit(arrival(Prices::new(&[1.0, -1.0, 2.0])))
            .unwrap()
            .verified;
        let derived = verified
            .derive("doubled", "times two", |p| {
                Ok::<_, ()>(Prices::new(
                    &p.values.iter().map(|x| x * 2.0).collect::<Vec<_>>(),
                ))
            })
            .unwrap();
        let steps = derived.lineage().steps();
        let names: Vec<&str> = steps.iter().map(|s| s.step.as_str()).collect();
        assert_eq!(names, ["source", "gate", "doubled"]);
        assert_eq!(steps[0].sha256, Prices::new(&[1.0, -1.0, 2.0]).sha256());
        assert_eq!(steps[1].sha256, verified.get().sha256());
        assert_eq!(derived.lineage().sha256(), derived.get().sha256());
        // Of two values from one source, the common steps stand once.
        let other = verified
            .derive("same", "", |p| Ok::<_, ()>(p.clone()))
            .unwrap();
        let both = derived
            .derive_with(&other, "joined", "", |a, _| Ok::<_, ()>(a.clone()))
            .unwrap();
        let names: Vec<&str> = both
            .lineage()
            .steps()
            .iter()
            .map(|s| s.step.as_str())
            .collect();
        assert_eq!(names, ["source", "gate", "doubled", "same", "joined"]);
    }

    #[test]
    fn no_silent_fill_in() {
        let admitted = Gate::admit(arrival(Prices::new(&[1.0, -5.0, 3.0]))).unwrap();
        assert_eq!(admitted.verified.get().values, [1.0, 3.0]);
        assert_eq!(admitted.report.quarantined, 1);
        let mut lost = Prices::new(&[1.0]);
        lost.lost = 3;
        assert_eq!(refused(arrival(lost)).0, NO_SILENT_FILL_IN.id);
        let mut few = Prices::new(&[1.0]);
        few.refuse = true;
        assert_eq!(refused(arrival(few)).0, NO_SILENT_FILL_IN.id);
    }

    #[test]
    fn no_look_ahead() {
        stands(&NO_LOOK_AHEAD, "cut at a day");
    }

    #[test]
    fn out_of_sample_evidence() {
        stands(&OUT_OF_SAMPLE_EVIDENCE, "test-window figures only");
    }

    #[test]
    fn costs_in_every_trading_result() {
        stands(&COSTS_IN_EVERY_TRADING_RESULT, "required argument");
        // A specification cannot be without costs.
        assert!(mltrainer_types::trial::Costs::default().bps > 0.0);
    }

    #[test]
    fn trial_count_in_every_verdict() {
        stands(&TRIAL_COUNT_IN_EVERY_VERDICT, "both counts");
        let without = json!({"found_edge": false, "text": "", "best_model": null, "notes": []});
        assert!(serde_json::from_value::<mltrainer_types::trial::Verdict>(without).is_err());
    }

    #[test]
    fn append_only_audit() {
        let entry = AuditEntry {
            actor: "user".to_owned(),
            action: "trial.create".to_owned(),
            subject: "t-1".to_owned(),
            decision: "allowed".to_owned(),
            rule: None,
            detail: json!({}),
        };
        let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let mut record = link(1, at, &entry, GENESIS);
        let mut chain = Chain::new(Signer::from_bytes(&[7; 32]).public_key());
        assert!(chain.clone().push(&record).is_ok());
        record.decision = "refused".to_owned();
        assert_eq!(chain.push(&record).unwrap_err().seq, 1);
    }

    #[test]
    fn trust_levels() {
        for (level, needed) in [
            (ActionLevel::Look, 1),
            (ActionLevel::Advise, 3),
            (ActionLevel::AdjustTrial, 5),
            (ActionLevel::OverrideModel, 7),
            (ActionLevel::Teach, 8),
            (ActionLevel::ActUnattended, 9),
            (ActionLevel::Approve, 10),
        ] {
            for trust in 0..=u8::MAX {
                let allowed = permit(level, trust);
                assert_eq!(allowed.is_ok(), (needed..=10).contains(&trust));
                if let Err(refusal) = allowed {
                    assert_eq!(refusal.rule, TRUST_LEVELS.id);
                }
            }
            let stated = format!("{} {needed}", level.as_str().replace('_', " "));
            let stated = stated
                .replace("adjust trial", "adjust a trial")
                .replace("override model", "override the choice of models");
            assert!(TRUST_LEVELS.demands.contains(&stated), "{stated}");
        }
    }

    #[test]
    fn secrets_never_leave() {
        let refusal = APPROVED_ORIGINS_ONLY.refusal("GET https://x.test/a?apiKey=abcdef failed");
        assert!(!refusal.reason.contains("abcdef"));
        let mut a = arrival(Prices::new(&[1.0]));
        a.request = "https://x.test/a?api_key=abcdef".to_owned();
        let admitted = Gate::admit(a).unwrap();
        for step in admitted.verified.lineage().steps() {
            assert!(!step.detail.contains("abcdef"));
        }
        let signer = Signer::from_bytes(&[0xAB; 32]);
        assert!(!format!("{signer:?}").to_lowercase().contains("abab"));
    }

    #[test]
    fn no_broker_orders() {
        stands(&NO_BROKER_ORDERS, "no order");
        // Exhaustive on purpose: whoever adds an action must come here and say that it is none.
        let is_order = |action: Action| match action {
            Action::Read
            | Action::RunModel
            | Action::ImportData
            | Action::FetchData
            | Action::CreateTrial
            | Action::PauseTrial
            | Action::ResumeTrial
            | Action::CancelTrial
            | Action::VerifyAudit => false,
        };
        let words: BTreeSet<&str> = Action::ALL.iter().map(|a| a.as_str()).collect();
        assert_eq!(words.len(), Action::ALL.len());
        assert!(!Action::ALL.into_iter().any(is_order));
    }
}
