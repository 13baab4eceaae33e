//! `weir origin`, and the origin's half of `weir serve`.

use std::{fs, net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::{Context, ensure};
use prometheus_client::registry::Registry;
use tracing::info;
use weir_origin::{
    origin::{Config, Listeners, Origin, PartProfile},
    srt::{self, Passphrase},
    transcode::ladder::{self, LadderRung},
};

use crate::{
    certificate::Certificate,
    cli::{Ladder, OriginAloneArgs, OriginArgs, Parts},
    lookup, serve, shutdown,
};

/// Runs an origin until it is asked to end.
pub(crate) async fn run(args: OriginAloneArgs) -> anyhow::Result<()> {
    let asked = shutdown::asked()?;
    let certificate = Certificate::named(args.origin.certificate.clone())?;
    let config = config(args.origin, args.listen, certificate.as_ref()).await?;
    let listeners = Listeners::bind(&config).await?;
    let viewer = listeners.viewer_address();
    let origin = Origin::start(config, listeners, Registry::default()).await?;
    serve::announce(viewer, None, &origin)?;
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
    let (transcoder, ladder) = ladder(&args.ladder, args.transcoder).await?;
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
        www: lookup::www(args.www)?,
        transcoder,
        ladder,
        reconnect_window: args.reconnect_window,
        parts: match args.parts {
            Parts::Standard => PartProfile::Standard,
            Parts::Fast => PartProfile::Fast,
        },
        ..Config::new(data)
    })
}

/// The transcoder and what it is to make, once it is known that it can.
async fn ladder(
    ladder: &Ladder,
    transcoder: Option<PathBuf>,
) -> anyhow::Result<(Option<PathBuf>, Vec<LadderRung>)> {
    let rungs = match ladder {
        Ladder::None => return Ok((None, Vec::new())),
        Ladder::Standard => LadderRung::standard(),
        Ladder::File(path) => ladder::read(path)?,
    };
    let Some(program) = lookup::transcoder(transcoder)? else {
        ensure!(
            *ladder == Ladder::Standard,
            "weir-transcode is not next to weir: name it with --transcoder"
        );
        return Ok((None, Vec::new()));
    };
    let encoders = ladder::check(&program, &rungs).await?;
    info!(encoders = encoders.replace('\n', ", "), "ladder checked");
    Ok((Some(program), rungs))
}

/// The first line of a file.
fn passphrase(file: PathBuf) -> anyhow::Result<Passphrase> {
    let text = fs::read_to_string(&file);
    let text = text.with_context(|| format!("cannot read {}", file.display()))?;
    let passphrase = text.lines().next().unwrap_or_default().parse();
    passphrase.with_context(|| file.display().to_string())
}
