//! The audit chain under an outsider's hand: whatever is changed, removed or moved is found, and
//! the first broken record is named.

use crate::small_trial;
use mltrainer_it::sqlite::{database, python};
use mltrainer_it::{Server, cli};
use mltrainer_types::audit::{AuditRecord, AuditVerification};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A data folder with a chain of some length, and how long it is.
async fn chain() -> (TempDir, i64) {
    let folder = tempfile::tempdir().unwrap();
    let server = mltrainer_it::Launch::on(folder.path()).start().await;
    let mut body = small_trial();
    body["models"] = json!(["ridge"]);
    let id = server.create_trial(&body).await;
    server.finished(&id).await;
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    let length = python(
        &database(folder.path()),
        "print(json.dumps(db.execute(f'select count(*) from {chain()}').fetchone()[0]))",
    );
    (folder, length.as_i64().unwrap())
}

/// A copy of the folder, so that each way of tampering starts from the same chain.
fn copy(folder: &Path) -> TempDir {
    fn walk(from: &Path, to: &PathBuf) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let target = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &target);
            } else {
                std::fs::copy(entry.path(), target).unwrap();
            }
        }
    }
    let twin = tempfile::tempdir().unwrap();
    walk(folder, &twin.path().to_path_buf());
    twin
}

#[tokio::test]
async fn every_way_of_tampering_is_found_and_the_first_broken_record_named() {
    let (folder, length) = chain().await;
    assert!(length >= 6, "long enough to tamper in the middle: {length}");
    let verified = cli(folder.path(), &["audit", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.stderr);
    assert!(
        verified.stdout.contains(&length.to_string()),
        "it says how many records: {}",
        verified.stdout
    );

    // (what is done to the file, the record that is then the first broken one)
    let field =
        |name: &str| format!("db.execute(f\"update {{chain()}} set {name} = 'x' where seq = 3\")");
    let mut ways: Vec<(String, i64)> = [
        "actor",
        "action",
        "subject",
        "decision",
        "rule",
        "detail",
        "prev_hash",
        "hash",
    ]
    .map(|name| (field(name), 3))
    .into();
    ways.extend([
        ("db.execute(f\"update {chain()} set at = '2001-01-01T00:00:00.000000Z' where seq = 3\")".into(), 3),
        ("db.execute(f'delete from {chain()} where seq = 3')".into(), 3),
        ("db.execute(f'delete from {chain()} where seq = 1')".into(), 1),
        ("db.execute(f'delete from {chain()}')".into(), 1),
        // The tail: what follows the last signed statement cannot be cut off either.
        ("c = chain(); db.execute(f'delete from {c} where seq = (select max(seq) from {c})')".into(), length),
        ("db.execute(f'delete from {chain()} where seq > 3')".into(), 4),
        // Two rows exchanged.
        ("for a, b in [(-1, 2), (2, 4), (4, -1)]: db.execute(f'update {chain()} set seq = ? where seq = ?', (a, b))".into(), 2),
        // A row put in between, the others moved up.
        ("c = chain(); n = db.execute(f'select max(seq) from {c}').fetchone()[0]\n\
          for s in range(n, 2, -1): db.execute(f'update {c} set seq = ? where seq = ?', (s + 1, s))\n\
          cols = [r[1] for r in db.execute(f'pragma table_info({c})') if r[1] != 'seq']\n\
          db.execute(f\"insert into {c} (seq, {', '.join(cols)}) select 3, {', '.join(cols)} from {c} where seq = 2\")".into(), 3),
    ]);
    for (way, first) in ways {
        let twin = copy(folder.path());
        python(&database(twin.path()), &format!("unguard()\n{way}"));
        let answer = cli(twin.path(), &["audit", "verify"]);
        assert_eq!(answer.code, 1, "{way}: {}{}", answer.stdout, answer.stderr);
        let said = format!("{}{}", answer.stdout, answer.stderr);
        assert!(
            said.contains(&format!("record {first} "))
                || said.contains(&format!("record {first}:")),
            "{way}: record {first} is named in: {said}"
        );
        let answer = cli(twin.path(), &["audit", "verify", "--format", "json"]);
        assert_eq!(answer.code, 1, "{way}");
        let outcome: AuditVerification = serde_json::from_str(&answer.stdout).unwrap();
        assert!(!outcome.ok, "{way}");
        assert_eq!(outcome.first_broken, Some(first), "{way}: {outcome:?}");
        assert!(outcome.reason.is_some());
    }
}

#[tokio::test]
async fn a_running_server_sees_what_was_done_behind_its_back() {
    let server = Server::fresh().await;
    let mut body = small_trial();
    body["models"] = json!(["ridge"]);
    let id = server.create_trial(&body).await;
    server.finished(&id).await;
    let verify = |ok: bool| {
        let server = &server;
        async move {
            let outcome = server.json("/api/compliance/audit/verify").await;
            let outcome: AuditVerification = serde_json::from_value(outcome).unwrap();
            assert_eq!(outcome.ok, ok, "{outcome:?}");
            outcome
        }
    };
    verify(true).await;
    python(
        &database(&server.data_dir),
        "unguard()\ndb.execute(f\"update {chain()} set decision = 'refused' where seq = 2\")",
    );
    assert_eq!(verify(false).await.first_broken, Some(2));
}

#[tokio::test]
async fn an_auditors_own_tool_can_follow_the_chain() {
    let (folder, length) = chain().await;
    let rows = python(
        &database(folder.path()),
        "print(json.dumps(db.execute(f'select seq, prev_hash, hash from {chain()} order by seq').fetchall()))",
    );
    let mut before = "0".repeat(64);
    for (i, row) in rows.as_array().unwrap().iter().enumerate() {
        assert_eq!(row[0], i as i64 + 1);
        assert_eq!(row[1], before.as_str());
        before = row[2].as_str().unwrap().to_owned();
    }
    assert_eq!(rows.as_array().unwrap().len() as i64, length);
}

#[tokio::test]
async fn the_api_gives_the_chain_in_pages_and_filtered() {
    let server = Server::fresh().await;
    let mut body = small_trial();
    body["models"] = json!(["ridge"]);
    let id = server.create_trial(&body).await;
    server.finished(&id).await;
    let (mut records, mut cursor): (Vec<AuditRecord>, _) = (Vec::new(), String::new());
    loop {
        let page = server
            .json(&format!("/api/compliance/audit?limit=2{cursor}"))
            .await;
        let items: Vec<AuditRecord> = serde_json::from_value(page["items"].clone()).unwrap();
        assert!(items.len() <= 2);
        records.extend(items);
        match &page["next"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => break,
        }
    }
    records.sort_by_key(|r| r.seq);
    let numbers: Vec<i64> = records.iter().map(|r| r.seq).collect();
    assert_eq!(numbers, (1..=records.len() as i64).collect::<Vec<_>>());
    let made: Vec<&AuditRecord> = records
        .iter()
        .filter(|r| r.action == "trial.create")
        .collect();
    assert_eq!(made.len(), 1);
    assert_eq!(made[0].subject, id);

    for filter in [
        "action=trial.".to_owned(),
        format!("subject={id}"),
        "decision=refused".to_owned(),
        "actor=nobody".to_owned(),
    ] {
        let page = server
            .json(&format!("/api/compliance/audit?{filter}"))
            .await;
        let (name, value) = filter.split_once('=').unwrap();
        for item in page["items"].as_array().unwrap() {
            assert!(
                item[name].as_str().unwrap().starts_with(value),
                "{filter}: {item}"
            );
        }
    }
    let bad = server.get("/api/compliance/audit?cursor=nonsense").await;
    assert_eq!(bad.status().as_u16() / 100, 4);
}
