//! `weir origin`, and the origin's half of `weir serve`.

use std::net::SocketAddr;

use anyhow::Context;
use prometheus_client::registry::Registry;
use weir_origin::origin::{Config, Listeners, Origin};

use crate::{
    cli::{Ladder, OriginAloneArgs, OriginArgs},
    lookup, serve, shutdown,
};

/// Runs an origin until it is asked to end.
pub(crate) async fn run(args: OriginAloneArgs) -> anyhow::Result<()> {
    let asked = shutdown::asked()?;
    let config = config(args.origin, args.listen)?;
    let listeners = Listeners::bind(&config).await?;
    let viewer = listeners.viewer_address();
    let origin = Origin::start(config, listeners, Registry::default()).await?;
    serve::announce(viewer, &origin)?;
    asked.await;
    origin.shut_down().await;
    Ok(())
}

/// What an origin is told, with `viewer` as the address of its viewer plane.
pub(crate) fn config(args: OriginArgs, viewer: SocketAddr) -> anyhow::Result<Config> {
    let data = std::path::absolute(&args.data).context("the data folder")?;
    let transcoder = match args.ladder {
        Ladder::Standard => lookup::transcoder(args.transcoder)?,
        Ladder::None => None,
    };
    Ok(Config {
        viewer,
        operator: args.operator,
        rtmp: args.rtmp,
        www: lookup::www(args.www)?,
        transcoder,
        reconnect_window: args.reconnect_window,
        ..Config::new(data)
    })
}
