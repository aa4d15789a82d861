//! A terminal that claims an absurd size is drawn on as on a large one: two pictures of 65,535 by 65,535 cells would take
//! hundreds of gigabytes (THREATS T26).

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};

/// More than a screen of 3840 by 2160 dots shows in letters of 5 by 8.
const MOST: Size = Size { width: 800, height: 300 };

/// A size that can be drawn.
pub(super) fn clamped(size: Size) -> Size {
    Size { width: size.width.min(MOST.width), height: size.height.min(MOST.height) }
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

    fn show_cursor(&mut self) -> Result<(), B::Error> {
        self.0.show_cursor()
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
        for (claimed, drawn) in [((5_000, 40), (800, 40)), ((120, 5_000), (120, 300)), ((120, 32), (120, 32))] {
            let mut terminal = Terminal::new(Clamped(TestBackend::new(claimed.0, claimed.1))).unwrap();
            let area = terminal.draw(|_| {}).unwrap().area;
            assert_eq!((area.width, area.height), drawn);
        }
    }
}
