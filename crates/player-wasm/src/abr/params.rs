//! Every number that the choice and the latency depend on, in one place.

/// The parameters of [`Abr`](super::Abr) and of
/// [`LatencyControl`](crate::latency::LatencyControl).
///
/// Qualities are counted as shares of the best rung's bitrate, so that 1 is the best there is.
/// `docs/abr.md` says how they were chosen, and on what.
#[derive(Clone, Debug, PartialEq)]
pub struct Params {
    // What the network gives.
    /// Smallest body worth measuring, in bytes; smaller ones are gathered until they are as much.
    pub min_bytes: f64,
    /// Shortest time believed, in ms: below it the clock and the event loop are what is measured.
    pub min_body_ms: f64,
    /// Fastest connection believed, in bits per second.
    pub max_bits_per_s: f64,
    /// Time that a sample weighs at least, in s.
    pub min_weight_s: f64,
    /// Time of transfer that the quick average remembers, in s.
    pub quick_s: f64,
    /// Time of transfer that the slow average remembers, in s.
    pub slow_s: f64,
    /// Time of transfer that the usual throughput is of, in s.
    pub usual_s: f64,
    /// Weight of one sample in the average error.
    pub error_weight: f64,
    /// How far below the averages a prediction stays, in average errors.
    pub caution: f64,
    /// What an estimate of an earlier visit weighs, as time of transfer in s.
    pub recalled_s: f64,
    /// The average error that an unknown network is taken to have had.
    pub first_error: f64,
    /// Time of transfer after which half of the worst average error is forgotten, in s.
    pub error_kept_s: f64,
    /// A network is slow while it gives less than the lowest rung this many times.
    pub slow_below: f64,
    /// The longest that a slow spell counts for, in s.
    pub longest_spell_s: f64,
    /// Time of transfer after which half of a slow spell is forgotten, in s.
    pub spell_kept_s: f64,

    // The first rung.
    /// Bits per second begun with when nothing is known.
    pub modest_bits_per_s: f64,
    /// Share of the estimate that the first rung may take.
    pub begin_share: f64,

    // How much to buffer.
    /// Media ahead of the playhead that is fetched whatever it weighs, in s.
    pub forward_s: f64,
    /// Media that is fetched if it weighs no more than [`Self::forward_bits`], in s.
    pub forward_most_s: f64,
    /// See [`Self::forward_most_s`].
    pub forward_bits: f64,

    // The reserve: buffer that is not spent on quality.
    /// What everyone keeps, in s.
    pub reserve_s: f64,
    /// What is kept besides where the usual throughput is nothing beside the best rung's bitrate, in
    /// s; it falls with the third power of what is missing.
    pub poor_s: f64,
    /// Where the average error has been less than this, less is kept for being poor.
    pub volatile_error: f64,
    /// Share of the present throughput that counts as usual where it is more than that.
    pub present_share: f64,
    /// The most that is kept, as a share of what can be buffered.
    pub reserve_share: f64,
    /// The most that is kept of what is left of a recording, as a share.
    pub left_share: f64,
    /// What is kept of it besides where the usual throughput is nothing beside the best rung's
    /// bitrate, as a share; it falls with the square of what is missing.
    pub poor_left_share: f64,
    /// Buffer from which the reserve decides, in s; below it the plan does.
    pub reserve_from_s: f64,
    /// Share of the prediction that goes into filling an empty reserve, if it is all that can be
    /// buffered and the network is known; less if not. Above 1, all of it does until some of the
    /// reserve is there.
    pub fill_share: f64,
    /// Time of transfer after which a network is known, in s. A slow beginning may be just that.
    pub known_s: f64,
    /// Time over which what is above the reserve is spent, in s.
    pub spend_s: f64,
    /// The same for a rise, so that what it is spent on lasts.
    pub rise_spend_s: f64,
    /// The most that is spent, in predictions.
    pub spend_most: f64,
    /// Share of what may be spent that a rise may take.
    pub rise_share: f64,
    /// Time after a stall in which nothing rises, in ms.
    pub wary_ms: u64,

    // The plan.
    /// Segments looked ahead.
    pub horizon: u32,
    /// Share of what is predicted that a plan counts on when the buffer is empty. It grows to all of
    /// it with the buffer.
    pub empty_share: f64,
    /// What a second of stall costs.
    pub stall_cost: f64,
    /// What a switch over the whole ladder costs.
    pub switch_cost: f64,
    /// What each second that a plan ends below the reserve costs, at an empty buffer; it falls with
    /// what is missing.
    pub shortage_cost: f64,
    /// Live: the buffer that a plan wants to end with, as a share of the target latency.
    pub live_end_share: f64,
    /// Live: [`Self::empty_share`].
    pub live_empty_share: f64,
    /// Live: share of what is predicted that a plan counts on where nothing varies.
    pub live_share: f64,
    /// Live: what is taken off this share for each unit of average error.
    pub live_caution: f64,
    /// Live: the least that this share is.
    pub live_least_share: f64,
    /// Live: what each second of latency above the target costs for a second.
    pub latency_cost: f64,
    /// Live: what playing at another rate costs for a second, for each unit of rate.
    pub rate_cost: f64,

    // Giving up.
    /// Nothing is given up sooner than this after the request, in ms.
    pub abandon_after_ms: f64,
    /// What comes within this share of the buffer is not given up.
    pub abandon_share: f64,
    /// Weight of what was known before against what this transfer tells, as time in s.
    pub abandon_prior_s: f64,
    /// How much more another rung must be worth.
    pub abandon_margin: f64,

    // The live edge.
    /// How long the lag of a part is remembered, in ms.
    pub lag_kept_ms: u64,
    /// Fewest lags that say something about how steady arrivals are.
    pub lags_enough: usize,
    /// What a stall adds to the distance, in ms.
    pub stall_adds_ms: f64,
    /// Most that stalls add, in ms.
    pub stalls_add_most_ms: f64,
    /// What is given up of it for each ms of calm.
    pub calm_share: f64,
    /// Distance from the target from which on seeking is better than playing faster, in ms.
    pub drift_ms: f64,
    /// Errors up to this are left alone, in ms.
    pub tolerance_ms: f64,
    /// Errors beyond this are made up for by a tenth of the rate, smaller ones by half of that, in ms.
    pub far_ms: f64,
    /// Once steering, it goes on until the error is this small, in ms.
    pub near_ms: f64,
}

impl Params {
    /// What players use.
    pub const CHOSEN: Self = Self {
        min_bytes: 16_384.0,
        min_body_ms: 4.0,
        max_bits_per_s: 200e6,
        min_weight_s: 0.15,
        quick_s: 1.1,
        slow_s: 5.3,
        usual_s: 300.0,
        error_weight: 0.17,
        caution: 0.17,
        recalled_s: 1.0,
        first_error: 0.09,
        error_kept_s: 200.0,
        slow_below: 1.0,
        longest_spell_s: 60.0,
        spell_kept_s: 400.0,
        modest_bits_per_s: 1.5e6,
        begin_share: 0.6,
        forward_s: 30.0,
        forward_most_s: 120.0,
        forward_bits: 360e6,
        reserve_s: 8.0,
        poor_s: 350.0,
        volatile_error: 0.2,
        present_share: 0.85,
        reserve_share: 1.0,
        left_share: 0.3,
        poor_left_share: 0.6,
        reserve_from_s: 7.0,
        fill_share: 2.0,
        known_s: 80.0,
        spend_s: 5.0,
        rise_spend_s: 25.0,
        spend_most: 4.0,
        rise_share: 0.85,
        wary_ms: 2000,
        horizon: 4,
        empty_share: 0.76,
        stall_cost: 3.5,
        switch_cost: 1.0,
        shortage_cost: 0.2,
        live_end_share: 0.5,
        live_empty_share: 0.07,
        live_share: 0.8,
        live_caution: 1.0,
        live_least_share: 0.27,
        latency_cost: 0.2,
        rate_cost: 0.2,
        abandon_after_ms: 300.0,
        abandon_share: 0.13,
        abandon_prior_s: 0.09,
        abandon_margin: 0.15,
        lag_kept_ms: 20_000,
        lags_enough: 12,
        stall_adds_ms: 350.0,
        stalls_add_most_ms: 3000.0,
        calm_share: 0.01,
        drift_ms: 2500.0,
        tolerance_ms: 120.0,
        far_ms: 300.0,
        near_ms: 25.0,
    };
}
