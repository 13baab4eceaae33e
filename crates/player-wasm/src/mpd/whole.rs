//! Rounding: `core` has none.

/// From here on every `f64` is a whole number.
const WHOLE_FROM: f64 = (1_u64 << 52) as f64;

/// The largest whole number that is not above this one.
pub(super) fn floor(number: f64) -> f64 {
    if number.abs() < WHOLE_FROM {
        let whole = number as i64 as f64;
        if whole > number { whole - 1.0 } else { whole }
    } else {
        number
    }
}

/// The smallest whole number that is not below this one.
pub(super) fn ceil(number: f64) -> f64 {
    -floor(-number)
}

/// The nearest whole number; of two the larger.
pub(super) fn round(number: f64) -> f64 {
    floor(number + 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_like_the_standard_library() {
        let numbers = [
            0.0,
            0.4,
            0.5,
            1.0,
            1.6,
            -0.4,
            -1.0,
            -1.6,
            4e15,
            1e300,
            -1e300,
            f64::INFINITY,
        ];
        for number in numbers {
            assert_eq!(floor(number), number.floor(), "{number}");
            assert_eq!(ceil(number), number.ceil(), "{number}");
            assert_eq!(round(number), number.round(), "{number}");
        }
        assert!(floor(f64::NAN).is_nan());
    }
}
