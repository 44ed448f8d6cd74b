//! What a command on one record is asked, and the checks that several commands share.

use crate::exp::{Expression, View};
use crate::security::Access;
use crate::storage::namespace::Namespace;
use crate::storage::record::{Digest, Record};
use crate::wire::consts::{info2, particle};
use crate::wire::message::{Fields, Header, Op};
use crate::wire::result::{Outcome, ResultCode};

/// A request for one record, alone or as the row of a batch.
pub struct Request<'a> {
    pub header: Header,
    pub fields: Fields<'a>,
    pub ops: &'a [Op<'a>],
    /// The filter of the whole batch; a row's own filter takes its place.
    pub filter: Option<&'a Expression>,
    /// What the client may do.
    pub access: &'a Access,
}

impl Request<'_> {
    /// Whether a bit of `info2` is set.
    pub fn info2(&self, bit: u8) -> bool {
        self.header.info2 & bit != 0
    }

    /// The set named in the request; empty when none is.
    pub fn set(&self) -> &[u8] {
        self.fields.set.unwrap_or_default()
    }

    /// Transactions over several records are an Enterprise feature (`as/src/transaction/mrt_utils_ce.c`).
    pub fn refuse_transaction(&self) -> Outcome<()> {
        if self.fields.mrt_id.is_some() {
            return Err(ResultCode::ENTERPRISE_ONLY);
        }
        Ok(())
    }

    /// `validate_delete_durability()` of the Community Edition.
    pub fn refuse_durable_delete(&self) -> Outcome<()> {
        if self.info2(info2::DURABLE_DELETE) {
            return Err(ResultCode::ENTERPRISE_ONLY);
        }
        Ok(())
    }

    /// Reads and deletes: the set may be left out, but one that is named must be the record's (`set_name_check()`).
    pub fn check_set(&self, namespace: &Namespace, record: &Record) -> Outcome<()> {
        if self.set().is_empty() {
            return Ok(());
        }
        self.check_set_on_update(namespace, record)
    }

    /// Writes: the set must be the record's, or left out for a record without one (`set_name_check_on_update()`).
    pub fn check_set_on_update(&self, namespace: &Namespace, record: &Record) -> Outcome<()> {
        let name = namespace.sets.name(record.set_id);
        if name.as_deref().unwrap_or_default().as_bytes() == self.set() {
            Ok(())
        } else {
            Err(ResultCode::PARAMETER)
        }
    }

    /// The generation policy. A record that is not there has generation 0 (`generation_check()`).
    pub fn check_generation(&self, record: &Record) -> Outcome<()> {
        let generation = u32::from(record.generation);
        let fits = if self.info2(info2::GENERATION) {
            self.header.generation == generation
        } else if self.info2(info2::GENERATION_GT) {
            self.header.generation > generation
        } else {
            true
        };
        if fits {
            Ok(())
        } else {
            Err(ResultCode::GENERATION)
        }
    }

    /// The filter expression, read only when there is a record to hold it against: as in the server, a bad
    /// expression on a missing record is "not found".
    pub fn check_filter(
        &self,
        namespace: &Namespace,
        digest: &Digest,
        record: &Record,
    ) -> Outcome<()> {
        let own;
        let filter = match (self.fields.filter, self.filter) {
            (Some(bytes), _) => {
                own = Expression::parse(bytes)?;
                &own
            }
            (None, Some(shared)) => shared,
            (None, None) => return Ok(()),
        };
        if filter.matches(&View::new(namespace, digest, record)) {
            Ok(())
        } else {
            Err(ResultCode::FILTERED_OUT)
        }
    }

    /// A key that is sent must be the key that is stored (`check_msg_key()`).
    pub fn check_key(&self, record: &Record) -> Outcome<()> {
        match (&record.key, self.fields.key) {
            (Some(stored), Some(sent)) if **stored != *sent => Err(ResultCode::KEY_MISMATCH),
            _ => Ok(()),
        }
    }

    /// Stores the key that is sent, unless one is stored already (`handle_msg_key()`, `get_msg_key()`).
    pub fn store_key(&self, record: &mut Record) -> Outcome<()> {
        self.check_key(record)?;
        if let (None, Some(sent)) = (&record.key, self.fields.key) {
            match sent {
                [] => return Err(ResultCode::UNSUPPORTED_FEATURE),
                [particle::INTEGER, value @ ..] if value.len() != 8 => {
                    return Err(ResultCode::UNSUPPORTED_FEATURE);
                }
                _ => record.key = Some(sent.into()),
            }
        }
        Ok(())
    }
}
