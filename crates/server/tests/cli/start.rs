//! How the server starts, or says why it can't, and how it ends.

use crate::process::{Running, Server, chinwag, run};
use rustix::process::Signal;
use serde_json::Value;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::{fs::PermissionsExt as _, net::UnixDatagram, process::CommandExt as _},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};
use tempfile::tempdir;

/// A server that should not start; it would take a free port.
fn serve(directory: &Path, more: &[&str]) -> Command {
    let mut command = chinwag(directory, ["serve", "--listen", "127.0.0.1:0"]);
    command.args(more);
    command
}

#[test]
fn it_serves_with_and_without_the_word_serve_and_ends_in_order() {
    for (word, signal) in [(None, Signal::TERM), (Some("serve"), Signal::INT)] {
        let dir = tempdir().expect("a directory");
        let mut command = chinwag(dir.path(), []);
        command
            .args(word)
            .args(["--listen", "127.0.0.1:0", "--data", "d"])
            .env("CHINWAG_PORT", "tcp://10.0.0.1:80");
        let mut running = Running::start(command.stdin(Stdio::null()));
        let line = running.line("listening on http://127.0.0.1:");
        assert!(!line.contains("127.0.0.1:0 "), "{line}");
        assert!(line.contains("/d version=\""), "{line}");
        running.signal(signal);
        let ended = running.end().expect(0);
        assert_eq!(ended.out, "");
        let warning = "CHINWAG_PORT is no setting";
        ended.says("shutting down").says("ended in order").says(warning);
        assert!(dir.path().join("d/FORMAT").exists());
    }
}

/// As systemd does it, with `Type=notify`.
#[test]
fn a_supervisor_is_told_when_it_serves_and_when_it_ends() {
    let dir = tempdir().expect("a directory");
    let path = dir.path().join("notify");
    let supervisor = UnixDatagram::bind(&path).expect("bound");
    supervisor.set_read_timeout(Some(Duration::from_mins(1))).expect("set");
    let hear = || {
        let mut words = [0; 64];
        let length = supervisor.recv(&mut words).expect("a word of the server within a minute");
        String::from_utf8_lossy(&words[..length]).into_owned()
    };
    let mut running = Running::start(serve(dir.path(), &[]).env("NOTIFY_SOCKET", &path).stdin(Stdio::null()));
    assert_eq!(hear(), "READY=1");
    running.line("listening on http://127.0.0.1:");
    running.signal(Signal::TERM);
    assert_eq!(hear(), "STOPPING=1");
    running.end().expect(0);
}

/// What serves the key set may start at the same time.
#[test]
fn a_start_under_a_supervisor_waits_for_the_key_set() {
    let dir = tempdir().expect("a directory");
    let notify = dir.path().join("notify");
    let _supervisor = UnixDatagram::bind(&notify).expect("bound");
    let provider = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/set", provider.local_addr().expect("an address"));
    let set = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    let serving = thread::spawn(move || {
        for (status, body) in [("503 Starting", ""), ("200 OK", set)] {
            let (mut stream, _) = provider.accept().expect("a request");
            let mut head = vec![0; 4096];
            let mut length = 0;
            while !head[..length].ends_with(b"\r\n\r\n") {
                length += stream.read(&mut head[length..]).expect("a head");
            }
            let reply = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            stream.write_all(reply.as_bytes()).expect("written");
        }
    });
    let settings = ["--auth", "token", "--auth-jwks", &url];
    let mut starting = serve(dir.path(), &settings);
    let mut running = Running::start(starting.env("NOTIFY_SOCKET", &notify).stdin(Stdio::null()));
    running.line("the key set of auth_jwks can't be had yet; trying again");
    running.line("listening on http://127.0.0.1:");
    serving.join().expect("no panic");
    running.signal(Signal::TERM);
    running.end().expect(0);
}

#[test]
fn a_restart_has_what_was_sent() {
    let server = Server::start();
    run(&mut server.client(["send", "a:b", "still here", "--as", "a"])).expect(0);
    let (ended, directory) = server.stop();
    ended.expect(0);
    let server = Server::start_in(directory, |_| {});
    let pulled = run(&mut server.client(["pull", "a:b"])).expect(0);
    assert!(pulled.out.contains("still here"), "{pulled}");
}

#[test]
fn the_log_is_json_where_asked() {
    let directory = tempdir().expect("a directory");
    let server = Server::start_in(directory, |command| {
        command.args(["--log-format", "json"]);
    });
    let (ended, _directory) = server.stop();
    let lines: Vec<Value> = ended
        .err
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect();
    let listens =
        |line: &&Value| line["message"].as_str().is_some_and(|text| text.starts_with("listening on http://"));
    // A machine that allows few open files is told so first.
    let start = lines.iter().find(listens).expect("a line that says where");
    assert_eq!((&start["level"], &start["version"]), (&"INFO".into(), &env!("CARGO_PKG_VERSION").into()));
    assert!(ended.err.contains("ended in order"));
}

#[test]
fn the_log_is_filtered() {
    let dir = tempdir().expect("a directory");
    fs::write(dir.path().join("chinwag-data"), "").expect("written");
    let ended = run(serve(dir.path(), &["--log", "off"]).env("CHINWAG_PORT", "1")).expect(2);
    assert!(!ended.err.contains("CHINWAG_PORT"), "{ended}");
    let ended = run(serve(dir.path(), &["--log", "warn"]).env("CHINWAG_PORT", "1")).expect(2);
    ended.says("CHINWAG_PORT");
}

#[test]
fn a_port_that_is_taken() {
    let dir = tempdir().expect("a directory");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    run(&mut chinwag(dir.path(), ["--listen", &address]))
        .expect(2)
        .says(&format!("cannot listen on {address}: port"))
        .says("is taken by another program; stop it, or choose another port with --listen 127.0.0.1:");
    assert!(!dir.path().join("chinwag-data").exists(), "it must touch nothing");
}

#[test]
fn an_address_that_the_machine_has_not() {
    let dir = tempdir().expect("a directory");
    run(&mut chinwag(dir.path(), ["--listen", "192.0.2.1:8080", "--auth", "open"]))
        .expect(2)
        .says("cannot listen on 192.0.2.1:8080: this machine has no such address");
}

#[test]
fn a_data_directory_that_is_locked() {
    let server = Server::start();
    let locked = "is in use by another process";
    run(&mut serve(server.directory.path(), &[])).expect(2).says(locked).says("--data DIR");
    run(&mut chinwag(server.directory.path(), ["import", "/dev/null"])).expect(2).says(locked);
    server.stop().0.expect(0);
}

#[test]
fn a_store_of_a_newer_format_and_one_that_is_none() {
    let dir = tempdir().expect("a directory");
    let data = dir.path().join("chinwag-data");
    fs::create_dir(&data).expect("made");
    let format = "chinwag store\nformat 99\nepoch 0123456789abcdef\nstate ready\n";
    fs::write(data.join("FORMAT"), format).expect("written");
    run(&mut serve(dir.path(), &[])).expect(2).says("has format 99; this version knows formats up to");
    assert_eq!(fs::read_to_string(data.join("FORMAT")).expect("read"), format);
    fs::write(data.join("FORMAT"), "hello\n").expect("written");
    run(&mut serve(dir.path(), &[])).expect(2).says("is damaged: it is not the FORMAT file of a store");
}

#[test]
fn a_data_path_that_is_a_file_or_lies_below_one() {
    let dir = tempdir().expect("a directory");
    fs::write(dir.path().join("file"), "").expect("written");
    for data in ["file", "file/d"] {
        run(&mut serve(dir.path(), &["--data", data])).expect(2).says("must be a directory, not a file");
    }
}

#[test]
fn a_data_directory_without_permission() {
    let dir = tempdir().expect("a directory");
    let allow =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
    allow(dir.path(), 0o555);
    let mut command = serve(dir.path(), &[]);
    let programs = tempdir().expect("a directory");
    if rustix::process::geteuid().is_root() {
        // Root may write everywhere, so nobody runs it, from where nobody may read it.
        allow(programs.path(), 0o755);
        let program = programs.path().join("chinwag");
        fs::copy(env!("CARGO_BIN_EXE_chinwag"), &program).expect("copied");
        command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(dir.path()).env_clear().uid(65_534);
    }
    let ended = run(&mut command).expect(2);
    allow(dir.path(), 0o755);
    ended.says("Permission denied").says("this user may not write there").says("--data DIR");
}

#[test]
fn a_bad_setting() {
    let dir = tempdir().expect("a directory");
    run(&mut serve(dir.path(), &["--text-max-bytes", "0"]))
        .expect(2)
        .says("chinwag: text_max_bytes: \"0\" (flag --text-max-bytes) is not allowed");
    assert!(!dir.path().join("chinwag-data").exists(), "it must touch nothing");
}
