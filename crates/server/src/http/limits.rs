//! How a reply tells a caller of its bounds: the fields `RateLimit-Policy` and `RateLimit`, as draft-ietf-httpapi-ratelimit-headers
//! has them since its eighth version, and the refusal of a request that is one too many.

use super::{Reply, reply::Refusal};
use crate::rates::Standing;
use chinwag_model::limits::RATE_WINDOW;
use chinwag_wire::ProblemCode;
use hyper::header::{HeaderName, HeaderValue};
use std::time::Duration;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Lets a request go on that is not one too many.
pub(crate) fn check(standing: Option<Standing>) -> Result<(), Refusal> {
    let Some(Standing { class, quota, refused_for: Some(wait), .. }) = standing else { return Ok(()) };
    let (class, window, wait_s) = (class.name(), RATE_WINDOW.as_secs(), seconds_up(wait).max(1));
    let detail = format!("{class}: at most {quota} in {window} s; come back in {wait_s} s");
    Err(Refusal::new(ProblemCode::RateLimited, detail).after(wait_s))
}

/// Says in a reply where the caller stands.
pub(super) fn tell(reply: &mut Reply, standing: &Standing) {
    let Standing { class, quota, remaining, full_after, .. } = standing;
    let policy = format!("\"{}\";q={quota};w={}", class.name(), RATE_WINDOW.as_secs());
    let limit = format!("\"{}\";r={remaining};t={}", class.name(), seconds_up(*full_after));
    for (name, value) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, limit)] {
        let value = HeaderValue::try_from(value).expect("a word and numbers");
        reply.headers_mut().insert(name, value);
    }
}

fn seconds_up(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
