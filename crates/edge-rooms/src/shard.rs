//! Which of the objects that hold a room a viewer belongs to.

/// Most objects that hold one room. One object carries about a thousand messages a second, and has
/// to send each frame to each of its viewers.
const MOST: u32 = 64;

/// How many, as the operator says; one, if that is no number.
pub fn count(setting: &str) -> u32 {
    setting.parse().unwrap_or(1).clamp(1, MOST)
}

/// The shard, below `count`, of the viewer whose handshake has this key.
pub fn of(key: &[u8], count: u32) -> u32 {
    // FNV-1a: the key is random already, and only needs folding.
    let hash = key.iter().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    });
    hash % count.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_is_bounded() {
        assert_eq!(count(""), 1);
        assert_eq!(count("0"), 1);
        assert_eq!(count("4"), 4);
        assert_eq!(count("1000"), MOST);
        assert_eq!(count("many"), 1);
    }

    #[test]
    fn viewers_are_spread() {
        let mut viewers = [0; 8];
        for viewer in 0..8000_u32 {
            viewers[of(format!("key {viewer}").as_bytes(), 8) as usize] += 1;
        }
        assert!(
            viewers.iter().all(|viewers| (800..1200).contains(viewers)),
            "{viewers:?}"
        );
        assert_eq!(of(b"", 1), 0);
    }
}
