//! The library of `faulty_disk.c`, built once and laid under a server.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The library; the directory lives as long as the process.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/long/faulty_disk.c");
        let library =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("faulty_disk-{}.so", std::process::id()));
        let built = Command::new("cc")
            .args(["-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o"])
            .args([library.as_path(), source.as_path()])
            .args(["-ldl", "-lpthread"])
            .output()
            .expect("a C compiler, cc");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        library
    })
}

/// Lays the library under a server whose data is below `data`.
pub(crate) fn lay_under(command: &mut Command, data: &Path) {
    command.env("LD_PRELOAD", library()).env("FAULTY_DISK_DIRECTORY", data);
}
