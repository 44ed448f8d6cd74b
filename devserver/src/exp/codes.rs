//! The codes of expressions (`exp_op_code` in `as/src/base/exp.c`).

pub const UNKNOWN: i64 = 0;
pub const EQ: i64 = 1;
pub const NE: i64 = 2;
pub const GT: i64 = 3;
pub const GE: i64 = 4;
pub const LT: i64 = 5;
pub const LE: i64 = 6;
pub const REGEX: i64 = 7;
pub const IN_LIST: i64 = 9;
pub const AND: i64 = 16;
pub const OR: i64 = 17;
pub const NOT: i64 = 18;
pub const EXCLUSIVE: i64 = 19;
pub const ADD: i64 = 20;
pub const SUB: i64 = 21;
pub const MUL: i64 = 22;
pub const DIV: i64 = 23;
pub const POW: i64 = 24;
pub const LOG: i64 = 25;
pub const MOD: i64 = 26;
pub const ABS: i64 = 27;
pub const FLOOR: i64 = 28;
pub const CEIL: i64 = 29;
pub const TO_INT: i64 = 30;
pub const TO_FLOAT: i64 = 31;
pub const INT_AND: i64 = 32;
pub const INT_OR: i64 = 33;
pub const INT_XOR: i64 = 34;
pub const INT_NOT: i64 = 35;
pub const INT_LSHIFT: i64 = 36;
pub const INT_RSHIFT: i64 = 37;
pub const INT_ARSHIFT: i64 = 38;
pub const INT_COUNT: i64 = 39;
pub const INT_LSCAN: i64 = 40;
pub const INT_RSCAN: i64 = 41;
pub const MIN: i64 = 50;
pub const MAX: i64 = 51;
pub const DIGEST_MODULO: i64 = 64;
pub const DEVICE_SIZE: i64 = 65;
pub const LAST_UPDATE: i64 = 66;
pub const SINCE_UPDATE: i64 = 67;
pub const VOID_TIME: i64 = 68;
pub const TTL: i64 = 69;
pub const SET_NAME: i64 = 70;
pub const KEY_EXISTS: i64 = 71;
pub const IS_TOMBSTONE: i64 = 72;
pub const RECORD_SIZE: i64 = 74;
pub const KEY: i64 = 80;
pub const BIN: i64 = 81;
pub const BIN_TYPE: i64 = 82;
pub const REMOVE: i64 = 100;
pub const MAP_KEYS: i64 = 101;
pub const MAP_VALUES: i64 = 102;
pub const COND: i64 = 123;
pub const VAR: i64 = 124;
pub const LET: i64 = 125;
pub const QUOTE: i64 = 126;
pub const CALL: i64 = 127;

/// The system of a call for lists and maps.
pub const CALL_CDT: i64 = 0;
/// The bit of a call's system for operations that change the list or map, and return it.
pub const CALL_MODIFY: i64 = 0x40;

/// Flags of the operations with expressions (`as_exp_flags` in `as/include/base/proto.h`).
pub mod op_flags {
    pub const CREATE_ONLY: u64 = 1;
    pub const UPDATE_ONLY: u64 = 2;
    pub const ALLOW_DELETE: u64 = 4;
    pub const POLICY_NO_FAIL: u64 = 8;
    pub const EVAL_NO_FAIL: u64 = 16;
}
