//! All constants of the protocol except the result codes. Source: `as/include/base/proto.h` of server 8.1.

/// Bits of the header byte `info1`.
pub mod info1 {
    pub const READ: u8 = 1 << 0;
    /// Return all bins.
    pub const GET_ALL: u8 = 1 << 1;
    /// A query for which the client expects few records: its last chunk also has the end mark.
    pub const SHORT_QUERY: u8 = 1 << 2;
    pub const BATCH: u8 = 1 << 3;
    pub const XDR: u8 = 1 << 4;
    /// Return only the generation and the void time.
    pub const GET_NO_BINS: u8 = 1 << 5;
    pub const COMPRESS_RESPONSE: u8 = 1 << 7;
}

/// Bits of the header byte `info2`.
pub mod info2 {
    pub const WRITE: u8 = 1 << 0;
    pub const DELETE: u8 = 1 << 1;
    /// Apply only if the generation is equal.
    pub const GENERATION: u8 = 1 << 2;
    /// Apply only if the generation sent is greater.
    pub const GENERATION_GT: u8 = 1 << 3;
    pub const DURABLE_DELETE: u8 = 1 << 4;
    pub const CREATE_ONLY: u8 = 1 << 5;
    /// Every operation has a result, in the order of the request.
    pub const RESPOND_ALL_OPS: u8 = 1 << 7;
}

/// Bits of the header byte `info3`.
pub mod info3 {
    /// The last message of a response with several parts.
    pub const LAST: u8 = 1 << 0;
    /// In a query request: the client understands results of partitions. In a response: this partition is done.
    pub const PARTITION_DONE: u8 = 1 << 2;
    pub const UPDATE_ONLY: u8 = 1 << 3;
    pub const CREATE_OR_REPLACE: u8 = 1 << 4;
    pub const REPLACE_ONLY: u8 = 1 << 5;
}

/// Types of the fields that follow the header.
pub mod field {
    pub const NAMESPACE: u8 = 0;
    pub const SET: u8 = 1;
    pub const KEY: u8 = 2;
    pub const DIGEST: u8 = 4;
    pub const MRT_ID: u8 = 5;
    pub const PID_ARRAY: u8 = 11;
    pub const DIGEST_ARRAY: u8 = 12;
    pub const SAMPLE_MAX: u8 = 13;
    /// Values in a secondary index, little-endian. In a response the value of the record; in a request the values to
    /// continue after, one for each digest.
    pub const BVAL_ARRAY: u8 = 15;
    pub const RECS_PER_SEC: u8 = 10;
    pub const QUERY_ID: u8 = 7;
    pub const SOCKET_TIMEOUT: u8 = 9;
    pub const INDEX_NAME: u8 = 21;
    pub const INDEX_RANGE: u8 = 22;
    pub const INDEX_CONTEXT: u8 = 23;
    pub const INDEX_EXPRESSION: u8 = 24;
    pub const INDEX_TYPE: u8 = 26;
    pub const UDF_FILENAME: u8 = 30;
    pub const UDF_OP: u8 = 33;
    pub const QUERY_BINLIST: u8 = 40;
    pub const BATCH: u8 = 41;
    pub const BATCH_WITH_SET: u8 = 42;
    /// A filter expression.
    pub const FILTER: u8 = 43;
}

/// Operation codes.
pub mod op {
    pub const READ: u8 = 1;
    pub const WRITE: u8 = 2;
    pub const CDT_READ: u8 = 3;
    pub const CDT_MODIFY: u8 = 4;
    pub const INCR: u8 = 5;
    pub const EXP_READ: u8 = 7;
    pub const EXP_MODIFY: u8 = 8;
    pub const APPEND: u8 = 9;
    pub const PREPEND: u8 = 10;
    pub const TOUCH: u8 = 11;
    pub const BITS_READ: u8 = 12;
    pub const BITS_MODIFY: u8 = 13;
    pub const DELETE_ALL: u8 = 14;
    pub const HLL_READ: u8 = 15;
    pub const HLL_MODIFY: u8 = 16;
}

/// Types of stored values ("particles").
pub mod particle {
    pub const NULL: u8 = 0;
    pub const INTEGER: u8 = 1;
    pub const FLOAT: u8 = 2;
    pub const STRING: u8 = 3;
    pub const BLOB: u8 = 4;
    pub const JAVA_BLOB: u8 = 7;
    pub const CSHARP_BLOB: u8 = 8;
    pub const PYTHON_BLOB: u8 = 9;
    pub const RUBY_BLOB: u8 = 10;
    pub const PHP_BLOB: u8 = 11;
    pub const ERLANG_BLOB: u8 = 12;
    pub const VECTOR: u8 = 16;
    pub const BOOL: u8 = 17;
    pub const HLL: u8 = 18;
    pub const MAP: u8 = 19;
    pub const LIST: u8 = 20;
    pub const GEOJSON: u8 = 23;
}

/// Values in the TTL slot of a request that are not a number of seconds (`as/include/base/datamodel.h`).
pub mod ttl {
    /// The namespace's `default-ttl`.
    pub const USE_DEFAULT: u32 = 0;
    pub const NEVER_EXPIRE: u32 = u32::MAX;
    pub const DONT_UPDATE: u32 = u32::MAX - 1;
    /// The longest TTL: ten years, in seconds.
    pub const MAX: u32 = 3600 * 24 * 365 * 10;
    /// In the TTL slot of a read: never extend the record.
    pub const NEVER_TOUCH: u32 = u32::MAX;
}

/// Flag bits of a batch row (`as/src/base/batch.c`).
pub mod batch_row {
    /// Everything but the digest is the same as in the previous row.
    pub const REPEAT: u8 = 0x01;
    pub const EXTRA_INFO: u8 = 0x02;
    pub const GENERATION: u8 = 0x04;
    pub const TTL: u8 = 0x08;
    pub const INFO4: u8 = 0x10;
}

/// Flag bits of a whole batch (`as/src/base/batch.c`).
pub mod batch_flags {
    /// Return every row, even after an error.
    pub const REPORT_ALL_ERRORS: u8 = 0x04;
    /// Without the flag above: include the failed row.
    pub const REPORT_ERROR_ROW: u8 = 0x08;
}

/// Longest bin name, in bytes (`AS_BIN_NAME_MAX_SZ` counts a final zero).
pub const MAX_BIN_NAME: usize = 15;
/// Longest set name, in bytes.
pub const MAX_SET_NAME: usize = 63;
/// Longest name of a secondary index, in bytes (`INAME_MAX_SZ` counts a final zero).
pub const MAX_INDEX_NAME: usize = 63;
/// Longest namespace name, in bytes.
pub const MAX_NAMESPACE_NAME: usize = 31;
/// Maximum number of bins of a record (`RECORD_MAX_BINS`).
pub const MAX_BINS: usize = 32_767;
/// Maximum number of operations of a request (`MAX_N_OPS` in `as/include/transaction/rw_utils.h`).
pub const MAX_OPS: usize = 32 * 1024;
/// Number of partitions of every namespace.
pub const PARTITIONS: usize = 4096;
