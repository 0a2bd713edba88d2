//! The contract on each bus.

use chinwag_bus::{
    Bus, LocalBus,
    contract::{Backend, Nodes},
};
use std::{future::ready, sync::Arc};

struct Local;

impl Backend for Local {
    fn nodes(&self, count: usize) -> Nodes<'_> {
        assert_eq!(count, 1, "it is one node's");
        Box::pin(ready(vec![Arc::new(LocalBus::default()) as Arc<dyn Bus>]))
    }

    fn joins_nodes(&self) -> bool {
        false
    }
}

mod local {
    chinwag_bus::bus_contract_tests!(super::Local);
}
