//! What stands on the volatile disk: every file and directory twice, as programs see it and as a power cut would leave it.
//! Knows no FUSE.
//!
//! The model is the strict one of POSIX. Bytes and length of a file are safe once that file was synced, page by page until
//! then; a name, new, removed or renamed, is safe once its directory was synced, and until then a cut keeps some first of the
//! directory's changes and loses the others. A rename is one change.

use crate::random::Random;
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    ffi::{OsStr, OsString},
    sync::Arc,
};

/// Bytes of a page, the unit that reaches the disk or does not.
pub(crate) const PAGE: u64 = 4_096;
const PAGE_LEN: usize = 4_096;
/// The inode of the uppermost directory.
pub(crate) const ROOT: u64 = 1;

type Page = Arc<[u8; PAGE_LEN]>;
type Names = BTreeMap<OsString, u64>;

/// The length and the pages of a file; a page that was never written is zeros.
#[derive(Debug, Default, Clone)]
struct Contents {
    len: u64,
    pages: BTreeMap<u64, Page>,
}

/// A file.
#[derive(Debug, Default)]
pub(crate) struct File {
    live: Contents,
    safe: Contents,
    /// Pages that differ, or may.
    dirty: BTreeSet<u64>,
}

/// A directory.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    live: Names,
    safe: Names,
    /// What was done to `safe` to make `live` of it: names set or removed together.
    changes: Vec<Vec<(OsString, Option<u64>)>>,
}

/// A file or a directory.
#[derive(Debug)]
pub(crate) enum Node {
    File(File),
    Directory(Directory),
}

/// What a cut took.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Lost {
    /// Pages that stayed as they were before, wholly.
    pub(crate) pages: u64,
    /// Pages of which a part arrived.
    pub(crate) torn: u64,
    /// Pages that arrived though nothing had synced them.
    pub(crate) kept: u64,
    /// Changes of names.
    pub(crate) names: u64,
}

/// The whole disk.
#[derive(Debug)]
pub(crate) struct Image {
    nodes: BTreeMap<u64, Node>,
    next: u64,
}

impl Image {
    /// An empty disk.
    pub(crate) fn new() -> Self {
        Self { nodes: BTreeMap::from([(ROOT, Node::Directory(Directory::default()))]), next: ROOT + 1 }
    }

    pub(crate) fn node(&self, inode: u64) -> Option<&Node> {
        self.nodes.get(&inode)
    }

    pub(crate) fn file(&mut self, inode: u64) -> Option<&mut File> {
        match self.nodes.get_mut(&inode)? {
            Node::File(file) => Some(file),
            Node::Directory(_) => None,
        }
    }

    pub(crate) fn directory(&mut self, inode: u64) -> Option<&mut Directory> {
        match self.nodes.get_mut(&inode)? {
            Node::Directory(directory) => Some(directory),
            Node::File(_) => None,
        }
    }

    /// Makes a node and names it. `None` where the directory is none.
    pub(crate) fn make(&mut self, parent: u64, name: &OsStr, node: Node) -> Option<u64> {
        let inode = self.next;
        self.directory(parent)?.change(vec![(name.to_owned(), Some(inode))]);
        self.next += 1;
        self.nodes.insert(inode, node);
        Some(inode)
    }

    /// How many pages the live files take.
    pub(crate) fn pages(&self) -> u64 {
        let pages = |node: &Node| match node {
            Node::File(file) => file.live.pages.len() as u64,
            Node::Directory(_) => 0,
        };
        self.nodes.values().map(pages).sum()
    }

    /// The power goes: any subset of what nothing synced is lost, torn at any byte.
    pub(crate) fn cut(&mut self, random: &mut Random) -> Lost {
        let mut lost = Lost::default();
        // Mostly lost, mostly kept, or anything: each finds other faults.
        let odds = *random.one_of(&[0, 1, 2, 3, 4]);
        for node in self.nodes.values_mut() {
            match node {
                Node::File(file) => file.cut(odds, random, &mut lost),
                Node::Directory(directory) => directory.cut(random, &mut lost),
            }
        }
        self.forget_nameless();
        lost
    }

    /// Lets go of what no name leads to, neither now nor after a cut.
    pub(crate) fn forget_nameless(&mut self) {
        let (mut named, mut next) = (HashSet::from([ROOT]), vec![ROOT]);
        while let Some(inode) = next.pop() {
            if let Some(Node::Directory(directory)) = self.nodes.get(&inode) {
                let logged = directory.changes.iter().flatten().filter_map(|(_, inode)| *inode);
                for inode in directory.live.values().chain(directory.safe.values()).copied().chain(logged) {
                    if named.insert(inode) {
                        next.push(inode);
                    }
                }
            }
        }
        self.nodes.retain(|inode, _| named.contains(inode));
    }
}

impl Contents {
    /// Changes the length. What is cut off is zeros when the file grows again.
    fn resize(&mut self, len: u64) {
        if len < self.len {
            self.pages.retain(|&page, _| page * PAGE < len);
            let within = within(len);
            if within > 0
                && let Some(page) = self.pages.get_mut(&(len / PAGE))
            {
                Arc::make_mut(page)[within..].fill(0);
            }
        }
        self.len = len;
    }
}

impl File {
    pub(crate) fn len(&self) -> u64 {
        self.live.len
    }

    pub(crate) fn read(&self, offset: u64, len: u64) -> Vec<u8> {
        let end = (offset + len).min(self.live.len);
        let mut bytes = Vec::new();
        let mut at = offset;
        while at < end {
            let (from, upto) = (within(at), within_page(end, at));
            match self.live.pages.get(&(at / PAGE)) {
                Some(page) => bytes.extend_from_slice(&page[from..upto]),
                None => bytes.resize(bytes.len() + upto - from, 0),
            }
            at += (upto - from) as u64;
        }
        bytes
    }

    pub(crate) fn write(&mut self, offset: u64, mut bytes: &[u8]) {
        let mut at = offset;
        let end = offset + bytes.len() as u64;
        while at < end {
            let (from, upto) = (within(at), within_page(end, at));
            let page = self.live.pages.entry(at / PAGE).or_insert_with(|| Arc::new([0; PAGE_LEN]));
            let (now, rest) = bytes.split_at(upto - from);
            Arc::make_mut(page)[from..upto].copy_from_slice(now);
            self.dirty.insert(at / PAGE);
            bytes = rest;
            at += now.len() as u64;
        }
        self.live.len = self.live.len.max(end);
    }

    pub(crate) fn resize(&mut self, len: u64) {
        if len < self.live.len {
            self.dirty.extend(self.live.pages.range(len / PAGE..).map(|(&page, _)| page));
        }
        self.live.resize(len);
    }

    /// All of it is safe from here on.
    pub(crate) fn sync(&mut self) {
        self.safe.resize(self.live.len);
        for page in std::mem::take(&mut self.dirty) {
            match self.live.pages.get(&page) {
                Some(bytes) => drop(self.safe.pages.insert(page, bytes.clone())),
                None => drop(self.safe.pages.remove(&page)),
            }
        }
    }

    fn cut(&mut self, odds: u64, random: &mut Random, lost: &mut Lost) {
        let (low, high) = (self.safe.len.min(self.live.len), self.safe.len.max(self.live.len));
        let len = match random.below(4) {
            0 => low,
            1 => high,
            2 => self.live.len,
            _ => low + random.below(high - low + 1),
        };
        let zeros: Page = Arc::new([0; PAGE_LEN]);
        let mut after = self.safe.clone();
        for page in std::mem::take(&mut self.dirty) {
            let new = self.live.pages.get(&page).unwrap_or(&zeros);
            // A page never falls between two syncs as a whole only: a part of it may arrive, from either end.
            let arrives = match random.below(5) {
                0 => {
                    let at = usize::try_from(random.below(PAGE + 1)).expect("within a page");
                    lost.torn += 1;
                    if random.one_in(4) { at..PAGE_LEN } else { 0..at }
                }
                throw if throw <= odds => {
                    lost.pages += 1;
                    0..0
                }
                _ => {
                    lost.kept += 1;
                    0..PAGE_LEN
                }
            };
            let old = after.pages.entry(page).or_insert_with(|| zeros.clone());
            Arc::make_mut(old)[arrives.clone()].copy_from_slice(&new[arrives]);
        }
        // What lies past the end that the cut left is not there.
        after.len = u64::MAX;
        after.resize(len);
        (self.safe, self.live) = (after.clone(), after);
    }
}

impl Directory {
    pub(crate) fn get(&self, name: &OsStr) -> Option<u64> {
        self.live.get(name).copied()
    }

    pub(crate) fn names(&self) -> &Names {
        &self.live
    }

    /// Sets and removes names, all of them or, after a cut, none.
    pub(crate) fn change(&mut self, change: Vec<(OsString, Option<u64>)>) {
        apply(&mut self.live, &change);
        self.changes.push(change);
    }

    /// All names are safe from here on.
    pub(crate) fn sync(&mut self) {
        self.changes.clear();
        self.safe.clone_from(&self.live);
    }

    fn cut(&mut self, random: &mut Random, lost: &mut Lost) {
        let keep = random.below(self.changes.len() as u64 + 1);
        for (change, nth) in std::mem::take(&mut self.changes).iter().zip(0..) {
            if nth < keep {
                apply(&mut self.safe, change);
            } else {
                lost.names += 1;
            }
        }
        self.live.clone_from(&self.safe);
    }
}

fn apply(names: &mut Names, change: &[(OsString, Option<u64>)]) {
    for (name, inode) in change {
        match inode {
            Some(inode) => names.insert(name.clone(), *inode),
            None => names.remove(name),
        };
    }
}

/// Where in its page a byte lies.
fn within(offset: u64) -> usize {
    usize::try_from(offset % PAGE).expect("within a page")
}

/// Where in the page of the byte at `at` a range ends that goes up to `end`.
fn within_page(end: u64, at: u64) -> usize {
    usize::try_from((end - at / PAGE * PAGE).min(PAGE)).expect("within a page")
}

#[test]
fn what_was_synced_survives_any_cut_and_what_was_not_may_go_in_any_part() {
    let mut seen = BTreeSet::new();
    for seed in 0..400 {
        let mut random = Random::new(seed);
        let mut image = Image::new();
        let inode = image.make(ROOT, OsStr::new("file"), Node::File(File::default())).expect("made");
        image.directory(ROOT).expect("the root").sync();
        image.make(ROOT, OsStr::new("unsynced"), Node::File(File::default())).expect("made");
        let file = image.file(inode).expect("made");
        file.write(0, &[1; 3 * PAGE_LEN]);
        file.sync();
        file.write(PAGE, &[2; 3 * PAGE_LEN]);
        image.cut(&mut random);
        let file = image.file(inode).expect("its name was synced");
        assert!(file.len() >= 3 * PAGE, "seed {seed}: {}", file.len());
        assert_eq!(file.read(0, PAGE), [1; PAGE_LEN], "seed {seed}");
        let pages = file.read(PAGE, 2 * PAGE);
        let (one, two) = pages.split_at(PAGE_LEN);
        seen.insert([one, two].map(|page| {
            // None of it, a part, or all.
            (page.contains(&2), page.iter().all(|&byte| byte == 2))
        }));
        seen.insert([(image.directory(ROOT).expect("the root").names().len() == 2, false); 2]);
    }
    // The later page without the earlier one too: no tail alone.
    assert!(seen.contains(&[(false, false), (true, true)]) && seen.contains(&[(true, true), (false, false)]));
    assert!(seen.contains(&[(true, false), (true, false)]), "both torn: {seen:?}");
}
