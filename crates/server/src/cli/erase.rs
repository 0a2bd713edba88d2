//! `chinwag user erase`: on the server that has the directory, a step at a time, or on the directory itself.

use super::{
    CliError, admin,
    output::{Output, escaped, tell},
    place::bar_of_changes,
    serve::why_not_opened,
};
use crate::service::erase;
use chinwag_model::{Erased, SystemClock, UserId};
use chinwag_store::{
    Store as _,
    embedded::{EmbeddedStore, Maintenance, OpenError, Options},
};
use chinwag_wire::EraseReply;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::{
    io::{self, IsTerminal as _, Write as _},
    path::Path,
    sync::Arc,
};

/// Erases a user, or counts what there is of one.
pub(super) async fn run(user: &UserId, data: &Path, dry_run: bool, yes: bool) -> Result<(), CliError> {
    let place = match EmbeddedStore::open(data, &Options::default(), Arc::new(SystemClock::default())) {
        Ok(store) => Place::Here(Box::new(store)),
        Err(OpenError::Locked(_)) => Place::Server,
        Err(error) => return Err(CliError::Usage(why_not_opened(&error))),
    };
    let there = place.step(data, user, true).await?;
    if dry_run {
        show(&there)?;
    } else if yes || confirmed(user, &there)? {
        show(&place.erase(data, user, there.changes()).await?)?;
    } else {
        tell("nothing was erased");
    }
    place.leave(data, !dry_run).await
}

/// Who has the store.
enum Place {
    Here(Box<EmbeddedStore>),
    Server,
}

impl Place {
    async fn step(&self, data: &Path, user: &UserId, only_count: bool) -> Result<Erased, CliError> {
        match self {
            Self::Here(store) => {
                let step = erase(&**store, user, only_count).await;
                step.map_err(|error| CliError::Refused(error.to_string()))
            }
            Self::Server => {
                let user = utf8_percent_encode(user.as_str(), NON_ALPHANUMERIC);
                let path = format!("/erase?user={user}&count={only_count}");
                let answer = admin::all(admin::tell(data, &path).await?).await?;
                let reply: EraseReply<'_> = serde_json::from_str(&answer)
                    .map_err(|_| CliError::Refused("the server's answer is not understood".into()))?;
                let EraseReply { messages, reactions, markers, blocks, done, .. } = reply;
                Ok(Erased { messages, reactions, markers, blocks, done })
            }
        }
    }

    async fn erase(&self, data: &Path, user: &UserId, there: u64) -> Result<Erased, CliError> {
        let bar = bar_of_changes(there);
        let mut erased = Erased::default();
        while !erased.done {
            erased.add(&self.step(data, user, false).await?);
            bar.set_position(erased.changes());
        }
        bar.finish_and_clear();
        Ok(erased)
    }

    /// Closes the store. Where no server has it, what was erased leaves the disk at once.
    async fn leave(self, data: &Path, wipe: bool) -> Result<(), CliError> {
        let Self::Here(store) = self else { return Ok(()) };
        if wipe {
            // The chats that went with the user.
            store.sweep().await.map_err(|error| CliError::Refused(error.to_string()))?;
        }
        store.close().await.map_err(|error| CliError::Refused(error.to_string()))?;
        drop(store);
        if wipe {
            let store = Maintenance::open(data, Arc::new(SystemClock::default()))
                .map_err(|error| CliError::Usage(why_not_opened(&error)))?;
            tokio::task::block_in_place(|| store.wipe()).map_err(CliError::Refused)?;
        }
        Ok(())
    }
}

fn confirmed(user: &UserId, there: &Erased) -> Result<bool, CliError> {
    if !io::stdin().is_terminal() {
        return Err(CliError::Usage(
            "it can't be undone: say --yes where there is no terminal to ask on, or --dry-run to count"
                .into(),
        ));
    }
    let Erased { messages, reactions, markers, blocks, .. } = there;
    let user = escaped(user.as_str());
    tell(&format!(
        "{user}: {messages} messages, {reactions} reactions, markers in {markers} chats, {blocks} blocks"
    ));
    let mut out = io::stderr();
    write!(out, "Erase all of it, for good? Type yes: ").and_then(|()| out.flush())?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line.trim() == "yes")
}

fn show(erased: &Erased) -> Result<(), CliError> {
    let Erased { messages, reactions, markers, blocks, .. } = erased;
    let text =
        format!("messages   {messages}\nreactions  {reactions}\nmarkers    {markers}\nblocks     {blocks}\n");
    Output::new().bytes(text.as_bytes())
}
