//! The expressions that writes carry, packed once and then only filled in.
//!
//! What they say is written in one place ([`Layout::same_and_alive`], [`Layout::creation`]), as an expression of the crate: a
//! tree of boxes that takes longer to build, copy and pack than all the rest of a write. Its form never changes, only the
//! times in it do: so it is packed once with marks in their place, and for each write the times are written over the marks.

use aerospike::expressions::{from_packed_bytes, Expression};
use base64::engine::general_purpose::STANDARD as BASE64;
use base64::Engine;

use super::layout::Layout;

/// The expressions of one view.
pub struct Filters {
    of_this_view: Vec<u8>,
    alive: Option<Template>,
    same_and_alive: Option<Template>,
    creation: Option<Template>,
}

/// A packed expression, and where the times stand in it.
struct Template {
    packed: Vec<u8>,
    now: usize,
    /// The earliest creation of a session that goes on, where there is an absolute TTL.
    bound: Option<usize>,
    created: Option<usize>,
}

/// Times that no session has. Like all times between 1970 and far beyond, they are packed as a byte that tells the
/// length, and eight that hold the number.
const NOW: i64 = 0x5ea1_c0de_f00d_1e55;
const CREATED: i64 = 0x5ea1_c0de_1dea_0001;
/// Up to this an integer is packed in fewer.
const LARGEST_OF_FOUR_BYTES: i64 = u32::MAX as i64;

impl Filters {
    pub fn new(layout: &Layout) -> Filters {
        let bound = layout.options.absolute_ttl.map(|ttl| NOW - ttl);
        let same_and_alive =
            |created| Template::of(&layout.same_and_alive(created, NOW), bound, created);
        Filters {
            of_this_view: packed(&layout.of_this_view()),
            alive: same_and_alive(None),
            same_and_alive: same_and_alive(Some(CREATED)),
            creation: Template::of(&layout.creation(NOW), None, None),
        }
    }

    /// [`Layout::of_this_view`].
    pub fn of_this_view(&self) -> Expression {
        from_packed_bytes(self.of_this_view.clone())
    }

    /// [`Layout::creation`] of a session that is made now, if it is made.
    pub fn creation(&self, layout: &Layout, now: i64) -> Expression {
        let template = self.creation.as_ref();
        let filled = template.and_then(|template| template.fill(now, None, None));
        filled.unwrap_or_else(|| layout.creation(now))
    }

    /// [`Layout::same_and_alive`].
    pub fn same_and_alive(&self, layout: &Layout, created: Option<i64>, now: i64) -> Expression {
        let template = match created {
            None => &self.alive,
            Some(_) => &self.same_and_alive,
        };
        let bound = layout.options.absolute_ttl.map(|ttl| now - ttl);
        let filled = template
            .as_ref()
            .and_then(|template| template.fill(now, bound, created));
        filled.unwrap_or_else(|| layout.same_and_alive(created, now))
    }
}

fn packed(expression: &Expression) -> Vec<u8> {
    let text = expression
        .base64()
        .expect("our own expressions can be packed");
    BASE64.decode(text).expect("the crate's own base64")
}

impl Template {
    /// Of an expression with the mark [`NOW`], and with `bound` and `created` as others. `None` where the marks cannot be told
    /// from the rest, or are not packed as expected.
    fn of(marked: &Expression, bound: Option<i64>, created: Option<i64>) -> Option<Template> {
        let packed = packed(marked);
        let find = |mark: i64| {
            let bytes = mark.to_be_bytes();
            let mut places = packed.windows(bytes.len());
            let first = places.position(|place| place == bytes)?;
            let is_alone = !places.any(|place| place == bytes);
            is_alone.then_some(first)
        };
        let bound = match bound {
            Some(mark) => Some(find(mark)?),
            None => None,
        };
        let created = match created {
            Some(mark) => Some(find(mark)?),
            None => None,
        };
        Some(Template {
            now: find(NOW)?,
            bound,
            created,
            packed,
        })
    }

    /// `None` where a time is packed in another length than its mark.
    fn fill(&self, now: i64, bound: Option<i64>, created: Option<i64>) -> Option<Expression> {
        let mut packed = self.packed.clone();
        let places = [
            (Some(self.now), Some(now)),
            (self.bound, bound),
            (self.created, created),
        ];
        for (place, time) in places {
            let Some(place) = place else { continue };
            let time = time.filter(|time| *time > LARGEST_OF_FOUR_BYTES)?;
            packed
                .get_mut(place..place + 8)?
                .copy_from_slice(&time.to_be_bytes());
        }
        Some(from_packed_bytes(packed))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::*;

    fn layout(absolute_ttl: Option<i64>) -> Layout {
        Layout {
            options: Options {
                absolute_ttl,
                ..Options::default()
            },
        }
    }

    #[test]
    fn a_filter_that_was_filled_in_is_the_one_that_was_built() {
        let now = 1_767_225_600_000;
        for absolute_ttl in [None, Some(1), Some(86_400_000), Some(i64::MAX / 2)] {
            let layout = layout(absolute_ttl);
            let filters = Filters::new(&layout);
            for now in [now, 1, u32::MAX.into(), i64::MAX] {
                let built = layout.creation(now).base64();
                let filled = filters.creation(&layout, now).base64();
                assert_eq!(built.expect("packed"), filled.expect("packed"));
                for created in [None, Some(0), Some(-5), Some(now), Some(now - 1)] {
                    let built = layout.same_and_alive(created, now).base64();
                    let filled = filters.same_and_alive(&layout, created, now).base64();
                    assert_eq!(built.expect("packed"), filled.expect("packed"));
                }
            }
        }
    }

    #[test]
    fn the_filters_of_usual_times_are_filled_in() {
        for absolute_ttl in [None, Some(86_400_000)] {
            let filters = Filters::new(&layout(absolute_ttl));
            let now = 1_767_225_600_000;
            let bound = absolute_ttl.map(|ttl| now - ttl);
            let filled = |template: &Option<Template>, created| {
                let template = template.as_ref().expect("marks that were found");
                template.fill(now, bound, created).is_some()
            };
            assert!(filled(&filters.alive, None));
            assert!(filled(&filters.same_and_alive, Some(now)));
            let creation = filters.creation.as_ref().expect("a mark that was found");
            assert!(creation.fill(now, None, None).is_some());
        }
    }
}
