use crate::{Code, Invalid, UserId, user::check_name};
use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// The conversation of an unordered pair of users, in its canonical spelling `a:b`, where `a <= b` by bytes.
///
/// `a:a` is a note to self. Cloning shares the name.
#[derive(Clone)]
pub struct Chat {
    name: Arc<str>,
    colon: u16,
}

/// One of the two users of a chat. In a note to self both sides are the same user and [`Side::First`] stands for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The user before the colon of the canonical spelling.
    First,
    /// The user after it.
    Second,
}

/// How a request spelled a chat; its reply does the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// `a:b`.
    Canonical,
    /// `b:a`.
    Swapped,
}

impl Side {
    /// The side across.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }

    /// This side and no other.
    pub(crate) fn alone(self) -> &'static [Self] {
        match self {
            Self::First => &[Self::First],
            Self::Second => &[Self::Second],
        }
    }

    /// 0 for the first, 1 for the second.
    pub fn index(self) -> usize {
        match self {
            Self::First => 0,
            Self::Second => 1,
        }
    }
}

impl Chat {
    /// Takes a chat as a request spells it, in either order.
    ///
    /// # Errors
    /// [`Invalid`] naming `chat`.
    pub fn parse(spelling: &str) -> Result<(Self, Spelling), Invalid> {
        let Some((left, right)) = spelling.split_once(':') else {
            return Err(Invalid::new(
                "chat",
                "a chat is two user names separated by a colon, such as apple:banana",
            ));
        };
        if right.contains(':') {
            return Err(Invalid::new("chat", "a chat holds one colon, between its two user names"));
        }
        check_name(left).and_then(|()| check_name(right)).map_err(|why| Invalid::new("chat", why))?;
        let (name, colon, order): (Arc<str>, _, _) = if left <= right {
            (spelling.into(), left.len(), Spelling::Canonical)
        } else {
            (format!("{right}:{left}").into(), right.len(), Spelling::Swapped)
        };
        Ok((Self { name, colon: colon.try_into().expect("a name is at most 128 bytes") }, order))
    }

    /// The chat of two users, and the side of the first that is named.
    pub fn of(user: &UserId, peer: &UserId) -> (Self, Side) {
        let (user, peer) = (user.as_str(), peer.as_str());
        let (left, right, side) =
            if user <= peer { (user, peer, Side::First) } else { (peer, user, Side::Second) };
        let colon = left.len().try_into().expect("a name is at most 128 bytes");
        (Self { name: format!("{left}:{right}").into(), colon }, side)
    }

    /// The canonical spelling.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The chat as `spelling` writes it.
    pub fn spelled(&self, spelling: Spelling) -> String {
        match spelling {
            Spelling::Canonical => self.name.to_string(),
            Spelling::Swapped => format!("{}:{}", self.user(Side::Second), self.user(Side::First)),
        }
    }

    /// The name of the user on a side.
    pub fn user(&self, side: Side) -> &str {
        match side {
            Side::First => &self.name[..usize::from(self.colon)],
            Side::Second => &self.name[usize::from(self.colon) + 1..],
        }
    }

    /// The user on a side.
    pub fn user_id(&self, side: Side) -> UserId {
        UserId::of_checked(self.user(side))
    }

    /// The chat's users, each once.
    pub fn sides(&self) -> &'static [Side] {
        if self.is_note_to_self() { &[Side::First] } else { &[Side::First, Side::Second] }
    }

    /// Which side a user is on; `None` for a stranger.
    pub fn side_of(&self, user: &str) -> Option<Side> {
        [Side::First, Side::Second].into_iter().find(|&side| self.user(side) == user)
    }

    /// Which side a user is on.
    ///
    /// # Errors
    /// [`Invalid`] with [`Code::NotAMember`] naming `field` for a stranger.
    pub fn member(&self, field: &'static str, user: &str) -> Result<Side, Invalid> {
        self.side_of(user).ok_or_else(|| {
            Invalid::with(
                Code::NotAMember,
                field,
                format!("the {field} must be one of the two users of the chat"),
            )
        })
    }

    /// Whether both sides are the same user.
    pub fn is_note_to_self(&self) -> bool {
        self.user(Side::First) == self.user(Side::Second)
    }
}

impl PartialEq for Chat {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
impl Eq for Chat {}
impl PartialOrd for Chat {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Chat {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.name.cmp(&other.name)
    }
}
impl Hash for Chat {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}
impl std::borrow::Borrow<str> for Chat {
    fn borrow(&self) -> &str {
        &self.name
    }
}
impl fmt::Debug for Chat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}
impl fmt::Display for Chat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_one_chat() {
        let (a, canonical) = Chat::parse("apple:banana").expect("valid");
        let (b, swapped) = Chat::parse("banana:apple").expect("valid");
        assert_eq!(a, b);
        assert_eq!((canonical, swapped), (Spelling::Canonical, Spelling::Swapped));
        assert_eq!(b.as_str(), "apple:banana");
        assert_eq!(b.spelled(Spelling::Swapped), "banana:apple");
    }

    #[test]
    fn membership_is_exact() {
        let (chat, _) = Chat::parse("apple:banana").expect("valid");
        assert_eq!(chat.side_of("apple"), Some(Side::First));
        assert_eq!(chat.side_of("banana"), Some(Side::Second));
        for stranger in ["app", "Apple", "banan", "", "apple:banana", "apple "] {
            assert_eq!(chat.side_of(stranger), None);
            let invalid = chat.member("sender", stranger).expect_err(stranger);
            assert_eq!(invalid.code, Code::NotAMember);
        }
    }

    #[test]
    fn order_is_by_bytes() {
        let (chat, _) = Chat::parse("Z:a").expect("valid");
        assert_eq!(chat.as_str(), "Z:a");
        let (chat, _) = Chat::parse("é:z").expect("valid");
        assert_eq!(chat.as_str(), "z:é");
    }

    #[test]
    fn note_to_self() {
        let (chat, _) = Chat::parse("a:a").expect("valid");
        assert!(chat.is_note_to_self());
        assert_eq!(chat.side_of("a"), Some(Side::First));
    }

    #[test]
    fn refused_spellings_name_the_field() {
        let long = format!("{}:b", "a".repeat(129));
        for bad in ["", "apple", ":", "a:", ":b", "a:b:c", "a: b", "a\u{7}:b", &long] {
            assert_eq!(Chat::parse(bad).expect_err(bad).field, "chat");
        }
        let longest = format!("{}:{}", "a".repeat(128), "b".repeat(128));
        assert!(Chat::parse(&longest).is_ok());
    }
}
