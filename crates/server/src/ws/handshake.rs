//! RFC 6455, section 4.2: what a client must say to open a WebSocket.

use crate::http::Refusal;
use chinwag_wire::ProblemCode;
use data_encoding::BASE64;
use hyper::{
    HeaderMap, Version,
    header::{CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE},
    http::request::Parts,
};
use sha1::{Digest, Sha1};

/// What RFC 6455 has every server add to the client's key.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Checks that a request opens a WebSocket; the client's key.
///
/// # Errors
/// 426 for what speaks no WebSocket, or another version of it; 400 for a key that is none.
pub(crate) fn check_handshake(head: &Parts) -> Result<&HeaderValue, Refusal> {
    let headers = &head.headers;
    let mut versions = headers.get_all(SEC_WEBSOCKET_VERSION).iter();
    if head.version != Version::HTTP_11
        || !has_token(headers, &CONNECTION, "upgrade")
        || !has_token(headers, &UPGRADE, "websocket")
        || !matches!((versions.next(), versions.next()), (Some(version), None) if version == "13")
    {
        return Err(Refusal::upgrade_required());
    }
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
    match (keys.next(), keys.next()) {
        (Some(key), None) if BASE64.decode(key.as_bytes()).is_ok_and(|key| key.len() == 16) => Ok(key),
        _ => Err(Refusal::new(
            ProblemCode::BadRequest,
            "the header Sec-WebSocket-Key must stand once and hold 16 bytes in base64",
        )
        .of_field("Sec-WebSocket-Key")),
    }
}

/// What the server answers to a client's key.
pub(crate) fn accept_key(key: &HeaderValue) -> HeaderValue {
    let digest = Sha1::new().chain_update(key.as_bytes()).chain_update(GUID).finalize();
    HeaderValue::try_from(BASE64.encode(&digest)).expect("base64 is ASCII")
}

/// Whether a header holds a word, alone or in a list; letter case is of no matter.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .any(|found| found.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept_key(&key), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
