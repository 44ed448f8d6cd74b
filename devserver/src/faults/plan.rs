//! What happens to one request and its connection, at the three points where a fault can strike.

use std::time::Duration;

use super::spec::When;

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is closed (FIN).
    Closed,
    /// It is reset (RST).
    Reset,
    /// It stays open, and the server sends nothing more on it.
    Silent,
}

/// The faults that apply to one request. Empty if no fault strikes it.
#[derive(Clone, Copy, Default)]
pub struct Plan {
    delays: [Duration; 3],
    end: Option<(When, End)>,
}

impl Plan {
    pub fn delay(&mut self, at: When, by: Duration) {
        if let Some(delay) = self.delays.get_mut(at as usize) {
            *delay = delay.saturating_add(by);
        }
    }

    pub fn end(&mut self, at: When, end: End) {
        self.end = Some((at, end));
    }

    /// Whether anything happens at this point.
    pub fn has(&self, at: When) -> bool {
        self.end_at(at).is_some() || !self.delay_at(at).is_zero()
    }

    pub fn delay_at(&self, at: When) -> Duration {
        self.delays.get(at as usize).copied().unwrap_or_default()
    }

    pub fn end_at(&self, at: When) -> Option<End> {
        self.end.filter(|(when, _)| *when == at).map(|(_, end)| end)
    }
}
