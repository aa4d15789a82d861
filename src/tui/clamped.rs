//! A terminal that claims an absurd size is drawn on as on a large one: two pictures of 65,535 by 65,535 cells would take
//! hundreds of gigabytes (THREATS T26). One that claims none at all, as a serial line does, is drawn on as on the usual one.

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};

/// More than a screen of 3840 by 2160 dots shows in letters of 5 by 8.
const MOST: Size = Size { width: 800, height: 300 };

/// For a terminal that does not know its size.
const USUAL: Size = Size { width: 80, height: 24 };

/// A size that can be drawn.
fn clamped(size: Size) -> Size {
    let known = |claimed: u16, usual: u16| if claimed == 0 { usual } else { claimed };
    Size {
        width: known(size.width, USUAL.width).min(MOST.width),
        height: known(size.height, USUAL.height).min(MOST.height),
    }
}

/// A backend whose size is clamped.
#[derive(Debug)]
pub(super) struct Clamped<B>(pub(super) B);

impl<B: Backend> Backend for Clamped<B> {
    type Error = B::Error;

    fn draw<'a, I: Iterator<Item = (u16, u16, &'a Cell)>>(&mut self, content: I) -> Result<(), B::Error> {
        self.0.draw(content)
    }

    fn append_lines(&mut self, lines: u16) -> Result<(), B::Error> {
        self.0.append_lines(lines)
    }

    fn hide_cursor(&mut self) -> Result<(), B::Error> {
        self.0.hide_cursor()
    }

    /// Called last, when the picture is dropped: ratatui writes a failure to stderr, and panics when that is gone, too.
    /// The terminal is given back by its holder.
    fn show_cursor(&mut self) -> Result<(), B::Error> {
        let _ = self.0.show_cursor();
        Ok(())
    }

    fn get_cursor_position(&mut self) -> Result<Position, B::Error> {
        self.0.get_cursor_position()
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> Result<(), B::Error> {
        self.0.set_cursor_position(position)
    }

    fn clear(&mut self) -> Result<(), B::Error> {
        self.0.clear()
    }

    fn clear_region(&mut self, region: ClearType) -> Result<(), B::Error> {
        self.0.clear_region(region)
    }

    fn size(&self) -> Result<Size, B::Error> {
        self.0.size().map(clamped)
    }

    fn window_size(&mut self) -> Result<WindowSize, B::Error> {
        let size = self.0.window_size()?;
        Ok(WindowSize { columns_rows: clamped(size.columns_rows), ..size })
    }

    fn flush(&mut self) -> Result<(), B::Error> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    #[test]
    fn a_picture_is_never_larger_than_a_large_screen() {
        let sizes = [
            ((5_000, 40), (800, 40)),
            ((120, 5_000), (120, 300)),
            ((120, 32), (120, 32)),
            ((0, 0), (80, 24)),
            ((0, 40), (80, 40)),
        ];
        for (claimed, drawn) in sizes {
            let mut terminal = Terminal::new(Clamped(TestBackend::new(claimed.0, claimed.1))).unwrap();
            let area = terminal.draw(|_| {}).unwrap().area;
            assert_eq!((area.width, area.height), drawn);
        }
    }
}
