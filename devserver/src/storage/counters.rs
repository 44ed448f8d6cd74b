//! The counters of a namespace, under the names that monitoring tools read. Source: the `..._update_stats()` of
//! `as/src/transaction` and `as/src/query/query.c`.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::wire::result::ResultCode;

macro_rules! counters {
    ($($name:ident,)*) => {
        /// The counters of one namespace since the server started.
        #[derive(Default)]
        pub struct Counters { $(pub $name: AtomicU64,)* }

        impl Counters {
            /// Returns a counter by its name, or `None` if there is no such counter.
            pub fn by_name(&self, name: &str) -> Option<u64> {
                match name {
                    $(stringify!($name) => Some(self.$name.load(Ordering::Relaxed)),)*
                    _ => None,
                }
            }
        }
    };
}

counters! {
    client_read_success,
    client_read_error,
    client_read_not_found,
    client_read_filtered_out,
    client_write_success,
    client_write_error,
    client_write_filtered_out,
    client_delete_success,
    client_delete_error,
    client_delete_not_found,
    client_delete_filtered_out,
    batch_sub_read_success,
    batch_sub_read_error,
    batch_sub_read_not_found,
    batch_sub_read_filtered_out,
    batch_sub_write_success,
    batch_sub_write_error,
    batch_sub_write_filtered_out,
    batch_sub_delete_success,
    batch_sub_delete_error,
    batch_sub_delete_not_found,
    batch_sub_delete_filtered_out,
    pi_query_short_basic_complete,
    pi_query_long_basic_complete,
    si_query_short_basic_complete,
    si_query_long_basic_complete,
    pi_query_ops_bg_complete,
    si_query_ops_bg_complete,
    ops_sub_write_success,
    ops_sub_write_error,
    ops_sub_write_filtered_out,
    fail_generation,
    fail_record_too_big,
    expired_objects,
    non_expirable_objects,
}

/// The kinds of single-record commands that have counters of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandKind {
    Read,
    Write,
    Delete,
}

impl Counters {
    /// Counts a command on one record by its result.
    pub fn count_command(&self, kind: CommandKind, is_batch_row: bool, code: ResultCode) {
        add(self.of_command(kind, is_batch_row, code));
        match code {
            ResultCode::GENERATION => add(&self.fail_generation),
            ResultCode::RECORD_TOO_BIG => add(&self.fail_record_too_big),
            _ => {}
        }
    }

    /// Counts a completed query.
    pub fn count_query(&self, is_secondary: bool, is_short: bool) {
        add(match (is_secondary, is_short) {
            (false, true) => &self.pi_query_short_basic_complete,
            (false, false) => &self.pi_query_long_basic_complete,
            (true, true) => &self.si_query_short_basic_complete,
            (true, false) => &self.si_query_long_basic_complete,
        });
    }

    /// Counts a completed background query.
    pub fn count_background_query(&self, is_secondary: bool) {
        add(if is_secondary {
            &self.si_query_ops_bg_complete
        } else {
            &self.pi_query_ops_bg_complete
        });
    }

    /// Counts the result of a background query on one record.
    pub fn count_background_write(&self, code: ResultCode) {
        add(match code {
            ResultCode::OK => &self.ops_sub_write_success,
            ResultCode::FILTERED_OUT => &self.ops_sub_write_filtered_out,
            _ => &self.ops_sub_write_error,
        });
    }

    fn of_command(&self, kind: CommandKind, is_batch_row: bool, code: ResultCode) -> &AtomicU64 {
        use CommandKind::{Delete, Read, Write};
        match (kind, is_batch_row, code) {
            (Read, false, ResultCode::OK) => &self.client_read_success,
            (Read, false, ResultCode::NOT_FOUND) => &self.client_read_not_found,
            (Read, false, ResultCode::FILTERED_OUT) => &self.client_read_filtered_out,
            (Read, false, _) => &self.client_read_error,
            (Read, true, ResultCode::OK) => &self.batch_sub_read_success,
            (Read, true, ResultCode::NOT_FOUND) => &self.batch_sub_read_not_found,
            (Read, true, ResultCode::FILTERED_OUT) => &self.batch_sub_read_filtered_out,
            (Read, true, _) => &self.batch_sub_read_error,
            (Write, false, ResultCode::OK) => &self.client_write_success,
            (Write, false, ResultCode::FILTERED_OUT) => &self.client_write_filtered_out,
            (Write, false, _) => &self.client_write_error,
            (Write, true, ResultCode::OK) => &self.batch_sub_write_success,
            (Write, true, ResultCode::FILTERED_OUT) => &self.batch_sub_write_filtered_out,
            (Write, true, _) => &self.batch_sub_write_error,
            (Delete, false, ResultCode::OK) => &self.client_delete_success,
            (Delete, false, ResultCode::NOT_FOUND) => &self.client_delete_not_found,
            (Delete, false, ResultCode::FILTERED_OUT) => &self.client_delete_filtered_out,
            (Delete, false, _) => &self.client_delete_error,
            (Delete, true, ResultCode::OK) => &self.batch_sub_delete_success,
            (Delete, true, ResultCode::NOT_FOUND) => &self.batch_sub_delete_not_found,
            (Delete, true, ResultCode::FILTERED_OUT) => &self.batch_sub_delete_filtered_out,
            (Delete, true, _) => &self.batch_sub_delete_error,
        }
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
