//! The code of the wire contract under which an error of the service is told, on every face and in the audit log.

use crate::service::{Denied, ServiceError};
use chinwag_store::StoreError;
use chinwag_wire::ProblemCode;

/// The code under which an error leaves.
pub(crate) fn problem_code(error: &ServiceError) -> ProblemCode {
    match error {
        ServiceError::Denied(Denied::NotAMember) => ProblemCode::NotAMember,
        ServiceError::Denied(
            Denied::OtherUser | Denied::OthersOwn | Denied::Administrators | Denied::Scope,
        ) => ProblemCode::NotAllowed,
        ServiceError::Leaving => ProblemCode::Unavailable,
        ServiceError::TooManyWatched => ProblemCode::Overloaded,
        ServiceError::Store(error) => match error {
            StoreError::Busy { .. } => ProblemCode::Overloaded,
            StoreError::Full { .. } => ProblemCode::StorageFull,
            StoreError::KeyReused => ProblemCode::KeyReused,
            StoreError::NoSuchMessage => ProblemCode::NoSuchMessage,
            StoreError::NotTheSender => ProblemCode::NotTheSender,
            StoreError::Unsent => ProblemCode::Unsent,
            StoreError::TooLate => ProblemCode::TooLate,
            StoreError::TooManyReactions => ProblemCode::TooManyReactions,
            StoreError::Blocked => ProblemCode::Blocked,
            StoreError::TooManyBlocks => ProblemCode::TooManyBlocks,
            StoreError::Unavailable(_) => ProblemCode::Unavailable,
            StoreError::OutcomeUnknown(_) => ProblemCode::OutcomeUnknown,
            StoreError::Damaged(_) => ProblemCode::Internal,
        },
    }
}
