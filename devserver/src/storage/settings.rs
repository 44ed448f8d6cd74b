//! The settings of a namespace that can change while the server runs.
//! Source: `cfg_set_namespace()` in `as/src/base/cfg_info.c`.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use parking_lot::Mutex;
use serde::Deserialize;

use crate::config::NamespaceConfig;
use crate::wire::consts::ttl;

/// The valid values of `max-record-size`, in bytes (`MIN_MAX_RECORD_SIZE`, `WBLOCK_SZ`).
const RECORD_SIZES: std::ops::RangeInclusive<u32> = 64..=8 * 1024 * 1024;

/// The settings of a namespace, see [`NamespaceConfig`].
pub struct Settings {
    default_ttl: AtomicU32,
    nsup_period: AtomicU32,
    allow_ttl_without_nsup: AtomicBool,
    max_record_size: AtomicU32,
    default_read_touch_ttl_pct: AtomicU32,
    /// Serializes changes, so that each is checked against the current settings.
    changing: Mutex<()>,
}

/// New values for some settings.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Change {
    pub default_ttl: Option<u32>,
    pub nsup_period: Option<u32>,
    pub allow_ttl_without_nsup: Option<bool>,
    pub max_record_size: Option<u32>,
    pub default_read_touch_ttl_pct: Option<u32>,
}

impl Settings {
    pub fn new(config: &NamespaceConfig) -> Settings {
        Settings {
            default_ttl: config.default_ttl.into(),
            nsup_period: config.nsup_period.into(),
            allow_ttl_without_nsup: config.allow_ttl_without_nsup.into(),
            max_record_size: config.max_record_size.into(),
            default_read_touch_ttl_pct: config.default_read_touch_ttl_pct.into(),
            changing: Mutex::new(()),
        }
    }

    pub fn default_ttl(&self) -> u32 {
        self.default_ttl.load(Ordering::Relaxed)
    }

    pub fn nsup_period(&self) -> u32 {
        self.nsup_period.load(Ordering::Relaxed)
    }

    pub fn allow_ttl_without_nsup(&self) -> bool {
        self.allow_ttl_without_nsup.load(Ordering::Relaxed)
    }

    pub fn max_record_size(&self) -> u32 {
        self.max_record_size.load(Ordering::Relaxed)
    }

    pub fn default_read_touch_ttl_pct(&self) -> u32 {
        self.default_read_touch_ttl_pct.load(Ordering::Relaxed)
    }

    /// Whether records may have a TTL (`is_ttl_disallowed()` in `as/include/transaction/rw_utils.h`).
    pub fn allows_ttl(&self) -> bool {
        self.nsup_period() != 0 || self.allow_ttl_without_nsup()
    }

    /// Applies all of a change, or none of it.
    ///
    /// # Errors
    /// A description of what is invalid.
    pub fn change(&self, change: &Change) -> Result<(), String> {
        let _changing = self.changing.lock();
        if change
            .default_read_touch_ttl_pct
            .is_some_and(|pct| pct > 100)
        {
            return Err("default-read-touch-ttl-pct must be from 0 to 100".into());
        }
        if change
            .max_record_size
            .is_some_and(|size| !RECORD_SIZES.contains(&size))
        {
            return Err("max-record-size must be from 64 to 8388608 bytes".into());
        }
        if let Some(seconds) = change.default_ttl {
            self.check_default_ttl(seconds, change)?;
        }
        let set = |slot: &AtomicU32, value: Option<u32>| {
            if let Some(value) = value {
                slot.store(value, Ordering::Relaxed);
            }
        };
        set(&self.default_ttl, change.default_ttl);
        set(&self.nsup_period, change.nsup_period);
        set(&self.max_record_size, change.max_record_size);
        set(
            &self.default_read_touch_ttl_pct,
            change.default_read_touch_ttl_pct,
        );
        if let Some(value) = change.allow_ttl_without_nsup {
            self.allow_ttl_without_nsup.store(value, Ordering::Relaxed);
        }
        Ok(())
    }

    fn check_default_ttl(&self, seconds: u32, change: &Change) -> Result<(), String> {
        if seconds > ttl::MAX {
            return Err(format!("default-ttl must be at most {} seconds", ttl::MAX));
        }
        let period = change.nsup_period.unwrap_or_else(|| self.nsup_period());
        let is_allowed = change
            .allow_ttl_without_nsup
            .unwrap_or_else(|| self.allow_ttl_without_nsup());
        if seconds != 0 && period == 0 && !is_allowed {
            return Err("a default-ttl needs an nsup-period, or allow-ttl-without-nsup".into());
        }
        Ok(())
    }
}
