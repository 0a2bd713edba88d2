use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are no connection: the store's files, the listener, the runtime's.
const OTHERS: u64 = 1_024;

/// Raises the limit of open files as far as the system lets this process, and warns where that is too low.
pub fn raise_descriptors(connections_max: u32) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    if let Err(error) = raised {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
    // No limit at all is `None`.
    let limit = if raised.is_ok() { maximum } else { current };
    let needed = u64::from(connections_max) + OTHERS;
    if let Some(limit) = limit.filter(|limit| *limit < needed) {
        tracing::warn!(
            limit,
            needed,
            "the system lets this process open too few files for connections_max = {connections_max}; \
             raise the limit (ulimit -n), or lower the setting"
        );
    }
}
