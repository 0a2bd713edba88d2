//! `docs/CONFIGURATION.md`, made from the table and the default file; a test holds the committed one to it.

use super::table::{SETTINGS, Setting};
use std::fmt::Write as _;

const HEAD: &str = "\
# Configuration

<!-- Made by `chinwag config --reference`. Change crates/server/src/config instead. -->

Each setting may be given in four ways; the first that gives it wins:

1. a flag: `chinwag serve --log-format json`
2. a variable: `CHINWAG_LOG_FORMAT=json`
3. a line of a TOML file: `log_format = \"json\"`; the file is named by `--config FILE` or `CHINWAG_CONFIG`
4. the default

`chinwag config` prints what is in force and where each value came from; `chinwag config --default` prints a file with
every default and what it means, to begin one of your own with. A bad value, an unknown flag and an unknown key in the
file are errors, and the server does not start; an unknown `CHINWAG_*` variable is a warning, since Kubernetes sets some
for a Service named chinwag.

`CHINWAG_SERVER` is where the client commands (`send`, `pull`, `health`) find the server, unless `--server` says it, and
`CHINWAG_TOKEN` the token or API key that they show it, unless `--token` says it.
";

/// The reference of all settings, as Markdown.
pub fn reference() -> String {
    let mut text = HEAD.to_owned();
    let mut section = "";
    for setting in SETTINGS {
        if section != setting.entry().section {
            section = setting.entry().section;
            write!(text, "\n## {section}\n").expect("a string takes all");
        }
        describe(setting, &mut text);
    }
    text
}

fn describe(setting: &Setting, text: &mut String) {
    let entry = setting.entry();
    let details = if entry.details.is_empty() { String::new() } else { format!("\n\n{}", entry.details) };
    write!(
        text,
        "\n### `{}`\n\n{}{details}\n\n| default | allowed | variable | flag |\n|---|---|---|---|\n| `{}` | {} | `{}` | `--{}` |\n",
        setting.key,
        entry.summary,
        entry.default,
        setting.kind.allowed(),
        setting.variable(),
        setting.flag(),
    )
    .expect("a string takes all");
}
