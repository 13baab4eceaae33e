//! Which session a packet is for.
//!
//! A connectivity check names the session by our user name fragment (RFC 8445 section 7.2.2). The
//! session then proves by the check's integrity that it comes from its client, and claims the
//! address; what else comes from there is found by it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use str0m::ice::StunMessage;
use tokio::sync::mpsc;

use super::packet::{MOST_SOURCES, Packet, Source};

/// How many packets may wait for a session. A keyframe of 1 MB has 800.
const INBOX: usize = 1024;

/// Finds sessions.
#[derive(Debug, Default)]
pub(super) struct Routes(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    by_ufrag: HashMap<String, mpsc::Sender<Packet>>,
    by_source: HashMap<Source, Claimed>,
}

#[derive(Debug)]
struct Claimed {
    ufrag: Arc<str>,
    inbox: mpsc::Sender<Packet>,
}

/// A session's part in the table; dropping it takes the session out.
#[derive(Debug)]
pub(super) struct Route {
    routes: Arc<Routes>,
    ufrag: Arc<str>,
    inbox: mpsc::Sender<Packet>,
    /// Oldest first.
    sources: VecDeque<Source>,
}

impl Routes {
    /// Enters a session by our user name fragment.
    pub(super) fn open(self: &Arc<Self>, ufrag: &str) -> (Route, mpsc::Receiver<Packet>) {
        let (inbox, packets) = mpsc::channel(INBOX);
        let entered = (ufrag.to_owned(), inbox.clone());
        self.lock().by_ufrag.extend([entered]);
        let route = Route {
            routes: self.clone(),
            ufrag: ufrag.into(),
            inbox,
            sources: VecDeque::new(),
        };
        (route, packets)
    }

    /// Puts a packet into the inbox of its session. Answers whether there is one. A packet for
    /// which there is no room is lost, as on the way.
    pub(super) fn deliver(&self, packet: Packet) -> bool {
        let inbox = self.find(&packet);
        let found = inbox.is_some();
        if let Some(inbox) = inbox {
            let _ = inbox.try_send(packet);
        }
        found
    }

    fn find(&self, packet: &Packet) -> Option<mpsc::Sender<Packet>> {
        // RFC 7983: STUN begins with 0 to 3.
        let check = match packet.contents.first() {
            Some(0..=3) => StunMessage::parse(&packet.contents).ok(),
            _ => None,
        };
        let table = self.lock();
        let named = check
            .filter(StunMessage::is_binding_request)
            .and_then(|check| {
                let (ufrag, _) = check.split_username()?;
                table.by_ufrag.get(ufrag).cloned()
            });
        named.or_else(|| {
            let claimed = table.by_source.get(&packet.source)?;
            Some(claimed.inbox.clone())
        })
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Route {
    /// What comes from `source` is for this session, whomever it was for before.
    pub(super) fn claim(&mut self, source: Source) {
        let claimed = Claimed {
            ufrag: self.ufrag.clone(),
            inbox: self.inbox.clone(),
        };
        let mut table = self.routes.lock();
        table.by_source.insert(source, claimed);
        self.sources.retain(|known| *known != source);
        self.sources.push_back(source);
        if self.sources.len() > MOST_SOURCES
            && let Some(oldest) = self.sources.pop_front()
        {
            table.release(oldest, &self.ufrag);
        }
    }
}

impl Table {
    /// Forgets an address, unless another session has claimed it.
    fn release(&mut self, source: Source, ufrag: &str) {
        let claimed = self.by_source.get(&source);
        if claimed.is_some_and(|claimed| *claimed.ufrag == *ufrag) {
            self.by_source.remove(&source);
        }
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        let mut table = self.routes.lock();
        table.by_ufrag.remove(&*self.ufrag);
        for source in &self.sources {
            table.release(*source, &self.ufrag);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use bytes::Bytes;
    use str0m::net::Protocol;

    use super::*;

    fn packet(port: u16) -> Packet {
        Packet {
            source: Source {
                protocol: Protocol::Udp,
                address: ([127, 0, 0, 1], port).into(),
            },
            contents: Bytes::from_static(&[128, 96, 0, 1]),
            received: Instant::now(),
        }
    }

    #[tokio::test]
    async fn an_address_belongs_to_the_last_session_that_claimed_it() {
        let routes = Arc::new(Routes::default());
        let (mut first, mut to_first) = routes.open("first");
        let (mut second, mut to_second) = routes.open("second");
        assert!(!routes.deliver(packet(1)), "nobody has claimed the address");
        first.claim(packet(1).source);
        assert!(routes.deliver(packet(1)));
        assert!(to_first.try_recv().is_ok());
        second.claim(packet(1).source);
        drop(first);
        assert!(routes.deliver(packet(1)));
        assert!(to_second.try_recv().is_ok());
        drop(second);
        assert!(!routes.deliver(packet(1)));
        assert!(routes.lock().by_ufrag.is_empty());
    }

    #[tokio::test]
    async fn a_session_that_keeps_moving_keeps_its_last_addresses() {
        let routes = Arc::new(Routes::default());
        let (mut route, _packets) = routes.open("moving");
        for port in 1..100 {
            route.claim(packet(port).source);
        }
        assert_eq!(routes.lock().by_source.len(), MOST_SOURCES);
        assert!(routes.deliver(packet(99)) && !routes.deliver(packet(1)));
        drop(route);
        assert!(routes.lock().by_source.is_empty());
    }
}
