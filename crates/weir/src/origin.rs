//! `weir origin`, and the origin's half of `weir serve`.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, ensure};
use prometheus_client::registry::Registry;
use tracing::{info, warn};
use weir_origin::{
    broadcast::slate,
    events::tickets,
    origin::{Config, Listeners, Origin, PartProfile},
    srt::{self, Passphrase},
    transcode::ladder,
    webrtc::{
        self,
        turn::{TurnSecret, TurnServers},
    },
};

use crate::{
    certificate::Certificate,
    cli::{EventTickets, Ladder, OriginAloneArgs, OriginArgs, Parts, Slate, WebRtcArgs},
    edge_secret, lookup,
    pop::Addresses,
    serve, shutdown, ticket_keys,
};

/// Runs an origin until it is asked to end.
pub(crate) async fn run(args: OriginAloneArgs) -> anyhow::Result<()> {
    let asked = shutdown::asked()?;
    let certificate = Certificate::named(
        args.origin.certificate.clone(),
        args.https.is_some() || args.origin.rtmps.is_some(),
        &args.origin.data,
    )?;
    let viewer_https = match args.https.zip(certificate.as_ref()) {
        Some((address, certificate)) => Some((address, certificate.server_config(&["http/1.1"])?)),
        None => None,
    };
    let edge_secrets = edge_secret::named(args.edge_secret_file)?;
    let named = args.origin.tickets.ticket_key_file.clone();
    let keys = ticket_keys::of_origin(named, edge_secrets.clone())?;
    if keys.is_none() {
        warn!("there is no key of session tickets: events count without (docs/tickets.md)");
    }
    let tickets = tickets::Options {
        keys,
        optional: args.origin.tickets.event_tickets == EventTickets::Optional,
    };
    let config = Config {
        viewer_https,
        edge_secrets,
        tickets,
        ..config(args.origin, args.listen, certificate.as_ref()).await?
    };
    let listeners = Listeners::bind(&config).await?;
    let viewers = Addresses {
        plain: listeners.viewer_address(),
        secure: listeners.viewer_https_address(),
        http3: None,
    };
    let origin = Origin::start(config, listeners, Registry::default()).await?;
    serve::announce(viewers, &origin)?;
    asked.await;
    origin.shut_down().await;
    Ok(())
}

/// What an origin is told, with `viewer` as the address of its viewer plane.
pub(crate) async fn config(
    args: OriginArgs,
    viewer: SocketAddr,
    certificate: Option<&Arc<Certificate>>,
) -> anyhow::Result<Config> {
    let rtmps = match args.rtmps.zip(certificate) {
        Some((address, certificate)) => Some((address, certificate.server_config(&[])?)),
        None => None,
    };
    let data = std::path::absolute(&args.data).context("the data folder")?;
    let program = lookup::transcoder(args.transcoder)?;
    let slate = slate(args.slate, args.slate_after, program.as_ref())?;
    let (transcoder, ladder) = ladder(&args.ladder, program).await?;
    Ok(Config {
        viewer,
        operator: args.operator,
        rtmp: args.rtmp,
        rtmps,
        srt: srt::Config {
            address: args.srt,
            latency: args.srt_latency,
            passphrase: args.srt_passphrase_file.map(passphrase).transpose()?,
        },
        webrtc: webrtc(args.webrtc)?,
        www: lookup::www(args.www)?,
        transcoder,
        ladder,
        reconnect_window: args.reconnect_window,
        slate,
        parts: match args.parts {
            Parts::Standard => PartProfile::Standard,
            Parts::Fast => PartProfile::Fast,
        },
        steering: args.steering,
        rooms: args.relay.config()?,
        ..Config::new(data)
    })
}

/// The transcoder and what it is to make, once it is known that it can.
async fn ladder(
    ladder: &Ladder,
    program: Option<PathBuf>,
) -> anyhow::Result<(Option<PathBuf>, ladder::Ladder)> {
    let rungs = match ladder {
        Ladder::None => return Ok((None, ladder::Ladder::default())),
        Ladder::Standard => ladder::Ladder::standard(),
        Ladder::File(path) => ladder::read(path)?,
    };
    let Some(program) = program else {
        ensure!(
            *ladder == Ladder::Standard,
            "weir-transcode is not next to weir: name it with --transcoder"
        );
        return Ok((None, ladder::Ladder::default()));
    };
    let encoders = ladder::check(&program, &rungs).await?;
    info!(encoders = encoders.replace('\n', ", "), "ladder checked");
    Ok((Some(program), rungs))
}

/// What is shown while an encoder is away. It takes a transcoder to make it.
fn slate(
    asked: Slate,
    after: Duration,
    program: Option<&PathBuf>,
) -> anyhow::Result<Option<slate::Config>> {
    let picture = match asked {
        Slate::None => return Ok(None),
        Slate::LastFrame => None,
        Slate::File(path) => {
            ensure!(path.is_file(), "no picture {} (--slate)", path.display());
            ensure!(
                program.is_some(),
                "weir-transcode is not next to weir: name it with --transcoder"
            );
            Some(std::path::absolute(path)?)
        }
    };
    Ok(program.map(|program| slate::Config {
        program: program.clone(),
        picture,
        after,
    }))
}

fn webrtc(args: WebRtcArgs) -> anyhow::Result<webrtc::Config> {
    let secret = args.turn_secret_file.map(|file| {
        let secret = first_line(&file)?;
        ensure!(!secret.is_empty(), "{} is empty", file.display());
        Ok(TurnSecret::new(&secret))
    });
    Ok(webrtc::Config {
        address: args.webrtc,
        candidates: args.webrtc_candidate,
        turn: TurnServers {
            urls: args.turn,
            secret: secret.transpose()?,
        },
    })
}

fn passphrase(file: PathBuf) -> anyhow::Result<Passphrase> {
    let passphrase = first_line(&file)?.parse();
    passphrase.with_context(|| file.display().to_string())
}

/// The first line of a file with a secret.
pub(crate) fn first_line(file: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(file);
    let text = text.with_context(|| format!("cannot read {}", file.display()))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
