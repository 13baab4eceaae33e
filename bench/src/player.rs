//! Players side by side in real browsers: the same film over the same shaped link, and a broadcast.
//!
//! Each viewer is a browser process of its own. Everything comes to it over one link: the page, the
//! player's library, playlists, media. What is measured is what was on the screen and what passed the link,
//! by the same means for all; no player is asked how it did.
//!
//! - [`networks`]: what the link carries, case by case
//! - [`link`], [`proxy`]: the link, without a clock, and HTTP over it
//! - [`stage`]: what lies behind it
//! - [`film`], [`broadcast`]: what is watched
//! - [`players`], [`browser`]: with what
//! - [`figures`], [`report`]: what came of it

mod broadcast;
mod browser;
mod figures;
mod film;
mod link;
mod networks;
mod players;
mod proxy;
mod report;
mod stage;

use std::{env, path::PathBuf};

use anyhow::{Context, Result};

use self::{
    broadcast::Broadcast,
    browser::{Seen, Visit},
    film::Film,
    link::Link,
    networks::Case,
    players::Player,
    proxy::{Proxy, Transfer},
    report::Report,
    stage::Stage,
};
use crate::abr::trace::Trace;

/// Where traces are looked for if no folder is named.
const TRACES: &str = "WEIR_ABR_TRACES";
/// How often memory is measured over the long run.
const MEMORY_EVERY_S: u64 = 30;

/// Who watches what.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Runs of each case with each player, one player after the other; medians are reported.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Seconds of each run, from the navigation on.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(10..=120))]
    seconds: u64,
    /// Minutes of the run that measures memory.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Cases; else all that are side by side, and then memory.
    #[arg(long, value_enum, value_delimiter = ',')]
    cases: Vec<Case>,
    /// Players.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Player::ALL)]
    players: Vec<Player>,
    /// A folder of recorded networks, as `sim abr` takes it; `WEIR_ABR_TRACES` if it is left out.
    #[arg(long)]
    traces: Option<PathBuf>,
    /// The part profile of the broadcast: standard (333 ms) or fast (200 ms).
    #[arg(long, default_value = "fast")]
    parts: String,
}

/// Has all players watch all cases, and reports.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let cases = match options.cases.as_slice() {
        [] => [&Case::SIDE_BY_SIDE[..], &[Case::Memory]].concat(),
        some => some.to_vec(),
    };
    let traces = options
        .traces
        .clone()
        .or_else(|| env::var_os(TRACES).map(PathBuf::from));
    let film = Film::prepare()?;
    let broadcast = match cases.iter().any(|case| case.is_live()) {
        true => Some(Broadcast::start(&options.parts).await?),
        false => None,
    };
    let hall = Hall { film, broadcast };
    let mut report = Report::default();
    for run in 0..usize::from(options.runs) {
        for case in Case::SIDE_BY_SIDE
            .iter()
            .filter(|case| cases.contains(case))
        {
            let Some(link) = networks::link(*case, run, options.seconds, traces.as_deref())? else {
                eprintln!(
                    "{} is left out: name the folder of its traces with --traces or {TRACES}",
                    case.name()
                );
                continue;
            };
            // Nobody always comes after the same one.
            let players = options.players.iter().cycle().skip(run);
            for player in players.take(options.players.len()) {
                let visited = hall
                    .visit(*case, *player, link.clone(), options.seconds, 0)
                    .await;
                // One that fails must not cost the hours before it.
                let (seen, log) = match visited {
                    Ok(visited) => visited,
                    Err(error) => {
                        eprintln!("{} {}: {error:#}", case.name(), player.name());
                        continue;
                    }
                };
                let figures = hall.figures(*case, &seen, &log);
                report::write_run(run, *case, *player, &link.name, &figures, &log)?;
                for trouble in seen.fatal.iter().chain(&seen.errors) {
                    eprintln!("{} {}: {trouble}", case.name(), player.name());
                }
                report.add(*case, *player, figures);
            }
        }
    }
    if cases.contains(&Case::Memory) {
        let seconds = options.minutes * 60;
        let link = networks::link(Case::Memory, 0, seconds, None)?.context("it needs no traces")?;
        let (seen, _) = hall
            .visit(Case::Memory, Player::Weir, link, seconds, MEMORY_EVERY_S)
            .await?;
        report.add_memory(&seen.memory);
    }
    report.publish(&options.players)
}

/// Where viewers come to.
struct Hall {
    film: Film,
    broadcast: Option<Broadcast>,
}

impl Hall {
    /// What one viewer has seen, and what it has asked for.
    async fn visit(
        &self,
        case: Case,
        player: Player,
        link: Trace,
        seconds: u64,
        memory_every_s: u64,
    ) -> Result<(Seen, Vec<Transfer>)> {
        let broadcast = self.broadcast.as_ref().filter(|_| case.is_live());
        let mut stage = Stage::new(self.film.folder.clone());
        if let Some(broadcast) = broadcast {
            stage.set_server(broadcast.server());
        }
        player.enter(&mut stage, broadcast)?;
        let proxy = Proxy::start(Link::new(link), stage).await?;
        let (page, end) = (proxy.url(), format!("{}{}", proxy.url(), proxy::END));
        let visit = Visit {
            page: &page,
            end: &end,
            seconds,
            marks: case == Case::Live,
            memory_every_s,
        };
        let seen = browser::watch(&visit).await?;
        Ok((seen, proxy.log()))
    }

    fn figures(&self, case: Case, seen: &Seen, log: &[Transfer]) -> figures::Figures {
        match &self.broadcast {
            Some(broadcast) if case.is_live() => {
                figures::of_broadcast(seen, log, &broadcast.sent())
            }
            _ => figures::of_film(seen, log, &self.film),
        }
    }
}
