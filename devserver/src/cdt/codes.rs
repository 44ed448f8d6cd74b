//! Codes of operations, results and flags. Source: `as_cdt_optype` and what follows it in `as/include/base/proto.h`.

/// The operations on paths (server 8.1.1), which are not implemented.
pub const OP_SELECT: u64 = 0xfe;
/// An operation with a context.
pub const OP_CONTEXT: u64 = 0xff;
/// The first code of a map operation. Lower codes are list operations.
pub const FIRST_MAP_OP: u64 = 64;

pub mod list {
    pub const SET_TYPE: u64 = 0;
    pub const APPEND: u64 = 1;
    pub const APPEND_ITEMS: u64 = 2;
    pub const INSERT: u64 = 3;
    pub const INSERT_ITEMS: u64 = 4;
    pub const POP: u64 = 5;
    pub const POP_RANGE: u64 = 6;
    pub const REMOVE: u64 = 7;
    pub const REMOVE_RANGE: u64 = 8;
    pub const SET: u64 = 9;
    pub const TRIM: u64 = 10;
    pub const CLEAR: u64 = 11;
    pub const INCREMENT: u64 = 12;
    pub const SORT: u64 = 13;
    pub const SIZE: u64 = 16;
    pub const GET: u64 = 17;
    pub const GET_RANGE: u64 = 18;
    pub const GET_BY_INDEX: u64 = 19;
    pub const GET_BY_VALUE: u64 = 20;
    pub const GET_BY_RANK: u64 = 21;
    pub const GET_ALL_BY_VALUE: u64 = 22;
    pub const GET_ALL_BY_VALUE_LIST: u64 = 23;
    pub const GET_BY_INDEX_RANGE: u64 = 24;
    pub const GET_BY_VALUE_INTERVAL: u64 = 25;
    pub const GET_BY_RANK_RANGE: u64 = 26;
    pub const GET_BY_VALUE_REL_RANK_RANGE: u64 = 27;
    pub const REMOVE_BY_INDEX: u64 = 32;
    pub const REMOVE_BY_VALUE: u64 = 33;
    pub const REMOVE_BY_RANK: u64 = 34;
    pub const REMOVE_ALL_BY_VALUE: u64 = 35;
    pub const REMOVE_ALL_BY_VALUE_LIST: u64 = 36;
    pub const REMOVE_BY_INDEX_RANGE: u64 = 37;
    pub const REMOVE_BY_VALUE_INTERVAL: u64 = 38;
    pub const REMOVE_BY_RANK_RANGE: u64 = 39;
    pub const REMOVE_BY_VALUE_REL_RANK_RANGE: u64 = 40;
}

pub mod map {
    pub const SET_TYPE: u64 = 64;
    pub const ADD: u64 = 65;
    pub const ADD_ITEMS: u64 = 66;
    pub const PUT: u64 = 67;
    pub const PUT_ITEMS: u64 = 68;
    pub const REPLACE: u64 = 69;
    pub const REPLACE_ITEMS: u64 = 70;
    pub const INCREMENT: u64 = 73;
    pub const DECREMENT: u64 = 74;
    pub const CLEAR: u64 = 75;
    pub const REMOVE_BY_KEY: u64 = 76;
    pub const REMOVE_BY_INDEX: u64 = 77;
    pub const REMOVE_BY_VALUE: u64 = 78;
    pub const REMOVE_BY_RANK: u64 = 79;
    pub const REMOVE_BY_KEY_LIST: u64 = 81;
    pub const REMOVE_ALL_BY_VALUE: u64 = 82;
    pub const REMOVE_BY_VALUE_LIST: u64 = 83;
    pub const REMOVE_BY_KEY_INTERVAL: u64 = 84;
    pub const REMOVE_BY_INDEX_RANGE: u64 = 85;
    pub const REMOVE_BY_VALUE_INTERVAL: u64 = 86;
    pub const REMOVE_BY_RANK_RANGE: u64 = 87;
    pub const REMOVE_BY_KEY_REL_INDEX_RANGE: u64 = 88;
    pub const REMOVE_BY_VALUE_REL_RANK_RANGE: u64 = 89;
    pub const SIZE: u64 = 96;
    pub const GET_BY_KEY: u64 = 97;
    pub const GET_BY_INDEX: u64 = 98;
    pub const GET_BY_VALUE: u64 = 99;
    pub const GET_BY_RANK: u64 = 100;
    pub const GET_ALL_BY_VALUE: u64 = 102;
    pub const GET_BY_KEY_INTERVAL: u64 = 103;
    pub const GET_BY_INDEX_RANGE: u64 = 104;
    pub const GET_BY_VALUE_INTERVAL: u64 = 105;
    pub const GET_BY_RANK_RANGE: u64 = 106;
    pub const GET_BY_KEY_LIST: u64 = 107;
    pub const GET_BY_VALUE_LIST: u64 = 108;
    pub const GET_BY_KEY_REL_INDEX_RANGE: u64 = 109;
    pub const GET_BY_VALUE_REL_RANK_RANGE: u64 = 110;
}

/// What an operation returns of the selected elements.
pub mod result {
    pub const NONE: u64 = 0;
    pub const INDEX: u64 = 1;
    pub const REVERSE_INDEX: u64 = 2;
    pub const RANK: u64 = 3;
    pub const REVERSE_RANK: u64 = 4;
    pub const COUNT: u64 = 5;
    pub const KEY: u64 = 6;
    pub const VALUE: u64 = 7;
    pub const KEY_VALUE_MAP: u64 = 8;
    pub const INDEX_RANGE: u64 = 9;
    pub const REVERSE_INDEX_RANGE: u64 = 10;
    pub const RANK_RANGE: u64 = 11;
    pub const REVERSE_RANK_RANGE: u64 = 12;
    pub const EXISTS: u64 = 13;
    pub const UNORDERED_MAP: u64 = 16;
    pub const ORDERED_MAP: u64 = 17;
    /// Masks one of the above.
    pub const MASK: u64 = 0xffff;
    /// Inverts the selection.
    pub const INVERTED: u64 = 0x1_0000;
}

/// Flags of operations that add to a list.
pub mod list_write {
    pub const ADD_UNIQUE: u64 = 1;
    pub const INSERT_BOUNDED: u64 = 2;
    pub const NO_FAIL: u64 = 4;
    pub const DO_PARTIAL: u64 = 8;
}

/// Flags of operations that put into a map.
pub mod map_write {
    pub const NO_OVERWRITE: u64 = 1;
    pub const NO_CREATE: u64 = 2;
    pub const NO_FAIL: u64 = 4;
    pub const DO_PARTIAL: u64 = 8;
}

/// Flags of a sort.
pub mod sort {
    pub const DESCENDING: u64 = 1;
    pub const DROP_DUPLICATES: u64 = 2;
}

/// Kinds of the steps of a context.
pub mod context {
    pub const INDEX: u64 = 0;
    pub const RANK: u64 = 1;
    pub const KEY: u64 = 2;
    pub const VALUE: u64 = 3;
    /// Masks one of the above.
    pub const BASE: u64 = 0x0f;
    pub const LIST: u64 = 0x10;
    pub const MAP: u64 = 0x20;
    pub const CREATE: u64 = 0xc0;
    /// A list that may be padded with nils; a map with ordered keys.
    pub const CREATE_UNBOUND_OR_K_ORDERED: u64 = 0x80;
    pub const CREATE_ORDERED: u64 = 0xc0;
}

/// Asks the server to keep an index with the value. It does not change results, and is ignored here.
pub const PERSIST_INDEX: u64 = 0x10;
