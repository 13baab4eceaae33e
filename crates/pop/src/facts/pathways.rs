//! How well the places are that viewers are steered to: each is asked now and then whether it is
//! alive, and its health follows the answers.

use std::sync::atomic::{AtomicU8, Ordering};

use weir_edge_abi::Pathway;

/// How much of the health is kept at each answer, in percent: five failures in a row lead below
/// 20, as many successes back above 80.
const KEPT: u16 = 70;
const WELL: u8 = 100;

/// The pathways of a policy, in its order.
pub(crate) struct Pathways(Vec<Watched>);

struct Watched {
    base_url: String,
    health: AtomicU8,
}

impl Pathways {
    /// All well, until one is known not to be.
    pub(super) fn new(pathways: &[Pathway]) -> Self {
        let watched = |pathway: &Pathway| Watched {
            base_url: pathway.base_url.trim_end_matches('/').to_owned(),
            health: AtomicU8::new(WELL),
        };
        Self(pathways.iter().map(watched).collect())
    }

    /// The health of each, 0 to 100.
    pub(super) fn health(&self) -> Vec<u8> {
        let health = |watched: &Watched| watched.health.load(Ordering::Relaxed);
        self.0.iter().map(health).collect()
    }

    /// Where to ask each of them whether it is alive.
    pub(crate) fn probes(&self) -> impl Iterator<Item = String> {
        let probe = |watched: &Watched| format!("{}/healthz", watched.base_url);
        self.0.iter().map(probe)
    }

    /// The answer of the pathway at `index`.
    pub(crate) fn answered(&self, index: usize, well: bool) {
        if let Some(watched) = self.0.get(index) {
            let before = watched.health.load(Ordering::Relaxed);
            let after = next(before, well);
            watched.health.store(after, Ordering::Relaxed);
        }
    }
}

/// A moving average that reaches both ends.
fn next(health: u8, well: bool) -> u8 {
    let kept = u16::from(health) * KEPT;
    match well {
        true => (kept + (100 - KEPT) * u16::from(WELL)).div_ceil(100) as u8,
        false => (kept / 100) as u8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pathway(id: &str) -> Pathway {
        Pathway {
            id: id.to_owned(),
            base_url: format!("https://{id}.example.org/"),
        }
    }

    #[test]
    fn health_follows_the_answers() {
        let pathways = Pathways::new(&[pathway("a"), pathway("b")]);
        assert_eq!(
            pathways.probes().collect::<Vec<_>>(),
            [
                "https://a.example.org/healthz",
                "https://b.example.org/healthz"
            ]
        );
        let answers = |well, times| {
            (0..times).for_each(|_| pathways.answered(1, well));
            pathways.health()
        };
        assert_eq!(answers(false, 1), [100, 70]);
        assert!(answers(false, 4)[1] < 20);
        assert_eq!(answers(false, 20), [100, 0]);
        assert_eq!(answers(true, 1), [100, 30]);
        assert!(answers(true, 4)[1] > 80);
        assert_eq!(answers(true, 20), [100, 100]);
        pathways.answered(2, false);
    }
}
