use crate::{KeyStore, StoredKey};
use chinwag_model::{KeyId, Scope, Ts};

fn key(id: &str, scope: Scope, created: u64) -> StoredKey {
    let id = KeyId::parse(id).expect("an id");
    let hash = std::array::from_fn(|at| u8::try_from(at).expect("below 32") ^ 0xC3);
    StoredKey { id, name: "a name: of two words".into(), scope, hash, created: Ts(created), revoked: None }
}

/// What every table of API keys does; `reopen` closes it and opens it again where it is durable.
pub async fn keys_are_added_listed_and_revoked<K: KeyStore + ?Sized>(
    store: std::sync::Arc<K>,
    reopen: impl AsyncFn(std::sync::Arc<K>) -> std::sync::Arc<K>,
) {
    assert_eq!(store.keys().await, Ok(Vec::new()));
    let (first, second) = (key("first", Scope::Read, 1), key("second", Scope::Admin, 2));
    store.add_key(second.clone()).await.expect("stored");
    store.add_key(first.clone()).await.expect("stored");
    let store = reopen(store).await;
    assert_eq!(store.keys().await, Ok(vec![first.clone(), second.clone()]));
    assert_eq!(store.revoke_key(first.id.clone(), Ts(5)).await, Ok(true));
    // Again: it keeps its time.
    assert_eq!(store.revoke_key(first.id.clone(), Ts(6)).await, Ok(true));
    assert_eq!(store.revoke_key(KeyId::parse("none").expect("an id"), Ts(6)).await, Ok(false));
    let store = reopen(store).await;
    let revoked = StoredKey { revoked: Some(Ts(5)), ..first };
    assert_eq!(store.keys().await, Ok(vec![revoked, second]));
}
