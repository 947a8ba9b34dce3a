//! Small charts, drawn where the page is made.

use std::fmt::Write as _;

use maud::{Markup, html};

/// The room of a chart, in its own units.
const WIDTH: f64 = 120.0;
const HEIGHT: f64 = 30.0;

/// A line of values, the oldest first, over a base of zero. The label says in words what it shows.
pub(super) fn line(values: &[f64], label: &str) -> Markup {
    let points = points(values);
    html! {
        svg.chart viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(label) {
            line.base x1="0" y1=(HEIGHT) x2=(WIDTH) y2=(HEIGHT) {}
            @if values.len() > 1 {
                polygon.area points={ "0," (HEIGHT) " " (points) " " (WIDTH) "," (HEIGHT) } {}
                polyline.line points=(points) {}
            }
        }
    }
}

fn points(values: &[f64]) -> String {
    let highest = values.iter().copied().fold(1.0, f64::max);
    let last = values.len().saturating_sub(1).max(1);
    let mut points = String::new();
    for (place, value) in values.iter().enumerate() {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a chart has far fewer points than that"
        )]
        let x = WIDTH * place as f64 / last as f64;
        let y = HEIGHT - (HEIGHT - 1.0) * value / highest;
        // Writing to a string cannot fail.
        let _written = write!(points, "{x:.1},{y:.1} ");
    }
    points.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_fills_its_room_and_small_values_stay_low() {
        assert_eq!(points(&[0.0, 5.0, 10.0]), "0.0,30.0 60.0,15.5 120.0,1.0");
        assert_eq!(
            points(&[0.0, 0.5]),
            "0.0,30.0 120.0,15.5",
            "less than one does not fill the room"
        );
        assert_eq!(points(&[]), "");
    }
}
