//! Who may not is refused and is told nothing; who may is not turned away.

use super::{Facts, Promise, is_member, told};
use crate::history::{By, Call, Moment, Record, Reply};
use std::collections::BTreeMap;

/// How far the clock of whoever signs may be off, in microseconds.
const LEEWAY: Moment = 60_000_000;
/// How late a client may hear what was told before the end of its token, and how late a server may end a stream, in
/// microseconds.
const LATE: Moment = 15_000_000;

/// When a revocation began and was done.
type Revoked = (Moment, Moment);

pub(super) fn judge(facts: &mut Facts<'_>) {
    let mut revoked: BTreeMap<&str, Revoked> = BTreeMap::new();
    for record in facts.records {
        if let (Call::Revoke { key }, Reply::Done) = (&record.call, &record.reply) {
            revoked.entry(key).or_insert((record.began, record.ended));
        }
    }
    for record in facts.records {
        seen_by_a_stranger(record, facts);
        let refused = match &record.reply {
            Reply::Refused { status: 401 | 403, code } => code != "not_the_sender" && code != "blocked",
            Reply::Refused { .. } | Reply::Unknown => continue,
            _ => false,
        };
        match (may(record, &revoked), refused) {
            (Some(false), false) => facts.accuse(Promise::Access, format!("it was done: {record:?}")),
            (Some(true), true) => facts.accuse(Promise::Access, format!("it was refused: {record:?}")),
            _ => {}
        }
    }
}

/// Whether a call is allowed; `None` where that depends on clocks that the judge does not see.
fn may(record: &Record, revoked: &BTreeMap<&str, Revoked>) -> Option<bool> {
    match &record.by {
        By::Anyone => Some(true),
        By::Key { id } => match revoked.get(id.as_str()) {
            Some(&(_, done)) if record.began > done => Some(false),
            Some(&(begun, _)) if record.ended < begun => Some(true),
            // Its revocation was under way.
            Some(_) => None,
            None => Some(true),
        },
        By::User { name, until } => {
            // One that ended at 0 had ended long before.
            if *until == 0 || !own(&record.call, name) {
                return Some(false);
            }
            let end = if record.began > *until { until + LEEWAY } else { *until };
            match record.call {
                // What a stream tells, it must have told before its end.
                Call::Feed { .. } if record.ended > end + LATE => Some(false),
                _ if record.began > until + LEEWAY => Some(false),
                _ if record.ended < *until => Some(true),
                _ => None,
            }
        }
    }
}

/// Whether a call is a user's own.
fn own(call: &Call, name: &str) -> bool {
    match call {
        Call::Send { chat, sender: user, .. }
        | Call::Mark { chat, user, .. }
        | Call::Typing { chat, user }
        | Call::Revise { chat, user, .. } => user == name && is_member(chat, name),
        Call::Pull { chat, .. } => is_member(chat, name),
        Call::Inbox { user } | Call::Feed { user, .. } | Call::Block { user, .. } => user == name,
        Call::Revoke { .. } | Call::End => false,
    }
}

fn seen_by_a_stranger(record: &Record, facts: &mut Facts<'_>) {
    let viewer = match (&record.by, &record.call) {
        (By::User { name, .. }, _) => name,
        (_, Call::Inbox { user } | Call::Feed { user, .. }) => user,
        _ => return,
    };
    let other = match &record.reply {
        Reply::Marker { chat, .. } | Reply::Typing { chat, .. } => Some(chat.as_str()),
        _ => None,
    };
    for chat in told(&record.reply).map(|message| message.chat.as_str()).chain(other) {
        if !is_member(chat, viewer) {
            let how = format!("{viewer} was told of {chat}: {:?}", record.reply);
            facts.accuse(Promise::Strangers, how);
        }
    }
}
