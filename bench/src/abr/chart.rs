//! What is drawn, as PNG: rules by family, how sessions are spread, and one session of each kind.

#![expect(clippy::print_stdout, reason = "whoever ran it looks for the charts")]

use std::{ops::Range, path::Path};

use anyhow::Result;
use plotters::{
    coord::types::RangedCoordf64,
    prelude::{
        BLACK, BitMapBackend, Cartesian2d, ChartBuilder, ChartContext, Circle, Color, LineSeries,
        PathElement, RGBColor, SeriesLabelPosition, WHITE,
    },
};

use super::{
    recording::Moment,
    rules::Kind,
    score::Score,
    study::{Families, Session, Show, Study},
};
use crate::canvas::{self, Area};

const COLOURS: [RGBColor; 8] = [
    RGBColor(0x1f, 0x4e, 0x9c),
    RGBColor(0x64, 0xb5, 0xf6),
    RGBColor(0xc8, 0x55, 0x11),
    RGBColor(0x2e, 0x7d, 0x32),
    RGBColor(0x8e, 0x24, 0xaa),
    RGBColor(0xb7, 0x9a, 0x00),
    RGBColor(0xd8, 0x1b, 0x60),
    RGBColor(0x75, 0x75, 0x75),
];

type Chart<'a, 'b> =
    ChartContext<'a, BitMapBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// A line or a row of dots: its name, its colour, its points.
type Series = (&'static str, RGBColor, Vec<(f64, f64)>);

/// Draws all charts into `folder`.
pub(crate) fn draw(study: &Study, sessions: &[Session], folder: &Path) -> Result<()> {
    let save = |file: &str, draw: &dyn Fn(&Area<'_>) -> Result<()>| -> Result<()> {
        let path = folder.join(file);
        canvas::save(&path, draw)?;
        println!("{}", path.display());
        Ok(())
    };
    for (file, show) in [("recording", Show::Movie(0)), ("live", Show::Live)] {
        let families = study.families(sessions, show, true);
        if families.is_empty() {
            continue;
        }
        let title = |of: &str| format!("{}: {of}", study.name(show));
        save(&format!("{file}-families.png"), &|area| {
            let (left, right) = area.split_horizontally(600);
            by_family(&left, &title("QoE by family"), &families, Score::qoe, false)?;
            let stalled = title("stalled by family, percent");
            by_family(&right, &stalled, &families, Score::stall_percent, true)
        })?;
        save(&format!("{file}-spread.png"), &|area| {
            let spread = spread(study, sessions, show);
            lines(
                area,
                &title("share of sessions with no more QoE"),
                "QoE",
                &spread,
            )
        })?;
        if let Some(trace) = median(study, sessions, show) {
            save(&format!("{file}-session.png"), &|area| {
                session(area, study, show, trace)
            })?;
        }
    }
    Ok(())
}

fn by_family(
    area: &Area<'_>,
    title: &str,
    families: &Families<'_>,
    value: fn(&Score) -> f64,
    named: bool,
) -> Result<()> {
    let names: Vec<&str> = families.keys().copied().collect();
    let series = Kind::ALL
        .iter()
        .enumerate()
        .filter(|(_, kind)| **kind != Kind::Lowest);
    let series = series.map(|(rule, kind)| {
        let beside = 0.1 * (rule as f64 - 3.0);
        let points = families.values().enumerate();
        let points = points.map(|(f, rules)| (f as f64 + beside, value(&rules[rule])));
        (kind.name(), COLOURS[rule], points.collect())
    });
    let series: Vec<Series> = series.collect();
    let mut chart = frame(area, title, -0.5..names.len() as f64 - 0.5, range(&series))?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(names.len())
        .x_label_formatter(&|x| {
            let near = (x - x.round()).abs() < 0.01 && x.round() >= 0.0;
            let name = names.get(x.round() as usize).filter(|_| near);
            name.map_or_else(String::new, |name| (*name).to_owned())
        })
        .label_style(("sans-serif", 12))
        .draw()?;
    for (name, colour, points) in &series {
        let colour = *colour;
        let dots = points
            .iter()
            .map(|point| Circle::new(*point, 4, colour.filled()));
        chart
            .draw_series(dots)?
            .label(*name)
            .legend(move |at| Circle::new(at, 4, colour.filled()));
    }
    match named {
        true => legend(&mut chart),
        false => Ok(()),
    }
}

/// Of each rule, the sessions in the order of their QoE.
fn spread(study: &Study, sessions: &[Session], show: Show) -> Vec<Series> {
    let rules = Kind::ALL.iter().zip(COLOURS);
    let of_rule = rules.map(|(kind, colour)| {
        let held = |s: &&Session| s.show == show && s.rule == *kind && study.held_out(s.trace);
        let mut all: Vec<f64> = sessions
            .iter()
            .filter(held)
            .map(|s| s.score.qoe())
            .collect();
        all.sort_by(f64::total_cmp);
        let count = all.len() as f64;
        // What is worse than this stands in the tables.
        let points = all.into_iter().enumerate();
        let points = points.map(|(i, qoe)| (qoe.max(-3.0), (i + 1) as f64 / count));
        (kind.name(), colour, points.collect())
    });
    of_rule.collect()
}

/// The trace on which our rule had the median of QoE.
fn median(study: &Study, sessions: &[Session], show: Show) -> Option<usize> {
    let held = |s: &&Session| s.show == show && s.rule == Kind::Ours && study.held_out(s.trace);
    let mut ours: Vec<&Session> = sessions.iter().filter(held).collect();
    ours.sort_by(|a, b| a.score.qoe().total_cmp(&b.score.qoe()));
    ours.get(ours.len() / 2).map(|session| session.trace)
}

/// Bitrate and buffer, or latency, of one session with some of the rules.
fn session(area: &Area<'_>, study: &Study, show: Show, trace: usize) -> Result<()> {
    let rules = [0, 2, 4];
    let moments = rules.map(|rule| {
        let mut moments = Vec::new();
        study.watch(show, trace, Kind::ALL[rule], Some(&mut moments));
        (Kind::ALL[rule].name(), COLOURS[rule], moments)
    });
    let series = |value: fn(&Moment) -> f64| -> Vec<Series> {
        let rules = moments.iter().map(|(name, colour, moments)| {
            let points = moments.iter().map(|moment| (moment.at_s, value(moment)));
            (*name, *colour, points.collect())
        });
        rules.collect()
    };
    let (upper, lower) = area.split_vertically(240);
    let on = &study.traces[trace];
    let title = format!("{} on {}/{}: kbit/s", study.name(show), on.family, on.name);
    lines(&upper, &title, "s", &series(|moment| moment.kbit))?;
    let title = match show {
        Show::Movie(_) => "buffer, s",
        Show::Live => "latency, s",
    };
    lines(&lower, title, "s", &series(|moment| moment.seconds))
}

fn lines(area: &Area<'_>, title: &str, x: &str, series: &[Series]) -> Result<()> {
    let xs = || {
        series
            .iter()
            .flat_map(|(_, _, points)| points.iter().map(|(x, _)| *x))
    };
    let (least, most) = (xs().fold(f64::MAX, f64::min), xs().fold(f64::MIN, f64::max));
    // To the right there is room for the names.
    let most = most + 0.15 * (most - least).max(1.0);
    let mut chart = frame(area, title, least..most, range(series))?;
    chart
        .configure_mesh()
        .x_desc(x)
        .light_line_style(WHITE)
        .label_style(("sans-serif", 13))
        .draw()?;
    for (name, colour, points) in series {
        let colour = *colour;
        chart
            .draw_series(LineSeries::new(
                points.iter().copied(),
                colour.stroke_width(2),
            ))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2)));
    }
    legend(&mut chart)
}

/// What holds all values, and a little more.
fn range(series: &[Series]) -> Range<f64> {
    let ys = || {
        series
            .iter()
            .flat_map(|(_, _, points)| points.iter().map(|(_, y)| *y))
    };
    let (least, most) = (ys().fold(0.0, f64::min), ys().fold(0.01, f64::max));
    least..most + 0.05 * (most - least)
}

fn frame<'a, 'b>(
    area: &'a Area<'b>,
    title: &str,
    x: Range<f64>,
    y: Range<f64>,
) -> Result<Chart<'a, 'b>> {
    area.fill(&WHITE)?;
    Ok(ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(32)
        .y_label_area_size(56)
        .build_cartesian_2d(x, y)?)
}

fn legend<'a, 'b: 'a>(chart: &mut Chart<'a, 'b>) -> Result<()> {
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.2))
        .label_font(("sans-serif", 12))
        .draw()?;
    Ok(())
}
