//! What docs/OPERATIONS.md says of the log, against the lines that the code logs.

use std::{fs, path::Path};

const LEVELS: [&str; 3] = ["error", "warn", "info"];

/// A line that is nothing but a text made elsewhere; the page speaks of those beside its table.
const MADE_ELSEWHERE: &str = "{warning}";

#[test]
fn the_operators_page_has_each_line_of_the_log_with_its_level_and_no_other() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = fs::read_to_string(crates.join("../docs/OPERATIONS.md")).unwrap();
    let told: Vec<(&str, &str)> = page.lines().filter_map(row).collect();
    let mut logged = Vec::new();
    for room in ["server/src", "store/src"] {
        read_folder(&crates.join(room), &mut logged);
    }
    assert!(logged.len() > 20, "the lines of the log were not found in the code: {logged:?}");
    let of_row =
        |(level, start): (&str, &str), (at, line): &(&str, String)| level == *at && line.starts_with(start);
    for line in &logged {
        assert!(told.iter().any(|row| of_row(*row, line)), "docs/OPERATIONS.md has no row for {line:?}");
    }
    for row in &told {
        assert!(
            logged.iter().any(|line| of_row(*row, line)),
            "nothing logs what docs/OPERATIONS.md tells: {row:?}"
        );
    }
}

/// The level and the start of the line of a row of the page's table; `None` for every other line of the page.
fn row(line: &str) -> Option<(&str, &str)> {
    let mut cells = line.strip_prefix("| ")?.split(" | ");
    let (level, start) = (cells.next()?, cells.next()?);
    LEVELS.contains(&level).then_some((level, start))
}

fn read_folder(folder: &Path, logged: &mut Vec<(&'static str, String)>) {
    for entry in fs::read_dir(folder).expect("a folder of the code") {
        let path = entry.expect("an entry of a folder of the code").path();
        if path.is_dir() {
            read_folder(&path, logged);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let code = fs::read_to_string(&path).expect("a file of the code");
            for level in LEVELS {
                let call = format!("tracing::{level}!(");
                let calls = code.split(&call).skip(1).map(|arguments| (level, line_of(arguments)));
                logged.extend(calls.filter(|(_, line)| line != MADE_ELSEWHERE));
            }
        }
    }
}

/// The line of a call of the log's macro, from its arguments on: the last text among them that is in no inner call.
fn line_of(call: &str) -> String {
    let (mut depth, mut quoted, mut escaped) = (1, false, false);
    let (mut line, mut text) = (String::new(), String::new());
    for char in call.chars() {
        match char {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if quoted => {
                quoted = false;
                if depth == 1 {
                    line.clone_from(&text);
                }
            }
            '"' => {
                quoted = true;
                text.clear();
            }
            _ if quoted => text.push(char),
            '(' => depth += 1,
            ')' if depth == 1 => break,
            ')' => depth -= 1,
            _ => {}
        }
    }
    line
}
