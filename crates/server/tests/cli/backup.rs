//! Backups through the executable: taken, checked, damaged, restored, cut short.

use crate::process::{Running, Server, chinwag, run, run_with};
use rustix::process::Signal;
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};
use tempfile::TempDir;

/// A stopped store with this many messages, in `chinwag-data`.
fn store(messages: usize) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fill(dir.path(), messages);
    dir
}

fn fill(directory: &Path, messages: usize) {
    let rows = (0..messages).map(|n| format!("a,b{},text {n},{}", n % 100, 1_600_000_000 + n));
    let table: Vec<_> = std::iter::once("sender,peer,text,time".to_owned()).chain(rows).collect();
    fs::write(directory.join("table.csv"), table.join("\n")).expect("written");
    run(&mut chinwag(directory, ["import", "table.csv"])).expect(0);
}

fn exported(directory: &Path, data: &str) -> String {
    run(&mut chinwag(directory, ["export", "-", "--data", data])).expect(0).out
}

#[test]
fn a_store_goes_into_a_backup_and_comes_back() {
    let dir = store(500);
    let done = run(&mut chinwag(dir.path(), ["backup", "full"])).expect(0);
    done.says("500 messages in");
    let checked = run(&mut chinwag(dir.path(), ["check", "full"])).expect(0).out;
    for line in ["holds     everything", "messages  500", "chats     100", "problems  none"] {
        assert!(checked.contains(line), "{checked}");
    }
    run(&mut chinwag(dir.path(), ["restore", "full", "--data", "restored"])).expect(0);
    assert_eq!(exported(dir.path(), "restored"), exported(dir.path(), "chinwag-data"));
    let checked = run(&mut chinwag(dir.path(), ["check", "--data", "restored"])).expect(0).out;
    assert!(checked.contains("messages  500"), "{checked}");
    run(&mut chinwag(dir.path(), ["restore", "full", "--data", "restored"]))
        .expect(2)
        .says("there is a store here already");

    // To standard output the same.
    let file = fs::File::create(dir.path().join("piped")).expect("made");
    let status = chinwag(dir.path(), ["backup", "-"]).stdout(file).status().expect("run");
    assert!(status.success());
    run(&mut chinwag(dir.path(), ["check", "piped"])).expect(0);

    let whole = fs::read(dir.path().join("full")).expect("read");
    fs::write(dir.path().join("full"), &whole[..whole.len() - 1]).expect("written");
    run(&mut chinwag(dir.path(), ["check", "full"])).expect(1).says("cut short");
    run(&mut chinwag(dir.path(), ["restore", "full", "--data", "no"]))
        .expect(1)
        .says("full: this backup is cut short");
    assert!(!dir.path().join("no").exists());
    let mut broken = whole;
    broken[2_000] ^= 4;
    fs::write(dir.path().join("full"), &broken).expect("written");
    run(&mut chinwag(dir.path(), ["check", "full"])).expect(1).says("damaged at byte");
    run(&mut chinwag(dir.path(), ["check", "table.csv"])).expect(1).says("not a backup");
    run(&mut chinwag(dir.path(), ["backup", "x", "--since", "table.csv"])).expect(2).says("not a backup");
    assert!(
        fs::read_dir(dir.path())
            .expect("listed")
            .flatten()
            .all(|entry| { !entry.file_name().to_string_lossy().ends_with(".part") })
    );
}

#[test]
fn what_changed_since_a_backup_is_small_and_goes_on_from_it() {
    let dir = store(500);
    run(&mut chinwag(dir.path(), ["backup", "full"])).expect(0);
    let server = Server::start_in(dir, |_| {});
    for n in 0..5 {
        let text = format!("later {n}");
        let mut send = server.client(["send", "a:b1", "--as", "a"]);
        send.arg(&text);
        run(&mut send).expect(0);
    }
    let (_, dir) = server.stop();
    run(&mut chinwag(dir.path(), ["backup", "more", "--since", "full"])).expect(0);
    let size = |name: &str| fs::metadata(dir.path().join(name)).expect("there").len();
    assert!(size("more") * 10 < size("full"), "{} of {}", size("more"), size("full"));
    let checked = run(&mut chinwag(dir.path(), ["check", "more"])).expect(0).out;
    assert!(checked.contains("what changed since") && checked.contains("messages  5"), "{checked}");
    run(&mut chinwag(dir.path(), ["restore", "full", "more", "--data", "restored"])).expect(0);
    assert_eq!(exported(dir.path(), "restored"), exported(dir.path(), "chinwag-data"));
    run(&mut chinwag(dir.path(), ["restore", "more", "--data", "no"]))
        .expect(1)
        .says("name that one before it");
    // One that took the place of the one before it could never be restored.
    for (out, since) in [("full", "full"), ("./full", "full"), ("more", "./more")] {
        let before = fs::read(dir.path().join(out)).expect("there");
        run(&mut chinwag(dir.path(), ["backup", out, "--since", since]))
            .expect(2)
            .says("would take the place of the backup that it goes on from");
        assert_eq!(fs::read(dir.path().join(out)).expect("there"), before);
    }
    run(&mut chinwag(dir.path(), ["backup", "no", "--since", "5"]))
        .expect(1)
        .says("no longer reaches back that far");
    assert!(!dir.path().join("no").exists());
}

/// What people wrote to each other is open to nobody but who made the file; a directory that was there stays as it was.
#[test]
fn messages_are_for_their_owner_alone() {
    let dir = store(5);
    let mode = |name: &str| fs::metadata(dir.path().join(name)).expect("there").permissions().mode() & 0o777;
    fs::write(dir.path().join(".full.part"), "of one that was killed").expect("written");
    fs::set_permissions(dir.path().join(".full.part"), fs::Permissions::from_mode(0o644)).expect("ours");
    run(&mut chinwag(dir.path(), ["backup", "full"])).expect(0);
    run(&mut chinwag(dir.path(), ["export", "history"])).expect(0);
    run(&mut chinwag(dir.path(), ["restore", "full", "--data", "deep/restored"])).expect(0);
    fs::create_dir(dir.path().join("shared")).expect("made");
    fs::set_permissions(dir.path().join("shared"), fs::Permissions::from_mode(0o750)).expect("ours");
    run(&mut chinwag(dir.path(), ["restore", "full", "--data", "shared"])).expect(0);
    let names = ["full", "history", "chinwag-data", "deep/restored", "shared"];
    assert_eq!(names.map(mode), [0o600, 0o600, 0o700, 0o700, 0o750]);
}

/// Killed at many moments of a backup and of a restore: no file has the name of a whole one, and no store can be opened.
#[test]
fn what_is_killed_in_the_middle_is_never_taken_for_whole() {
    let dir = store(20_000);
    let whole = exported(dir.path(), "chinwag-data");
    run(&mut chinwag(dir.path(), ["backup", "full"])).expect(0);
    let (mut cut, mut done) = (0, 0);
    for step in 0..12 {
        let running = Running::start(&mut chinwag(dir.path(), ["backup", "killed", "--limit-mib-s", "8"]));
        kill_after(running, step * 30);
        if dir.path().join("killed").exists() {
            run(&mut chinwag(dir.path(), ["check", "killed"])).expect(0);
            fs::remove_file(dir.path().join("killed")).expect("removed");
            done += 1;
        } else {
            cut += 1;
        }
        let running = Running::start(&mut chinwag(dir.path(), ["restore", "full", "--data", "restored"]));
        kill_after(running, step * 60);
        let check = run(&mut chinwag(dir.path(), ["check", "--data", "restored"]));
        if check.code == Some(0) {
            done += 1;
            assert_eq!(exported(dir.path(), "restored"), whole);
            fs::remove_dir_all(dir.path().join("restored")).expect("removed");
        } else {
            cut += 1;
            check.expect(2);
        }
    }
    eprintln!("{cut} were cut short, {done} were done");
    assert!(cut > 0);
    let _ = fs::remove_dir_all(dir.path().join("restored"));
    run(&mut chinwag(dir.path(), ["restore", "full", "--data", "restored"])).expect(0);
    assert_eq!(exported(dir.path(), "restored"), whole);
}

/// Kills it after about so many milliseconds; it may have ended before.
fn kill_after(running: Running, millis: u64) {
    // Not to wait for anything: the moment is what the test chooses.
    std::thread::sleep(std::time::Duration::from_millis(millis));
    running.signal(Signal::KILL);
    drop(running.end());
}

/// Killed at many moments of an import: the store is sound each time, and the last one ends with all of it.
#[test]
fn an_import_that_is_killed_goes_on() {
    let from = store(30_000);
    run(&mut chinwag(from.path(), ["export", "history"])).expect(0);
    let history = from.path().join("history");
    let dir = tempfile::tempdir().expect("a directory");
    let mut before = 0;
    for step in 0..8 {
        let running = Running::start(chinwag(dir.path(), ["import"]).arg(&history).args(["--data", "into"]));
        kill_after(running, step * 40);
        if dir.path().join("into").join("FORMAT").exists() {
            let check = run(&mut chinwag(dir.path(), ["check", "--data", "into"])).expect(0).out;
            let messages = check.lines().find_map(|line| line.strip_prefix("messages  ")).expect("counted");
            let messages: u64 = messages.parse().expect("a number");
            assert!(messages >= before, "{messages} after {before}");
            before = messages;
        }
    }
    let mut import = chinwag(dir.path(), ["import"]);
    let last = run(import.arg(&history).args(["--data", "into"])).expect(0).out;
    assert!(last.contains("added"), "{last}");
    assert_eq!(exported(dir.path(), "into"), exported(from.path(), "chinwag-data"));
    let mut import = chinwag(dir.path(), ["import"]);
    let again = run(import.arg(&history).args(["--data", "into"])).expect(0).out;
    assert!(again.contains("added     0") && again.contains("there     30000"), "{again}");
    drop(run_with(&mut chinwag(dir.path(), ["check", "--data", "into"]), "").expect(0));
}

/// A running server gives backups and is checked while it takes sends; each backup is whole, and all that was acknowledged
/// before it is in it.
#[test]
fn a_running_server_is_backed_up_and_checked_through_its_socket() {
    let server = Server::start_in(store(2_000), |_| {});
    let directory = server.directory.path();
    let mut sender =
        Running::start(server.client(["chat", "a:live", "--as", "a"]).stdin(std::process::Stdio::piped()));
    let mut files = Vec::new();
    for round in 0..4 {
        let text = format!("before {round}");
        run(&mut server.client(["send", "a:b1", &text, "--as", "a"])).expect(0);
        for n in 0..50 {
            sender.say(&format!("line {round} {n}\n"));
        }
        let name = format!("backup{round}");
        let mut backup = chinwag(directory, ["backup", &name]);
        if round > 0 {
            backup.args(["--since", &format!("backup{}", round - 1)]);
        }
        run(&mut backup).expect(0).says("everything");
        files.push(name);
        let data = format!("restored{round}");
        let mut restore = chinwag(directory, ["restore"]);
        run(restore.args(&files).args(["--data", &data])).expect(0);
        let history = exported(directory, &data);
        assert!(history.contains(&format!("\"{text}\"")), "what was acknowledged before it is in it");
        let checked = run(&mut chinwag(directory, ["check"])).expect(0).out;
        assert!(checked.contains("problems  none"), "{checked}");
    }
    run(&mut chinwag(directory, ["check", "--data", "restored3"])).expect(0);
    run(&mut chinwag(directory, ["backup", "no", "--since", "7"]))
        .expect(1)
        .says("no longer reaches back that far");
    assert!(!directory.join("no").exists());
    let socket = fs::metadata(directory.join("chinwag-data/admin.sock")).expect("there").permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&socket) & 0o777, 0o600);
    drop(sender);

    // The server is killed in the middle: no file.
    let mut backup = chinwag(directory, ["backup", "cut", "--limit-mib-s", "1"]);
    let backup = Running::start(&mut backup);
    wait_for(directory, ".cut.part");
    server.running.signal(Signal::KILL);
    let ended = backup.end();
    assert!(ended.code == Some(1) && !directory.join("cut").exists(), "{ended}");
    // A socket that a dead server left is no hindrance.
    run(&mut chinwag(directory, ["check"])).expect(0);
}

/// Waits until a file is there, under the watchdog.
fn wait_for(directory: &Path, name: &str) {
    let begin = std::time::Instant::now();
    while !directory.join(name).exists() {
        assert!(begin.elapsed() < std::time::Duration::from_mins(1), "waited for {name}");
        std::thread::yield_now();
    }
}
