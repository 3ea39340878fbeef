//! A plotters backend that writes compact SVG marks with classes instead of colours, so that one
//! picture follows the page's light and dark theme and needs no inline style.

use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, DrawingBackend, DrawingErrorKind,
};
use std::convert::Infallible;
use std::fmt::Write;

/// What a mark is. Plotters carries it as a colour: kind, colour and switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    /// A line of a colour, hidden by a switch of the legend (0: by that of its colour).
    Line(u8, u8),
    /// A filled mark, likewise.
    Fill(u8, u8),
    /// A level: a dashed line, likewise.
    Level(u8, u8),
    /// A band behind everything, likewise.
    Band(u8, u8),
    /// A line of the grid.
    Grid,
    /// The line at zero.
    Zero,
    /// A candle that rose, with its switch.
    Up(u8),
    /// A candle that fell, with its switch.
    Down(u8),
    /// A span that is set off.
    Shade,
}

impl Ink {
    /// As plotters carries it.
    pub(super) fn colour(self) -> plotters::style::RGBColor {
        let (kind, n, key) = match self {
            Self::Line(n, key) => (1, n, key),
            Self::Fill(n, key) => (2, n, key),
            Self::Grid => (3, 0, 0),
            Self::Zero => (4, 0, 0),
            Self::Up(key) => (5, 0, key),
            Self::Down(key) => (6, 0, key),
            Self::Shade => (7, 0, 0),
            Self::Level(n, key) => (8, n, key),
            Self::Band(n, key) => (9, n, key),
        };
        plotters::style::RGBColor(kind, n, key)
    }

    fn class(colour: BackendColor) -> String {
        let (kind, n, key) = colour.rgb;
        let mut class = match kind {
            1 => format!("ln s{n}"),
            2 => format!("fl s{n}"),
            3 => "grid".to_owned(),
            4 => "zero".to_owned(),
            5 => "up".to_owned(),
            6 => "down".to_owned(),
            8 => format!("ln lv s{n}"),
            9 => format!("bd s{n}"),
            _ => "shade".to_owned(),
        };
        if key > 0 {
            let _ = write!(class, " k{key}");
        }
        class
    }
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// Collects marks.
pub(super) struct Marks<'a> {
    pub(super) out: &'a mut String,
    pub(super) size: (u32, u32),
}

impl Marks<'_> {
    fn path(&mut self, class: &str, points: impl IntoIterator<Item = BackendCoord>, close: bool) {
        let mut points = points.into_iter();
        let Some((mut x, mut y)) = points.next() else {
            return;
        };
        // Writing to a String cannot fail.
        let _ = write!(self.out, "<path class=\"{class}\" d=\"M{x} {y}l");
        let mut any = false;
        for (nx, ny) in points {
            let (dx, dy) = (nx - x, ny - y);
            if any && dx >= 0 {
                self.out.push(' ');
            }
            any = true;
            let _ = if dy < 0 {
                write!(self.out, "{dx}{dy}")
            } else {
                write!(self.out, "{dx} {dy}")
            };
            (x, y) = (nx, ny);
        }
        if !any {
            self.out.push_str("0 0");
        }
        self.out.push_str(if close { "z\"/>" } else { "\"/>" });
    }
}

impl DrawingBackend for Marks<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, colour: BackendColor) -> Drawn {
        self.draw_rect((x, y), (x + 1, y + 1), &colour, true)
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn {
        self.path(&Ink::class(style.color()), [from, to], false);
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (x0, y0): BackendCoord,
        (x1, y1): BackendCoord,
        style: &S,
        _fill: bool,
    ) -> Drawn {
        let (left, top) = (x0.min(x1), y0.min(y1));
        let _ = write!(
            self.out,
            "<path class=\"{}\" d=\"M{left} {top}h{}v{}h-{}z\"/>",
            Ink::class(style.color()),
            (x1 - x0).abs(),
            (y1 - y0).abs().max(1),
            (x1 - x0).abs(),
        );
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        self.path(&Ink::class(style.color()), path, false);
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        self.path(&Ink::class(style.color()), path, true);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_have_classes_and_no_colours() {
        let mut out = String::new();
        let mut marks = Marks {
            out: &mut out,
            size: (100, 100),
        };
        let ink = |i: Ink| {
            let plotters::style::RGBColor(r, g, b) = i.colour();
            BackendColor {
                alpha: 1.0,
                rgb: (r, g, b),
            }
        };
        marks
            .draw_path([(0, 10), (5, 8), (4, 9)], &ink(Ink::Line(2, 0)))
            .unwrap();
        marks
            .draw_rect((10, 20), (14, 5), &ink(Ink::Up(3)), true)
            .unwrap();
        marks.draw_path([(7, 7)], &ink(Ink::Grid)).unwrap();
        assert_eq!(
            out,
            "<path class=\"ln s2\" d=\"M0 10l5-2-1 1\"/>\
             <path class=\"up k3\" d=\"M10 5h4v15h-4z\"/>\
             <path class=\"grid\" d=\"M7 7l0 0\"/>"
        );
    }
}
