use crate::{Invalid, UserId};
use std::{fmt, sync::Arc};

/// Longest id of an API key, in bytes.
const KEY_ID_MAX_BYTES: usize = 32;

/// On whose behalf a request is made, once that is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Nobody was asked who they are: the server is open.
    Anyone,
    /// A user of the host application.
    User(UserId),
    /// The application's own back end.
    Key {
        /// Which of its keys.
        id: KeyId,
        /// What it may do.
        scope: Scope,
    },
}

/// What an API key may do; each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// See what any user sees.
    Read,
    /// Act for any user.
    Act,
    /// Act over all users, too: what no user may do.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: &[Self] = &[Self::Read, Self::Act, Self::Admin];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Act => "act",
            Self::Admin => "admin",
        }
    }

    /// The scope of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|scope| scope.as_str() == name)
    }
}

/// What an API key is called; no secret. 1 to 32 bytes of `a` to `z` and `0` to `9`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Arc<str>);

impl KeyId {
    /// Takes an id.
    ///
    /// # Errors
    /// [`Invalid`] naming `id`.
    pub fn parse(id: &str) -> Result<Self, Invalid> {
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if id.is_empty() || id.len() > KEY_ID_MAX_BYTES || !id.bytes().all(good) {
            return Err(Invalid::new("id", "the id of a key is 1 to 32 characters of a to z and 0 to 9"));
        }
        Ok(Self(id.into()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for KeyId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
