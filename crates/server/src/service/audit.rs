use super::{Service, ServiceError};
use chinwag_model::{Caller, Chat, KeyId, Scope, Seq, Side, UserId};
use std::sync::Arc;

/// A change that was asked for with an API key.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Which key.
    pub key: KeyId,
    /// What it may do.
    pub scope: Scope,
    /// What was asked for.
    pub verb: &'static str,
    /// Where, if in a chat.
    pub chat: Option<Chat>,
    /// On behalf of whom; `None` for what is on nobody's.
    pub user: Option<UserId>,
    /// Of which message, if that is known.
    pub seq: Option<Seq>,
}

/// Who is told of each change that was asked for with an API key, once, when it has come to its end.
pub trait Auditor: Send + Sync {
    /// What became of it; `None` where whoever asked went away meanwhile, or a defect ended it: it may have been done.
    /// It must not wait.
    fn ended(&self, asked: &Asked, outcome: Option<Result<(), &ServiceError>>);
}

/// A change under way, of which its auditor is told whatever becomes of it.
pub(super) struct Watched(Option<(Arc<dyn Auditor>, Asked)>);

impl Watched {
    /// It has come to its end.
    pub(super) fn end<T>(mut self, result: &Result<T, ServiceError>, seq: impl FnOnce(&T) -> Option<Seq>) {
        let Some((auditor, mut asked)) = self.0.take() else { return };
        if let Ok(done) = result {
            asked.seq = seq(done).or(asked.seq);
        }
        auditor.ended(&asked, Some(result.as_ref().map(|_| ())));
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some((auditor, asked)) = self.0.take() {
            auditor.ended(&asked, None);
        }
    }
}

impl Service {
    /// Names the one who is told of what is changed with API keys. To be called once, before anything is.
    pub fn audited_by(&self, auditor: Arc<dyn Auditor>) {
        let _first_stays = self.shared.auditor.set(auditor);
    }

    /// Begins to watch what is done to a user as a whole.
    pub(super) fn watch_over(&self, caller: &Caller, verb: &'static str, user: &UserId) -> Watched {
        let (Caller::Key { id, scope }, Some(auditor)) = (caller, self.shared.auditor.get()) else {
            return Watched(None);
        };
        let (key, user) = (id.clone(), Some(user.clone()));
        Watched(Some((auditor.clone(), Asked { key, scope: *scope, verb, chat: None, user, seq: None })))
    }

    /// Begins to watch a change in a chat, by the user on a side of it or by nobody; of a user's own nobody is told.
    pub(super) fn watch(
        &self,
        caller: &Caller,
        verb: &'static str,
        chat: &Chat,
        side: Option<Side>,
        seq: Option<Seq>,
    ) -> Watched {
        let (Caller::Key { id, scope }, Some(auditor)) = (caller, self.shared.auditor.get()) else {
            return Watched(None);
        };
        let asked = Asked {
            key: id.clone(),
            scope: *scope,
            verb,
            chat: Some(chat.clone()),
            user: side.map(|side| chat.user_id(side)),
            seq,
        };
        Watched(Some((auditor.clone(), asked)))
    }
}
