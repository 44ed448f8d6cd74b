//! The filter expressions of writes. They are packed once, and only their times are filled in for each write.
//!
//! [`Layout::same_and_alive`] and [`Layout::creation`] define them as expressions of the crate. Such an expression is
//! a tree of boxes that takes longer to build, copy and pack than the rest of a write. Its structure never changes,
//! only the times in it do. So it is packed once with marker values in place of the times, and each write replaces
//! the markers.

use aerospike::expressions::{Expression, from_packed_bytes};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::layout::Layout;

/// The filters of one view.
pub struct Filters {
    in_this_view: Vec<u8>,
    is_removable: Option<Template>,
    alive: Option<Template>,
    same_and_alive: Option<Template>,
    creation: Option<Template>,
}

/// A packed expression, and the positions of the times in it.
struct Template {
    packed: Vec<u8>,
    now: usize,
    /// The earliest creation time of a session that is alive, if there is an absolute TTL.
    bound: Option<usize>,
    created: Option<usize>,
}

/// Marker times that no session has. Like all times from 1970 until far in the future, they are packed as a byte for
/// the type and eight for the number.
const NOW: i64 = 0x5ea1_c0de_f00d_1e55;
const CREATED: i64 = 0x5ea1_c0de_1dea_0001;
/// Integers up to this one are packed in fewer bytes.
const LARGEST_OF_FOUR_BYTES: i64 = u32::MAX as i64;

impl Filters {
    pub fn new(layout: &Layout) -> Filters {
        let bound = layout.options.absolute_ttl.map(|ttl| NOW - ttl);
        let same_and_alive =
            |created| Template::new(&layout.same_and_alive(created, NOW), bound, created);
        Filters {
            in_this_view: packed(&layout.in_this_view()),
            is_removable: Template::new(&layout.is_removable(NOW), None, None),
            alive: same_and_alive(None),
            same_and_alive: same_and_alive(Some(CREATED)),
            creation: Template::new(&layout.creation(NOW), None, None),
        }
    }

    /// Returns [`Layout::in_this_view`].
    pub fn in_this_view(&self) -> Expression {
        from_packed_bytes(self.in_this_view.clone())
    }

    /// Returns [`Layout::in_this_view`], packed.
    pub fn packed_in_this_view(&self) -> &[u8] {
        &self.in_this_view
    }

    /// Returns [`Layout::is_removable`].
    pub fn is_removable(&self, layout: &Layout, now: i64) -> Expression {
        let template = self.is_removable.as_ref();
        let filled = template.and_then(|template| template.fill(now, None, None));
        filled.unwrap_or_else(|| layout.is_removable(now))
    }

    /// Returns [`Layout::creation`] for a session that would be created now.
    pub fn creation(&self, layout: &Layout, now: i64) -> Expression {
        let template = self.creation.as_ref();
        let filled = template.and_then(|template| template.fill(now, None, None));
        filled.unwrap_or_else(|| layout.creation(now))
    }

    /// Returns [`Layout::same_and_alive`].
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
    /// Creates a template from an expression with the marker [`NOW`], and with `bound` and `created` as further
    /// markers. Returns `None` if a marker is not found exactly once.
    fn new(marked: &Expression, bound: Option<i64>, created: Option<i64>) -> Option<Template> {
        let packed = packed(marked);
        let find = |marker: i64| {
            let bytes = marker.to_be_bytes();
            let mut places = packed.windows(bytes.len());
            let first = places.position(|place| place == bytes)?;
            let is_alone = !places.any(|place| place == bytes);
            is_alone.then_some(first)
        };
        let bound = match bound {
            Some(marker) => Some(find(marker)?),
            None => None,
        };
        let created = match created {
            Some(marker) => Some(find(marker)?),
            None => None,
        };
        Some(Template {
            now: find(NOW)?,
            bound,
            created,
            packed,
        })
    }

    /// Fills in the times. Returns `None` if a time is packed in another length than its marker.
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
    fn a_filled_filter_equals_a_built_one() {
        let now = 1_767_225_600_000;
        for absolute_ttl in [None, Some(1), Some(86_400_000), Some(i64::MAX / 2)] {
            let layout = layout(absolute_ttl);
            let filters = Filters::new(&layout);
            for now in [now, 1, u32::MAX.into(), i64::MAX] {
                let built = layout.creation(now).base64();
                let filled = filters.creation(&layout, now).base64();
                assert_eq!(built.expect("packed"), filled.expect("packed"));
                let built = layout.is_removable(now).base64();
                let filled = filters.is_removable(&layout, now).base64();
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
    fn templates_support_usual_times() {
        for absolute_ttl in [None, Some(86_400_000)] {
            let filters = Filters::new(&layout(absolute_ttl));
            let now = 1_767_225_600_000;
            let bound = absolute_ttl.map(|ttl| now - ttl);
            let filled = |template: &Option<Template>, created| {
                let template = template.as_ref().expect("found markers");
                template.fill(now, bound, created).is_some()
            };
            assert!(filled(&filters.alive, None));
            assert!(filled(&filters.same_and_alive, Some(now)));
            for template in [&filters.creation, &filters.is_removable] {
                let template = template.as_ref().expect("a found marker");
                assert!(template.fill(now, None, None).is_some());
            }
        }
    }
}
