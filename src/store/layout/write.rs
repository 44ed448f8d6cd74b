//! The bins that are written, from the text of a session.

use std::borrow::Cow;

use aerospike::{Bin, Key, Value};

use super::super::bins::{COOKIE, CREATED, EXPIRES, PREFIX, USER};
use super::super::cookie;
use super::super::session_text::Session;
use super::{Layout, bad_session};
use crate::codec::encode::{self, Encoded};
use crate::codec::packer;
use crate::error::{Code, Error, Result};

impl Layout {
    /// Returns whether data and cookie are encrypted.
    pub fn encrypts(&self) -> bool {
        !self.options.keys.is_empty()
    }

    /// Returns the bin of the data, from the text of an object.
    pub fn data_bin(&self, key: &Key, json: &str) -> Result<Bin> {
        let bin = self.options.bin.as_str();
        let value = match self.options.json {
            _ if self.encrypts() => self.encrypt(key, bin, checked(json)?)?,
            true => Value::String(checked(json)?.to_owned()),
            false => object(json)?,
        };
        Ok(Bin::new(bin, value))
    }

    /// Returns the bin of the data of a parsed session, whose members are known to be JSON.
    pub fn session_bin(&self, key: &Key, session: &Session<'_>) -> Result<Bin> {
        let bin = self.options.bin.as_str();
        let data = session.data();
        let bounded = |data| encode::check_depth(data).map_err(bad_session);
        let value = match self.options.json {
            _ if self.encrypts() => self.encrypt(key, bin, &bounded(data)?)?,
            true => Value::String(bounded(data)?),
            false => object(&data)?,
        };
        Ok(Bin::new(bin, value))
    }

    /// Returns the bin of the cookie, from the text of `cookie.toJSON()`. A text that is not an object is stored like
    /// a missing cookie, so that express-session reports it itself.
    pub fn cookie_bin(&self, key: &Key, json: Option<&str>) -> Result<Bin> {
        let json = json.filter(|json| json.starts_with('{')).unwrap_or("{}");
        let stored = cookie::to_stored(json).map_err(bad_session)?;
        let value = match self.encrypts() {
            true => self.encrypt(key, COOKIE, checked(&stored)?)?,
            false => object(&stored)?,
        };
        Ok(Bin::new(COOKIE, value))
    }

    pub(super) fn encrypt(&self, key: &Key, bin: &str, json: &str) -> Result<Value> {
        let encrypted = self
            .options
            .keys
            .encrypt(&self.place(&key.digest(), bin), json);
        let failed = || Error::new(Code::Server, "the system gives no random numbers");
        encrypted.map(Value::Blob).ok_or_else(failed)
    }

    pub fn expires_bin(&self, expires: i64) -> Bin {
        Bin::new(EXPIRES, Value::Int(expires))
    }

    pub fn created_bin(&self, created: i64) -> Bin {
        Bin::new(CREATED, Value::Int(created))
    }

    /// Returns the bin of the owner. Without an owner, the bin is removed.
    pub fn user_bin(&self, user: Option<&str>) -> Bin {
        let value = user.map_or(Value::Nil, |user| Value::String(self.owner(user).into()));
        Bin::new(USER, value)
    }

    /// Returns the value of the owner bin for a user.
    pub fn owner<'u>(&self, user: &'u str) -> Cow<'u, str> {
        match &self.options.hasher {
            Some(hasher) => hasher.user(user).into(),
            None => user.into(),
        }
    }

    pub fn prefix_bin(&self) -> Option<Bin> {
        let prefix = self.options.prefix.as_str();
        (!prefix.is_empty()).then(|| Bin::new(PREFIX, Value::String(prefix.to_owned())))
    }
}

/// Returns the value of a whole bin: a native map, or JSON text if a native map cannot hold it.
fn object(json: &str) -> Result<Value> {
    Ok(match encode::object(json).map_err(bad_session)? {
        Encoded::Map(packed) => Value::Unknown(packer::PARTICLE_MAP, packed),
        Encoded::OnlyJson => Value::String(json.to_owned()),
    })
}

/// Returns the text, if it is an object and nested no deeper than a map may be.
fn checked(json: &str) -> Result<&str> {
    encode::check(json).map_err(bad_session)?;
    Ok(json)
}
