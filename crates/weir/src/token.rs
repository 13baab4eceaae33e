//! `weir token`: playback tokens, and the keys that sign them.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use weir_model::{
    Country, DeviceClass, VideoId, WallTime,
    jwk::Jwk,
    key::{Algorithm, ED25519_LEN, Key, MIN_SECRET, Secret, SigningKey},
    token::{Claims, MAX_COUNTRIES, MAX_LEN, MAX_VIDEOS, Videos, mint},
};

use crate::cli::duration;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct TokenCommand {
    #[command(flatten)]
    pub(crate) mint: Option<MintArgs>,
    #[command(subcommand)]
    pub(crate) task: Option<TokenTask>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenTask {
    /// Make a key: write it to a file, and print what edges are to be told of it.
    Keygen(KeygenArgs),
}

#[derive(Debug, Args)]
pub(crate) struct MintArgs {
    /// The key to sign with, a JSON Web Key as `weir token keygen` writes it.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// What the token names the key by [default: what its file says].
    #[arg(long)]
    pub(crate) kid: Option<String>,
    /// A video that it is good for. Any number, separated by commas.
    #[arg(
        long,
        value_name = "ID",
        value_delimiter = ',',
        required_unless_present = "any_video"
    )]
    pub(crate) video: Vec<VideoId>,
    /// It is good for every video.
    #[arg(long, conflicts_with = "video")]
    pub(crate) any_video: bool,
    /// How long it is good, such as 30m or 2h.
    #[arg(long, default_value = "2h", value_parser = duration, value_name = "DURATION")]
    pub(crate) expires: Duration,
    /// How long until it is good.
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub(crate) begins: Option<Duration>,
    /// Whom it is for: the audience of the edges' policy.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) audience: String,
    /// A country that it is good in. Any number, separated by commas [default: all].
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub(crate) country: Vec<Country>,
    /// Whose renditions are listed: phone, tablet, desktop or tv [default: what the device says].
    #[arg(long)]
    pub(crate) device: Option<DeviceClass>,
    /// Most lines of video.
    #[arg(long, value_name = "LINES", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) max_height: Option<u16>,
}

#[derive(Debug, Args)]
pub(crate) struct KeygenArgs {
    /// What tokens are to name the key by.
    #[arg(long, value_parser = kid)]
    pub(crate) kid: String,
    /// hs256: whoever can verify can sign, for one's own edges. eddsa: edges get a public key.
    #[arg(long, value_enum, default_value_t = KeyAlgorithm::Hs256)]
    pub(crate) algorithm: KeyAlgorithm,
    /// Where to write it; there must be nothing yet.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyAlgorithm {
    /// HMAC with SHA-256 and a shared secret.
    #[value(name = "hs256")]
    Hs256,
    /// Ed25519.
    #[value(name = "eddsa")]
    EdDsa,
}

/// 1 to 32 characters that need no escape anywhere.
fn kid(text: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    match (1..=32).contains(&text.len()) && text.bytes().all(allowed) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "{text:?} is not 1 to 32 characters of A-Z, a-z, 0-9, -, _ and ."
        )),
    }
}

/// Does what was asked for.
pub(crate) fn run(command: TokenCommand) -> anyhow::Result<()> {
    match (command.mint, command.task) {
        (_, Some(TokenTask::Keygen(args))) => keygen(&args),
        (Some(args), None) => print(args),
        (None, None) => bail!("say what to sign with (--key) and for what (--video)"),
    }
}

/// Prints a token.
fn print(args: MintArgs) -> anyhow::Result<()> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("the clock is before 1970")?;
    let token = minted(args, WallTime(0).plus(now))?;
    say(&format!("{token}\n"))
}

fn minted(args: MintArgs, now: WallTime) -> anyhow::Result<String> {
    let mut key = signing_key(&args.key)?;
    if let Some(kid) = args.kid {
        key.kid = kid;
    }
    let videos = match args.any_video {
        true => Videos::Any,
        false => Videos::These(args.video),
    };
    if matches!(&videos, Videos::These(videos) if videos.len() > MAX_VIDEOS) {
        bail!("a token names at most {MAX_VIDEOS} videos (--video), or all of them (--any-video)");
    }
    if args.country.len() > MAX_COUNTRIES {
        bail!("a token names at most {MAX_COUNTRIES} countries (--country)");
    }
    let claims = Claims {
        videos,
        not_before: args.begins.map(|delay| now.plus(delay)),
        expires: now.plus(args.expires),
        countries: args.country,
        device: args.device,
        max_height: args.max_height,
    };
    let token = mint(&claims, &args.audience, &key)
        .with_context(|| format!("key {}", args.key.display()))?;
    if token.len() > MAX_LEN {
        bail!(
            "the token has {} bytes, more than the {MAX_LEN} that edges take: name fewer videos",
            token.len()
        );
    }
    Ok(token)
}

fn signing_key(path: &Path) -> anyhow::Result<SigningKey> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    let jwk: Jwk =
        serde_json::from_str(&text).with_context(|| format!("{shown} is no JSON Web Key"))?;
    jwk.to_signing()
        .with_context(|| format!("{shown} cannot sign"))
}

/// Makes a key, writes it to a file, and prints what edges are to be told of it.
fn keygen(args: &KeygenArgs) -> anyhow::Result<()> {
    let (algorithm, len) = match args.algorithm {
        KeyAlgorithm::Hs256 => (Algorithm::Hs256, MIN_SECRET),
        KeyAlgorithm::EdDsa => (Algorithm::EdDsa, ED25519_LEN),
    };
    let mut secret = vec![0; len];
    getrandom::fill(&mut secret).context("no random bytes can be had")?;
    let key = SigningKey {
        kid: args.kid.clone(),
        algorithm,
        secret: Secret(secret),
    };
    let public = key.verifying()?;
    let jwk = serde_json::to_string_pretty(&Jwk::signing_key(&key)?)?;
    let out = args.out.display();
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&args.out)
        .and_then(|mut file| writeln!(file, "{jwk}"))
        .with_context(|| format!("cannot write the key to {out}"))?;
    say(&entry(&public)?)
}

/// The key's entry in a policy. Of HS256 it holds the whole key.
fn entry(key: &Key) -> anyhow::Result<String> {
    let jwk = serde_json::to_value(Jwk::verifying_key(key))?;
    let (field, member) = match key.algorithm {
        Algorithm::Hs256 => ("secret", "k"),
        Algorithm::EdDsa => ("public_key", "x"),
    };
    let bytes = jwk[member].as_str().context("a key without its bytes")?;
    let (kid, algorithm) = (&key.kid, key.algorithm.as_str());
    Ok(format!(
        "[[keys]]\nkid = \"{kid}\"\nalgorithm = \"{algorithm}\"\n{field} = \"{bytes}\"\n"
    ))
}

fn say(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("cannot write to stdout")
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use weir_model::token::{Grace, Grant, Refusal, verify};

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn a_token_is_minted_or_its_key_made() {
        let parse = |text: &str| Cli::try_parse_from(text.split(' ')).map(|cli| cli.command);
        let mint =
            parse("weir token --key k --video pabcdefghijk --country DE,FR --max-height 720");
        let Ok(Command::Token(TokenCommand {
            mint: Some(mint),
            task: None,
        })) = mint
        else {
            panic!("a token is minted: {mint:?}");
        };
        assert_eq!((mint.country.len(), mint.max_height), (2, Some(720)));
        assert_eq!(mint.expires, Duration::from_secs(7200));
        let keygen = parse("weir token keygen --kid k1 --algorithm eddsa --out k");
        let Ok(Command::Token(TokenCommand {
            task: Some(TokenTask::Keygen(keygen)),
            ..
        })) = keygen
        else {
            panic!("a key is made: {keygen:?}");
        };
        assert_eq!(keygen.algorithm, KeyAlgorithm::EdDsa);
        for wrong in [
            "weir token",
            "weir token --key k",
            "weir token --key k --video oops",
            "weir token --key k --any-video --country de",
            "weir token --key k --any-video --max-height 0",
            "weir token keygen --kid k\"1 --out k",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_signs_what_its_entry_verifies() {
        let folder = tempfile::tempdir().unwrap();
        for algorithm in [KeyAlgorithm::Hs256, KeyAlgorithm::EdDsa] {
            let args = KeygenArgs {
                kid: "k1".to_owned(),
                algorithm,
                out: folder.path().join(format!("{algorithm:?}.jwk")),
            };
            keygen(&args).unwrap();
            assert!(keygen(&args).is_err(), "no key is written over");
            let key = signing_key(&args.out).unwrap();
            let entry = entry(&key.verifying().unwrap()).unwrap();
            assert!(entry.contains("kid = \"k1\""), "{entry}");

            let video = "pabcdefghijk".parse().unwrap();
            let now = WallTime(5_000_000);
            let token = minted(
                MintArgs {
                    key: args.out,
                    kid: None,
                    video: vec![video],
                    any_video: false,
                    expires: Duration::from_secs(60),
                    begins: None,
                    audience: "tests".to_owned(),
                    country: vec!["DE".parse().unwrap()],
                    device: None,
                    max_height: Some(720),
                },
                now,
            );
            let keys = [key.verifying().unwrap()];
            let claims = verify(&token.unwrap(), &keys, "tests").unwrap().to_bytes();
            let grant = Grant::read(&claims).unwrap();
            let at = |s| {
                let now = now.plus(Duration::from_secs(s));
                grant.allows(video, now, "DE".parse().ok(), Grace::None)
            };
            assert_eq!((at(0), at(60)), (Ok(()), Err(Refusal::Expired)));
            assert_eq!(grant.max_height, Some(720));
        }
    }
}
