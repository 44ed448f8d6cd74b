//! Background queries: operations that write, on every record that a query finds. The client gets its response when
//! the query starts, and follows its progress with `query-show`. Each node processes the records of which it is
//! master. Source: `ops_bg_query_job_start()` in `as/src/query/query.c`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::lookup::Lookup;
use super::owned_op::OwnedOp;
use super::parse::parse_scope;
use super::records::records;
use super::scope::Scope;
use crate::cmd::request::Request;
use crate::cmd::response_builder::ResponseBuilder;
use crate::cmd::write;
use crate::exp::Expression;
use crate::security::Access;
use crate::state::State;
use crate::storage::bulk_work;
use crate::storage::jobs::Job;
use crate::storage::namespace::Namespace;
use crate::wire::consts::{info1, info2, info3};
use crate::wire::message::{Fields, Header, Message, Op};
use crate::wire::reader::Reader;
use crate::wire::result::{Outcome, ResultCode};

/// The server's `background-query-max-rps`. It is only checked: a development server need not be slow.
const MAX_RECORDS_PER_SECOND: u32 = 10_000;

/// The state of a background query.
struct Background {
    namespace: Arc<Namespace>,
    partitions: Vec<usize>,
    scope: Scope,
    lookup: Option<Lookup>,
    filter: Option<Expression>,
    header: Header,
    ops: Vec<OwnedOp>,
    job: Arc<Job>,
}

/// Checks and starts a background query.
pub fn start(state: &State, namespace: &Arc<Namespace>, message: &Message<'_>) -> Outcome<()> {
    let (header, fields) = (&message.header, &message.fields);
    if header.info1 & info1::SHORT_QUERY != 0 {
        return Err(ResultCode::PARAMETER);
    }
    let set = fields.set.unwrap_or_default();
    let scope = parse_scope(namespace, set)?;
    let wanted = Lookup::parse(fields)?;
    let records_per_second = match fields.records_per_second {
        Some(bytes) if bytes.len() == 4 => Reader::new(bytes).u32()?,
        Some(_) => return Err(ResultCode::PARAMETER),
        None => 0,
    };
    if matches!(scope, Scope::Nothing) {
        return Err(ResultCode::NOT_FOUND);
    }
    let records_per_second = match records_per_second {
        0 => MAX_RECORDS_PER_SECOND,
        1..=MAX_RECORDS_PER_SECOND => records_per_second,
        _ => return Err(ResultCode::PARAMETER),
    };
    let lookup = wanted
        .map(|wanted| wanted.find(namespace, &scope))
        .transpose()?;
    let filter = fields.filter.map(Expression::parse).transpose()?;
    let ops = parse_ops(message)?;
    let id = match fields.query_id {
        Some(bytes) if bytes.len() == 8 => Reader::new(bytes).u64()?,
        Some(_) => return Err(ResultCode::PARAMETER),
        None => 0,
    };
    let index = lookup
        .as_ref()
        .and_then(|lookup| lookup.index_name(namespace));
    let job = namespace.jobs.start(Job::new(
        state.node,
        id,
        String::from_utf8_lossy(set).into_owned(),
        index.unwrap_or_default(),
        records_per_second,
    ))?;
    let background = Background {
        namespace: Arc::clone(namespace),
        partitions: state.cluster.with_owners(|owners| {
            let mine = owners.iter().enumerate();
            mine.filter(|(_, owners)| owners.owner(0) == Some(state.node))
                .map(|(partition, _)| partition)
                .collect()
        }),
        scope,
        lookup,
        filter,
        header: Header {
            info2: info2::WRITE | (header.info2 & info2::DURABLE_DELETE),
            info3: info3::UPDATE_ONLY | (header.info3 & info3::REPLACE_ONLY),
            ttl: header.ttl,
            ..Header::default()
        },
        ops,
        job,
    };
    bulk_work::run(namespace, move || background.run());
    Ok(())
}

/// Parses the operations, all of which must write (`ops_bg_query_get_ops()`).
fn parse_ops(message: &Message<'_>) -> Outcome<Vec<OwnedOp>> {
    let has_read = message.ops.iter().any(|op| op.is_read());
    if message.header.info1 & info1::READ != 0 || message.ops.is_empty() || has_read {
        return Err(ResultCode::PARAMETER);
    }
    Ok(message.ops.iter().map(OwnedOp::from).collect())
}

impl Background {
    fn run(self) {
        let ops: Vec<_> = self.ops.iter().map(Op::from).collect();
        for partition in &self.partitions {
            for (digest, set_id) in self.find(*partition) {
                let code = self.write(digest, set_id, &ops);
                self.job.count(code);
                self.namespace.counters.count_background_write(code);
            }
        }
        self.job.finish();
        let is_secondary = self.lookup.is_some();
        self.namespace.counters.count_background_query(is_secondary);
    }

    /// Returns the records of a partition to process, with their sets. An index may have several entries of one
    /// record.
    fn find(&self, partition: usize) -> BTreeMap<[u8; 20], u16> {
        let Some(partition) = self.namespace.partition(partition) else {
            return BTreeMap::new();
        };
        records(&partition, self.lookup.as_ref(), None)
            .filter(|(_, _, record)| match self.scope {
                Scope::Namespace => true,
                Scope::Set(set_id) => record.set_id == set_id,
                Scope::Nothing => false,
            })
            .filter(|(_, _, record)| !self.namespace.is_expired_or_truncated(record))
            .map(|(_, digest, record)| (*digest, record.set_id))
            .collect()
    }

    fn write(&self, digest: [u8; 20], set_id: u16, ops: &[Op<'_>]) -> ResultCode {
        let set = self.namespace.sets.name(set_id);
        let request = Request {
            header: self.header,
            fields: Fields {
                set: set.as_deref().map(str::as_bytes),
                ..Fields::default()
            },
            ops,
            filter: self.filter.as_ref(),
            // Permissions were checked when the query started.
            access: &Access::Unrestricted,
        };
        let mut unread = Vec::new();
        let mut response = ResponseBuilder::begin(&mut unread);
        match write::write(&self.namespace, digest, &request, &mut response) {
            Ok(()) => ResultCode::OK,
            Err(code) => code,
        }
    }
}
