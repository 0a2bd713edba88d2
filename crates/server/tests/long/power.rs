//! A power cut: kill -9 under load, and then what had not been synced is lost, wholly or in parts.
//!
//! `faulty_disk.c` records every change of a file before it is made, and every sync after it. Here the changes that no sync
//! followed are taken back. The model: the bytes and the length of a file are safe once it was synced, a new file's name once
//! the file or its directory was; a rename and a removal are safe at once, as a journaling file system orders them.

use crate::{
    child::{Server, check_store, serve},
    faulty_disk,
    ledger::Ledger,
    load::Load,
    random::{Random, rounds},
};
use rustix::process::Signal;
use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::Read as _,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    process::Command,
};

#[test]
fn what_was_acknowledged_survives_power_cuts() {
    for seed in Random::seeds() {
        let directory = tempfile::tempdir().expect("a directory");
        let data = directory.path().join("data");
        let mut random = Random::new(seed);
        let (mut ledger, mut lost) = (Ledger::default(), 0);
        for round in 0..rounds() {
            let (server, undo) = start(directory.path(), |command| {
                if round % 2 == 0 {
                    // Between a write and its sync, where there is most to lose.
                    command.env("FAULTY_DISK_CUT_AT", (30 + random.below(300)).to_string());
                }
            });
            if server.address_unless_it_ends().is_some() {
                let load = Load::start(server.address(), 16, &format!("{seed}.{round}"), &mut random);
                if round % 2 != 0 {
                    let answers = 1 + random.below(*random.clone().one_of(&[10, 300, 2000]));
                    load.await_answers(answers, || server.printed());
                    server.signal(Signal::KILL);
                }
                server.await_end("the power to go");
                ledger.sends.extend(load.finish());
            }
            lost += Cut::read(&undo).take_back(&data, round == 0 || random.one_in(2), &mut random);
            let server = Server::start(&data);
            ledger.verify(&server);
            server.stop();
        }
        check_store(&data);
        println!(
            "seed {seed}: {} cuts lost {lost} bytes, and none of {} messages",
            rounds(),
            ledger.stored()
        );
        assert!(lost > 0, "a cut before a sync finds something that is not yet synced");
    }
}

#[test]
fn a_disk_that_lies_about_syncs_is_found_out() {
    // Were this not so, the test above would prove nothing.
    let directory = tempfile::tempdir().expect("a directory");
    let mut ledger = Ledger::default();
    let mut random = Random::new(1);
    let (server, undo) = start(directory.path(), |command| {
        command.env("FAULTY_DISK_NO_SYNC", "1");
    });
    let load = Load::start(server.address(), 16, "lie", &mut random);
    load.await_answers(100, || server.printed());
    server.kill();
    ledger.sends.extend(load.finish());
    Cut::read(&undo).take_back(&directory.path().join("data"), true, &mut random);
    let server = Server::spawn(serve(&directory.path().join("data")));
    if server.address_unless_it_ends().is_some() {
        server.await_ready();
        let broken = ledger.broken(&server);
        assert!(broken.len() >= ledger.sends.len() / 2, "little was lost: {broken:?}");
    }
}

/// Starts a server on a disk that records what a power cut would lose; where it does.
fn start(directory: &Path, more: impl FnOnce(&mut Command)) -> (Server, PathBuf) {
    let (data, undo) = (directory.join("data"), directory.join("undo"));
    let _ = fs::remove_file(&undo);
    let mut command = serve(&data);
    faulty_disk::lay_under(&mut command, &data);
    command.env("FAULTY_DISK_UNDO", &undo);
    more(&mut command);
    (Server::spawn(command), undo)
}

/// One record of `faulty_disk.c`.
struct Record {
    kind: u8,
    inode: u64,
    parent: u64,
    offset: u64,
    length: u64,
    old_size: u64,
    old: Vec<u8>,
}

/// The changes that no sync followed, oldest first, and the new files whose names no sync followed.
struct Cut {
    changes: Vec<Record>,
    unnamed: HashMap<u64, u64>,
}

impl Cut {
    fn read(undo: &Path) -> Self {
        let mut bytes = Vec::new();
        File::open(undo).and_then(|mut file| file.read_to_end(&mut bytes)).expect("the records of the disk");
        let mut cut = Self { changes: Vec::new(), unnamed: HashMap::new() };
        let mut rest = bytes.as_slice();
        while let Some(record) = Record::take(&mut rest) {
            match record.kind {
                b'W' | b'T' => cut.changes.push(record),
                b'C' => {
                    // A new file may have got the number of one that is gone.
                    cut.changes.retain(|change| change.inode != record.inode);
                    cut.unnamed.insert(record.inode, record.parent);
                }
                _ => {
                    cut.changes.retain(|change| change.inode != record.inode);
                    cut.unnamed.retain(|&file, &mut parent| file != record.inode && parent != record.inode);
                }
            }
        }
        cut
    }

    /// Loses all of it, or some, or some in part, as a disk does that was writing. How many bytes were lost.
    fn take_back(self, data: &Path, all: bool, random: &mut Random) -> u64 {
        let mut files = HashMap::new();
        find_files(data, &mut files);
        let mut lost = 0;
        let mut kept = HashSet::new();
        for change in self.changes.into_iter().rev() {
            let Some(path) = files.get(&change.inode) else { continue };
            if !all && random.one_in(2) {
                kept.insert(change.inode);
                continue;
            }
            let survives = if all || change.kind == b'T' { 0 } else { random.below(change.length + 1) };
            lost += change.take_back(path, survives, kept.contains(&change.inode));
            if survives > 0 {
                kept.insert(change.inode);
            }
        }
        for path in self.unnamed.keys().filter_map(|inode| files.get(inode)) {
            if all || random.one_in(2) {
                fs::remove_file(path).expect("a file of ours");
            }
        }
        lost
    }
}

impl Record {
    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let mut number = || {
            let (number, rest) = bytes.split_first_chunk::<8>()?;
            *bytes = rest;
            Some(u64::from_ne_bytes(*number))
        };
        let (kind, inode, parent, offset) = (number()?, number()?, number()?, number()?);
        let (length, old_size, old) = (number()?, number()?, number()?);
        let (old, rest) = bytes.split_at_checked(usize::try_from(old).expect("bytes in memory"))?;
        *bytes = rest;
        let kind = u8::try_from(kind).expect("a letter");
        Some(Self { kind, inode, parent, offset, length, old_size, old: old.to_vec() })
    }

    /// Puts back what stood there, but for the first `survives` bytes of the change. Where there had been nothing, the file
    /// ends, or, if a later change is kept, has a hole.
    fn take_back(&self, path: &Path, survives: u64, later_is_kept: bool) -> u64 {
        let file = File::options().write(true).open(path).expect("a file of ours");
        let size = file.metadata().expect("a file of ours").len();
        let from = self.offset + survives;
        let skip = usize::try_from(survives).expect("bytes in memory").min(self.old.len());
        file.write_all_at(&self.old[skip..], self.offset + skip as u64).expect("room");
        let (nothing, end) = (self.old_size.max(from), (self.offset + self.length).min(size));
        if later_is_kept && nothing < end {
            let hole = vec![0; usize::try_from(end - nothing).expect("bytes in memory")];
            file.write_all_at(&hole, nothing).expect("room");
        } else if nothing < size && !later_is_kept {
            file.set_len(nothing).expect("a file of ours");
        }
        self.length - survives
    }
}

fn find_files(directory: &Path, files: &mut HashMap<u64, PathBuf>) {
    for entry in
        fs::read_dir(directory).expect("a directory of ours").map(|entry| entry.expect("a directory of ours"))
    {
        let found = entry.metadata().expect("a file of ours");
        if found.is_dir() {
            find_files(&entry.path(), files);
        } else {
            files.insert(found.ino(), entry.path());
        }
    }
}
