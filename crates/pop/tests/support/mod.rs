//! A PoP on a port of its own, with a runtime of its own.

// Each test binary includes these modules and uses its part of them.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    thread::JoinHandle,
};

use prometheus_client::{encoding::text::encode, registry::Registry};
use tokio::{net::TcpListener, runtime::Builder, sync::oneshot};
use weir_pop::{Config, Pop};

#[path = "../../../edge-worker/tests/support/mod.rs"]
mod edge;

#[allow(unused_imports)]
pub use edge::{cases, client, gate, module, origin, policy};

/// Serves until it is dropped.
pub struct RunningPop {
    pub address: SocketAddr,
    registry: Registry,
    shutdown: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl RunningPop {
    /// In front of `origin`, with the built module.
    pub fn start(origin: SocketAddr) -> Self {
        Self::start_with(config(origin, &module::path()))
    }

    pub fn start_with(config: Config) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        Self::start_on(listener, config)
    }

    /// On a socket whose address somebody knows already.
    pub fn start_on(listener: std::net::TcpListener, config: Config) -> Self {
        let mut registry = Registry::default();
        let pop = Pop::load(config, &mut registry).unwrap();
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = {
            let _runtime = runtime.enter();
            TcpListener::from_std(listener).unwrap()
        };
        let (shutdown, asked) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            runtime.block_on(pop.serve(listener, None, async {
                let _ = asked.await;
            }));
        });
        Self {
            address,
            registry,
            shutdown: Some(shutdown),
            thread: Some(thread),
        }
    }

    /// Value of a counter, named with its labels as Prometheus writes it.
    pub fn counter(&self, name: &str) -> f64 {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in\n{text}"))
            .parse()
            .unwrap()
    }

    /// Requests of `class` that were answered with `outcome`.
    pub fn requests(&self, class: &str, outcome: &str) -> f64 {
        self.counter(&format!(
            "weir_pop_requests_total{{class=\"{class}\",outcome=\"{outcome}\"}}"
        ))
    }

    /// Open connections that speak HTTP/1.1.
    pub fn connections(&self) -> f64 {
        self.counter("weir_pop_connections{protocol=\"http/1.1\"}")
    }

    /// Asks the PoP to shut down.
    pub fn begin_shutdown(&mut self) {
        drop(self.shutdown.take());
    }

    /// Waits until it has drained.
    pub fn finish(&mut self) {
        self.begin_shutdown();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for RunningPop {
    fn drop(&mut self) {
        // A thread that panicked has failed its test already.
        self.begin_shutdown();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub fn config(origin: SocketAddr, module: &Path) -> Config {
    Config::new(format!("http://{origin}").parse().unwrap(), module)
}
