//! Who may give this point of presence a module: keys that were pinned, and what they signed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use aws_lc_rs::{
    error::{KeyRejected, Unspecified},
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};
use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio_rustls::rustls::pki_types::{
    PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer,
    pem::{self, PemObject},
};
use weir_model::{
    WallTime,
    rollout::{InvalidManifest, Manifest, ModuleHash},
};

/// What an Ed25519 public key begins with as a SubjectPublicKeyInfo (RFC 8410 section 4).
const SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
/// Most keys that a point of presence pins.
const MAX_KEYS: usize = 16;

/// Why a file holds no key.
#[derive(Debug, Error)]
pub enum KeyError {
    /// It can't be read.
    #[error("cannot read the key {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds none in PEM.
    #[error("{path} holds no {what} in PEM: {source}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// Why.
        source: pem::Error,
    },
    /// It is a key of another kind.
    #[error("{path} holds no Ed25519 key")]
    Kind {
        /// The file.
        path: PathBuf,
    },
    /// There are too many.
    #[error("at most {MAX_KEYS} edge keys can be pinned")]
    TooMany,
}

/// Why a module was not let in because of its signature.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Untrusted {
    /// Nobody is trusted.
    #[error("no edge key is pinned here (--edge-key), so no module is taken")]
    NoKeys,
    /// The manifest's fields are out of bounds.
    #[error(transparent)]
    Manifest(#[from] InvalidManifest),
    /// It is signed by somebody else.
    #[error("the module is signed with the key {0}, which is not pinned here")]
    UnknownKey(String),
    /// The signature is not one of the manifest by that key.
    #[error("the signature by the key {0} is wrong")]
    WrongSignature(String),
    /// The bytes are not those that were signed.
    #[error("the module's bytes are not those that were signed: {found} instead of {signed}")]
    OtherBytes {
        /// Hash in the manifest.
        signed: ModuleHash,
        /// Hash of the bytes.
        found: ModuleHash,
    },
}

/// A public key that modules may be signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeKey {
    id: String,
    public: [u8; 32],
}

impl EdgeKey {
    fn new(public: [u8; 32]) -> Self {
        let id = HEXLOWER.encode(&Sha256::digest(public)[..8]);
        Self { id, public }
    }

    /// The keys in a PEM file: `BEGIN PUBLIC KEY`, as `weir edge keygen` and OpenSSL write them.
    pub fn read(path: &Path) -> Result<Vec<Self>, KeyError> {
        let text = read(path)?;
        let keys: Result<Vec<_>, _> = SubjectPublicKeyInfoDer::pem_slice_iter(&text).collect();
        let pem_error = |source| KeyError::Pem {
            path: path.to_owned(),
            what: "public key",
            source,
        };
        let keys = keys.map_err(pem_error)?;
        if keys.is_empty() {
            return Err(pem_error(pem::Error::NoItemsFound));
        }
        let raw = |key: &SubjectPublicKeyInfoDer<'_>| {
            let raw = key.as_ref().strip_prefix(&SPKI)?.try_into().ok()?;
            Some(Self::new(raw))
        };
        let keys: Option<Vec<_>> = keys.iter().map(raw).collect();
        keys.ok_or_else(|| KeyError::Kind {
            path: path.to_owned(),
        })
    }

    /// What manifests name it by.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key in PEM.
    pub fn to_pem(&self) -> String {
        let der: Vec<u8> = SPKI.into_iter().chain(self.public).collect();
        pem("PUBLIC KEY", &der)
    }
}

/// The keys that are pinned. Without any, no module is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgeKeys(Vec<EdgeKey>);

impl EdgeKeys {
    /// The keys in `files`.
    pub fn read<P: AsRef<Path>>(files: &[P]) -> Result<Self, KeyError> {
        let mut keys = Vec::new();
        for file in files {
            keys.extend(EdgeKey::read(file.as_ref())?);
        }
        match keys.len() {
            0..=MAX_KEYS => Ok(Self(keys)),
            _ => Err(KeyError::TooMany),
        }
    }

    /// Whether `bytes` are a module that one of the keys has signed.
    pub fn verify(&self, manifest: &Manifest, bytes: &[u8]) -> Result<(), Untrusted> {
        self.verify_manifest(manifest)?;
        let found = hash(bytes);
        let signed = manifest.sha256;
        if found != signed || bytes.len() as u64 != manifest.bytes {
            return Err(Untrusted::OtherBytes { signed, found });
        }
        Ok(())
    }

    /// Whether one of the keys has signed the manifest: known before its module is fetched.
    pub fn verify_manifest(&self, manifest: &Manifest) -> Result<(), Untrusted> {
        if self.0.is_empty() {
            return Err(Untrusted::NoKeys);
        }
        manifest.check()?;
        let by = || manifest.key.clone();
        let known = self.0.iter().find(|key| key.id == manifest.key);
        let key = known.ok_or_else(|| Untrusted::UnknownKey(by()))?;
        let signature = BASE64.decode(manifest.signature.as_bytes());
        let signature = signature.map_err(|_| Untrusted::WrongSignature(by()))?;
        UnparsedPublicKey::new(&ED25519, key.public)
            .verify(&manifest.signed(), &signature)
            .map_err(|Unspecified| Untrusted::WrongSignature(by()))
    }
}

impl FromIterator<EdgeKey> for EdgeKeys {
    fn from_iter<I: IntoIterator<Item = EdgeKey>>(keys: I) -> Self {
        Self(keys.into_iter().take(MAX_KEYS).collect())
    }
}

/// The private key that modules are signed with. It is to be kept off every machine that serves.
pub struct SigningKey(Ed25519KeyPair);

/// No key could be made.
#[derive(Debug, Error)]
#[error("no key could be made")]
pub struct NoKey;

impl SigningKey {
    /// Makes a key.
    pub fn generate() -> Result<Self, NoKey> {
        Ed25519KeyPair::generate()
            .map(Self)
            .map_err(|Unspecified| NoKey)
    }

    /// The key in a PEM file: `BEGIN PRIVATE KEY`, PKCS #8, as `weir edge keygen` and OpenSSL
    /// write it.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let text = read(path)?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(&text).map_err(|source| KeyError::Pem {
            path: path.to_owned(),
            what: "private key",
            source,
        })?;
        let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.secret_pkcs8_der());
        key.map(Self).map_err(|_: KeyRejected| KeyError::Kind {
            path: path.to_owned(),
        })
    }

    /// The key in PEM.
    pub fn to_pem(&self) -> Result<String, NoKey> {
        let der = self.0.to_pkcs8v1().map_err(|Unspecified| NoKey)?;
        Ok(pem("PRIVATE KEY", der.as_ref()))
    }

    /// Its public half, to be pinned.
    pub fn public(&self) -> EdgeKey {
        let mut public = [0; 32];
        public.copy_from_slice(self.0.public_key().as_ref());
        EdgeKey::new(public)
    }

    /// Signs a module of ABI version `abi`.
    pub fn sign(
        &self,
        module: &[u8],
        name: &str,
        abi: u32,
        now: WallTime,
    ) -> Result<Manifest, InvalidManifest> {
        let mut manifest = Manifest {
            name: name.to_owned(),
            sha256: hash(module),
            bytes: module.len() as u64,
            abi,
            created_at: now,
            key: self.public().id,
            signature: String::new(),
        };
        manifest.check()?;
        manifest.signature = BASE64.encode(self.0.sign(&manifest.signed()).as_ref());
        Ok(manifest)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.public().id)
    }
}

/// What a module is called by.
pub fn hash(module: &[u8]) -> ModuleHash {
    ModuleHash(Sha256::digest(module).into())
}

fn read(path: &Path) -> Result<Vec<u8>, KeyError> {
    fs::read(path).map_err(|source| KeyError::Read {
        path: path.to_owned(),
        source,
    })
}

/// RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy);
    let body = lines.fold(String::new(), |body, line| body + &line + "\n");
    format!("-----BEGIN {label}-----\n{body}-----END {label}-----\n")
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
