//! Finds the selector of a map operation from its code and arguments.

use super::args::Args;
use super::codes::map as code;
use super::results::Request;
use super::select::Selector;
use crate::wire::result::Outcome;

/// Whether the operation removes the elements it selects.
pub fn is_removal(code: u64) -> bool {
    (code::REMOVE_BY_KEY..=code::REMOVE_BY_VALUE_REL_RANK_RANGE).contains(&code)
}

/// Returns the request of an operation that selects elements, or `None` for another operation.
pub fn parse_selection<'a>(code: u64, args: &'a Args) -> Outcome<Option<Request<'a>>> {
    /// A range without a count reaches to the end.
    const ALL: u64 = u32::MAX as u64;
    let (min, max, is_multi) = match code {
        code::GET_BY_KEY | code::REMOVE_BY_KEY | code::GET_BY_INDEX | code::REMOVE_BY_INDEX => {
            (2, 2, false)
        }
        code::GET_BY_VALUE | code::REMOVE_BY_VALUE | code::GET_BY_RANK | code::REMOVE_BY_RANK => {
            (2, 2, false)
        }
        code::GET_ALL_BY_VALUE | code::REMOVE_ALL_BY_VALUE => (2, 2, true),
        code::GET_BY_KEY_LIST
        | code::REMOVE_BY_KEY_LIST
        | code::GET_BY_VALUE_LIST
        | code::REMOVE_BY_VALUE_LIST => (2, 2, true),
        code::GET_BY_KEY_INTERVAL | code::REMOVE_BY_KEY_INTERVAL => (2, 3, true),
        code::GET_BY_VALUE_INTERVAL | code::REMOVE_BY_VALUE_INTERVAL => (2, 3, true),
        code::GET_BY_INDEX_RANGE | code::REMOVE_BY_INDEX_RANGE => (2, 3, true),
        code::GET_BY_RANK_RANGE | code::REMOVE_BY_RANK_RANGE => (2, 3, true),
        code::GET_BY_KEY_REL_INDEX_RANGE | code::REMOVE_BY_KEY_REL_INDEX_RANGE => (3, 4, true),
        code::GET_BY_VALUE_REL_RANK_RANGE | code::REMOVE_BY_VALUE_REL_RANK_RANGE => (3, 4, true),
        _ => return Ok(None),
    };
    args.check(min, max)?;
    let selector = match code {
        code::GET_BY_KEY | code::REMOVE_BY_KEY => Selector::Key(args.value(1)?),
        code::GET_BY_INDEX | code::REMOVE_BY_INDEX => Selector::Index(args.index(1)?, 1),
        code::GET_BY_RANK | code::REMOVE_BY_RANK => Selector::Rank(args.index(1)?, 1),
        code::GET_BY_KEY_LIST | code::REMOVE_BY_KEY_LIST => Selector::KeyList(args.items(1)?),
        code::GET_BY_VALUE_LIST | code::REMOVE_BY_VALUE_LIST => Selector::ValueList(args.items(1)?),
        code::GET_BY_KEY_INTERVAL | code::REMOVE_BY_KEY_INTERVAL => {
            Selector::Keys(args.value(1)?, args.optional_value(2))
        }
        code::GET_BY_VALUE_INTERVAL | code::REMOVE_BY_VALUE_INTERVAL => {
            Selector::Values(args.value(1)?, args.optional_value(2))
        }
        code::GET_BY_INDEX_RANGE | code::REMOVE_BY_INDEX_RANGE => {
            Selector::Index(args.index(1)?, args.unsigned(2, ALL)?)
        }
        code::GET_BY_RANK_RANGE | code::REMOVE_BY_RANK_RANGE => {
            Selector::Rank(args.index(1)?, args.unsigned(2, ALL)?)
        }
        code::GET_BY_KEY_REL_INDEX_RANGE | code::REMOVE_BY_KEY_REL_INDEX_RANGE => {
            Selector::RelativeIndex(args.value(1)?, args.index(2)?, args.unsigned(3, ALL)?)
        }
        code::GET_BY_VALUE_REL_RANK_RANGE | code::REMOVE_BY_VALUE_REL_RANK_RANGE => {
            Selector::RelativeRank(args.value(1)?, args.index(2)?, args.unsigned(3, ALL)?)
        }
        _ => Selector::Value(args.value(1)?),
    };
    Ok(Some(Request {
        result: args.unsigned(0, 0)?,
        selector,
        is_multi,
    }))
}
