//! The built module answers every case byte for byte as the native code does, and imports nothing.

// Helpers of tests may unwrap as tests do.
#![allow(clippy::unwrap_used)]

mod support;

use support::{cases, module, policy};
use wasmtime::{Engine, Instance, Memory, Module, Store, TypedFunc};
use weir_edge_abi::{ABI_VERSION, Action, BodyCheck};
use weir_edge_worker::{check_body, decide};

struct Guest {
    store: Store<()>,
    instance: Instance,
    memory: Memory,
    address: usize,
}

impl Guest {
    fn start() -> Self {
        let engine = Engine::default();
        let module = Module::from_file(&engine, module::path()).unwrap();
        assert_eq!(module.imports().count(), 0, "the module imports nothing");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        let mut guest = Self {
            store,
            instance,
            memory,
            address: 0,
        };
        assert_eq!(guest.ask("edge_abi"), ABI_VERSION);
        guest.address = guest.ask("edge_buf") as usize;
        guest
    }

    fn ask(&mut self, name: &str) -> u32 {
        let export: TypedFunc<(), u32> =
            self.instance.get_typed_func(&mut self.store, name).unwrap();
        export.call(&mut self.store, ()).unwrap()
    }

    fn call(&mut self, name: &str, message: &[u8]) -> u32 {
        self.memory
            .write(&mut self.store, self.address, message)
            .unwrap();
        let export: TypedFunc<u32, u32> =
            self.instance.get_typed_func(&mut self.store, name).unwrap();
        export.call(&mut self.store, message.len() as u32).unwrap()
    }

    fn exchange(&mut self, name: &str, message: &[u8]) -> Vec<u8> {
        let len = self.call(name, message) as usize;
        self.memory.data(&self.store)[self.address..self.address + len].to_vec()
    }
}

#[test]
fn answers_as_the_native_code_does() {
    let mut guest = Guest::start();
    let config = policy::config();
    let (mut message, mut expected) = (vec![0; 65_536], vec![0; 65_536]);
    let len = config.encode(&mut message).unwrap();
    assert_eq!(guest.call("edge_init", &message[..len]), 0);

    for case in cases::all() {
        let request = case.request();
        let len = request.encode(&mut message).unwrap();
        let answer = guest.exchange("edge_decide", &message[..len]);
        let plan = decide(&config, &request);
        let len = plan.encode(&mut expected).unwrap();
        assert_eq!(answer, expected[..len], "{}", case.name);

        if let Action::Forward(forward) = plan.action {
            let body = case.body.as_bytes();
            let len = BodyCheck {
                kind: forward.body,
                body,
            }
            .encode(&mut message)
            .unwrap();
            let answer = guest.exchange("edge_body", &message[..len]);
            let len = check_body(forward.body, body)
                .encode(&mut expected)
                .unwrap();
            assert_eq!(answer, expected[..len], "{}", case.name);
        }
    }
}

#[test]
fn nonsense_is_answered_with_nothing() {
    let mut guest = Guest::start();
    assert_eq!(guest.call("edge_decide", &[]), 0);
    assert_eq!(guest.call("edge_decide", b"\x01nonsense"), 0);
    assert_eq!(guest.call("edge_body", b"\xff"), 0);
    assert_eq!(guest.call("edge_init", b"\xff"), 1);
    let cap = guest.ask("edge_cap");
    let export: TypedFunc<u32, u32> = guest
        .instance
        .get_typed_func(&mut guest.store, "edge_decide")
        .unwrap();
    assert_eq!(export.call(&mut guest.store, cap + 1).unwrap(), 0);
    assert_eq!(export.call(&mut guest.store, u32::MAX).unwrap(), 0);
}
