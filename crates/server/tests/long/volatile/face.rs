//! The disk as the kernel asks for it.

use super::{
    Inner, State,
    image::{Directory, File, Image, Node, PAGE, ROOT},
};
use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use std::{
    ffi::OsStr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// How long the kernel may remember: all changes go through it.
const TTL: Duration = Duration::from_mins(1);
/// What a disk without a bound says it holds.
const ENDLESS_BYTES: u64 = 1 << 40;

pub(super) struct Face(pub(super) Arc<State>);

impl Face {
    /// Does a call that changes something.
    fn change<T>(&self, what: &str, act: impl FnOnce(&mut Image) -> Result<T, Errno>) -> Result<T, Errno> {
        let mut inner = self.0.inner.lock();
        self.0.meet(&mut inner, what, false)?;
        act(&mut inner.image)
    }

    fn sync(&self, what: &str, act: impl FnOnce(&mut Image) -> Option<()>) -> Result<(), Errno> {
        let takes = {
            let mut inner = self.0.inner.lock();
            self.0.meet(&mut inner, what, true)?;
            inner.faults.sync_takes
        };
        // The fault itself: a disk that takes its time.
        std::thread::sleep(takes);
        let mut inner = self.0.inner.lock();
        if inner.dead {
            return Err(Errno::EIO);
        }
        if inner.faults.lying { Ok(()) } else { act(&mut inner.image).ok_or(Errno::EIO) }
    }

    fn attributes(&self, inode: u64) -> Result<FileAttr, Errno> {
        attributes(&self.0.inner.lock().image, inode)
    }

    /// Makes a node and gives its attributes.
    fn make(&self, what: &str, parent: u64, name: &OsStr, node: Node) -> Result<FileAttr, Errno> {
        self.change(&format!("{what} {}", name.display()), |image| {
            let inode = image.make(parent, name, node).ok_or(Errno::ENOTDIR)?;
            attributes(image, inode)
        })
    }

    fn remove(&self, parent: INodeNo, name: &OsStr) -> Result<(), Errno> {
        self.change(&format!("remove {}", name.display()), |image| {
            let directory = image.directory(parent.0).ok_or(Errno::ENOTDIR)?;
            let inode = directory.get(name).ok_or(Errno::ENOENT)?;
            if let Some(Node::Directory(inner)) = image.node(inode)
                && !inner.names().is_empty()
            {
                return Err(Errno::ENOTEMPTY);
            }
            image.directory(parent.0).ok_or(Errno::ENOTDIR)?.change(vec![(name.to_owned(), None)]);
            Ok(())
        })
    }
}

fn attributes(image: &Image, inode: u64) -> Result<FileAttr, Errno> {
    let (kind, size) = match image.node(inode).ok_or(Errno::ENOENT)? {
        Node::File(file) => (FileType::RegularFile, file.len()),
        Node::Directory(_) => (FileType::Directory, 0),
    };
    Ok(FileAttr {
        ino: INodeNo(inode),
        size,
        blocks: size.div_ceil(512),
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind,
        perm: 0o755,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4_096,
        flags: 0,
    })
}

fn empty(reply: ReplyEmpty, result: Result<(), Errno>) {
    match result {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

fn entry(reply: ReplyEntry, result: Result<FileAttr, Errno>) {
    match result {
        Ok(attributes) => reply.entry(&TTL, &attributes, Generation(0)),
        Err(error) => reply.error(error),
    }
}

fn has_room(inner: &Inner, more: usize) -> bool {
    inner.faults.capacity.is_none_or(|capacity| inner.image.pages() * PAGE + more as u64 <= capacity)
}

impl Filesystem for Face {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let mut inner = self.0.inner.lock();
        let inode = inner.image.directory(parent.0).and_then(|directory| directory.get(name));
        entry(reply, inode.ok_or(Errno::ENOENT).and_then(|inode| attributes(&inner.image, inode)));
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(inode.0) {
            Ok(attributes) => reply.attr(&TTL, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        inode: INodeNo,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _fh: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let resized = size.map_or(Ok(()), |size| {
            self.change(&format!("resize to {size}"), |image| {
                image.file(inode.0).ok_or(Errno::EISDIR)?.resize(size);
                Ok(())
            })
        });
        match resized.and_then(|()| self.attributes(inode.0)) {
            Ok(attributes) => reply.attr(&TTL, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        entry(reply, self.make("mkdir", parent.0, name, Node::Directory(Directory::default())));
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        _mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        match self.make("create", parent.0, name, Node::File(File::default())) {
            Ok(attributes) => {
                reply.created(&TTL, &attributes, Generation(0), FileHandle(0), FopenFlags::empty());
            }
            Err(error) => reply.error(error),
        }
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.remove(parent, name));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.remove(parent, name));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        _flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let what = format!("rename {} to {}", name.display(), new_name.display());
        let renamed = self.change(&what, |image| {
            // Two directories would be two changes.
            if parent != new_parent {
                return Err(Errno::EXDEV);
            }
            let directory = image.directory(parent.0).ok_or(Errno::ENOTDIR)?;
            let inode = directory.get(name).ok_or(Errno::ENOENT)?;
            directory.change(vec![(name.to_owned(), None), (new_name.to_owned(), Some(inode))]);
            Ok(())
        });
        empty(reply, renamed);
    }

    fn read(
        &self,
        _: &Request,
        inode: INodeNo,
        _fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut inner = self.0.inner.lock();
        match inner.image.file(inode.0) {
            Some(file) => reply.data(&file.read(offset, size.into())),
            None => reply.error(Errno::EISDIR),
        }
    }

    fn write(
        &self,
        _: &Request,
        inode: INodeNo,
        _fh: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut inner = self.0.inner.lock();
        let written = self.0.meet(&mut inner, "write", false).and_then(|()| {
            if !has_room(&inner, data.len()) {
                return Err(Errno::ENOSPC);
            }
            inner.image.file(inode.0).ok_or(Errno::EISDIR)?.write(offset, data);
            Ok(())
        });
        match written {
            Ok(()) => reply.written(u32::try_from(data.len()).expect("a bounded write")),
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, inode: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let synced = self.sync("sync", |image| {
            image.file(inode.0)?.sync();
            Some(())
        });
        empty(reply, synced);
    }

    fn fsyncdir(&self, _: &Request, inode: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let synced = self.sync("sync of a directory", |image| {
            image.directory(inode.0)?.sync();
            Some(())
        });
        empty(reply, synced);
    }

    fn readdir(&self, _: &Request, inode: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let mut inner = self.0.inner.lock();
        let Some(directory) = inner.image.directory(inode.0) else { return reply.error(Errno::ENOTDIR) };
        let names: Vec<_> = directory.names().iter().map(|(name, &inode)| (name.clone(), inode)).collect();
        let own = [(".".into(), inode.0), ("..".into(), ROOT)];
        let skip = usize::try_from(offset).unwrap_or(usize::MAX);
        for ((name, inode), next) in own.into_iter().chain(names).zip(1..).skip(skip) {
            let kind = match inner.image.node(inode) {
                Some(Node::File(_)) => FileType::RegularFile,
                _ => FileType::Directory,
            };
            if reply.add(INodeNo(inode), next, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let inner = self.0.inner.lock();
        let all = inner.faults.capacity.unwrap_or(ENDLESS_BYTES) / PAGE;
        let free = all.saturating_sub(inner.image.pages());
        reply.statfs(all, free, free, 1 << 20, 1 << 20, 4_096, 255, 4_096);
    }
}
