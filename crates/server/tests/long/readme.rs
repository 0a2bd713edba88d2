//! Every command of the README, in its order, with the reply that it shows.
//!
//! With `CHINWAG_TEST_FULL=1` they are run to the letter: in a clean copy of the tree, built by `cargo run --release`, on port
//! 8080. Else the executable under test stands in for the one that would be built, on a free port. Three commands are run by
//! others: `docker compose` by `scripts/test-compose`, `scripts/test` by whoever runs this, and of TLS the flags alone are looked at.

use crate::{
    child::{Server, serve},
    random::full,
};
use serde_json::Value;
use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Output},
};

#[test]
fn the_commands_of_the_readme_work() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository");
    let blocks = blocks(&fs::read_to_string(root.join("README.md")).expect("the README"));
    let directory = tempfile::tempdir().expect("a directory");
    let place = if full() { to_the_letter(&root, directory.path()) } else { Place::quick(directory.path()) };
    let mut server = None;
    let mut run = 0;
    for (at, block) in blocks.iter().enumerate().filter(|(_, block)| block.language == "sh") {
        match block.text.trim() {
            "cargo run --release" => server = Some(place.serve()),
            "docker compose up --build -d" => {
                let script =
                    fs::read_to_string(root.join("scripts/test-compose")).expect("scripts/test-compose");
                assert!(script.contains("up --build -d"), "scripts/test-compose runs it");
            }
            // It wants a port and a certificate of the world's; `tests/it/tls` serves with one of its own.
            commands if commands.contains("--tls-cert-file") => place.knows_the_flags_of(commands),
            commands if commands.contains("chinwag serve ") => {
                server.take().expect("the README starts the server first").stop();
                server = Some(place.serve_anew(commands));
            }
            "scripts/test --install" => assert!(root.join("scripts/test").is_file()),
            commands => {
                let server = server.as_ref().expect("the README starts the server first");
                let reply =
                    blocks.get(at + 1).filter(|next| next.language == "json" || next.language == "text");
                check(&place.run(commands, server), commands, reply, server);
            }
        }
        run += 1;
    }
    assert!(run > 5, "{run} blocks of commands");
    server.expect("the README starts the server").stop();
}

/// A fenced block of the README.
struct Block {
    language: String,
    text: String,
}

fn blocks(readme: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for line in readme.lines() {
        match (line.strip_prefix("```"), open) {
            (Some(language), false) => {
                blocks.push(Block { language: language.into(), text: String::new() });
                open = true;
            }
            (Some(_), true) => open = false,
            (None, true) => {
                let text = &mut blocks.last_mut().expect("opened").text;
                text.push_str(line);
                text.push('\n');
            }
            (None, false) => {}
        }
    }
    blocks
}

/// Where the commands are run.
struct Place {
    directory: PathBuf,
    to_the_letter: bool,
}

/// A clean copy of what is tracked, with what the tree has built already, built.
fn to_the_letter(root: &Path, directory: &Path) -> Place {
    assert!(
        TcpStream::connect("127.0.0.1:8080").is_err(),
        "port 8080 is taken; the README's commands need it"
    );
    let git =
        |arguments: &[&str]| Command::new("git").args(arguments).current_dir(root).output().expect("git");
    let tracked = git(&["ls-files", "-z"]).stdout;
    for file in tracked.split(|&byte| byte == 0).filter(|file| !file.is_empty()) {
        let file = std::str::from_utf8(file).expect("a name in UTF-8");
        let to = directory.join(file);
        fs::create_dir_all(to.parent().expect("below the copy")).expect("a directory");
        fs::copy(root.join(file), to).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    std::os::unix::fs::symlink(root.join("target"), directory.join("target")).expect("a link");
    let place = Place { directory: directory.to_owned(), to_the_letter: true };
    let built = place.command("cargo").args(["build", "--release"]).status();
    assert!(built.expect("cargo").success(), "cargo build --release");
    place
}

impl Place {
    fn quick(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), to_the_letter: false }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.directory);
        // As a newcomer's shell has it: cargo sets variables for its tests that would tell.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CHINWAG_")
                || name.starts_with("CARGO_") && name != "CARGO_HOME"
                || name == "LD_LIBRARY_PATH"
            {
                command.env_remove(&*name);
            }
        }
        command
    }

    fn serve(&self) -> Server {
        let mut command = if self.to_the_letter {
            self.command("cargo")
        } else {
            serve(&self.directory.join("chinwag-data"))
        };
        if self.to_the_letter {
            command.args(["run", "--release"]);
        }
        let server = Server::spawn(command);
        server.await_ready();
        server
    }

    /// Runs commands of which the last starts the server.
    fn serve_anew(&self, commands: &str) -> Server {
        let (before, serving) = commands.rsplit_once('\n').expect("commands, and one that serves");
        let prepared = self.command("bash").args(["-e", "-c", before]).status().expect("bash");
        assert!(prepared.success(), "{before}");
        let (program, flags) = serving.split_once(" serve ").expect("it serves");
        let mut command = if self.to_the_letter {
            let mut command = self.command(program);
            command.arg("serve");
            command
        } else {
            serve(&self.directory.join("chinwag-data"))
        };
        command.args(flags.split_whitespace()).current_dir(&self.directory);
        let server = Server::spawn(command);
        server.await_ready();
        server
    }

    fn knows_the_flags_of(&self, commands: &str) {
        let program =
            if self.to_the_letter { "target/release/chinwag" } else { env!("CARGO_BIN_EXE_chinwag") };
        let help = self.command(program).args(["serve", "--help"]).output().expect("the help");
        let help = String::from_utf8_lossy(&help.stdout);
        let flags: Vec<_> = commands.split_whitespace().filter(|word| word.starts_with("--")).collect();
        assert!(flags.len() > 3, "{commands}");
        for flag in flags {
            assert!(help.split_whitespace().any(|word| word == flag), "{flag} is not there: {help}");
        }
    }

    fn run(&self, commands: &str, server: &Server) -> Output {
        let mut commands = commands.to_owned();
        if !self.to_the_letter {
            let address = server.address().to_string();
            commands = commands
                .replace("localhost:8080", &address)
                .replace("target/release/chinwag", env!("CARGO_BIN_EXE_chinwag"));
        }
        let mut bash = self.command("bash");
        if !self.to_the_letter {
            bash.env("CHINWAG_SERVER", format!("http://{}", server.address()));
        }
        bash.args(["-e", "-o", "pipefail", "-c", &commands]).output().expect("bash")
    }
}

fn check(output: &Output, commands: &str, reply: Option<&Block>, server: &Server) {
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let context = || format!("{commands}\nprinted:\n{printed}\n{errors}\nthe server:\n{}", server.printed());
    assert!(output.status.success(), "{}\n{}", output.status, context());
    match reply {
        Some(reply) if reply.language == "json" => {
            let parse = |text: &str| {
                serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}\n{}", context()))
            };
            let (mut shown, mut answered): (Value, Value) = (parse(&reply.text), parse(&printed));
            without_time(&mut shown);
            without_time(&mut answered);
            assert_eq!(answered, shown, "{}", context());
        }
        Some(reply) => {
            // What is shown is a part of what is printed; its times are another's.
            for word in
                reply.text.split_whitespace().filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()))
            {
                assert!(printed.contains(word), "{word} is not there: {}", context());
            }
        }
        None if commands.starts_with("curl") => panic!("the README shows no reply to {commands}"),
        None => assert!(!printed.trim().is_empty(), "{}", context()),
    }
}

/// Takes out the times and places in a feed, which differ, once they are seen to agree with each other.
fn without_time(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(without_time),
        Value::Object(object) => {
            if let (Some(ts), Some(seconds)) = (object.remove("ts"), object.remove("send_time")) {
                assert_eq!(ts.as_u64().map(|ts| ts / 1_000_000), seconds.as_u64(), "{object:?}");
            }
            // A place in a feed is another in each store.
            if let Some(since) = object.remove("since") {
                assert!(since.is_string(), "{object:?}");
            }
            object.values_mut().for_each(without_time);
        }
        _ => {}
    }
}
