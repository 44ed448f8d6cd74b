//! Converts completions into JavaScript values.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use napi::bindgen_prelude::*;
use napi::{check_status, sys};

use crate::cluster::trace::{LastRequest, Trace};
use crate::error;
use crate::failpoint;
use crate::store::{Output, Written};

/// The answer of a request, or a notice, before it is converted.
pub(super) struct Completion {
    pub slot: u32,
    /// Whether it is the answer of a request. Notices, and all pieces of a list but the last, are not.
    pub is_answer: bool,
    pub outcome: error::Result<Output>,
    /// The trace of a request that is traced.
    pub trace: Option<Arc<Trace>>,
}

impl Completion {
    /// Returns the bytes of its texts.
    pub(super) fn size(&self) -> usize {
        match &self.outcome {
            Ok(Output::Json(text)) => text.len(),
            Ok(Output::Pieces(pieces)) => pieces.iter().map(String::len).sum(),
            Ok(Output::Loaded(baseline)) => baseline.json.len(),
            _ => 0,
        }
    }
}

/// Completions for JavaScript, which are converted into one flat array. Each completion becomes a number, which combines the slot and
/// the [`Kind`], followed by the values of that kind.
pub struct Batch {
    pub(super) completions: Vec<Completion>,
    /// More completions wait than this batch has.
    pub(super) is_more: bool,
}

impl Batch {
    /// Returns how many of the completions are answers of requests.
    pub(super) fn answers(&self) -> usize {
        self.completions.iter().filter(|one| one.is_answer).count()
    }
}

/// The kind of a completion, in the lowest bits of its number. `lib/bridge/hub.js` has the same list. Each comment begins with the
/// number of values (`__test__/architecture/answer-kinds.test.js`).
#[derive(Clone, Copy)]
enum Kind {
    /// Undefined.
    Done = 0,
    /// Null.
    Missing = 1,
    True = 2,
    False = 3,
    /// One value: a number.
    Count = 4,
    /// One value: a text, which JavaScript decodes.
    Text = 5,
    /// Two values: the head of a baseline and its JSON.
    Baseline = 6,
    /// One value: the head of the next baseline.
    BaselineMeta = 7,
    /// One value: the full result of a set, as JSON.
    SetResult = 8,
    /// One value: an error, as JSON.
    Error = 9,
    /// One value: the text of a notice, which belongs to no request. The slot stays in use.
    Notice = 10,
    /// Two values: the node (or null), and how many operations were sent together. They belong to the next answer of this slot.
    Trace = 11,
    /// One value: a text, which is a piece of a list. The slot stays in use. The last piece is a [`Kind::Text`].
    Piece = 12,
    /// None. It has no slot, and comes first: more completions wait, and JavaScript has to ask for them.
    More = 13,
}

const KIND_BITS: u32 = 4;
/// A bit in the slot of a request: the request is traced. Slot numbers are smaller. `lib/bridge/hub.js` has the same constant.
pub(super) const TRACED: u32 = 1 << 27;

impl TypeName for Batch {
    fn type_name() -> &'static str {
        "Array"
    }

    fn value_type() -> ValueType {
        ValueType::Object
    }
}

/// The array that is being filled.
struct Values {
    env: sys::napi_env,
    array: sys::napi_value,
    length: u32,
    /// The values of one completion. Either all of them are added to the array, or none.
    ready: Vec<sys::napi_value>,
}

impl Values {
    fn push(&mut self, value: sys::napi_value) -> Result<()> {
        self.ready.push(value);
        Ok(())
    }

    /// Adds the values of a completion to the array.
    fn flush(&mut self) -> Result<()> {
        for value in self.ready.drain(..) {
            // SAFETY: `array` was made in this environment, in the handle scope we are in.
            check_status!(unsafe {
                sys::napi_set_element(self.env, self.array, self.length, value)
            })?;
            self.length += 1;
        }
        Ok(())
    }

    fn push_answer<const N: usize>(
        &mut self,
        slot: u32,
        kind: Kind,
        values: [sys::napi_value; N],
    ) -> Result<()> {
        let number = slot << KIND_BITS | kind as u32;
        // SAFETY: `env` is that of the thread we are on.
        self.push(unsafe { u32::to_napi_value(self.env, number) }?)?;
        values.into_iter().try_for_each(|value| self.push(value))
    }

    /// Converts a text. If it is longer than a JavaScript string can be, only its own request fails, and not the whole batch.
    fn text(&self, text: &str) -> error::Result<sys::napi_value> {
        // SAFETY: `env` is that of the thread we are on.
        let value = unsafe { <&str>::to_napi_value(self.env, text) };
        value.map_err(|_| {
            error::Error::new(error::Code::TooBig, "the answer is too long for one string")
        })
    }

    fn push_completion(&mut self, completion: &Completion) -> Result<()> {
        failpoint::panic_at(match (completion.is_answer, &completion.outcome) {
            (true, _) => "convert",
            (false, Ok(Output::Pieces(_))) => "piece",
            (false, _) => "notice",
        });
        let Completion { slot, outcome, .. } = completion;
        if let Some(trace) = &completion.trace {
            self.push_trace(*slot, trace.last_request())?;
        }
        let outcome = match outcome {
            Ok(Output::Json(notice)) if !completion.is_answer => self.push_notice(*slot, notice)?,
            Ok(output) => self.push_output(*slot, output)?,
            Err(error) => Err(error.clone()),
        };
        match outcome {
            Ok(()) => Ok(()),
            Err(error) => self.push_failed(completion, &error),
        }
    }

    /// Pushes the replacement of a completion that could not be converted. Instead of a piece it pushes an empty text, which is not
    /// valid JSON and so fails the whole list. A notice is left out: no request waits for it.
    fn push_failed(&mut self, completion: &Completion, error: &error::Error) -> Result<()> {
        match (completion.is_answer, &completion.outcome) {
            (true, _) => self.push_error(completion.slot, error),
            (false, Ok(Output::Pieces(_))) => {
                // SAFETY: `env` is that of the thread we are on.
                let nothing = unsafe { <&str>::to_napi_value(self.env, "") }?;
                self.push_answer(completion.slot, Kind::Piece, [nothing])
            }
            _ => Ok(()),
        }
    }

    fn push_output(&mut self, slot: u32, output: &Output) -> Result<error::Result<()>> {
        let pushed = match output {
            Output::Done => self.push_answer(slot, Kind::Done, []),
            Output::Missing => self.push_answer(slot, Kind::Missing, []),
            Output::Flag(true) => self.push_answer(slot, Kind::True, []),
            Output::Flag(false) => self.push_answer(slot, Kind::False, []),
            Output::Count(count) => {
                // SAFETY: `env` is that of the thread we are on.
                let count = unsafe { f64::to_napi_value(self.env, *count as f64) }?;
                self.push_answer(slot, Kind::Count, [count])
            }
            Output::Json(text) => match self.text(text) {
                Ok(text) => self.push_answer(slot, Kind::Text, [text]),
                Err(error) => return Ok(Err(error)),
            },
            Output::Pieces(pieces) => match self.text(&pieces.concat()) {
                Ok(piece) => self.push_answer(slot, Kind::Piece, [piece]),
                Err(error) => return Ok(Err(error)),
            },
            Output::Loaded(baseline) => {
                return self.push_baseline(slot, &baseline.meta, &baseline.json);
            }
            Output::Written(written, _) => match written {
                Written {
                    meta: None,
                    gone: None,
                    ..
                } => self.push_answer(slot, Kind::Done, []),
                Written {
                    meta: Some(head),
                    conflict: None,
                    evicted,
                    ..
                } if evicted.is_empty() => match self.text(head) {
                    Ok(head) => self.push_answer(slot, Kind::BaselineMeta, [head]),
                    Err(error) => return Ok(Err(error)),
                },
                Written {
                    meta: head,
                    gone,
                    conflict,
                    evicted,
                    ..
                } => {
                    let result = serde_json::json!({
                        "head": head, "gone": gone, "conflict": conflict, "evicted": evicted
                    });
                    match self.text(&result.to_string()) {
                        Ok(result) => self.push_answer(slot, Kind::SetResult, [result]),
                        Err(error) => return Ok(Err(error)),
                    }
                }
            },
        };
        pushed.map(Ok)
    }

    fn push_baseline(&mut self, slot: u32, head: &str, json: &str) -> Result<error::Result<()>> {
        match (self.text(head), self.text(json)) {
            (Ok(head), Ok(json)) => self.push_answer(slot, Kind::Baseline, [head, json]).map(Ok),
            (Err(error), _) | (_, Err(error)) => Ok(Err(error)),
        }
    }

    fn push_notice(&mut self, slot: u32, notice: &str) -> Result<error::Result<()>> {
        match self.text(notice) {
            Ok(text) => self.push_answer(slot, Kind::Notice, [text]).map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }

    fn push_trace(&mut self, slot: u32, request: LastRequest) -> Result<()> {
        // SAFETY: `env` is that of the thread we are on.
        let (node, batch_size) = unsafe {
            (
                Option::<&str>::to_napi_value(self.env, request.node.as_deref())?,
                f64::to_napi_value(self.env, request.batch_size as f64)?,
            )
        };
        self.push_answer(slot, Kind::Trace, [node, batch_size])
    }

    fn push_error(&mut self, slot: u32, error: &error::Error) -> Result<()> {
        let text = serde_json::to_string(error).unwrap_or_default();
        // SAFETY: `env` is that of the thread we are on.
        let text = unsafe { String::to_napi_value(self.env, text) }?;
        self.push_answer(slot, Kind::Error, [text])
    }
}

impl ToNapiValue for Batch {
    unsafe fn to_napi_value(env: sys::napi_env, batch: Self) -> Result<sys::napi_value> {
        let mut array = std::ptr::null_mut();
        // SAFETY: `env` is the environment this is called in.
        check_status!(unsafe { sys::napi_create_array(env, &mut array) })?;
        let mut values = Values {
            env,
            array,
            length: 0,
            ready: Vec::with_capacity(6),
        };
        if batch.is_more {
            values.push_answer(0, Kind::More, [])?;
            values.flush()?;
        }
        for completion in &batch.completions {
            // Node.js calls this through C, where a panic would end the process.
            let pushed = catch_unwind(AssertUnwindSafe(|| values.push_completion(completion)));
            pushed.unwrap_or_else(|_| {
                values.ready.clear();
                let lost = error::Error::given_up().in_doubt(true);
                values.push_failed(completion, &lost)
            })?;
            values.flush()?;
        }
        Ok(array)
    }
}
