//! With a buffer to draw on, the buffer decides: below a reserve as much is asked of the network as
//! it carries; what is above it is spent on quality.
//!
//! The reserve is what outages are to be sat out with. A network that usually carries the best rung
//! needs little of it, because a lower rung fills the buffer again at once. One that does not has
//! nothing to fill it with when it is needed, so it is filled before.

use super::{Params, Situation, Throughput, within};

/// The buffer that is not spent, in s.
pub(super) fn seconds(params: &Params, throughput: &Throughput, at: &Situation<'_>) -> f64 {
    let missing = (1.0 - throughput.usual() / at.top()).max(0.0);
    // What has not varied need not be mistrusted.
    let volatile = (throughput.worst_error() / params.volatile_error).min(1.0);
    let wanted_s = params.reserve_s
        + params.poor_s * volatile * missing * missing * missing
        + throughput.worst_spell_s();
    // What is buffered at the end of a recording was never needed.
    let useful_share = (params.left_share + params.poor_left_share * missing * missing).min(1.0);
    let useful_s = useful_share * (at.left_s + at.buffer_s);
    wanted_s
        .min(params.reserve_share * at.capacity_s)
        .min(useful_s)
        .max(1.0)
}

/// The rung that the buffer affords, at a throughput of which `rate` bits per second are counted on.
pub(super) fn choose(
    params: &Params,
    throughput: &Throughput,
    at: &Situation<'_>,
    rate: f64,
) -> usize {
    let reserve_s = seconds(params, throughput, at);
    let above_s = (at.buffer_s - reserve_s).max(0.0);
    let known = (throughput.seen_s() / params.known_s).min(1.0);
    let filled = params.fill_share * known * (reserve_s - at.buffer_s).max(0.0) / at.capacity_s;
    // At twice the speed media is needed twice as fast.
    let rate = rate / at.rate;
    let budget = |over_s: f64| rate * (1.0 + above_s / over_s - filled).min(params.spend_most);
    let Some(most) = within(at.rungs, budget(params.spend_s)) else {
        let lowest = at.rungs.iter().position(|rung| rung.usable);
        return lowest.unwrap_or(at.active);
    };
    // Rising asks for more than staying, so that the choice does not swing.
    let rise = params.rise_share * budget(params.rise_spend_s);
    let risen = within(at.rungs, rise).unwrap_or(0);
    most.min(risen.max(at.active))
}
