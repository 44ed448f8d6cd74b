//! The sessions of one view: what the operations are methods of.

use std::sync::atomic::Ordering;

use super::filters::Filters;
use super::layout::Layout;
use super::notice::Notice;
use super::options::Options;
use super::shared::Shared;
use super::view::View;
use crate::error::{Code, Error, Result};

/// A view of a store.
pub struct Sessions<'a> {
    pub shared: &'a Shared,
    pub layout: &'a Layout,
    pub filters: &'a Filters,
}

impl<'a> Sessions<'a> {
    pub fn of(shared: &'a Shared, view: &'a View) -> Sessions<'a> {
        Sessions {
            shared,
            layout: &view.layout,
            filters: &view.filters,
        }
    }
}

impl Sessions<'_> {
    pub fn options(&self) -> &Options {
        &self.layout.options
    }

    /// What came of reading what is stored. That it cannot be read is told, once.
    pub fn read_as<T>(&self, outcome: Result<T>) -> Result<T> {
        let is_unreadable = |error: &Error| error.code == Code::BadData;
        if outcome.as_ref().is_err_and(is_unreadable)
            && !self.shared.met_unreadable.swap(true, Ordering::Relaxed)
        {
            (self.shared.notify)(Notice::Unreadable);
        }
        outcome
    }
}
