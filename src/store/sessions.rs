//! The sessions of one view. The operations are its methods.

use std::sync::atomic::Ordering;

use super::filters::Filters;
use super::layout::Layout;
use super::notice::Notice;
use super::options::Options;
use super::shared::Shared;
use super::view::View;
use crate::error::{Code, Error, Result};

/// The sessions of one view in a store.
pub struct Sessions<'a> {
    pub shared: &'a Shared,
    pub layout: &'a Layout,
    pub filters: &'a Filters,
}

impl<'a> Sessions<'a> {
    pub fn new(shared: &'a Shared, view: &'a View) -> Sessions<'a> {
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

    /// Passes on the outcome of reading stored data. Notifies the application the first time that data cannot be
    /// read.
    pub fn report_unreadable<T>(&self, outcome: Result<T>) -> Result<T> {
        let is_unreadable = |error: &Error| error.code == Code::BadData;
        if outcome.as_ref().is_err_and(is_unreadable)
            && !self
                .shared
                .reported_unreadable
                .swap(true, Ordering::Relaxed)
        {
            (self.shared.notify)(Notice::Unreadable);
        }
        outcome
    }
}
