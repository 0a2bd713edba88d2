//! The store from outside: the contract on every backend, and the embedded store against the model.

mod archive;
mod backends;
mod backup;
mod clock;
mod embedded;
mod erase;
mod feed;
mod keys;
mod model;
mod retention;
mod wipe;

mod memory_contract {
    chinwag_store::contract_tests!(crate::backends::Memory);
}

mod embedded_contract {
    chinwag_store::contract_tests!(crate::backends::Embedded::new());
}

/// The smallest cache there is, so that chats go cold between any two calls.
mod embedded_contract_without_cache {
    chinwag_store::contract_tests!(crate::backends::Embedded::without_cache());
}
