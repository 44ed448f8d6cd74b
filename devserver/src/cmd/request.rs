//! The request for one record, and the checks that several commands share.

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
    /// The filter of the whole batch. A row's own filter replaces it.
    pub filter: Option<&'a Expression>,
    /// What the client may do.
    pub access: &'a Access,
}

impl Request<'_> {
    /// Whether a bit of `info2` is set.
    pub fn info2(&self, bit: u8) -> bool {
        self.header.info2 & bit != 0
    }

    /// Returns the set of the request; empty if it has none.
    pub fn set(&self) -> &[u8] {
        self.fields.set.unwrap_or_default()
    }

    /// Refuses transactions over several records, which are an Enterprise feature
    /// (`as/src/transaction/mrt_utils_ce.c`).
    pub fn refuse_transaction(&self) -> Outcome<()> {
        if self.fields.mrt_id.is_some() {
            return Err(ResultCode::ENTERPRISE_ONLY);
        }
        Ok(())
    }

    /// Refuses durable deletes (`validate_delete_durability()` of the Community Edition).
    pub fn refuse_durable_delete(&self) -> Outcome<()> {
        if self.info2(info2::DURABLE_DELETE) {
            return Err(ResultCode::ENTERPRISE_ONLY);
        }
        Ok(())
    }

    /// Checks the set of a read or delete: it may be missing, otherwise it must be the record's (`set_name_check()`).
    pub fn check_set(&self, namespace: &Namespace, record: &Record) -> Outcome<()> {
        if self.set().is_empty() {
            return Ok(());
        }
        self.check_set_on_update(namespace, record)
    }

    /// Checks the set of a write: it must be the record's, or missing for a record without a set
    /// (`set_name_check_on_update()`).
    pub fn check_set_on_update(&self, namespace: &Namespace, record: &Record) -> Outcome<()> {
        let name = namespace.sets.name(record.set_id);
        if name.as_deref().unwrap_or_default().as_bytes() == self.set() {
            Ok(())
        } else {
            Err(ResultCode::PARAMETER)
        }
    }

    /// Checks the generation. A missing record has generation 0 (`generation_check()`).
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

    /// Evaluates the filter expression. It is parsed only if the record exists: as in the server, an invalid
    /// expression on a missing record returns NOT_FOUND.
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

    /// Checks that a key in the request is the stored key (`check_msg_key()`).
    pub fn check_key(&self, record: &Record) -> Outcome<()> {
        match (&record.key, self.fields.key) {
            (Some(stored), Some(sent)) if **stored != *sent => Err(ResultCode::KEY_MISMATCH),
            _ => Ok(()),
        }
    }

    /// Stores the key of the request, if the record has none yet (`handle_msg_key()`, `get_msg_key()`).
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
