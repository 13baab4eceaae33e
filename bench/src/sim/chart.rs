//! What is drawn: three charts over virtual time, as PNG.

#![expect(clippy::print_stdout, reason = "whoever ran it looks for the charts")]

use std::path::Path;

use anyhow::Result;
use plotters::prelude::{
    BLACK, ChartBuilder, Color, IntoLogRange, LineSeries, PathElement, RGBColor,
    SeriesLabelPosition, WHITE,
};

use super::{
    ledger::{Counts, Ledger},
    scenario::Scenario,
};
use crate::canvas::{self, Area};

const COLOURS: [RGBColor; 4] = [
    RGBColor(0x1f, 0x4e, 0x9c),
    RGBColor(0xc8, 0x55, 0x11),
    RGBColor(0x2e, 0x7d, 0x32),
    RGBColor(0x8e, 0x24, 0xaa),
];

type Line<'a> = (&'a str, Box<dyn Fn(&Counts) -> f64 + 'a>);

/// Draws all charts into `folder`.
pub(crate) fn draw(scenario: &Scenario, ledger: &Ledger, folder: &Path) -> Result<()> {
    let requests: [Line<'_>; 3] = [
        ("from viewers", Box::new(|c| c.all_requests() as f64)),
        ("to shields", Box::new(|c| c.to_shields as f64)),
        ("to origins", Box::new(|c| c.all_to_origins() as f64)),
    ];
    let ratio = |class: usize| {
        move |c: &Counts| {
            let kept = c.hits[class] + c.collapsed[class];
            100.0 * (1.0 - kept as f64 / c.requests[class].max(1) as f64)
        }
    };
    let upstream: [Line<'_>; 3] = [
        ("playlists", Box::new(ratio(0))),
        ("segments", Box::new(ratio(3))),
        ("parts", Box::new(ratio(4))),
    ];
    let late = |of: f64| move |c: &Counts| c.all_late().quantile_ms(of);
    let lateness: [Line<'_>; 3] = [
        ("median", Box::new(late(0.5))),
        ("p99", Box::new(late(0.99))),
        ("p99.9", Box::new(late(0.999))),
    ];
    let charts: [(&str, &str, &[Line<'_>]); 3] = [
        ("requests.png", "Requests a second", &requests),
        (
            "upstream.png",
            "Share of viewers' requests that went upstream, in percent",
            &upstream,
        ),
        (
            "late.png",
            "How late answers left the points of presence, in ms",
            &lateness,
        ),
    ];
    for (file, title, lines) in charts {
        let path = folder.join(file);
        canvas::save(&path, &|area| chart(scenario, ledger, area, title, lines))?;
        println!("{}", path.display());
    }
    Ok(())
}

fn chart(
    scenario: &Scenario,
    ledger: &Ledger,
    area: &Area<'_>,
    title: &str,
    lines: &[Line<'_>],
) -> Result<()> {
    area.fill(&WHITE)?;
    let seconds = ledger.seconds.len() as f64;
    let points = |value: &dyn Fn(&Counts) -> f64| -> Vec<(f64, f64)> {
        let seconds = ledger.seconds.iter().enumerate();
        seconds
            .map(|(second, counts)| (second as f64 + 0.5, value(counts)))
            .collect()
    };
    let all = || lines.iter().flat_map(|(_, value)| points(value));
    let most = all().map(|(_, y)| y).fold(1.0, f64::max);
    // What never happened is drawn at the floor.
    let least = all()
        .map(|(_, y)| y)
        .filter(|y| *y > 0.0)
        .fold(most, f64::min);
    let (bottom, top) = ((least / 2.0).max(most / 1e8), most * 2.0);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 24))
        .margin(16)
        .x_label_area_size(36)
        .y_label_area_size(96)
        .build_cartesian_2d(0.0..seconds, (bottom..top).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("seconds")
        .label_style(("sans-serif", 15))
        .draw()?;
    for at in [
        scenario.crowd_at,
        scenario.pop_lost_at,
        scenario.shield_lost_at,
        scenario.shield_back_at,
    ] {
        let at = at as f64 / 1e6;
        let mark = PathElement::new(vec![(at, bottom), (at, top)], BLACK.mix(0.35));
        chart.draw_series([mark])?;
    }
    for ((name, value), colour) in lines.iter().zip(COLOURS) {
        let points = points(value).into_iter().map(|(x, y)| (x, y.max(bottom)));
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(*name)
            .legend(move |(x, y)| {
                PathElement::new(vec![(x, y), (x + 20, y)], colour.stroke_width(2))
            });
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .label_font(("sans-serif", 16))
        .draw()?;
    Ok(())
}
