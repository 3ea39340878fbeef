//! The audit chain: each record holds the hash of the one before, and signed checkpoints fix the
//! whole chain up to a record.
//!
//! A hash covers every field with lengths in front, times as RFC 3339 text to the microsecond, and
//! the previous hash. Changing, removing, inserting or moving a record breaks the chain at that
//! place. Rewriting the chain from a record on (with all hashes made anew) breaks the next
//! checkpoint, because only the holder of the Ed25519 key can sign another. What a chain alone
//! cannot show is the loss of records after the last checkpoint; hence one is due every
//! [`CHECKPOINT_EVERY`] records, its absence counts as a break, and the store keeps one more on the
//! last record, renewed with each.
//!
//! The crate computes; storing records and checkpoints in the transaction of what they record is
//! the store's part.

use crate::lineage::Digest;
use crate::secrets::{redact, redact_json};
use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _, VerifyingKey};
use mltrainer_types::audit::{AuditEntry, AuditRecord, AuditVerification};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// The previous hash of the first record.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A checkpoint is due after every so many records.
pub const CHECKPOINT_EVERY: i64 = 64;

/// Whether a checkpoint must be written together with the record of this number.
#[must_use]
pub fn checkpoint_due(seq: i64) -> bool {
    seq > 0 && seq % CHECKPOINT_EVERY == 0
}

/// JSON with the keys of every object in ascending order and no blanks: one text for one value.
fn canonical_json(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                canonical_json(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            // Sorted here: the order inside serde_json's map depends on a build feature.
            let sorted: BTreeMap<&String, &Value> = map.iter().collect();
            out.push('{');
            for (i, (key, item)) in sorted.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                canonical_json(item, out);
            }
            out.push('}');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

fn time_text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The hash that the record should carry: over every field but `hash` itself.
#[must_use]
pub fn record_hash(r: &AuditRecord) -> String {
    let mut d = Digest::new();
    d.text("mltrainer audit record 1").int(r.seq);
    d.text(&time_text(r.at));
    for field in [&r.actor, &r.action, &r.subject, &r.decision] {
        d.text(field);
    }
    match &r.rule {
        Some(rule) => d.int(1).text(rule),
        None => d.int(0),
    };
    d.text(&r.detail).text(&r.prev_hash);
    d.finish()
}

/// The record that follows `prev_hash` ([`GENESIS`] for the first): numbered, with its time cut to
/// the microsecond, its particulars as canonical JSON, secrets redacted, and hashed.
#[must_use]
pub fn link(seq: i64, at: DateTime<Utc>, entry: &AuditEntry, prev_hash: &str) -> AuditRecord {
    let mut detail = String::new();
    canonical_json(&redact_json(&entry.detail), &mut detail);
    let mut record = AuditRecord {
        seq,
        at: at.trunc_subsecs(6),
        actor: redact(&entry.actor),
        action: redact(&entry.action),
        subject: redact(&entry.subject),
        decision: redact(&entry.decision),
        rule: entry.rule.clone(),
        detail,
        prev_hash: prev_hash.to_owned(),
        hash: String::new(),
    };
    record.hash = record_hash(&record);
    record
}

/// Whether a record follows `prev` (`None`: it is the first) and carries its own hash.
///
/// # Errors
/// What is wrong, in one sentence.
pub fn check(prev: Option<&AuditRecord>, record: &AuditRecord) -> Result<(), String> {
    let (seq, hash) = prev.map_or((0, GENESIS), |p| (p.seq, p.hash.as_str()));
    check_after(seq, hash, record)
}

fn check_after(prev_seq: i64, prev_hash: &str, record: &AuditRecord) -> Result<(), String> {
    let expected = prev_seq + 1;
    if record.seq != expected {
        return Err(format!(
            "record {expected} is missing or moved: record {} stands in its place",
            record.seq
        ));
    }
    if record.prev_hash != prev_hash {
        return Err(format!(
            "record {expected} does not hold the hash of the record before it: one of the two was changed or exchanged"
        ));
    }
    if record.hash != record_hash(record) {
        return Err(format!(
            "record {expected} was changed: its content does not give its hash"
        ));
    }
    Ok(())
}

/// A signed statement that the chain up to `seq` ends with `hash`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Number of the record.
    pub seq: i64,
    /// Its hash, hexadecimal.
    pub hash: String,
    /// When it was signed, to the microsecond.
    pub at: DateTime<Utc>,
    /// Ed25519 signature over the three, hexadecimal.
    pub signature: String,
}

impl Checkpoint {
    fn message(seq: i64, hash: &str, at: DateTime<Utc>) -> String {
        let mut d = Digest::new();
        d.text("mltrainer audit checkpoint 1").int(seq);
        d.text(hash).text(&time_text(at));
        d.finish()
    }
}

/// Why a key could not be made or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The operating system gave no random bytes.
    #[error("no signing key could be made: the system's random source answered \"{0}\"; try again")]
    Random(String),
    /// The text is not a public key.
    #[error(
        "the audit chain's public key is not valid: 64 hexadecimal digits of an Ed25519 key are needed; restore the key file from a backup"
    )]
    PublicKey,
}

/// The holder of the signing key. It does not print itself.
#[derive(Clone)]
pub struct Signer(SigningKey);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer(public {})", self.public_key().to_hex())
    }
}

impl Signer {
    /// The signer of a stored key of 32 bytes.
    #[must_use]
    pub fn from_bytes(key: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(key))
    }

    /// A signer with a new key from the system's random source; store [`Self::to_bytes`] in a file
    /// that only the owner may read.
    ///
    /// # Errors
    /// [`KeyError::Random`] when the system has no random bytes.
    pub fn generate() -> Result<Self, KeyError> {
        let mut key = [0_u8; 32];
        getrandom::fill(&mut key).map_err(|e| KeyError::Random(e.to_string()))?;
        Ok(Self::from_bytes(&key))
    }

    /// The secret key, for its file only.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The key that checks the signatures.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// A checkpoint on this record; write it in the same transaction.
    #[must_use]
    pub fn checkpoint(&self, record: &AuditRecord, at: DateTime<Utc>) -> Checkpoint {
        let at = at.trunc_subsecs(6);
        let message = Checkpoint::message(record.seq, &record.hash, at);
        Checkpoint {
            seq: record.seq,
            hash: record.hash.clone(),
            at,
            signature: hex::encode(self.0.sign(message.as_bytes()).to_bytes()),
        }
    }
}

/// The key that checks checkpoints; not a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// A key from 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`KeyError::PublicKey`] when the text is no key.
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        let mut key = [0_u8; 32];
        hex::decode_to_slice(text.trim(), &mut key).map_err(|_| KeyError::PublicKey)?;
        VerifyingKey::from_bytes(&key)
            .map(Self)
            .map_err(|_| KeyError::PublicKey)
    }

    /// The key as 64 hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(self.0.to_bytes())
    }

    /// Whether the holder of this key signed the checkpoint.
    #[must_use]
    pub fn signed(&self, c: &Checkpoint) -> bool {
        let mut bytes = [0_u8; 64];
        hex::decode_to_slice(&c.signature, &mut bytes).is_ok()
            && self
                .0
                .verify(
                    Checkpoint::message(c.seq, &c.hash, c.at).as_bytes(),
                    &Signature::from_bytes(&bytes),
                )
                .is_ok()
    }
}

/// The first broken place of a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Broken {
    /// Number of the record that is wrong or missing.
    pub seq: i64,
    /// What is wrong, in one sentence.
    pub reason: String,
}

/// Checks a chain record by record in constant memory (plus the checkpoints).
///
/// Hand over all checkpoints first, then the records in the order in which they are stored, then
/// call [`Chain::finish`].
#[derive(Debug, Clone)]
pub struct Chain {
    key: PublicKey,
    /// By record number: the hash signed for it, or what is wrong with the checkpoint.
    signed: BTreeMap<i64, Vec<Result<String, String>>>,
    seq: i64,
    hash: String,
    records: i64,
    checkpoints: i64,
    trusted: i64,
    broken: Option<Broken>,
}

impl Chain {
    /// An empty chain whose checkpoints were signed by the holder of `key`.
    #[must_use]
    pub fn new(key: PublicKey) -> Self {
        Self {
            key,
            signed: BTreeMap::new(),
            seq: 0,
            hash: GENESIS.to_owned(),
            records: 0,
            checkpoints: 0,
            trusted: 0,
            broken: None,
        }
    }

    /// Takes a checkpoint, before the records. One with a bad signature breaks the chain at its
    /// record, when that comes.
    pub fn checkpoint(&mut self, c: &Checkpoint) {
        let stated = if self.key.signed(c) {
            Ok(c.hash.clone())
        } else {
            Err(format!(
                "the checkpoint of record {} is not signed with this chain's key",
                c.seq
            ))
        };
        self.signed.entry(c.seq).or_default().push(stated);
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// The first broken place of the chain, which may lie before this record; later records are
    /// only counted.
    pub fn push(&mut self, record: &AuditRecord) -> Result<(), Broken> {
        self.records += 1;
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        let outcome = check_after(self.seq, &self.hash, record).and_then(|()| self.confirm(record));
        let seq = self.seq + 1;
        match outcome {
            Ok(()) => {
                self.seq = seq;
                self.hash.clone_from(&record.hash);
                Ok(())
            }
            Err(reason) => {
                let broken = Broken { seq, reason };
                self.broken = Some(broken.clone());
                Err(broken)
            }
        }
    }

    /// Compares a record that follows the one before with the checkpoints on it.
    fn confirm(&mut self, record: &AuditRecord) -> Result<(), String> {
        let Some(stated) = self.signed.remove(&record.seq) else {
            if checkpoint_due(record.seq) {
                return Err(format!(
                    "the signed checkpoint that is due at record {} is missing",
                    record.seq
                ));
            }
            return Ok(());
        };
        for hash in stated {
            if hash? != record.hash {
                return Err(format!(
                    "the checkpoint signed for record {} does not fit: the chain was rewritten between records {} and {}",
                    record.seq,
                    self.trusted + 1,
                    record.seq
                ));
            }
            self.checkpoints += 1;
        }
        self.trusted = record.seq;
        Ok(())
    }

    /// The outcome; a checkpoint beyond the last record means that the tail was cut off.
    #[must_use]
    pub fn finish(mut self) -> AuditVerification {
        if self.broken.is_none()
            && let Some((&seq, stated)) = self.signed.iter().next()
        {
            let forged = stated.iter().find_map(|s| s.as_ref().err());
            self.broken = Some(match forged {
                Some(reason) => Broken {
                    seq,
                    reason: reason.clone(),
                },
                None => Broken {
                    seq: self.seq + 1,
                    reason: format!(
                        "record {} is missing: the chain ends with {}, but a signed checkpoint says that record {seq} was written",
                        self.seq + 1,
                        self.seq
                    ),
                },
            });
        }
        AuditVerification {
            ok: self.broken.is_none(),
            records: self.records,
            checkpoints: self.checkpoints,
            first_broken: self.broken.as_ref().map(|b| b.seq),
            reason: self.broken.map(|b| b.reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use proptest::prelude::*;
    use serde_json::json;

    fn at(seq: i64) -> DateTime<Utc> {
        // Nanoseconds on purpose: they are cut off before hashing.
        DateTime::from_timestamp(1_700_000_000, 123_456_789).unwrap() + TimeDelta::seconds(seq)
    }

    fn entry(i: i64) -> AuditEntry {
        AuditEntry {
            actor: "user".to_owned(),
            action: "trial.create".to_owned(),
            subject: format!("t-{i}"),
            decision: if i % 5 == 0 { "refused" } else { "allowed" }.to_owned(),
            rule: (i % 5 == 0).then(|| "trust_levels".to_owned()),
            detail: json!({"n": i, "b": [1.5, null], "a": {"z": "é", "y": true}}),
        }
    }

    fn signer() -> Signer {
        Signer::from_bytes(&[9; 32])
    }

    /// `n` records with the checkpoints that are due, and one more on the last when `sealed`.
    fn chain_of(n: i64, sealed: bool) -> (Vec<AuditRecord>, Vec<Checkpoint>) {
        let mut records: Vec<AuditRecord> = Vec::new();
        let mut checkpoints = Vec::new();
        for seq in 1..=n {
            let prev = records.last().map_or(GENESIS, |r| r.hash.as_str());
            let record = link(seq, at(seq), &entry(seq), prev);
            if checkpoint_due(seq) || (sealed && seq == n) {
                checkpoints.push(signer().checkpoint(&record, at(seq)));
            }
            records.push(record);
        }
        (records, checkpoints)
    }

    fn verify(records: &[AuditRecord], checkpoints: &[Checkpoint]) -> AuditVerification {
        let mut chain = Chain::new(signer().public_key());
        for c in checkpoints {
            chain.checkpoint(c);
        }
        for r in records {
            // Later records are only counted; `finish` tells the first break.
            drop(chain.push(r));
        }
        chain.finish()
    }

    /// SHA-256 computed apart, with Python's hashlib over the same length-prefixed bytes:
    /// text(t) = len(t) as 8 bytes little endian + t; int(n) = 8 bytes little endian, two's complement.
    /// h(text("mltrainer audit record 1") + int(1) + text("2023-11-14T22:13:21.123456Z") + text("user")
    ///   + text("trial.create") + text("t-1") + text("allowed") + int(0)
    ///   + text('{"a":{"y":true,"z":"é"},"b":[1.5,null],"n":1}') + text("0" * 64))
    #[test]
    fn the_hash_is_the_documented_one() {
        let record = link(1, at(1), &entry(1), GENESIS);
        assert_eq!(
            record.detail,
            r#"{"a":{"y":true,"z":"é"},"b":[1.5,null],"n":1}"#
        );
        assert_eq!(record.hash, PYTHON);
        assert_eq!(record.at.timestamp_subsec_nanos(), 123_456_000);
        assert!(check(None, &record).is_ok());
        let second = link(2, at(2), &entry(2), &record.hash);
        assert!(check(Some(&record), &second).is_ok());
        assert!(check(None, &second).is_err());
    }
    const PYTHON: &str = "5b18b16ef0921770c719f64217243cfc10cdc5bf21fa9668cf5feffa07a09206";

    #[test]
    fn a_record_that_went_through_json_still_holds() {
        let (records, checkpoints) = chain_of(70, true);
        let text = serde_json::to_string(&(&records, &checkpoints)).unwrap();
        let (records, checkpoints): (Vec<AuditRecord>, Vec<Checkpoint>) =
            serde_json::from_str(&text).unwrap();
        let outcome = verify(&records, &checkpoints);
        assert_eq!(
            outcome,
            AuditVerification {
                ok: true,
                records: 70,
                checkpoints: 2,
                first_broken: None,
                reason: None
            }
        );
    }

    #[test]
    fn secrets_are_not_recorded() {
        let mut e = entry(1);
        e.subject = "https://x.test/?token=abcdef".to_owned();
        e.detail = json!({"api_key": "abcdef", "url": "https://x.test/?apikey=abcdef"});
        let text = serde_json::to_string(&link(1, at(1), &e, GENESIS)).unwrap();
        assert!(!text.contains("abcdef"), "{text}");
    }

    #[test]
    fn a_rewritten_chain_breaks_the_next_checkpoint() {
        let (mut records, checkpoints) = chain_of(200, false);
        // Record 70 is changed and everything after it is linked anew, as one without the key can.
        let mut changed = entry(70);
        changed.decision = "allowed".to_owned();
        changed.rule = None;
        for seq in 70..=200_i64 {
            let prev = records[seq as usize - 2].hash.clone();
            let e = if seq == 70 {
                changed.clone()
            } else {
                entry(seq)
            };
            records[seq as usize - 1] = link(seq, at(seq), &e, &prev);
        }
        let outcome = verify(&records, &checkpoints);
        assert_eq!(outcome.first_broken, Some(128));
        let reason = outcome.reason.unwrap();
        assert!(reason.contains("between records 65 and 128"), "{reason}");
        // Taking the checkpoint away too does not help.
        let outcome = verify(&records, &checkpoints[..1]);
        assert_eq!(outcome.first_broken, Some(128));
        assert!(outcome.reason.unwrap().contains("missing"));
        // Nor signing with another key.
        let mut forged = checkpoints[..1].to_vec();
        let other = Signer::from_bytes(&[1; 32]);
        forged.push(other.checkpoint(&records[127], at(128)));
        let outcome = verify(&records, &forged);
        assert_eq!(outcome.first_broken, Some(128));
        assert!(outcome.reason.unwrap().contains("not signed"));
    }

    #[test]
    fn a_cut_tail_shows_beyond_a_checkpoint() {
        let (records, checkpoints) = chain_of(100, false);
        let outcome = verify(&records[..60], &checkpoints);
        assert_eq!(outcome.first_broken, Some(61));
        assert!(outcome.reason.unwrap().contains("record 64 was written"));
        // The limit that the module states: after the last checkpoint a loss cannot be seen.
        assert!(verify(&records[..64], &checkpoints).ok);
        let (records, checkpoints) = chain_of(100, true);
        assert_eq!(verify(&records[..99], &checkpoints).first_broken, Some(100));
        assert_eq!(verify(&[], &checkpoints).first_broken, Some(1));
        assert!(verify(&[], &[]).ok);
    }

    #[test]
    fn a_checkpoint_that_was_touched_does_not_hold() {
        let (records, checkpoints) = chain_of(64, false);
        let good = &checkpoints[0];
        let mut moved = good.clone();
        moved.at += TimeDelta::microseconds(1);
        let mut other_hash = good.clone();
        other_hash.hash = GENESIS.to_owned();
        let mut no_hex = good.clone();
        no_hex.signature = "not hexadecimal".to_owned();
        let mut other_seq = good.clone();
        other_seq.seq = 63;
        for (c, broken) in [(moved, 64), (other_hash, 64), (no_hex, 64), (other_seq, 63)] {
            assert_eq!(verify(&records, &[c]).first_broken, Some(broken));
        }
    }

    #[test]
    fn keys_are_read_and_written() {
        let made = Signer::generate().unwrap();
        let again = Signer::from_bytes(&made.to_bytes());
        assert_eq!(made.public_key(), again.public_key());
        let hex = made.public_key().to_hex();
        assert_eq!(PublicKey::from_hex(&hex), Ok(made.public_key()));
        assert_eq!(PublicKey::from_hex("abc"), Err(KeyError::PublicKey));
    }

    /// One way to tamper with a stored chain.
    #[derive(Debug, Clone)]
    enum Tampering {
        Field(usize, u8),
        Remove(usize),
        Swap(usize, usize),
        Repeat(usize),
        Insert(usize),
    }

    fn tampering(n: usize) -> impl Strategy<Value = Tampering> {
        prop_oneof![
            (0..n, 0..10_u8).prop_map(|(i, f)| Tampering::Field(i, f)),
            (0..n).prop_map(Tampering::Remove),
            (0..n, 0..n)
                .prop_filter("two places", |(a, b)| a != b)
                .prop_map(|(a, b)| Tampering::Swap(a.min(b), a.max(b))),
            (0..n).prop_map(Tampering::Repeat),
            (0..=n).prop_map(Tampering::Insert),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        /// Every change of a field, removal, exchange, repetition and insertion is found, at its place.
        #[test]
        fn tampering_is_found_where_it_is((n, what) in (1_usize..150).prop_flat_map(|n| (Just(n), if n == 1 { Just(Tampering::Remove(0)).boxed() } else { tampering(n).boxed() }))) {
            let (records, checkpoints) = chain_of(n as i64, true);
            prop_assert!(verify(&records, &checkpoints).ok);
            let mut bad = records;
            let broken = match what {
                Tampering::Field(i, field) => {
                    let r = &mut bad[i];
                    match field {
                        0 => r.seq += 1,
                        1 => r.at += TimeDelta::microseconds(1),
                        2 => r.actor.push(' '),
                        3 => r.action = r.action.to_uppercase(),
                        4 => r.subject = String::new(),
                        5 => r.decision = format!("{}{}", r.decision, r.action),
                        6 => r.rule = match &r.rule { Some(_) => None, None => Some(String::new()) },
                        7 => r.detail.insert(0, ' '),
                        8 => r.prev_hash = "f".repeat(64),
                        _ => r.hash = "f".repeat(64),
                    }
                    i + 1
                }
                Tampering::Remove(i) => {
                    bad.remove(i);
                    i + 1
                }
                Tampering::Swap(a, b) => {
                    bad.swap(a, b);
                    a + 1
                }
                Tampering::Repeat(i) => {
                    let again = bad[i].clone();
                    bad.insert(i + 1, again);
                    i + 2
                }
                Tampering::Insert(i) => {
                    // Well made: number and hashes fit what stands before it. The next record, or
                    // the checkpoint on this number, gives it away.
                    let prev = if i == 0 { GENESIS.to_owned() } else { bad[i - 1].hash.clone() };
                    let forged = link(i as i64 + 1, at(0), &entry(1_000), &prev);
                    bad.insert(i, forged);
                    if i == n {
                        // Appended by one who can write to the table: a valid, unsigned record,
                        // unless a checkpoint is due on it.
                        if !checkpoint_due(i as i64 + 1) {
                            prop_assert!(verify(&bad, &checkpoints).ok);
                            return Ok(());
                        }
                        i + 1
                    } else if checkpoints.iter().any(|c| c.seq == i as i64 + 1) {
                        i + 1
                    } else {
                        i + 2
                    }
                }
            };
            let outcome = verify(&bad, &checkpoints);
            prop_assert!(!outcome.ok);
            prop_assert_eq!(outcome.first_broken, Some(broken as i64));
            prop_assert_eq!(outcome.records, bad.len() as i64);
            prop_assert!(outcome.reason.is_some());
        }
    }
}
