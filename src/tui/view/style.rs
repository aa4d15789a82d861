//! Styles by what they mean. ANSI colours on the terminal's own ground; every colour also has a glyph or a word.
//!
//! Secondary text is a fixed mid grey of the 256-colour cube, which is legible on light and dark grounds alike: the
//! ANSI "bright black" is invisible in some palettes. Without colour it is the dim attribute.

use ratatui::style::{Color, Modifier, Style};

use crate::domain::diagnostic::Severity;
use crate::domain::probe::VerdictClass;
use crate::domain::provenance::Provenance;
use crate::report::Role;
use crate::tui::state::{Options, Theme};

/// The styles of one terminal.
#[derive(Debug, Clone, Copy)]
pub struct Styles {
    colour: bool,
    theme: Theme,
}

impl Styles {
    /// Chosen by the options.
    pub const fn of(options: &Options) -> Self {
        Self { colour: !options.no_color, theme: options.theme }
    }

    /// Whether shades of one glyph must do what colours cannot.
    pub const fn colourless(self) -> bool {
        !self.colour
    }

    fn colour(self, dark: Color, light: Color) -> Style {
        match (self.colour, self.theme) {
            (false, _) => Style::new(),
            (true, Theme::Dark) => Style::new().fg(dark),
            (true, Theme::Light) => Style::new().fg(light),
        }
    }

    /// By what a text is to its reader.
    pub fn role(self, role: Role) -> Style {
        match role {
            Role::Plain => self.plain(),
            Role::Strong => self.strong(),
            Role::Dim => self.dim(),
            Role::Heading => self.heading(),
            Role::Good => self.readable(),
            Role::Warn => self.drift(),
            Role::Bad => self.unreadable(),
            Role::Unclear => self.unclear(),
            Role::Accent => self.accent(),
        }
    }

    /// How much is known of where a row comes from.
    pub fn provenance(self, found: &Provenance) -> Style {
        self.role(Role::of_provenance(found))
    }

    /// Facts.
    pub const fn plain(self) -> Style {
        Style::new()
    }

    /// What the eye should find first.
    pub const fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Secondary facts.
    pub fn dim(self) -> Style {
        if self.colour {
            self.colour(Color::Indexed(245), Color::Indexed(242))
        } else {
            Style::new().add_modifier(Modifier::DIM)
        }
    }

    /// Rules and frames.
    pub fn rule(self) -> Style {
        if self.colour {
            self.colour(Color::Indexed(240), Color::Indexed(249))
        } else {
            Style::new().add_modifier(Modifier::DIM)
        }
    }

    /// Headings of columns and sections.
    pub fn heading(self) -> Style {
        self.dim().add_modifier(Modifier::BOLD)
    }

    /// The program's name, the own row, the cursor.
    pub fn accent(self) -> Style {
        self.colour(Color::Cyan, Color::Indexed(30)).add_modifier(Modifier::BOLD)
    }

    /// GRAIL accepts it; it is well.
    pub fn readable(self) -> Style {
        self.colour(Color::Green, Color::Indexed(28))
    }

    /// GRAIL drops it; it failed.
    pub fn unreadable(self) -> Style {
        self.colour(Color::LightRed, Color::Indexed(160))
    }

    /// Nothing there.
    pub fn none(self) -> Style {
        self.dim()
    }

    /// Chain and local differ; something is odd.
    pub fn drift(self) -> Style {
        self.colour(Color::Yellow, Color::Indexed(130))
    }

    /// A key is published, or validators fail now.
    pub fn danger(self) -> Style {
        self.unreadable().add_modifier(Modifier::BOLD)
    }

    /// It says nothing about the one it is about.
    pub fn unclear(self) -> Style {
        self.colour(Color::Indexed(110), Color::Indexed(67))
    }

    /// What a read test amounts to.
    pub fn class(self, class: VerdictClass) -> Style {
        self.role(Role::of_class(class))
    }

    /// A finding by its severity.
    pub fn severity(self, severity: Severity) -> Style {
        match severity {
            Severity::Note => self.dim(),
            Severity::Warning => self.drift().add_modifier(Modifier::BOLD),
            Severity::Danger => self.danger(),
        }
    }

    /// The selected row, under its own colours. Text and ground are both named, so that a wrongly guessed theme hides
    /// nothing.
    pub fn selected(self) -> Style {
        match (self.colour, self.theme) {
            (false, _) => Style::new().add_modifier(Modifier::REVERSED),
            (true, Theme::Dark) => Style::new().fg(Color::Indexed(255)).bg(Color::Indexed(237)),
            (true, Theme::Light) => Style::new().fg(Color::Indexed(232)).bg(Color::Indexed(254)),
        }
    }

    /// A badge that must not be overlooked, such as READ-ONLY.
    pub fn badge(self) -> Style {
        self.drift().add_modifier(Modifier::REVERSED)
    }

    /// Words of the practice subnet.
    pub fn sandbox_words(self) -> Style {
        self.colour(Color::Magenta, Color::Indexed(90))
    }

    /// The badge of the practice subnet.
    pub fn sandbox(self) -> Style {
        self.colour(Color::Magenta, Color::Indexed(90)).add_modifier(Modifier::REVERSED | Modifier::BOLD)
    }
}
