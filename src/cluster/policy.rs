//! Every policy the crate is given, made in one place.

use std::time::Duration;

use aerospike::policy::{AdminPolicy, BasePolicy, ReadTouchTtl, Replica};
use aerospike::{
    AuthMode, BatchPolicy, BatchWritePolicy, ClientPolicy, Concurrency, Expiration,
    GenerationPolicy, QueryPolicy, ReadPolicy, RecordExistsAction, TlsPolicy, WritePolicy,
};
use tokio::time::Instant;

use super::command::Command;
use super::options::Options;

/// The part of its time that the first attempt of an operation gets.
pub const FIRST_PART: u32 = 3;
/// The part that an attempt gets where the last one failed; each further one gets twice that of the one before.
pub const SMALLEST_PART: u32 = 12;
/// The part of a silence that a read waits for a node while another one is in trouble.
pub const WARY_PART: u32 = 10;

/// Connections opened at the same time, over the whole cluster. Without a bound the crate opens
/// one more per millisecond and waiting command (a storm, where a login takes 100 ms).
const CONNECTIONS_OPENING: usize = 8;
/// Idle connections are closed before the server's `proto-fd-idle-ms` (60 s) does it.
const IDLE: Duration = Duration::from_secs(55);
/// How often the crate looks for lost and new nodes.
const TEND_INTERVAL: Duration = Duration::from_millis(500);
/// The crate's own retries of a read, each on the next replica.
const READ_RETRIES: usize = 2;

/// The part of an operation's time that a node gets to tell how the cluster is. Until all have, or not, nothing new is
/// known of any.
const TEND_PART: u32 = 4;
/// Further tries of a scan, of the partitions that were not answered.
const SCAN_RETRIES: usize = 30;
/// Milliseconds between them.
const SCAN_PAUSE: u32 = 200;
/// Records of a scan that wait to be looked at. What reads them from a node does so at one go until as many wait, and they
/// may be large.
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
        // More than one pool costs a bcrypt hash and a login each (on the runtime's threads).
        conn_pools_per_node: 1,
        tls_policy: options.tls.clone().map(TlsPolicy::new),
        opening_connection_threshold: CONNECTIONS_OPENING,
        tend_interval: millis(TEND_INTERVAL),
        cluster_name: options.cluster_name.clone(),
        use_services_alternate: options.services_alternate,
        // An empty list would be refused.
        rack_ids: (!options.rack_ids.is_empty()).then(|| options.rack_ids.clone()),
        ..ClientPolicy::default()
    }
}

/// Which copy of a record is read first. `PreferRack` without racks fails every read of the crate's.
pub fn replica(options: &Options) -> Replica {
    match options.rack_ids.is_empty() {
        true => Replica::Sequence,
        false => Replica::PreferRack,
    }
}

/// Of a command alone that reads, and may do so from any node that has the record.
pub fn read(touch: Option<u8>, deadline: Instant) -> ReadPolicy {
    let mut policy = ReadPolicy::default();
    policy.base_policy.max_retries = READ_RETRIES;
    // `Sequence` would wait for a connection to a dead master, and never go on to the next node.
    policy.base_policy.replica = Replica::MasterProles;
    if let Some(percent) = touch {
        policy.base_policy.read_touch_ttl = ReadTouchTtl::Percent(percent);
    }
    within(&mut policy.base_policy, deadline);
    // Half the time for the node that is asked first: it may be the one that does not answer.
    policy.base_policy.socket_timeout = (policy.base_policy.total_timeout / 2).max(1);
    policy
}

/// Of a command that writes, as a row of a batch.
pub fn row(command: &Command) -> BatchWritePolicy {
    let mut policy = BatchWritePolicy::default();
    match command {
        Command::Read { .. } => {}
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

/// Of a command that reads and goes alone, to the node that has the record.
pub fn read_alone(touch: Option<u8>, replica: Replica, deadline: Instant) -> ReadPolicy {
    let mut policy = ReadPolicy::default();
    if let Some(percent) = touch {
        policy.base_policy.read_touch_ttl = ReadTouchTtl::Percent(percent);
    }
    alone(&mut policy.base_policy, replica, deadline);
    policy
}

/// Of a command that writes and goes alone.
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

/// As in [`batch`].
fn alone(policy: &mut BasePolicy, replica: Replica, deadline: Instant) {
    policy.replica = replica;
    policy.max_retries = 0;
    within(policy, deadline);
}

/// A scan has no deadline as a whole. `silence`: of one node, after which its partitions are asked for again, of whichever
/// node has them then.
pub fn scan(silence: Duration) -> QueryPolicy {
    let mut policy = QueryPolicy::default();
    policy.base_policy.total_timeout = 0;
    policy.base_policy.socket_timeout = millis(silence);
    // While nodes come and go partitions are asked for in vain. The crate's five tries at once are over before that is:
    // these take some seconds, or as long as the silence may last.
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
    // Whether a row is repeated is ours to decide, see `execute`. The rows of one batch go to one node, mostly:
    // then this saves a task.
    policy.base_policy.max_retries = 0;
    policy.concurrency = Concurrency::Sequential;
    within(&mut policy.base_policy, deadline);
    policy
}

/// The crate's timeout is one of several guards; zero would mean "none".
fn within(policy: &mut BasePolicy, deadline: Instant) {
    let left = millis(deadline.saturating_duration_since(Instant::now())).max(1);
    policy.total_timeout = left;
    policy.socket_timeout = left;
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
