//! Commands that write into a data directory: where there is none, and where it is another's.

use crate::process::{Server, chinwag, run};
use std::{
    fs,
    os::unix::fs::{MetadataExt as _, chown},
    path::Path,
};
use tempfile::tempdir;

/// Somebody who is not root.
const NOBODY: u32 = 65_534;

fn give(path: &Path, owner: u32) {
    chown(path, Some(owner), Some(owner)).expect("root may");
    if path.is_dir() {
        fs::read_dir(path).expect("a directory").flatten().for_each(|entry| give(&entry.path(), owner));
    }
}

fn is_all_of(path: &Path, owner: u32) -> bool {
    let whole = fs::metadata(path).expect("there").uid() == owner;
    let below = |path: &Path| fs::read_dir(path).expect("a directory").flatten();
    whole && (!path.is_dir() || below(path).all(|entry| is_all_of(&entry.path(), owner)))
}

#[test]
fn a_directory_without_a_store_is_not_taken_for_one_that_holds_nothing() {
    let dir = tempdir().expect("a directory");
    for args in [
        &["user", "erase", "apple", "--yes"][..],
        &["user", "erase", "apple", "--dry-run"],
        &["user", "export", "apple", "-"],
        &["key", "list"],
        &["key", "revoke", "k1"],
        &["backup", "-"],
        &["check"],
    ] {
        let ended = run(chinwag(dir.path(), []).args(args)).expect(2);
        ended.says("there is no store here");
        assert!(!dir.path().join("chinwag-data").exists(), "{args:?}");
    }
    run(&mut chinwag(dir.path(), ["key", "create", "--scope", "act"])).expect(0);
}

#[test]
fn root_leaves_no_file_that_the_user_of_the_server_could_not_open() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let server = Server::start();
    run(&mut server.client(["send", "apple:banana", "hello", "--as", "apple"])).expect(0);
    let (ended, dir) = server.stop();
    ended.expect(0);
    fs::write(dir.path().join("table.csv"), "sender,peer,text,time\na,b,hi,7\n").expect("written");
    let data = dir.path().join("chinwag-data");
    let with = |args: &[&str]| run(chinwag(dir.path(), []).args(args));
    give(&data, NOBODY);
    for args in [
        &["key", "create", "--scope", "act"][..],
        &["user", "erase", "apple", "--yes"],
        &["import", "table.csv"],
    ] {
        with(args).expect(2).says("it belongs to the user 65534").says("sudo -u '#65534'");
    }
    fs::create_dir(dir.path().join("empty")).expect("made");
    give(&dir.path().join("empty"), NOBODY);
    with(&["restore", "whole", "--data", "empty"]).expect(2).says("it belongs to the user 65534");
    with(&["check"]).expect(0);
    with(&["backup", "whole"]).expect(0);
    with(&["export", "-"]).expect(0).says("1 messages");
    assert!(is_all_of(&data, NOBODY));
    // A server that has it open writes by itself.
    let server = Server::start_in(dir, |_| {});
    run(&mut chinwag(server.directory.path(), ["user", "erase", "apple", "--yes"])).expect(0);
}
