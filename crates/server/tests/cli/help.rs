//! What a newcomer reads.

use crate::process::{chinwag, run};
use tempfile::tempdir;

#[test]
fn help_of_each_command() {
    let dir = tempdir().expect("a directory");
    for command in [
        "",
        "serve",
        "send",
        "pull",
        "chat",
        "tail",
        "edit",
        "unsend",
        "react",
        "check",
        "clock",
        "backup",
        "restore",
        "export",
        "import",
        "user",
        "bench",
        "health",
        "config",
        "openapi",
        "completions",
    ] {
        let mut line = chinwag(dir.path(), []);
        line.args((!command.is_empty()).then_some(command)).arg("-h");
        let help = run(&mut line).expect(0);
        assert_eq!(help.err, "");
        let name = if command.is_empty() { "chinwag" } else { command };
        insta::assert_snapshot!(format!("help_{name}"), help.out);
    }
}

#[test]
fn the_long_help_describes_every_setting() {
    let dir = tempdir().expect("a directory");
    let help = run(&mut chinwag(dir.path(), ["serve", "--help"])).expect(0).out;
    let settings = run(&mut chinwag(dir.path(), ["config"])).expect(0).out;
    for line in settings.lines().skip(1) {
        let key = line.split(' ').next().expect("a word");
        assert!(help.contains(&format!("--{}", key.replace('_', "-"))), "{key}");
        assert!(help.contains(&format!("[env: CHINWAG_{}]", key.to_uppercase())), "{key}");
    }
}

#[test]
fn the_version() {
    let dir = tempdir().expect("a directory");
    let version = run(&mut chinwag(dir.path(), ["--version"])).expect(0).out;
    assert_eq!(version, format!("chinwag {}\n", env!("CARGO_PKG_VERSION")));
}
