//! What can be asked for.

use std::{
    ffi::OsString,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use weir_origin::webrtc::turn::TurnUrl;
use weir_pop::upstream::Shield;

use crate::cache::CacheArgs;
use crate::edge::args::{EdgeTask, ModuleArgs};
use crate::room::{RelayArgs, RoomArgs};
use crate::token::TokenCommand;

/// Live streaming with a WebAssembly delivery plane.
#[derive(Debug, Parser)]
#[command(name = "weir", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything in one process: an origin behind a point of presence.
    Serve(Box<ServeArgs>),
    /// Run an origin alone.
    Origin(OriginAloneArgs),
    /// Run a point of presence alone, or see how one does.
    Pop(PopCommand),
    /// Print a playback token, or make a key that signs some (see docs/tokens.md).
    Token(TokenCommand),
    /// Sign edge modules, and give them to points of presence.
    #[command(subcommand)]
    Edge(EdgeTask),
    /// Print the OpenAPI document.
    Openapi,
    /// Run `weir-transcode` with the given arguments.
    Transcode(TranscodeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Where viewers connect.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// Where viewers connect over HTTPS: HTTP/1.1 and HTTP/2, and over UDP HTTP/3.
    #[arg(long, value_name = "ADDRESS", requires = "certificate")]
    pub(crate) https: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) doors: DoorArgs,
    #[command(flatten)]
    pub(crate) cache: CacheArgs,
    #[command(flatten)]
    pub(crate) modules: ModuleArgs,
    #[command(flatten)]
    pub(crate) origin: OriginArgs,
}

#[derive(Debug, Args)]
pub(crate) struct OriginAloneArgs {
    /// Where points of presence connect. Keep it off the open internet.
    #[arg(long, default_value = "127.0.0.1:8082")]
    pub(crate) listen: SocketAddr,
    /// Where points of presence connect over HTTPS.
    #[arg(long, value_name = "ADDRESS", requires = "certificate")]
    pub(crate) https: Option<SocketAddr>,
    /// A file with the secret shared with points of presence, which alone are answered then; needed
    /// unless only this machine can reach the origin.
    #[arg(long, value_name = "FILE")]
    pub(crate) edge_secret_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) origin: OriginArgs,
}

#[derive(Debug, Args)]
pub(crate) struct OriginArgs {
    /// The folder that holds everything; made if it is missing.
    #[arg(long, default_value = "data", value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Where encoders push.
    #[arg(long, default_value = "127.0.0.1:1935")]
    pub(crate) rtmp: SocketAddr,
    /// Where encoders push over TLS.
    #[arg(long, value_name = "ADDRESS", requires = "certificate")]
    pub(crate) rtmps: Option<SocketAddr>,
    /// Where encoders push over SRT (UDP).
    #[arg(long, default_value = "127.0.0.1:9000")]
    pub(crate) srt: SocketAddr,
    /// How long a packet that was lost on the way over SRT may take to be sent again.
    #[arg(long, default_value = "120ms", value_parser = duration, value_name = "DURATION")]
    pub(crate) srt_latency: Duration,
    /// A file with the passphrase that SRT encoders have to encrypt with.
    #[arg(long, value_name = "FILE")]
    pub(crate) srt_passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) webrtc: WebRtcArgs,
    /// Where the operator's API listens. Keep it off the open internet.
    #[arg(long, default_value = "127.0.0.1:8081")]
    pub(crate) operator: SocketAddr,
    /// The built web app [default: looked for next to the executable and in www/dist].
    #[arg(long, value_name = "DIR")]
    pub(crate) www: Option<PathBuf>,
    /// The transcoder [default: weir-transcode next to the executable].
    #[arg(long, value_name = "FILE")]
    pub(crate) transcoder: Option<PathBuf>,
    /// What is offered next to the source: `standard`, `none`, or a file (see docs/ladder.md).
    #[arg(long, default_value = "standard", value_name = "LADDER")]
    pub(crate) ladder: Ladder,
    /// How long parts are: what viewers are behind, against what they ask for.
    #[arg(long, value_enum, default_value_t = Parts::Standard)]
    pub(crate) parts: Parts,
    /// How long a broadcast waits for an encoder that went away, such as 30s or 2m.
    #[arg(long, default_value = "30s", value_parser = duration)]
    pub(crate) reconnect_window: Duration,
    /// What viewers see meanwhile: `last-frame` (darkened, with a notice), a PNG or JPEG file, or
    /// `none`, so that they wait.
    #[arg(long, default_value = "last-frame", value_name = "SLATE")]
    pub(crate) slate: Slate,
    /// How long an encoder has to be away for that, such as 4s.
    #[arg(long, default_value = "4s", value_parser = duration)]
    pub(crate) slate_after: Duration,
    /// Tell players in multivariant playlists and manifests where to ask which pathway to take.
    #[arg(long)]
    pub(crate) steering: bool,
    #[command(flatten)]
    pub(crate) tickets: TicketArgs,
    #[command(flatten)]
    pub(crate) relay: RelayArgs,
    #[command(flatten)]
    pub(crate) certificate: CertificateArgs,
}

/// Whose events are counted (see docs/tickets.md).
#[derive(Debug, Args)]
pub(crate) struct TicketArgs {
    /// A file with keys of session tickets in base64url, one a line: the first one signs, all are
    /// taken; read again when it changes [default: `ticket-key` in the data folder for `weir serve`,
    /// what comes of the edge secret for `weir origin`].
    #[arg(long, value_name = "FILE")]
    pub(crate) ticket_key_file: Option<PathBuf>,
    /// Whether events of viewers need a session ticket to count.
    #[arg(long, value_enum, default_value_t = EventTickets::Required)]
    pub(crate) event_tickets: EventTickets,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EventTickets {
    /// Those without one are refused, if there is a key.
    Required,
    /// Those without one count as well; bad tickets are refused.
    Optional,
}

/// What is shown while an encoder is away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Slate {
    /// The last picture that it sent.
    LastFrame,
    /// Nothing.
    None,
    /// A picture.
    File(PathBuf),
}

impl From<OsString> for Slate {
    fn from(named: OsString) -> Self {
        match named.to_str() {
            Some("last-frame") => Self::LastFrame,
            Some("none") => Self::None,
            _ => Self::File(named.into()),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct WebRtcArgs {
    /// Where media of WebRTC comes and goes, over UDP and over TCP.
    #[arg(long, default_value = "127.0.0.1:8189")]
    pub(crate) webrtc: SocketAddr,
    /// Where WebRTC clients can reach that, if it is not there: the public address of a machine
    /// behind a NAT. Any number.
    #[arg(long, value_name = "IP")]
    pub(crate) webrtc_candidate: Vec<IpAddr>,
    /// A TURN server for WebRTC clients that can reach nothing else, such as
    /// turns:turn.example.org:443?transport=tcp. Any number.
    #[arg(long, value_name = "URL")]
    pub(crate) turn: Vec<TurnUrl>,
    /// A file with the secret shared with the TURN servers (coturn's static-auth-secret).
    #[arg(long, value_name = "FILE", requires = "turn")]
    pub(crate) turn_secret_file: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ladder {
    /// Renditions of 2160 lines and less, as many as the source is taller than.
    Standard,
    /// Nothing; no transcoder runs.
    None,
    /// What a file says.
    File(PathBuf),
}

impl From<OsString> for Ladder {
    fn from(named: OsString) -> Self {
        match named.to_str() {
            Some("standard") => Self::Standard,
            Some("none") => Self::None,
            _ => Self::File(named.into()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Parts {
    /// A third of a second.
    Standard,
    /// A fifth of a second.
    Fast,
}

/// How viewers come in.
#[derive(Debug, Args)]
pub(crate) struct DoorArgs {
    /// Offer no HTTP/3.
    #[arg(long)]
    pub(crate) no_http3: bool,
    /// The operator's policy: keys of tokens, countries, pathways, limits (see docs/tokens.md); read
    /// again when it changes.
    #[arg(long, value_name = "FILE")]
    pub(crate) edge_policy: Option<PathBuf>,
    /// Most viewers' connections at a time. Each takes a file descriptor.
    #[arg(long, default_value_t = 16_384, value_name = "COUNT")]
    pub(crate) max_connections: usize,
    /// Most memory that viewers' connections may keep between requests, such as 256M: 3 kB for each
    /// over plain HTTP/1.1, and more over TLS, HTTP/2 and HTTP/3 (see docs/pop.md).
    #[arg(long, default_value = "256M", value_parser = crate::cache::bytes, value_name = "SIZE")]
    pub(crate) connection_memory: u64,
    /// How long requests under way may take to finish at the end.
    #[arg(long, default_value = "5s", value_parser = duration, value_name = "DURATION")]
    pub(crate) drain_timeout: Duration,
    /// The share of requests, 0 to 1, that are followed through the logs (W3C Trace Context).
    #[arg(long, default_value_t = 0.001, value_parser = share, value_name = "SHARE")]
    pub(crate) trace_rate: f64,
    #[command(flatten)]
    pub(crate) rooms: RoomArgs,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct PopCommand {
    #[command(flatten)]
    pub(crate) run: PopArgs,
    #[command(subcommand)]
    pub(crate) task: Option<PopTask>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PopTask {
    /// Print how a point of presence does.
    Status(StatusArgs),
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Where its operator's API listens.
    #[arg(long, default_value = "http://127.0.0.1:8083", value_name = "URL")]
    pub(crate) operator: http::Uri,
    /// The file with the operator's token.
    #[arg(long, default_value = "operator-token", value_name = "FILE")]
    pub(crate) token_file: PathBuf,
    /// Print again and again, every second unless something else is said, such as 5s.
    #[arg(
        long,
        num_args = 0..=1,
        default_missing_value = "1s",
        value_parser = duration,
        value_name = "DURATION"
    )]
    pub(crate) watch: Option<Duration>,
}

#[derive(Debug, Args)]
// Of arguments that are grouped themselves, clap does not see whether any was given.
#[group(args = ["origin"])]
pub(crate) struct PopArgs {
    #[command(flatten)]
    pub(crate) upstream: UpstreamArgs,
    /// Where viewers connect.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// Where viewers connect over HTTPS: HTTP/1.1 and HTTP/2, and over UDP HTTP/3.
    #[arg(long, value_name = "ADDRESS", requires = "certificate")]
    pub(crate) https: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) doors: DoorArgs,
    #[command(flatten)]
    pub(crate) cache: CacheArgs,
    #[command(flatten)]
    pub(crate) modules: ModuleArgs,
    /// What the origin knows this point of presence by.
    #[arg(long, default_value = "local")]
    pub(crate) name: String,
    /// Where the operator's API listens. Keep it off the open internet.
    #[arg(long, default_value = "127.0.0.1:8083", value_name = "ADDRESS")]
    pub(crate) operator: SocketAddr,
    /// The file with the operator's token; made if it is missing.
    #[arg(long, default_value = "operator-token", value_name = "FILE")]
    pub(crate) operator_token_file: PathBuf,
    #[command(flatten)]
    pub(crate) certificate: CertificateArgs,
}

#[derive(Debug, Args)]
pub(crate) struct UpstreamArgs {
    /// An origin's viewer plane, such as https://origin.example.org:8443. Any number.
    #[arg(long, value_name = "URL", required = true)]
    pub(crate) origin: Vec<http::Uri>,
    /// A point of presence to ask before origins, such as https://shield.example.org, with
    /// `,weight=2` if it is to take twice as many videos as others. Any number, named alike at every
    /// point of presence.
    #[arg(long, value_name = "URL", requires = "edge_secret_file")]
    pub(crate) shield: Vec<Shield>,
    /// A file with the secret shared with origins and shields.
    #[arg(long, value_name = "FILE")]
    pub(crate) edge_secret_file: Option<PathBuf>,
    /// The only authority, in PEM, that certificates of origins and shields are checked against
    /// [default: those of the system].
    #[arg(long, value_name = "FILE")]
    pub(crate) origin_ca: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CertificateArgs {
    /// The certificate chain in PEM, the server's own first; read again when it changes.
    #[arg(long, value_name = "FILE", requires = "tls_key", group = "certificate")]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// The certificate's private key in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub(crate) tls_key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) acme: AcmeArgs,
}

/// Let's Encrypt's production directory.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

#[derive(Clone, Debug, Args)]
pub(crate) struct AcmeArgs {
    /// A name of this machine to get a certificate for from an ACME server, whose terms are agreed
    /// to by this; may be given several times. Port 443 of the name has to lead to --https or --rtmps.
    #[arg(long, value_name = "NAME", value_parser = dns_name, group = "certificate")]
    pub(crate) acme_domain: Vec<String>,
    /// A mail address that the ACME server may warn.
    #[arg(long, value_name = "ADDRESS", requires = "acme_domain")]
    pub(crate) acme_contact: Option<String>,
    /// The ACME server's directory.
    #[arg(long, value_name = "URL", default_value = LETS_ENCRYPT)]
    pub(crate) acme_directory: String,
    /// The only authority, in PEM, that the ACME server's own certificate is checked against
    /// [default: those of the system].
    #[arg(long, value_name = "FILE", requires = "acme_domain")]
    pub(crate) acme_root: Option<PathBuf>,
    /// Where account, key and certificate are kept [default: acme in the data folder].
    #[arg(long, value_name = "DIR", requires = "acme_domain")]
    pub(crate) acme_folder: Option<PathBuf>,
}

/// A name as RFC 1123 has it. No wildcard: TLS-ALPN-01 cannot prove one.
fn dns_name(text: &str) -> Result<String, String> {
    let label = |label: &str| {
        let inside = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(inside)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    match text.len() <= 253 && text.split('.').all(label) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(format!("{text:?} is no name of a machine")),
    }
}

#[derive(Debug, Args)]
pub(crate) struct TranscodeArgs {
    /// Passed on as they are.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) args: Vec<OsString>,
}

/// A whole number and its unit: `500ms`, `30s`, `2m`, `12h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u32 = number
        .parse()
        .map_err(|_| format!("{text:?} begins with no number"))?;
    match unit {
        "ms" => Ok(Duration::from_millis(number.into())),
        "s" => Ok(Duration::from_secs(number.into())),
        "m" => Ok(Duration::from_secs(60) * number),
        "h" => Ok(Duration::from_secs(3600) * number),
        _ => Err(format!("{text:?} needs a unit: ms, s, m or h")),
    }
}

/// A number from 0 to 1.
fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok();
    let share = share.filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("{text:?} is no number from 0 to 1"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_point_of_presence_is_run_or_asked() {
        let parse = |text: &str| Cli::try_parse_from(text.split(' ')).map(|cli| cli.command);
        let run = parse("weir pop --origin http://127.0.0.1:8082 --trace-rate 0.5").unwrap();
        let Command::Pop(PopCommand { run, task: None }) = run else {
            panic!("it is to be run");
        };
        assert_eq!(run.doors.trace_rate, 0.5);
        let ask = parse("weir pop status --watch").unwrap();
        let Command::Pop(PopCommand {
            task: Some(PopTask::Status(ask)),
            ..
        }) = ask
        else {
            panic!("it is to be asked");
        };
        assert_eq!(ask.watch, Some(Duration::from_secs(1)));
        assert!(parse("weir pop").is_err());
        assert!(parse("weir pop --origin http://a --trace-rate 2").is_err());
    }

    #[test]
    fn names_are_those_of_machines() {
        assert_eq!(
            dns_name("Live.Example.org"),
            Ok("live.example.org".to_owned())
        );
        assert!(dns_name("localhost").is_ok());
        for text in ["", ".", "*.example.org", "a..b", "-a.b", "a b", "http://a"] {
            assert!(dns_name(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("12h"), Ok(Duration::from_secs(43_200)));
        for text in ["", "30", "s", "-1s", "1.5s", "30 s", "99999999999s"] {
            assert!(duration(text).is_err(), "{text:?}");
        }
    }
}
