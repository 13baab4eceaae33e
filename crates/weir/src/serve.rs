//! `weir serve`: an origin behind a point of presence, in one process.

use std::{
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use anyhow::Context;
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::sync::{Notify, oneshot};
use tracing::info;
use weir_model::{pop::Status, ticket::TicketKey};
use weir_origin::{
    events::tickets,
    http::pop::Neighbour,
    origin::{Config, Listeners, Origin},
};
use weir_pop::{Pop, upstream::Settings};

use crate::{
    certificate::Certificate,
    cli::{EventTickets, ServeArgs},
    lookup, origin,
    pop::{self, Addresses, Doors},
    shutdown, ticket_keys,
};

/// Runs both until asked to end: viewers are let go first, then encoders.
pub(crate) async fn run(args: ServeArgs) -> anyhow::Result<()> {
    let asked = shutdown::asked()?;
    let mut rollout = args.modules.config()?;
    rollout
        .store
        .get_or_insert_with(|| args.origin.data.join("edge-store"));
    let module = lookup::edge_module(args.modules.edge_module)?;
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let certificate = Certificate::named(
        args.origin.certificate.clone(),
        args.https.is_some() || args.origin.rtmps.is_some(),
        &args.origin.data,
    )?;
    let named = args.origin.tickets.ticket_key_file.clone();
    let ticket_keys = ticket_keys::of_one_process(named, &args.origin.data)?;
    let tickets = tickets::Options {
        keys: Some(ticket_keys.clone()),
        optional: args.origin.tickets.event_tickets == EventTickets::Optional,
    };
    let config = origin::config(args.origin, any_port, certificate.as_ref()).await?;
    let doors = Doors::open(args.listen, args.https, certificate.as_ref(), &args.doors).await?;
    let listeners = Listeners::bind(&config).await?;

    let behind = format!("http://{}", listeners.viewer_address());
    let behind = behind.parse().context("the origin's address")?;
    let mut registry = Registry::default();
    let edge = weir_pop::Config {
        rollout: Some(rollout),
        ticket_keys: Some(ticket_keys),
        ..pop::config(
            Settings::of_origin(behind),
            module,
            &args.doors,
            &args.cache,
        )
    };
    let pop = Pop::load(edge, &mut registry)?;
    let beside = Arc::new(Beside {
        pop: pop.clone(),
        drain: Notify::new(),
    });
    let config = Config {
        pop: Some(beside.clone()),
        tickets,
        ..config
    };
    let origin = Origin::start(config, listeners, registry).await?;

    let viewers = doors.addresses();
    let (drain, drained) = oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        // A sender that is gone asks for the same.
        let drained = async { drained.await.unwrap_or_default() };
        doors.serve(&pop, drained).await;
    });
    announce(viewers, &origin)?;
    tokio::select! {
        () = asked => {}
        () = beside.drain.notified() => info!("the operator asks for a drain"),
    }
    drop(drain);
    // Requests that wait for a position are let go by the origin's own drain.
    let (served, ()) = tokio::join!(serving, origin.shut_down());
    served.context("the point of presence panicked")
}

/// The point of presence, for the operator who asks the origin's listener.
#[derive(Debug)]
struct Beside {
    pop: Pop,
    drain: Notify,
}

impl Neighbour for Beside {
    fn status(&self) -> Status {
        self.pop.status()
    }

    fn ticket_key(&self) -> Option<TicketKey> {
        self.pop.ticket_key()
    }

    fn drain(&self) {
        self.pop.begin_drain();
        self.drain.notify_one();
    }
}

/// Says on stdout, in one JSON line, that connections are taken and where.
pub(crate) fn announce(viewers: Addresses, origin: &Origin) -> anyhow::Result<()> {
    let push = origin.push_urls();
    let ready = json!({
        "viewer": format!("http://{}", viewers.plain),
        "viewer_https": viewers.secure.map(|address| format!("https://{address}")),
        "http3": viewers.http3.map(|address| format!("https://{address}")),
        "operator": format!("http://{}", origin.operator_address()),
        "rtmp": push.rtmp,
        "rtmps": push.rtmps,
        "srt": push.srt,
        "webrtc": origin.webrtc_address(),
        "operator_token_file": origin.operator_token_file(),
    });
    let mut out = std::io::stdout().lock();
    writeln!(out, "{ready}")
        .and_then(|()| out.flush())
        .context("cannot say that weir is ready")
}
