//! The origin's operator listener, as a client.

use std::{
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, bail};
use serde::de::DeserializeOwned;
use ureq::{Agent, Body, http::Response};
use weir_model::{
    Problem, WallTime,
    rollout::{Fleet, ModuleHash, Rollout, StartRollout},
};

use super::args::OperatorArgs;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// One origin's operator listener.
pub(super) struct Operator {
    agent: Agent,
    base: String,
    bearer: String,
}

impl Operator {
    pub(super) fn new(args: &OperatorArgs) -> anyhow::Result<Self> {
        let token = fs::read_to_string(&args.token_file)
            .with_context(|| format!("cannot read {} (--token-file)", args.token_file.display()))?;
        let agent = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .build();
        Ok(Self {
            agent: agent.into(),
            base: args.operator.to_string().trim_end_matches('/').to_owned(),
            bearer: format!("Bearer {}", token.trim()),
        })
    }

    /// Has the origin keep a module.
    pub(super) fn upload(&self, sha256: ModuleHash, module: &[u8]) -> anyhow::Result<()> {
        let response = self
            .agent
            .put(self.url(&format!("/api/v1/edge/modules/{sha256}")))
            .header("authorization", &self.bearer)
            .header("content-type", "application/wasm")
            .send(module);
        self.done(response).map(drop)
    }

    /// Has all points of presence run it.
    pub(super) fn start(&self, wanted: &StartRollout) -> anyhow::Result<Rollout> {
        let response = self
            .agent
            .post(self.url("/api/v1/edge/rollout"))
            .header("authorization", &self.bearer)
            .header("content-type", "application/json")
            .send(&serde_json::to_vec(wanted)?);
        self.json(response)
    }

    /// How it goes.
    pub(super) fn fleet(&self) -> anyhow::Result<Fleet> {
        let response = self
            .agent
            .get(self.url("/api/v1/edge/rollout"))
            .header("authorization", &self.bearer)
            .call();
        self.json(response)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn json<T: DeserializeOwned>(
        &self,
        response: Result<Response<Body>, ureq::Error>,
    ) -> anyhow::Result<T> {
        let body = self.done(response)?;
        serde_json::from_str(&body).context("the origin's answer is not what was asked for")
    }

    fn done(&self, response: Result<Response<Body>, ureq::Error>) -> anyhow::Result<String> {
        let mut response =
            response.with_context(|| format!("no answer from {} (--operator)", self.base))?;
        let body = response.body_mut().read_to_string()?;
        if response.status().is_success() {
            return Ok(body);
        }
        let status = response.status();
        match serde_json::from_str::<Problem>(&body) {
            Ok(problem) => bail!("{}: {}", problem.code.as_str(), problem.detail),
            Err(_) => bail!("{} answers {status}", self.base),
        }
    }
}

/// The time on this machine.
pub(super) fn now() -> WallTime {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    WallTime(0).plus(since_1970)
}
