//! The most lines of pictures that a viewer is meant to get.

/// `max`, or as many lines as the smallest of these renditions has if all have more: whoever may
/// see something sees at least that.
pub fn lifted(max: u32, lines: impl Iterator<Item = u32>) -> u32 {
    lines.min().map_or(max, |smallest| smallest.max(max))
}

#[cfg(test)]
mod tests {
    use super::lifted;

    #[test]
    fn the_smallest_stays() {
        assert_eq!(lifted(720, [1080, 480].into_iter()), 720);
        assert_eq!(lifted(240, [1080, 480].into_iter()), 480);
        assert_eq!(lifted(240, [].into_iter()), 240);
    }
}
