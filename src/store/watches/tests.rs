//! When each session is checked, and which watches end.

use super::*;

const INTERVAL: Duration = Duration::from_secs(5);
/// The time of day when a test begins.
const NOW: i64 = 1_780_000_000_000;

/// A registry, and a time of day that passes with tokio's clock.
struct Registry {
    watches: Watches,
    view: Arc<View>,
    started: Instant,
}

impl Registry {
    fn new() -> Registry {
        Registry {
            watches: Watches::new(),
            view: view("sessions", ""),
            started: Instant::now(),
        }
    }

    fn now(&self) -> i64 {
        NOW + i64::try_from(self.started.elapsed().as_millis()).unwrap()
    }

    fn add(&self, number: u64, id: &str) -> Digest {
        self.add_touching(number, id, false)
    }

    fn add_touching(&self, number: u64, id: &str, touch: bool) -> Digest {
        let digest = self.view.key(id).digest();
        let _ = self.watches.add(number, &self.view, digest, touch);
        digest
    }

    fn options(&self) -> &Options {
        &self.view.layout.options
    }

    fn take(&self) -> Vec<Check> {
        self.watches.take_due(Instant::now(), self.now())
    }

    /// Waits until the next check is due, and returns how long that took and what is checked.
    async fn next(&self) -> (Duration, Vec<Check>) {
        let began = Instant::now();
        tokio::time::sleep_until(self.watches.next_due().unwrap().unwrap()).await;
        (began.elapsed(), self.take())
    }

    fn finish(&self, check: &Check, finding: Finding) -> Ended {
        let found = vec![(check.id, check.sent, finding)];
        self.watches.finish(found, self.now())
    }

    fn removed(&self, digest: &Digest) -> Ended {
        let sent = self.watches.logical_time();
        self.watches.removed(self.options(), digest, sent, NOW)
    }
}

fn view(set: &str, prefix: &str) -> Arc<View> {
    View::new(Options {
        namespace: "test".into(),
        set: set.into(),
        prefix: prefix.into(),
        watch_interval: INTERVAL,
        ..Options::default()
    })
}

fn alive(created: i64, end: Option<i64>) -> Finding {
    Finding::Alive {
        created: Some(created),
        end,
        touch_at: None,
    }
}

fn gone(numbers: &[u64]) -> Ended {
    Ended {
        gone: numbers.to_vec(),
        expired: vec![],
    }
}

fn expired(numbers: &[u64]) -> Ended {
    Ended {
        gone: vec![],
        expired: numbers.to_vec(),
    }
}

#[tokio::test(start_paused = true)]
async fn watches_of_a_session_share_its_checks_and_end_together() {
    let all = Registry::new();
    all.add(1, "a");
    all.add(2, "a");
    let checks = all.take();
    assert_eq!(checks.len(), 1);
    assert!(all.take().is_empty());
    assert!(all.finish(&checks[0], alive(7, None)).is_empty());
    let (passed, checks) = all.next().await;
    assert!(passed <= INTERVAL);
    assert_eq!(all.finish(&checks[0], Finding::Missing), gone(&[1, 2]));
    assert!(all.watches.is_empty());
    assert!(all.watches.next_due().is_err());
}

#[tokio::test(start_paused = true)]
async fn each_session_is_checked_once_an_interval_in_slices_that_are_spread_over_it() {
    let all = Registry::new();
    for number in 0..10_000 {
        all.add(number, &format!("session-{number}"));
    }
    let mut first = 0;
    loop {
        let slice = all.take();
        if slice.is_empty() {
            break;
        }
        assert!(slice.len() <= MAX_SLICE);
        first += slice.len();
        for check in &slice {
            assert!(all.finish(check, alive(1, None)).is_empty());
        }
    }
    assert_eq!(first, 10_000);
    let end = Instant::now() + 3 * INTERVAL;
    let mut checked: HashMap<SessionId, Vec<Instant>> = HashMap::new();
    let (mut slices, mut most_together) = (0, HashMap::<Instant, usize>::new());
    while Instant::now() < end {
        let (_, slice) = all.next().await;
        assert!(slice.len() <= MAX_SLICE);
        slices += 1;
        *most_together.entry(Instant::now()).or_default() += slice.len();
        for check in &slice {
            checked.entry(check.id).or_default().push(Instant::now());
            assert!(all.finish(check, alive(1, None)).is_empty());
        }
    }
    assert_eq!(checked.len(), 10_000);
    for times in checked.values() {
        assert!((3..=4).contains(&times.len()));
        let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.into_iter().all(|gap| gap <= INTERVAL));
    }
    // 100 places in the interval, and hardly any that needs two slices.
    assert!((300..=330).contains(&slices), "{slices} slices");
    assert!(
        most_together
            .values()
            .all(|together| *together < 2 * PER_PLACE)
    );
}

#[tokio::test(start_paused = true)]
async fn few_sessions_are_checked_together() {
    let all = Registry::new();
    for number in 0..100 {
        all.add(number, &format!("session-{number}"));
    }
    for check in all.take() {
        assert!(all.finish(&check, alive(1, None)).is_empty());
    }
    for _ in 0..3 {
        let (passed, slice) = all.next().await;
        assert_eq!((passed, slice.len()), (INTERVAL, 100));
        for check in &slice {
            assert!(all.finish(check, alive(1, None)).is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_is_checked_at_its_end_and_goes_on_if_it_was_extended() {
    let all = Registry::new();
    all.add(1, "a");
    let check = &all.take()[0];
    assert!(all.finish(check, alive(1, Some(NOW + 1_200))).is_empty());
    let (passed, checks) = all.next().await;
    assert_eq!(passed, Duration::from_millis(1_201));
    assert!(
        all.finish(&checks[0], alive(1, Some(NOW + 2_000)))
            .is_empty()
    );
    let (passed, checks) = all.next().await;
    assert_eq!(passed, Duration::from_millis(800));
    assert_eq!(all.finish(&checks[0], Finding::Expired), expired(&[1]));
}

#[tokio::test(start_paused = true)]
async fn a_missing_session_has_expired_if_its_end_has_come_and_is_gone_otherwise() {
    for (left, is_expired) in [(EARLY_REMOVAL_MS, true), (EARLY_REMOVAL_MS + 1, false)] {
        let all = Registry::new();
        all.add(1, "a");
        let check = &all.take()[0];
        assert!(all.finish(check, alive(1, Some(NOW + left))).is_empty());
        let ended = all.finish(check, Finding::Missing);
        assert_eq!(
            ended,
            if is_expired {
                expired(&[1])
            } else {
                gone(&[1])
            }
        );
    }
    let all = Registry::new();
    all.add(1, "never stored");
    let check = &all.take()[0];
    assert_eq!(all.finish(check, Finding::Missing), gone(&[1]));
}

#[tokio::test(start_paused = true)]
async fn a_new_session_under_the_same_id_is_another_one() {
    let all = Registry::new();
    all.add(1, "a");
    let check = &all.take()[0];
    let without = Finding::Alive {
        created: None,
        end: None,
        touch_at: None,
    };
    // Written by another program at first, and then by a store.
    assert!(all.finish(check, without.clone()).is_empty());
    assert!(all.finish(check, alive(1, None)).is_empty());
    assert!(all.finish(check, without).is_empty());
    assert!(all.finish(check, alive(1, None)).is_empty());
    assert_eq!(all.finish(check, alive(2, None)), gone(&[1]));
}

#[tokio::test(start_paused = true)]
async fn no_answer_ends_nothing_even_after_the_end() {
    let all = Registry::new();
    all.add(1, "a");
    let check = &all.take()[0];
    assert!(all.finish(check, alive(1, Some(NOW + 1_000))).is_empty());
    for _ in 0..10 {
        let (_, checks) = all.next().await;
        assert!(all.finish(&checks[0], Finding::Unknown).is_empty());
    }
    // Not more often than once an interval.
    assert!(all.started.elapsed() > 8 * INTERVAL);
}

#[tokio::test(start_paused = true)]
async fn what_this_process_removes_ends_at_once_in_every_view_of_the_same_sessions() {
    let all = Registry::new();
    let digest = all.add(1, "a");
    let twin = view("sessions", "");
    let _ = all.watches.add(2, &twin, digest, false);
    // The same key, in a view with another prefix and in another namespace.
    let _ = all.watches.add(3, &view("sessions", "a"), digest, false);
    let elsewhere = View::new(Options {
        namespace: "other".into(),
        ..all.options().clone()
    });
    let _ = all.watches.add(4, &elsewhere, digest, false);
    let check = &all.take()[0];
    assert_eq!(all.removed(&digest), gone(&[1, 2]));
    // A check that was under way finds nothing to end.
    assert!(all.finish(check, Finding::Missing).is_empty());
    assert!(all.removed(&digest).is_empty());
    assert!(!all.watches.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_was_added_after_a_command_was_sent_is_of_a_later_session() {
    let all = Registry::new();
    let digest = all.add(1, "a");
    let check = &all.take()[0];
    assert!(all.finish(check, alive(1, None)).is_empty());
    // A removal is under way. Another process stores a new session under the same id.
    let sent = all.watches.logical_time();
    all.add(2, "a");
    let ended = all.watches.removed(all.options(), &digest, sent, NOW);
    assert_eq!(ended, gone(&[1]));
    let check = &all.take()[0];
    all.add(3, "a");
    assert_eq!(all.finish(check, Finding::Missing), gone(&[2]));
    let check = &all.take()[0];
    assert!(all.finish(check, alive(3, None)).is_empty());
    all.add(4, "a");
    assert_eq!(all.finish(check, alive(4, None)), gone(&[3]));
    let check = &all.take()[0];
    assert!(all.finish(check, alive(4, None)).is_empty());
    assert_eq!(all.removed(&digest), gone(&[4]));
}

#[tokio::test(start_paused = true)]
async fn a_write_of_this_process_moves_the_check_at_the_end_forward() {
    let all = Registry::new();
    let digest = all.add(1, "a");
    let check = &all.take()[0];
    assert!(all.finish(check, alive(1, None)).is_empty());
    all.watches.written(all.options(), &digest, NOW + 700, NOW);
    let (passed, checks) = all.next().await;
    assert_eq!(passed, Duration::from_millis(701));
    assert_eq!(all.finish(&checks[0], Finding::Missing), expired(&[1]));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_watch_does_not_end_and_its_session_is_checked_for_the_others_only() {
    let all = Registry::new();
    let digest = all.add(1, "a");
    all.add(2, "a");
    all.watches.remove(1);
    all.watches.remove(1);
    assert_eq!(all.take().len(), 1);
    all.watches.remove(2);
    assert!(all.watches.is_empty());
    assert!(all.removed(&digest).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_renewal_is_followed_to_the_new_record_and_not_in_circles() {
    let all = Registry::new();
    let old = all.add(1, "old");
    let new = all.view.key("new").digest();
    let check = &all.take()[0];
    assert!(all.finish(check, alive(1, None)).is_empty());
    assert!(all.finish(check, Finding::Renewed(new)).is_empty());
    let checks = all.take();
    assert_eq!(checks[0].key.digest(), new);
    assert!(all.removed(&old).is_empty());
    for _ in 0..MAX_HOPS {
        assert!(all.finish(&checks[0], Finding::Renewed(new)).is_empty());
    }
    assert!(all.take().is_empty());
    assert_eq!(all.removed(&new), gone(&[1]));
}

#[tokio::test(start_paused = true)]
async fn a_renewal_by_this_process_is_followed_at_once() {
    let all = Registry::new();
    let old = all.add(1, "old");
    let new = all.view.key("new").digest();
    all.watches.renewed(all.options(), &old, new);
    assert!(all.removed(&old).is_empty());
    assert_eq!(all.removed(&new), gone(&[1]));
}

#[tokio::test(start_paused = true)]
async fn a_session_is_extended_when_it_is_time_and_only_if_a_watch_asks_for_it() {
    let all = Registry::new();
    all.add(1, "a");
    let check = &all.take()[0];
    assert!(!check.may_touch);
    assert!(all.finish(check, alive(1, Some(NOW + 20_000))).is_empty());
    all.add_touching(2, "a", true);
    let checks = all.take();
    assert!(checks[0].may_touch);
    let finding = Finding::Alive {
        created: Some(1),
        end: Some(NOW + 20_000),
        touch_at: Some(NOW + 2_000),
    };
    assert!(all.finish(&checks[0], finding).is_empty());
    let (passed, checks) = all.next().await;
    assert_eq!(passed, Duration::from_millis(2_001));
    assert!(checks[0].may_touch);
    assert!(all.finish(&checks[0], Finding::Unknown).is_empty());
    all.watches.remove(2);
    let (_, checks) = all.next().await;
    assert!(!checks[0].may_touch);
}

#[tokio::test(start_paused = true)]
async fn checks_that_were_given_up_come_again() {
    let all = Registry::new();
    all.add(1, "a");
    let check = &all.take()[0];
    assert_eq!(all.watches.next_due(), Ok(None));
    all.watches.give_up(&[check.id]);
    assert_eq!(all.next().await.1.len(), 1);
}

/// docs/watching.md states the memory.
#[test]
fn a_watch_takes_little_memory() {
    assert!(size_of::<Session>() <= 160, "{}", size_of::<Session>());
}
