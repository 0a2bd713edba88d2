//! Settings: where they come from, which wins, and what is refused.

use crate::process::{Ended, chinwag, run};
use serde_json::{Value, json};
use std::{fs, path::Path};
use tempfile::tempdir;

/// Each number's key, least and most.
const NUMBERS: [(&str, u64, u64); 14] = [
    ("disk_reserve_mib", 0, 17_179_869_184),
    ("text_max_bytes", 1, 20_480),
    ("connections_max", 1, 1_000_000),
    ("bodies_max_mib", 1, 1_048_576),
    ("queue_max_messages", 1, 1_000_000),
    ("queue_max_mib", 1, 1_048_576),
    ("chat_cache_mib", 1, 1_048_576),
    ("block_cache_mib", 1, 1_048_576),
    ("memtable_mib", 1, 1_024),
    ("head_timeout_s", 1, 3_600),
    ("idle_timeout_s", 1, 86_400),
    ("body_timeout_s", 1, 3_600),
    ("write_timeout_s", 1, 3_600),
    ("drain_timeout_s", 0, 3_600),
];

fn config(directory: &Path, args: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut command = chinwag(directory, ["config"]);
    run(command.args(args).envs(variables.iter().copied()))
}

fn in_force(directory: &Path, args: &[&str], variables: &[(&str, &str)]) -> Value {
    let ended = config(directory, &[&["--json"], args].concat(), variables).expect(0);
    serde_json::from_str(&ended.out).expect("JSON")
}

fn with_file(text: &str) -> tempfile::TempDir {
    let directory = tempdir().expect("a directory");
    fs::write(directory.path().join("c.toml"), text).expect("written");
    directory
}

#[test]
fn flags_win_over_variables_over_the_file_over_the_defaults() {
    let dir = with_file(
        "# mine\ntext_max_bytes = 100\nlog = \"warn\"\n\nqueue_max_mib = 0x10\nallowed_hosts = [\"A.example\"]\n",
    );
    let shown = in_force(
        dir.path(),
        &["--config", "c.toml", "--text-max-bytes", "300", "--bench-routes"],
        &[("CHINWAG_TEXT_MAX_BYTES", "200"), ("CHINWAG_LOG", "debug,fjall=info")],
    );
    for (key, value, origin) in [
        ("text_max_bytes", json!(300), "flag --text-max-bytes"),
        ("bench_routes", json!(true), "flag --bench-routes"),
        ("log", json!("debug,fjall=info"), "variable CHINWAG_LOG"),
        ("queue_max_mib", json!(16), "c.toml, line 5"),
        ("allowed_hosts", json!(["a.example"]), "c.toml, line 6"),
        ("listen", json!("127.0.0.1:8080"), "default"),
    ] {
        assert_eq!(shown[key], json!({"value": value, "origin": origin}));
    }
}

#[test]
fn the_file_is_named_by_a_flag_over_a_variable() {
    let dir = with_file("log = \"warn\"\n");
    fs::write(dir.path().join("d.toml"), "log = \"error\"\n").expect("written");
    let variable = [("CHINWAG_CONFIG", "c.toml")];
    assert_eq!(in_force(dir.path(), &[], &variable)["log"]["origin"], "c.toml, line 1");
    assert_eq!(in_force(dir.path(), &["--config", "d.toml"], &variable)["log"]["value"], "error");
}

#[test]
fn lists_and_switches_of_flags_and_variables() {
    let dir = tempdir().expect("a directory");
    let hosts = |args: &[&str], variables: &[(&str, &str)]| {
        in_force(dir.path(), args, variables)["allowed_hosts"]["value"].clone()
    };
    assert_eq!(
        hosts(&["--allowed-hosts", "a.b, c.d", "--allowed-hosts", "e"], &[]),
        json!(["a.b", "c.d", "e"])
    );
    assert_eq!(hosts(&[], &[("CHINWAG_ALLOWED_HOSTS", "")]), json!([]));
    let origins = [("CHINWAG_ALLOWED_ORIGINS", "https://App.example, http://localhost:3000")];
    assert_eq!(
        in_force(dir.path(), &[], &origins)["allowed_origins"]["value"],
        json!(["https://app.example", "http://localhost:3000"])
    );
    let off = in_force(dir.path(), &["--bench-routes=false"], &[("CHINWAG_BENCH_ROUTES", "true")]);
    assert_eq!(off["bench_routes"]["value"], false);
}

#[test]
fn the_table_is_for_people() {
    let dir = tempdir().expect("a directory");
    let ended = config(dir.path(), &["--log-format", "json"], &[("CHINWAG_IDLE_TIMEOUT_S", "90")]).expect(0);
    insta::assert_snapshot!(ended.out);
}

#[test]
fn the_default_file_is_a_configuration_file_and_holds_the_defaults() {
    let dir = tempdir().expect("a directory");
    let file = config(dir.path(), &["--default"], &[]).expect(0).out;
    let settings = file.lines().filter(|line| !line.starts_with('#') && line.contains(" = ")).count();
    fs::write(dir.path().join("c.toml"), &file).expect("written");
    let values = |shown: Value| -> Vec<_> {
        let settings = shown.as_object().expect("an object").clone();
        settings.into_iter().map(|(key, shown)| (key, shown["value"].clone())).collect()
    };
    let of_file = values(in_force(dir.path(), &["--config", "c.toml"], &[]));
    assert_eq!(of_file, values(in_force(dir.path(), &[], &[])));
    assert_eq!(of_file.len(), settings);
    assert!(settings > 40, "{settings}");
}

#[test]
fn the_reference_is_the_committed_one() {
    let dir = tempdir().expect("a directory");
    let made = config(dir.path(), &["--reference"], &[]).expect(0).out;
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/CONFIGURATION.md");
    let committed = fs::read_to_string(committed).expect("docs/CONFIGURATION.md");
    assert!(
        committed == made,
        "it is another; make it again: cargo run -- config --reference > docs/CONFIGURATION.md"
    );
}

#[test]
fn an_unknown_key_is_an_error_with_its_line_and_the_nearest_name() {
    let dir = with_file("log = \"warn\"\nlisen = \"127.0.0.1:1\"\nfrobnicate = 1\n");
    config(dir.path(), &["--config", "c.toml"], &[])
        .expect(2)
        .says("c.toml, line 2: there is no setting \"lisen\"; did you mean \"listen\"?")
        .says("c.toml, line 3: there is no setting \"frobnicate\"; `chinwag config` lists them");
    let dir = with_file("[server]\nlisten = \"127.0.0.1:1\"\n");
    config(dir.path(), &["--config", "c.toml"], &[]).expect(2).says("line 1: there is no setting \"server\"");
}

#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    let dir = with_file("log = \"warn\"\nlog = \"info\"\n");
    config(dir.path(), &["--config", "c.toml"], &[]).expect(2).says("c.toml, line 2: duplicate key");
    fs::write(dir.path().join("c.toml"), "log = warn\n").expect("written");
    config(dir.path(), &["--config", "c.toml"], &[]).expect(2).says("c.toml, line 1: ");
    config(dir.path(), &["--config", "none.toml"], &[])
        .expect(2)
        .says("none.toml can't be read: No such file");
    fs::write(dir.path().join("c.toml"), b"log = \"\xff\"\n").expect("written");
    config(dir.path(), &["--config", "c.toml"], &[]).expect(2).says("c.toml can't be read: ");
}

#[test]
fn an_unknown_flag_is_an_error_with_the_nearest_name() {
    let dir = tempdir().expect("a directory");
    config(dir.path(), &["--lisen", "x"], &[]).expect(2).says("'--listen'");
    run(&mut chinwag(dir.path(), ["--lisen", "x"])).expect(2).says("'--listen'");
    run(&mut chinwag(dir.path(), ["--text-max-byte", "1"])).expect(2).says("'--text-max-bytes'");
    run(&mut chinwag(dir.path(), ["snd"])).expect(2).says("'send'");
}

#[test]
fn an_unknown_variable_is_a_warning() {
    let dir = tempdir().expect("a directory");
    let variables = [
        ("CHINWAG_PORT", "tcp://10.0.0.1:8080"),
        ("CHINWAG_SERVICE_HOST", "10.0.0.1"),
        ("CHINWAG_LISTN", "127.0.0.1:1"),
        ("CHINWAG_TEST_ROUNDS", "5"),
        ("CHINWAG_SERVER", "http://localhost:1"),
        ("PORT", "1"),
    ];
    let ended = config(dir.path(), &[], &variables).expect(0);
    insta::assert_snapshot!(ended.err, @r"
    chinwag: the variable CHINWAG_LISTN is no setting and is ignored; did you mean CHINWAG_LISTEN?
    chinwag: the variable CHINWAG_PORT is no setting and is ignored (Kubernetes sets it for a Service named chinwag)
    chinwag: the variable CHINWAG_SERVICE_HOST is no setting and is ignored (Kubernetes sets it for a Service named chinwag)
    ");
    config(dir.path(), &[], &[("CHINWAG_PORT", "80")]).expect(0).says("the port is part of CHINWAG_LISTEN");
}

#[test]
fn a_key_for_tokens_that_nobody_is_asked_for_is_a_warning() {
    let dir = tempdir().expect("a directory");
    let keys = ["--auth-secret-file", "secret"];
    let ended = config(dir.path(), &keys, &[("CHINWAG_AUTH_JWKS", "set.json")]).expect(0);
    insta::assert_snapshot!(ended.err, @r#"
    chinwag: auth_secret_file (flag --auth-secret-file) is set, and auth is "open": no request is asked for a token; set auth = "token"
    chinwag: auth_jwks (variable CHINWAG_AUTH_JWKS) is set, and auth is "open": no request is asked for a token; set auth = "token"
    "#);
    assert_eq!(config(dir.path(), &[&keys[..], &["--auth", "token"]].concat(), &[]).expect(0).err, "");
}

#[test]
fn numbers_at_and_past_each_bound() {
    let numbers = &NUMBERS;
    let dir = tempdir().expect("a directory");
    let check = |pick: fn(u64, u64) -> i128, good: bool| {
        let given: Vec<_> =
            numbers.iter().map(|&(key, min, max)| (key, pick(min, max).to_string())).collect();
        let file: Vec<_> = given.iter().map(|(key, number)| format!("{key} = {number}\n")).collect();
        fs::write(dir.path().join("c.toml"), file.concat()).expect("written");
        let flags: Vec<_> = given
            .iter()
            .flat_map(|(key, number)| [format!("--{}", key.replace('_', "-")), number.clone()])
            .collect();
        let flags: Vec<_> = flags.iter().map(String::as_str).collect();
        for args in [&["--config", "c.toml"][..], &flags] {
            let ended = config(dir.path(), args, &[]).expect(if good { 0 } else { 2 });
            for &(key, min, max) in numbers.iter().filter(|_| !good) {
                let line = ended.err.lines().find(|line| line.contains(&format!("{key}: "))).expect(key);
                let allowed = format!("a whole number from {min} to {max}");
                assert!(line.ends_with(&allowed), "{line}");
            }
        }
    };
    check(|min, _| min.into(), true);
    check(|_, max| max.into(), true);
    check(|min, _| i128::from(min) - 1, false);
    check(|_, max| i128::from(max) + 1, false);
}

#[test]
fn values_of_another_type_or_form_are_refused_and_all_are_told_at_once() {
    let dir = with_file(
        "text_max_bytes = \"100\"\nlog = 3\nbench_routes = \"true\"\nallowed_hosts = \"a\"\ndata = \"\"\nqueue_max_mib = 1.5\n",
    );
    let args = ["--config", "c.toml", "--listen", "localhost", "--log-format", "xml"];
    let ended = config(dir.path(), &args, &[("CHINWAG_AUTH", "none")]).expect(2);
    assert_eq!(ended.out, "");
    insta::assert_snapshot!(ended.err);
    for (variable, bad) in [
        ("LOG", "inof"),
        ("LOG", ""),
        ("LOG", "chinwag=loud"),
        ("ALLOWED_HOSTS", "http://a"),
        ("ALLOWED_HOSTS", "a:80"),
        ("ALLOWED_HOSTS", "a,,b"),
        ("ALLOWED_ORIGINS", "*"),
        ("ALLOWED_ORIGINS", "https://a.example,https://b.example/"),
        ("LISTEN", ":8080"),
        ("LISTEN", "127.0.0.1"),
        ("LISTEN", "127.0.0.1:65536"),
        ("BENCH_ROUTES", "yes"),
        ("DATA", ""),
        ("DRAIN_TIMEOUT_S", "5s"),
    ] {
        let name = format!("CHINWAG_{variable}");
        config(dir.path(), &[], &[(&name, bad)]).expect(2).says(&format!("(variable {name}) is not allowed"));
    }
}

#[test]
fn listening_beyond_loopback_must_be_asked_for_in_words() {
    let dir = with_file("auth = \"open\"\n");
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
        for command in ["config", "serve"] {
            run(&mut chinwag(dir.path(), [command, "--listen", listen]))
                .expect(2)
                .says(&format!("listen: {listen} (flag --listen) can be reached from other machines"))
                .says("--auth open (or CHINWAG_AUTH=open, or auth = \"open\" in the file)");
        }
        config(dir.path(), &["--listen", listen, "--auth", "open"], &[]).expect(0);
        config(dir.path(), &["--listen", listen], &[("CHINWAG_AUTH", "open")]).expect(0);
        config(dir.path(), &["--listen", listen, "--config", "c.toml"], &[]).expect(0);
    }
    for listen in ["127.0.0.1:0", "127.9.9.9:0", "[::1]:0", "[::ffff:127.0.0.1]:0", "localhost:0"] {
        config(dir.path(), &["--listen", listen], &[]).expect(0);
    }
}
