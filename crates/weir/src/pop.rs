//! `weir pop`, and the point of presence's half of `weir serve`.

use std::{io, net::SocketAddr};

use anyhow::anyhow;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use weir_pop::Pop;

use crate::{cli::PopArgs, lookup, shutdown};

/// Runs a point of presence until it is asked to end.
pub(crate) async fn run(args: PopArgs) -> anyhow::Result<()> {
    let asked = shutdown::asked()?;
    let module = lookup::edge_module(args.edge_module)?;
    let config = weir_pop::Config {
        name: args.name,
        ..weir_pop::Config::new(args.origin, module)
    };
    let listener = bind(args.listen).await?;
    let pop = Pop::load(config, &mut Registry::default())?;
    tracing::info!(address = %listener.local_addr()?, "point of presence ready");
    pop.serve(listener, asked).await;
    Ok(())
}

/// Opens the socket for viewers.
pub(crate) async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|e| match e.kind() {
            io::ErrorKind::AddrInUse => {
                anyhow!(
                    "port {} is in use: viewers can't connect to {address} (--listen)",
                    address.port()
                )
            }
            _ => anyhow!("viewers can't connect to {address} (--listen): {e}"),
        })
}
