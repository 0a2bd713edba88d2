//! `chinwag user erase`, on a running server and on a directory.

use crate::process::{Ended, Running, Server, chinwag, run};
use rustix::process::Signal;
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

fn erase<const N: usize>(directory: &Path, user: &str, more: [&str; N]) -> Ended {
    run(chinwag(directory, ["user", "erase", user]).args(more))
}

fn pulled(server: &Server, chat: &str) -> String {
    run(&mut server.client(["pull", chat, "--json"])).expect(0).out
}

/// The files under a directory that hold these bytes.
fn files_with(directory: &Path, needle: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files_with(&path, needle));
        } else if fs::read(&path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(needle)) {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_user_is_erased_on_a_running_server_and_on_a_directory() {
    let server = Server::start();
    for (sender, text, key) in
        [("apple", "a quetzal", "k1"), ("banana", "a heron", "k1"), ("apple", "another quetzal", "k2")]
    {
        run(&mut server.client(["send", "apple:banana", text, "--as", sender, "--key", key])).expect(0);
    }
    let directory = server.directory.path();
    erase(directory, "apple", []).expect(2).says("--yes");
    erase(directory, "a:b", ["--yes"]).expect(2).says("user: ");
    let counted = erase(directory, "apple", ["--dry-run"]).expect(0).out;
    assert!(counted.contains("messages   2\n"), "{counted}");
    assert!(pulled(&server, "apple:banana").contains("quetzal"), "it was only counted");
    assert_eq!(erase(directory, "apple", ["--yes"]).expect(0).out, counted);
    let page = pulled(&server, "apple:banana");
    assert!(!page.contains("quetzal") && page.contains("a heron"), "{page}");
    let again = erase(directory, "apple", ["--yes"]).expect(0).out;
    assert!(again.contains("messages   0\n"), "{again}");

    let (_, dir) = server.stop();
    let data = dir.path().join("chinwag-data");
    assert!(!files_with(&data, "quetzal").is_empty(), "a running server has wipe_after_s to wipe the disk");
    erase(dir.path(), "banana", ["--yes"]).expect(0);
    for gone in ["quetzal", "heron"] {
        assert_eq!(files_with(&data, gone), Vec::<PathBuf>::new(), "{gone}");
    }
    let checked = run(&mut chinwag(dir.path(), ["check"])).expect(0).out;
    assert!(checked.contains("messages  0") && checked.contains("problems  none"), "{checked}");
}

/// A server is killed while it erases: it is found half done, and done when it is asked again.
#[test]
fn an_erasure_that_was_cut_short_is_done_again() {
    const MESSAGES: u32 = 3_000;
    let dir = tempfile::tempdir().expect("a directory");
    let mut table = "sender,peer,text,time\n".to_owned();
    for n in 1..=MESSAGES {
        writeln!(table, "apple,banana,a quetzal,{}", 1_686_400_000 + n).expect("a string takes all");
    }
    fs::write(dir.path().join("table.csv"), table).expect("written");
    run(&mut chinwag(dir.path(), ["import", "table.csv"])).expect(0);
    let server = Server::start_in(dir, |_| {});
    let erasing = Running::start(&mut chinwag(server.directory.path(), ["user", "erase", "apple", "--yes"]));
    let begin = Instant::now();
    while pulled(&server, "apple:banana").contains("quetzal") {
        assert!(begin.elapsed() < Duration::from_mins(1), "the first messages are not erased");
    }
    server.running.signal(Signal::KILL);
    erasing.end();
    let dir = server.directory;
    let left = || {
        let counted = erase(dir.path(), "apple", ["--dry-run"]).expect(0).out;
        let left =
            counted.lines().next().and_then(|line| line.strip_prefix("messages   ")?.parse::<u32>().ok());
        left.unwrap_or_else(|| panic!("{counted}"))
    };
    assert!((1..MESSAGES).contains(&left()), "it was killed in the middle: {} are left", left());
    erase(dir.path(), "apple", ["--yes"]).expect(0);
    assert_eq!(left(), 0);
    assert_eq!(files_with(&dir.path().join("chinwag-data"), "quetzal"), Vec::<PathBuf>::new());
    let checked = run(&mut chinwag(dir.path(), ["check"])).expect(0).out;
    assert!(checked.contains("problems  none"), "{checked}");
}
