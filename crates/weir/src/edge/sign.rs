//! Keys of edge modules, and signing with them. Nothing here touches the network: it is for a
//! machine that has none.

use std::{
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use weir_pop::rollout::{self, SigningKey, signature};

use super::{
    args::{KeygenArgs, SignArgs},
    operator::now,
    read_module, say,
};

/// Makes a key, in two files that are not there yet.
pub(super) fn keygen(args: &KeygenArgs) -> anyhow::Result<()> {
    let key = SigningKey::generate()?;
    write_new(&args.key, 0o600, &key.to_pem()?)?;
    write_new(&args.public, 0o644, &key.public().to_pem())?;
    say(&format!(
        "key {}: private in {}, public in {}\n",
        key.public().id(),
        args.key.display(),
        args.public.display()
    ))
}

/// Signs a module that works.
pub(super) fn sign(args: &SignArgs) -> anyhow::Result<()> {
    let module = read_module(&args.module)?;
    let abi = rollout::examine(&module)
        .with_context(|| format!("{} is not fit to decide", args.module.display()))?;
    let key = SigningKey::read(&args.key)?;
    let name = match &args.name {
        Some(name) => name.clone(),
        None => {
            let hash = signature::hash(&module).to_string();
            format!("edge-{}", &hash[..12])
        }
    };
    let manifest = key.sign(&module, &name, abi, now())?;
    let out = args.out.clone().unwrap_or_else(|| beside(&args.module));
    let mut json = serde_json::to_vec_pretty(&manifest)?;
    json.push(b'\n');
    std::fs::write(&out, json).with_context(|| format!("cannot write {}", out.display()))?;
    say(&format!(
        "{name} signed with {}: {}\n",
        manifest.key,
        out.display()
    ))
}

/// Where a module's signature is, unless another place is named.
pub(super) fn beside(module: &Path) -> PathBuf {
    let mut name = module.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

fn write_new(path: &Path, mode: u32, text: &str) -> anyhow::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .with_context(|| format!("cannot make {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use weir_pop::rollout::EdgeKey;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let args = KeygenArgs {
            key: folder.path().join("edge.key"),
            public: folder.path().join("edge.pub"),
        };
        keygen(&args).unwrap();
        let mode = fs::metadata(&args.key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let key = SigningKey::read(&args.key).unwrap();
        assert_eq!(EdgeKey::read(&args.public).unwrap(), [key.public()]);
        assert!(keygen(&args).is_err(), "no key is written over");
        assert_eq!(SigningKey::read(&args.key).unwrap().public(), key.public());
    }

    #[test]
    fn nothing_is_signed_that_would_be_refused() {
        let folder = tempfile::tempdir().unwrap();
        let module = folder.path().join("edge.wasm");
        fs::write(&module, b"\0asm\x01\0\0\0").unwrap();
        let args = SignArgs {
            module: module.clone(),
            key: folder.path().join("edge.key"),
            name: None,
            out: None,
        };
        let error = sign(&args).unwrap_err();
        assert!(
            format!("{error:#}").contains("not fit to decide"),
            "{error:#}"
        );
        assert!(!beside(&module).exists());
    }
}
