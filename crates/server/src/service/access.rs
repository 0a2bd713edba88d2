//! Who may do what: one table, asked by every verb before anything is looked up.
//!
//! A decision needs the caller and the request alone. So neither the words of a refusal nor the time that it takes tell
//! whether a chat or a message exists.

use super::{Service, ServiceError};
use chinwag_model::{Caller, Chat, Scope, Side, UserId};

/// What a caller asks for, as far as it matters to whether that is allowed.
#[derive(Debug, Clone, Copy)]
pub enum Act<'a> {
    /// See what is in a chat.
    See(&'a Chat),
    /// Do something in a chat as the user on a side of it: send, mark, type.
    In(&'a Chat, Side),
    /// See what is a user's own: the inbox, the feed.
    SeeOwn(&'a UserId),
    /// Change what is a user's own: whom the user blocks.
    Own(&'a UserId),
    /// Do what no user may, over a user: end the user's sessions.
    Over(&'a UserId),
    /// See what every user may see of the others: whether they are there.
    SeeOthers,
}

/// Why a caller may not do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// A chat is seen by its two users only.
    #[error("a chat is seen by its two users only")]
    NotAMember,
    /// A user acts as oneself only.
    #[error("the request acts for another user than the caller")]
    OtherUser,
    /// A feed and an inbox are their user's only.
    #[error("this is another user's, and seen by that user only")]
    OthersOwn,
    /// What an administrator's key alone may do.
    #[error("only a key of scope admin may do this")]
    Administrators,
    /// The key's scope does not reach so far.
    #[error("the key's scope does not allow this")]
    Scope,
}

/// Decides.
///
/// # Errors
/// [`Denied`].
pub fn permit(caller: &Caller, act: Act<'_>) -> Result<(), Denied> {
    match caller {
        Caller::Anyone => Ok(()),
        Caller::User(user) => permit_user(user.as_str(), act),
        Caller::Key { scope, .. } => {
            if *scope >= needed(act) {
                Ok(())
            } else {
                Err(Denied::Scope)
            }
        }
    }
}

fn permit_user(user: &str, act: Act<'_>) -> Result<(), Denied> {
    let (allowed, denied) = match act {
        Act::See(chat) => (chat.side_of(user).is_some(), Denied::NotAMember),
        Act::In(chat, side) => (chat.user(side) == user, Denied::OtherUser),
        Act::SeeOwn(whose) => (whose.as_str() == user, Denied::OthersOwn),
        Act::Own(whose) => (whose.as_str() == user, Denied::OtherUser),
        Act::Over(_) => (false, Denied::Administrators),
        Act::SeeOthers => (true, Denied::OtherUser),
    };
    if allowed { Ok(()) } else { Err(denied) }
}

/// The least scope that a key needs.
const fn needed(act: Act<'_>) -> Scope {
    match act {
        Act::See(_) | Act::SeeOwn(_) | Act::SeeOthers => Scope::Read,
        Act::In(..) | Act::Own(_) => Scope::Act,
        Act::Over(_) => Scope::Admin,
    }
}

impl Service {
    /// Decides, for a verb of this room.
    pub(super) fn permit(caller: &Caller, act: Act<'_>) -> Result<(), ServiceError> {
        Ok(permit(caller, act)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chinwag_model::KeyId;

    fn user(name: &str) -> UserId {
        UserId::parse("user", name).expect("a name")
    }

    #[test]
    fn the_table() {
        let chat = Chat::parse("apple:banana").expect("a chat").0;
        let (apple, cherry) = (Caller::User(user("apple")), Caller::User(user("cherry")));
        let key = |scope| Caller::Key { id: KeyId::parse("k1").expect("an id"), scope };
        let own = user("apple");
        let acts = [
            Act::See(&chat),
            Act::In(&chat, Side::First),
            Act::SeeOwn(&own),
            Act::Own(&own),
            Act::Over(&own),
            Act::SeeOthers,
        ];
        let decisions = |caller: &Caller| acts.map(|act| permit(caller, act));
        let all = [Ok(()); 6];
        let but_over = |denied| [Ok(()), Ok(()), Ok(()), Ok(()), Err(denied), Ok(())];
        assert_eq!(decisions(&Caller::Anyone), all);
        assert_eq!(decisions(&apple), but_over(Denied::Administrators));
        assert_eq!(
            decisions(&cherry),
            [
                Err(Denied::NotAMember),
                Err(Denied::OtherUser),
                Err(Denied::OthersOwn),
                Err(Denied::OtherUser),
                Err(Denied::Administrators),
                Ok(())
            ]
        );
        let scope = Err(Denied::Scope);
        assert_eq!(decisions(&key(Scope::Read)), [Ok(()), scope, Ok(()), scope, scope, Ok(())]);
        assert_eq!(decisions(&key(Scope::Act)), but_over(Denied::Scope));
        assert_eq!(decisions(&key(Scope::Admin)), all);
        // The other of a chat's two users sees it, and still may not speak for the peer.
        assert_eq!(permit(&apple, Act::In(&chat, Side::Second)), Err(Denied::OtherUser));
    }
}
