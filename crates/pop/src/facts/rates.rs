//! How often an address has done what is limited: a token bucket for each, as the time at which
//! it would be full again (the generic cell rate algorithm).

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use weir_edge_abi::Limit;

/// Most buckets that are not full. Beyond, all are: who has so many addresses is not held back by
/// any of them.
const MAX_BUCKETS: usize = 65_536;

/// The buckets of all addresses.
#[derive(Default)]
pub(crate) struct Rates(Mutex<HashMap<(u8, IpAddr), Instant>>);

impl Rates {
    /// Takes one out of the bucket of `address`; or says how long it stays empty.
    pub(crate) fn take(&self, limit: Limit, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let per_minute = limit.per_minute.max(1);
        let interval = Duration::from_secs(60) / per_minute;
        let depth = interval * limit.burst.max(1);
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_BUCKETS {
            buckets.retain(|_, full_at| *full_at > now);
            if buckets.len() >= MAX_BUCKETS {
                buckets.clear();
            }
        }
        let full_at = buckets
            .entry((limit.bucket, network(address)))
            .or_insert(now);
        let next = (*full_at).max(now) + interval;
        match (next - now).checked_sub(depth) {
            None | Some(Duration::ZERO) => {
                *full_at = next;
                Ok(())
            }
            Some(wait) => Err(wait),
        }
    }
}

/// Whoever has one IPv6 address has all of its /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let prefix = address.to_bits() >> 64 << 64;
            Ipv6Addr::from_bits(prefix).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit {
        bucket: 0,
        per_minute: 60,
        burst: 3,
    };

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let (rates, begin) = (Rates::default(), Instant::now());
        let at = |ms| {
            rates.take(
                LIMIT,
                address("10.0.0.1"),
                begin + Duration::from_millis(ms),
            )
        };
        for _ in 0..3 {
            assert_eq!(at(0), Ok(()));
        }
        assert_eq!(at(0), Err(Duration::from_secs(1)));
        assert_eq!(at(400), Err(Duration::from_millis(600)));
        assert_eq!(at(1000), Ok(()));
        assert_eq!(at(1000), Err(Duration::from_secs(1)));
        for _ in 0..3 {
            assert_eq!(at(60_000), Ok(()), "no more than the burst is saved");
        }
        assert!(at(60_000).is_err());
    }

    #[test]
    fn addresses_and_buckets_are_apart_and_networks_together() {
        let (rates, now) = (Rates::default(), Instant::now());
        let single = Limit { burst: 1, ..LIMIT };
        let take = |limit, text| rates.take(limit, address(text), now);
        assert_eq!(take(single, "10.0.0.1"), Ok(()));
        assert!(take(single, "10.0.0.1").is_err());
        assert!(take(single, "::ffff:10.0.0.1").is_err());
        assert_eq!(take(single, "10.0.0.2"), Ok(()));
        let other = Limit {
            bucket: 1,
            ..single
        };
        assert_eq!(take(other, "10.0.0.1"), Ok(()));
        assert_eq!(take(single, "2001:db8::1"), Ok(()));
        assert!(take(single, "2001:db8::2:3").is_err());
        assert_eq!(take(single, "2001:db8:0:1::1"), Ok(()));
    }

    #[test]
    fn buckets_are_bounded() {
        let (rates, now) = (Rates::default(), Instant::now());
        for n in 0..3 * MAX_BUCKETS as u32 {
            let _ = rates.take(LIMIT, IpAddr::V4(n.into()), now);
        }
        assert!(rates.0.lock().unwrap().len() <= MAX_BUCKETS);
    }
}
