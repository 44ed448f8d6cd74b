//! Creates every policy for the crate.

use std::time::Duration;

use aerospike::policy::{AdminPolicy, BasePolicy, ReadTouchTtl, Replica};
use aerospike::{
    AuthMode, BatchPolicy, BatchWritePolicy, ClientPolicy, Concurrency, Expiration,
    GenerationPolicy, QueryPolicy, ReadPolicy, RecordExistsAction, TlsPolicy, WritePolicy,
};
use tokio::time::Instant;

use super::command::Command;
use super::options::Options;

/// The first attempt of an operation gets this part of the timeout: one third.
pub const FIRST_PART: u32 = 3;
/// The attempt after a failed one gets this part of the timeout. Each further attempt gets twice as much as the one before.
pub const SMALLEST_PART: u32 = 12;
/// While another node is suspect, a read waits for its node only this part of the time after which a silent node is suspect.
pub const WARY_PART: u32 = 10;

/// Connections that are opened at the same time, in the whole cluster. Without a limit the crate opens one more per millisecond and
/// waiting command: a connection storm if a login takes 100 ms.
const CONNECTIONS_OPENING: usize = 8;
/// Idle connections are closed after this time, before the server closes them (`proto-fd-idle-ms`, 60 s).
const IDLE: Duration = Duration::from_secs(55);
/// How often the crate checks for new and failed nodes.
const TEND_INTERVAL: Duration = Duration::from_millis(500);
/// The crate's own retries of a read. Each goes to the next replica.
const READ_RETRIES: usize = 2;

/// The part of the timeout that a node gets to answer when the crate checks the cluster. The crate learns nothing new about any node
/// until all have answered or timed out.
const TEND_PART: u32 = 4;
/// How much earlier the crate gives up a request of [`end_of_count`]: this part of the time that is left, and at most this long.
const EARLY_PART: u32 = 10;
const LONGEST_EARLY: Duration = Duration::from_millis(20);
/// Retries of a scan, for the partitions that were not answered.
const SCAN_RETRIES: usize = 30;
/// Milliseconds between two retries.
const SCAN_PAUSE: u32 = 200;
/// Records of a scan that are buffered. The task that reads from a node fills the buffer without a pause, and records may be large.
const SCAN_QUEUE: usize = 16;

pub fn client(options: &Options, auth_mode: AuthMode) -> ClientPolicy {
    let connect = millis(options.connect_timeout);
    ClientPolicy {
        auth_mode,
        timeout: millis(options.timeout / TEND_PART).clamp(1, connect),
        connect_timeout: connect,
        login_timeout: connect,
        idle_timeout: millis(IDLE),
        max_conns_per_node: options.max_conns_per_node,
        // Each further pool would cost a login, with a bcrypt hash on the runtime's threads.
        conn_pools_per_node: 1,
        tls_policy: options.tls.clone().map(TlsPolicy::new),
        opening_connection_threshold: CONNECTIONS_OPENING,
        tend_interval: millis(TEND_INTERVAL),
        cluster_name: options.cluster_name.clone(),
        use_services_alternate: options.services_alternate,
        // The crate refuses an empty list.
        rack_ids: (!options.rack_ids.is_empty()).then(|| options.rack_ids.clone()),
        ..ClientPolicy::default()
    }
}

/// Returns which replica of a record is read first. With `PreferRack` and no racks, the crate fails every read.
pub fn replica(options: &Options) -> Replica {
    match options.rack_ids.is_empty() {
        true => Replica::Sequence,
        false => Replica::PreferRack,
    }
}

/// Returns the policy of a single read from any node that has the record.
pub fn read(touch: Option<u8>, deadline: Instant) -> ReadPolicy {
    let mut policy = ReadPolicy::default();
    policy.base_policy.max_retries = READ_RETRIES;
    // `Sequence` would wait for a connection to a dead master, and never try the next node.
    policy.base_policy.replica = Replica::MasterProles;
    if let Some(percent) = touch {
        policy.base_policy.read_touch_ttl = ReadTouchTtl::Percent(percent);
    }
    within(&mut policy.base_policy, deadline);
    // The first node gets half of the time: it may be the one that does not answer.
    policy.base_policy.socket_timeout = (policy.base_policy.total_timeout / 2).max(1);
    policy
}

/// Returns the policy of a write as a row of a batch.
pub fn row(command: &Command) -> BatchWritePolicy {
    let mut policy = BatchWritePolicy::default();
    match command {
        Command::Read { .. }
        | Command::ReadSteps { .. }
        | Command::Check { .. }
        | Command::ReadSmall { .. } => {}
        Command::Count { ttl, creates, .. } => {
            policy.record_exists_action = match creates {
                true => RecordExistsAction::Update,
                false => RecordExistsAction::UpdateOnly,
            };
            policy.expiration = *ttl;
        }
        Command::Upsert {
            ttl,
            send_key,
            only_if,
            ..
        } => {
            policy.record_exists_action = RecordExistsAction::Update;
            policy.expiration = *ttl;
            policy.send_key = *send_key;
            policy.filter_expression = Some(only_if.clone());
        }
        Command::Change {
            ttl,
            only_if,
            generation,
            ..
        } => {
            policy.record_exists_action = RecordExistsAction::UpdateOnly;
            policy.expiration = *ttl;
            policy.filter_expression = Some(only_if.clone());
            if let Some(generation) = generation {
                policy.generation_policy = GenerationPolicy::ExpectGenEqual;
                policy.generation = *generation;
            }
        }
        Command::Delete {
            durable, only_if, ..
        } => {
            policy.record_exists_action = RecordExistsAction::UpdateOnly;
            policy.expiration = Expiration::DontUpdate;
            policy.durable_delete = *durable;
            policy.filter_expression = Some(only_if.clone());
        }
    }
    policy
}

/// Returns the policy of a read that is sent alone, to the node that has the record.
pub fn read_alone(touch: Option<u8>, replica: Replica, deadline: Instant) -> ReadPolicy {
    let mut policy = ReadPolicy::default();
    if let Some(percent) = touch {
        policy.base_policy.read_touch_ttl = ReadTouchTtl::Percent(percent);
    }
    alone(&mut policy.base_policy, replica, deadline);
    policy
}

/// Returns the policy of a write that is sent alone.
pub fn write_alone(command: &Command, replica: Replica, deadline: Instant) -> WritePolicy {
    let row = row(command);
    let mut policy = WritePolicy {
        record_exists_action: row.record_exists_action,
        generation_policy: row.generation_policy,
        generation: row.generation,
        expiration: row.expiration,
        send_key: row.send_key,
        durable_delete: row.durable_delete,
        ..WritePolicy::default()
    };
    policy.base_policy.filter_expression = row.filter_expression;
    alone(&mut policy.base_policy, replica, deadline);
    policy
}

/// Sets the same limits as [`batch`].
fn alone(policy: &mut BasePolicy, replica: Replica, deadline: Instant) {
    policy.replica = replica;
    policy.max_retries = 0;
    within(policy, deadline);
}

/// Returns the policy of a scan. The whole scan has no deadline. `silence`: if a node is silent for this long, its partitions are requested
/// again, from the nodes that have them by then.
pub fn scan(silence: Duration) -> QueryPolicy {
    let mut policy = QueryPolicy::default();
    policy.base_policy.total_timeout = 0;
    policy.base_policy.socket_timeout = millis(silence);
    // While nodes join and leave, requests for partitions fail. The crate's default of five tries without a pause ends too early. These
    // retries take some seconds, or as long as the silence may last.
    policy.base_policy.max_retries = SCAN_RETRIES;
    policy.base_policy.sleep_between_retries = SCAN_PAUSE;
    policy.record_queue_size = SCAN_QUEUE;
    policy
}

pub fn admin(timeout: Duration) -> AdminPolicy {
    AdminPolicy {
        timeout: millis(timeout),
    }
}

pub fn batch(replica: Replica, deadline: Instant) -> BatchPolicy {
    let mut policy = BatchPolicy::default();
    policy.base_policy.replica = replica;
    // `execute` decides whether a command is repeated.
    policy.base_policy.max_retries = 0;
    // Nearly all batches go to one node. `Sequential` then saves a task.
    policy.concurrency = Concurrency::Sequential;
    within(&mut policy.base_policy, deadline);
    policy
}

/// Returns the deadline of the crate for a request that ends at `end` and has a command that must not be repeated if it is in doubt
/// ([`Repeat::UnlessInDoubt`]). The crate gives up a little earlier than we do, because only the crate knows whether the request was
/// sent.
///
/// [`Repeat::UnlessInDoubt`]: super::command::Repeat::UnlessInDoubt
pub fn end_of_count(end: Instant) -> Instant {
    let left = end.saturating_duration_since(Instant::now());
    end.checked_sub((left / EARLY_PART).min(LONGEST_EARLY))
        .unwrap_or(end)
}

/// Sets the crate's timeouts, which are one of several guards. 0 would mean that there is no timeout.
fn within(policy: &mut BasePolicy, deadline: Instant) {
    let left = millis(deadline.saturating_duration_since(Instant::now())).max(1);
    policy.total_timeout = left;
    policy.socket_timeout = left;
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
