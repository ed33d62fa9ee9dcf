//! What the README's section "What it costs" says is what the code uses, as DynamoDB itself tells it.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be set up ends it")]

mod meter;
mod ways;

use std::path::Path;

use meter::{Meter, Usage};
use ways::{export, import, leave_admins, lookup, mappings};

/// A row of the README's first table.
struct Cost {
    what: &'static str,
    usage: Usage,
    invocations: u32,
}

/// What each of so many rows used.
fn a_row(used: Usage, rows: f64) -> Usage {
    Usage {
        writes: used.writes / rows,
        reads: used.reads / rows,
        dynamodb: used.dynamodb / rows,
        // A file's own.
        s3: 0.0,
        // But the look at the pool, once a process.
        cognito: ((used.cognito - 1.0) / rows).max(0.0),
    }
}

/// `1,500,000`, `0.04`, and nothing for none.
fn number(number: f64) -> String {
    if number == 0.0 {
        return "–".to_owned();
    }
    let text = format!("{}", (number * 100.0).round() / 100.0);
    let (whole, rest) =
        text.split_once('.').map_or((text.as_str(), String::new()), |(whole, rest)| (whole, format!(".{rest}")));
    let digits: Vec<&str> =
        whole.as_bytes().rchunks(3).rev().map(|three| std::str::from_utf8(three).unwrap()).collect();
    format!("{}{rest}", digits.join(","))
}

fn each(costs: &[Cost]) -> String {
    let mut table = String::from(
        "| | write units | read units | calls of DynamoDB | of S3 | of Cognito | invocations |\n|---|---|---|---|---|---|---|\n",
    );
    for Cost { what, usage, invocations } in costs {
        let numbers = [usage.writes, usage.reads, usage.dynamodb, usage.s3, usage.cognito, f64::from(*invocations)];
        table += &format!("| {what} | {} |\n", numbers.map(number).join(" | "));
    }
    table
}

fn block(readme: &str) -> &str {
    readme
        .split_once("<!-- costs -->\n")
        .and_then(|(_, rest)| rest.split_once("<!-- /costs -->"))
        .map_or("", |(block, _)| block)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_row_lookup_and_file_costs_what_the_readme_says() {
    let (meter, bed) = Meter::testbed().await;
    let imported = async |key: &str, body: String| import(&meter, &bed, key, body).await;
    // Whole transactions, which hold fifty.
    let new_mapping = imported("imports/mappings/nemo/1.csv", mappings(0..300)).await;
    let same_mapping = imported("imports/mappings/nemo/2.csv", mappings(0..300)).await;
    imported("imports/employers/1.csv", "fein,name\n111111111,Example Bakery\n".to_owned()).await;
    let new_account = imported("imports/leave-admins/1.csv", leave_admins(0..30)).await;
    let same_account = imported("imports/leave-admins/2.csv", leave_admins(0..30)).await;
    let forward = lookup(&meter, &bed, "/people/person7@example.org/identifiers/nemo").await;
    let reverse = lookup(&meter, &bed, "/systems/nemo/identifiers?external_id=7").await;

    // The claim and the end; more are renewals of the lease, of which the README speaks.
    for file in [new_mapping, same_mapping, new_account, same_account] {
        assert!(file.leases.dynamodb >= 2.0, "{file:?}");
        assert_eq!((file.leases.writes, file.leases.reads), (2.0 * file.leases.dynamodb, 0.0), "{file:?}");
        assert_eq!(file.work.s3, 5.0, "{file:?}");
    }
    let file = Usage { writes: 4.0, dynamodb: 2.0, s3: 5.0, ..Usage::default() };

    let costs = [
        Cost { what: "a new mapping in a file", usage: a_row(new_mapping.work, 300.0), invocations: 0 },
        Cost { what: "one that stands already", usage: a_row(same_mapping.work, 300.0), invocations: 0 },
        Cost {
            what: "a new account in a file, with person and link",
            usage: a_row(new_account.work, 30.0),
            invocations: 0,
        },
        Cost { what: "one that stands already", usage: a_row(same_account.work, 30.0), invocations: 0 },
        Cost { what: "the file itself", usage: file, invocations: 1 },
        Cost { what: "a lookup by username", usage: forward.work, invocations: 1 },
        Cost { what: "a lookup by external id", usage: reverse.work, invocations: 1 },
    ];
    let expected = each(&costs);
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    assert!(
        block(&readme) == expected,
        "README.md's table of costs is not what was counted; put this between its marks:\n{expected}"
    );
    for (what, many, usage) in [
        ("a million new mappings", 1e6, costs[0].usage),
        ("a million lookups by username", 1e6, costs[5].usage),
        ("100,000 new accounts", 1e5, costs[2].usage),
    ] {
        let row = format!("| {what} | {} | {} |", number(many * usage.writes), number(many * usage.reads));
        assert!(readme.contains(&row), "README.md's row should begin so: {row}");
    }
}

/// More loosely, as it depends on the export's steps; the README's formula is an upper bound.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_costs_no_more_than_the_readme_says() {
    let (meter, bed) = Meter::testbed().await;
    let used = export(&meter, &bed).await;
    let used = Usage {
        writes: used.work.writes + used.leases.writes,
        reads: used.work.reads + used.leases.reads,
        s3: used.work.s3,
        ..Usage::default()
    };
    assert!(used.writes > 0.0 && used.writes <= 40.0, "{used:?}");
    assert!(used.reads > 0.0 && used.reads <= 10.0, "{used:?}");
    assert!(used.s3 > 0.0 && used.s3 <= 10.0, "{used:?}");
}

#[test]
fn numbers_are_told_short() {
    let told = [0.0, 0.04, 1.02, 5.0, 999.0, 1e3, 2.5e6, 300.0 / 7.0].map(number);
    assert_eq!(told, ["–", "0.04", "1.02", "5", "999", "1,000", "2,500,000", "42.86"]);
}
